"""The bench of relaxation: what its figures are of."""

import pytest

from designgym.cost_models.solver_schedule.relaxation import Relaxation
from designgym.experiments.bench import relaxation


def test_figures_are_of_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Relaxation(n=3, instances=400)
    monkeypatch.setattr(relaxation, "CASES", {"small": model, "warm": Relaxation("heat", n=3, instances=400)})
    monkeypatch.setattr(relaxation, "STEPS", 20)
    rows = {what: (figure, unit, ratio) for what, figure, unit, ratio, _ in relaxation.relaxation()["rows"]}
    seconds, unit, ratio = rows["small: 20 omegas on 400 systems of 3 x 3"]
    assert unit == "s"
    assert ratio == pytest.approx(15 / seconds)
    assert rows["warm: 20 omegas on 400 systems of 3 x 3"][2] is None
    assert rows["small: iterations"][0] == pytest.approx(model.costs().sum() / seconds)
    assert 0 < rows["warm: a step of RelaxationSequence-v0, omega 1.8"][0] < 1e6
    assert 0 < rows["poisson: sweeps in plain NumPy, one system"][0] < 1e6
