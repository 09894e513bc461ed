"""Time steps in hindsight: those of the reference table, interval by interval."""

import csv
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.three_body import ETAS, integrations
from designgym.cost_models.solver_schedule.three_body_oracle import Hindsight, hindsight
from designgym.cost_models.solver_schedule.three_body_starts import of_seeds

TABLE = Path(__file__).parents[2] / "reference" / "solver_schedule" / "solver_threebody_oracle.csv"
ROWS = list(csv.DictReader(TABLE.read_text().splitlines()))


@pytest.mark.parametrize("seed", [3, 5, 9, 10])
def test_plans_are_those_of_the_table(seed: int) -> None:
    state = of_seeds(seed, 1)[0]
    found = hindsight(state)
    etas = integrations(np.zeros(10, np.int64), ETAS[:, None], state[None], 10**6)
    own = [row for row in ROWS if row["seed"] == str(seed)]
    assert len(own) == 3
    for row in own:
        bound = float(row["tolerance"])
        kept = etas["energy_error"][:, 0] <= bound
        assert etas["force_evals"][kept, 0].min() == float(row["best_fixed_eta_evals"])
        best = found.best(bound)
        assert best is not None
        assert found.evaluations[best] == float(row["oracle_evals"])
        # Below a tenth of a millionth errors are chaotic.
        assert found.error[best] == pytest.approx(float(row["oracle_final_error"]), rel=2e-3 if bound > 1e-7 else 0.2)
        assert [int(np.argmin(np.abs(ETAS - eta))) for eta in found.etas[best]] == [
            int(a) for a in row["oracle_actions"]
        ]


def test_a_bound_that_no_plan_keeps_has_no_plan() -> None:
    plans = Hindsight(np.ones((2, 100)), np.array([10.0, 20.0]), np.array([1e-3, 1e-5]))
    assert plans.best(1e-4) == 1
    assert plans.best(1e-2) == 0
    assert plans.best(1e-6) is None
