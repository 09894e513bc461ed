"""What integrations are priced at: against scipy's table, and what becomes of those that give up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.ode_integrator import METHODS, integrations, scipy_design
from designgym.cost_models.solver_schedule.ode_problems import ode_problem
from designgym.cost_models.solver_schedule.ode_tolerance import OdeTolerance
from designgym.cost_models.solver_schedule.ode_validate import validate

TABLE = Path(__file__).parents[2] / "reference" / "solver_schedule" / "solver_ivp_scipy.csv"


def design_of(**values: float) -> dict[str, np.ndarray]:
    return scipy_design() | {name: np.array([value]) for name, value in values.items()}


def test_rk23_and_rk45_of_the_table_are_exact_in_evaluations_and_within_a_percent_in_error() -> None:
    agreement = validate(TABLE)
    assert agreement["rows"] == 36
    evaluations, errors = (agreement["quantities"][n] for n in ("rhs_evals_incl_fd_jacobian", "scaled_endpoint_rms"))
    assert evaluations["rows"] == evaluations["exact"] == 36
    assert errors["rows"] == errors["within_1pct"] == 36
    assert errors["worst_error"] < 3e-3


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("lotka,RK45,1e-3", "row 2: unknown ode 'lotka'. "),
        ("vdp_mu0,RK45,1e-3", "row 2: mu must be in"),
        ("arenstorf,RK23,tight", "row 2: rtol must be a number or empty, got 'tight'. Correct it."),
        ("arenstorf,RK23,", "row 2: rtol must be in (0, 1) and atol above 0, got nan and nan."),
        ("arenstorf,LSODA,1e-3", "the table must have at least one row of RK23 or RK45, got none. Add one."),
    ],
)
def test_a_row_that_can_not_be_priced_is_named(tmp_path, row: str, message: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(f"problem,method,rtol\n{row}\n")
    with pytest.raises(ValueError) as caught:
        validate(table)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_may_give_absolute_tolerances(tmp_path) -> None:
    table = tmp_path / "atol.csv"
    table.write_text("problem,method,rtol,atol,rhs_evals_incl_fd_jacobian\nvdp_mu1,RK45,1e-3,1e-6,434\n")
    assert validate(table)["quantities"]["rhs_evals_incl_fd_jacobian"]["exact"] == 1
    table.write_text("problem,method,rtol,atol,rhs_evals_incl_fd_jacobian\nvdp_mu1,RK45,1e-3,1e-2,434\n")
    assert validate(table)["quantities"]["rhs_evals_incl_fd_jacobian"]["exact"] == 0


def test_work_counts_jacobians_by_their_columns() -> None:
    found = OdeTolerance("robertson").evaluate(design_of(method=METHODS.index("rodas43"), rtol=1e-6, atol=1e-10))
    assert found["violation"][0] == 0
    assert found["jacobians"][0] == found["steps"][0]
    # The first slope, scipy's first step, a slope for each step but the first, five stages for each attempt.
    steps, rejected = found["steps"][0], found["rejected"][0]
    assert found["evaluations"][0] == 2 + (steps - 1) + 5 * (steps + rejected)
    assert found["work"][0] == found["evaluations"][0] + 3 * found["jacobians"][0]
    assert found["error"][0] < 1e-4
    assert found["error"][0] <= found["largest_error"][0]


@pytest.mark.parametrize(("rtol", "most"), [(1e-3, 469), (1e-9, 100), (1e-9, 1)])
def test_spent_evaluations_are_a_violation_that_says_how_far_it_came(rtol: float, most: int) -> None:
    design = design_of(rtol=rtol, atol=rtol / 1e3)
    model = OdeTolerance(most_evaluations=most)
    found = model.evaluate(design)
    assert 0 < found["violation"][0] <= 1
    assert all(np.isnan(column[0]) for name, column in found.items() if name != "violation")
    assert model.reason(design).endswith("of 15 all evaluations were spent")
    enough = OdeTolerance(most_evaluations=10**6)
    assert enough.evaluate(design)["violation"][0] == 0
    assert enough.reason(design) == ""


@pytest.mark.parametrize("method", range(len(METHODS)))
def test_a_limit_is_met_by_what_needs_just_as_many(method: int) -> None:
    design = design_of(method=method, rtol=1e-4, atol=1e-7)
    needed = int(OdeTolerance().evaluate(design)["evaluations"][0])
    assert OdeTolerance(most_evaluations=needed).evaluate(design)["evaluations"][0] == needed
    assert OdeTolerance(most_evaluations=needed - 1).evaluate(design)["violation"][0] > 0


def test_an_explicit_method_that_breaks_down_on_a_stiff_problem_is_a_result() -> None:
    model = OdeTolerance("robertson")
    assert 0.99 < model.evaluate(design_of())["violation"][0] <= 1
    assert model.reason(design_of()) == "at time 0.442 of 10000 the step came down to rounding"


def test_stiffness_is_the_fastest_rate() -> None:
    # On van der Pol's slow branch, where it stays until about .8 mu, the fast rate is mu (y^2 - 1), at most 3 mu.
    problem = ode_problem("van_der_pol", 200.0)
    zeros, ones = np.zeros((1, 2)), np.ones(2)
    for method in range(len(METHODS)):
        design = design_of(method=method, rtol=1e-6, atol=1e-9)
        found = integrations(problem, design, problem.initial(0), zeros, ones, 10**7, end=50.0)
        assert found["stiffness"][0] == pytest.approx(600, rel=0.02)
    # Robertson's ends near 1e4 y_3.
    rodas = OdeTolerance("robertson").evaluate(design_of(method=3, rtol=1e-6, atol=1e-10))
    assert 1e3 < rodas["stiffness"][0] < 1e4


def test_tighter_tolerances_cost_more_and_miss_less() -> None:
    rtol = 10.0 ** -np.arange(3, 9)
    for method in range(len(METHODS)):
        designs = {name: np.repeat(column, 6) for name, column in design_of(method=method).items()}
        found = OdeTolerance("brusselator", most_evaluations=10**5).evaluate(
            designs | {"rtol": rtol, "atol": rtol / 1e3}
        )
        assert (np.diff(found["work"]) > 0).all()
        assert (np.diff(np.log(found["largest_error"])) < 0).all()
        assert (np.diff(np.log(found["local_error"])) < 0).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": -1}, "start must be an integer of at least 0, got -1. Choose one."),
        ({"most_evaluations": 0}, "most_evaluations must be an integer of at least 1, got 0. Choose one."),
        ({"start": 2.5}, "start must be an integer of at least 0, got 2.5. Choose one."),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OdeTolerance(**options)


def test_there_is_no_scipy_design_of_other_methods() -> None:
    with pytest.raises(ValueError, match=r"method must be one of RK23, RK45, got 'LSODA'. Choose one of them."):
        scipy_design("LSODA")


def test_an_integer_mu_is_as_good_as_a_float() -> None:
    design = design_of(rtol=1e-4, atol=1e-7)
    assert ode_problem("van_der_pol", 3).table.dtype == np.float64
    whole, real = (OdeTolerance("van_der_pol", mu).evaluate(design)["error"][0] for mu in (3, 3.0))
    assert whole == real
