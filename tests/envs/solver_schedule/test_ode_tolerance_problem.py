"""`OdeTolerance-v0`: its default design, its options, one objective or two."""

import numpy as np
import pytest

from designgym.agents import search
from designgym.cost_models.solver_schedule.ode_integrator import scipy_design
from designgym.envs import make_problem


def test_the_default_design_is_scipys() -> None:
    problem = make_problem("OdeTolerance-v0")
    default = problem.space.parse({})
    assert {name: column.tolist() for name, column in default.items()} == {
        name: column.tolist() for name, column in scipy_design().items()
    }
    # RK45's count at rtol 1e-3, atol 1e-6.
    assert problem.evaluate(default).metrics["evaluations"][0] == 470


@pytest.mark.parametrize("ode", ["van_der_pol", "robertson", "brusselator", "arenstorf", "neural_ode"])
def test_every_equation_has_designs_that_come_to_the_end(ode: str) -> None:
    problem = make_problem("OdeTolerance-v0", ode=ode, start=1)
    evaluations = problem.evaluate(problem.space.sample(100, np.random.default_rng(0)))
    assert evaluations.feasible.sum() > 10
    assert np.isfinite(evaluations.losses[evaluations.feasible]).all()


def test_another_start_is_another_problem() -> None:
    design = scipy_design()
    errors = [make_problem("OdeTolerance-v0", start=start).evaluate(design).metrics["error"][0] for start in range(3)]
    assert len(set(errors)) == 3


def test_work_under_a_bound_on_the_error_is_one_objective() -> None:
    problem = make_problem(
        "OdeTolerance-v0", objective={"minimize": ["work"], "subject_to": ["error <= 1e-5"], "reward": "log"}
    )
    trials = search(problem, agent="genetic", budget=300, seed=0)
    assert trials.best.metrics["error"] <= 1e-5
    # scipy's defaults need 1,034 evaluations for that: rtol 8e-6, atol 8e-9.
    assert trials.best.metrics["work"] < 1000
