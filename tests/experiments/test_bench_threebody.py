"""`designgym bench threebody`: made-up arms whose worth is known, and a small study from end to end."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from chromium import Chromium
from report_pages import show

from designgym.cost_models.solver_schedule.three_body_policy import FEATURES, Policy
from designgym.experiments.bench import threebody
from designgym.experiments.bench.threebody_page import sentence, write_study
from designgym.experiments.bench.threebody_study import FIRST_UNSEEN, Arm, Claim, Hindsight, Point, Study, ninth
from designgym.experiments.weights.three_body_policies import (
    CALIBRATION,
    FIRST_CALIBRATION,
    FIRST_TRAINING,
    TRAINING,
)


def made_up(saved: float = 0.2, broken: int = 0, n: int = 200) -> Claim:
    """Return a claim in which a policy saves a share of evaluations, and breaks the bound on so many more states."""
    rng = np.random.default_rng(0)
    spent = rng.lognormal(7.0, 0.5, n)
    error = np.where(np.arange(n) < 0.92 * n, 1e-5, 1e-3)
    worse = error.copy()
    worse[:broken] = 1e-3
    learned = (1.0 - saved) * spent * rng.normal(1.0, 0.05, n)
    return Claim(1e-4, 0.03, Arm("eta 0.03", spent, error), Arm("learned", learned, worse))


def test_a_claim_holds_where_the_interval_is_below_zero_and_the_share_no_lower() -> None:
    claim = made_up()
    difference = claim.difference
    assert difference.low < difference.middle < difference.high < 0
    assert difference.middle == pytest.approx(-0.2 * claim.single.evaluations.mean(), rel=0.05)
    assert claim.holds
    assert "0.80 of the best single eta's evaluations" in sentence(claim)
    assert "better by the rule" in sentence(claim)


@pytest.mark.parametrize(
    ("saved", "broken", "holds"), [(0.2, 4, True), (0.2, 5, False), (0.0, 0, False), (-0.1, 0, False)]
)
def test_a_claim_fails_by_evaluations_or_by_shares(saved: float, broken: int, holds: bool) -> None:
    claim = made_up(saved, broken)
    assert claim.lower_share == pytest.approx(broken / 200)
    assert claim.holds == holds
    assert ("not better by the rule" in sentence(claim)) == (not holds)


def test_states_that_either_breaks_are_left_out_of_the_fair_means() -> None:
    claim = made_up(broken=3)
    claim.learned.evaluations[:3] = 1.0  # it gives up
    both, learned, single = claim.where_both_keep()
    assert both == 181
    assert learned == claim.learned.evaluations[3:184].mean()
    assert single == claim.single.evaluations[3:184].mean()


def test_hindsight_is_compared_where_all_keep_the_bound() -> None:
    claim = made_up(n=10)
    oracle = Arm("oracle", np.arange(10.0), np.where(np.arange(10) < 5, 1e-6, 1.0))
    count, means = Hindsight(claim, oracle).where_all_keep()
    assert count == 5
    assert means == [one.evaluations[:5].mean() for one in (claim.single, claim.learned, oracle)]
    assert ninth(oracle.error) == 1.0
    assert ninth(np.arange(10.0)) == 8.0


def test_unseen_states_are_none_that_anybody_chose_on() -> None:
    assert FIRST_TRAINING > 10  # the reference tables' own
    assert FIRST_TRAINING + TRAINING <= FIRST_CALIBRATION
    assert FIRST_CALIBRATION + CALIBRATION <= FIRST_UNSEEN
    assert min(TRAINING, CALIBRATION, threebody.DEFAULT["states"], threebody.DEFAULT["training"]) >= 1000


def test_a_small_study_from_end_to_end(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(threebody, "QUICK", {"states": 30, "hindsight": 2, "training": 20, "curve_states": 3})
    threebody.run(None, None, tmp_path / "out", True, True, True)
    told = json.loads(capsys.readouterr().out)
    rows = pq.read_table(tmp_path / "out" / "figures.parquet").to_pylist()
    assert rows == told["rows"]
    differences = {row["bound"]: row for row in rows if row["figure"] == "learned_less_single"}
    assert {1e-4, 1e-6} <= set(differences)
    for bound, row in differences.items():
        arms = [r["evaluations"] for r in rows if r["figure"] == "unseen" and r["bound"] == bound]
        assert row["evaluations"] == pytest.approx(arms[1] - arms[0])
        assert row["low"] <= row["evaluations"] <= row["high"]
    assert len([row for row in rows if row["figure"] == "curve"]) == 13 + 2 * 9
    assert "Time steps of three bodies" in (tmp_path / "out" / "threebody.html").read_text()


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"states must be at least 2, got 1\. Raise it\."):
        threebody.run(1, None, None, True, True, True)


def test_the_page_draws_at_every_width(tmp_path: Path, chromium: Chromium) -> None:
    claim, weights = made_up(n=30), np.zeros(1 + len(FEATURES))
    weights[:2] = -1.5, 0.3
    curves = {name: [Point("<b>", 1e3, 1e-3), Point("y", 2e3, 1e5)] for name in ("fixed eta", "Hermite, fixed dt")}
    settings = {"unseen states": "30 <of them>"}
    hindsights = (Hindsight(claim, Arm("oracle", np.full(30, 500.0), np.full(30, 1e-5))),)
    study = Study((claim,), hindsights, curves, {1e-4: Policy(weights, 1e-4)}, settings, 1.0)
    page = tmp_path / "threebody.html"
    write_study(study, page, "designgym bench threebody")
    assert "&lt;of them&gt;" in page.read_text()
    for width in (1280, 390):
        show(chromium, page, width=width)
        assert chromium.evaluate("document.documentElement.dataset.report") == "drawn"
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
        assert chromium.errors == []
