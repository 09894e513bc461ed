"""References against published digits, and against integrations with more digits than a double holds."""

import numpy as np
import pytest
from scipy.integrate._ivp import dop853_coefficients

from designgym.cost_models.solver_schedule._ode_right_sides_kernel import right_side
from designgym.cost_models.solver_schedule.ode_integrator import steps_taken
from designgym.cost_models.solver_schedule.ode_problems import ODES, OdeProblem, ode_problem
from designgym.cost_models.solver_schedule.ode_reference import reference, tight_rodas

LONG = np.longdouble
STAGES = 12


def in_long_double(problem: OdeProblem, steps: int) -> np.ndarray:
    """Return the state at the end by so many equal steps of order eight."""
    a, b = dop853_coefficients.A[:STAGES, :STAGES].astype(LONG), dop853_coefficients.B.astype(LONG)
    y = np.array(problem.start, LONG)
    k, f = np.empty((STAGES, len(y)), LONG), np.empty(len(y), LONG)
    h, parameters = LONG(problem.end) / steps, problem.table.astype(LONG)
    for _ in range(steps):
        for s in range(STAGES):
            right_side(problem.number, parameters, y + h * (a[s, :s] @ k[:s]), f)
            k[s] = f
        y = y + h * (b @ k)
    return y


@pytest.mark.skipif(np.finfo(LONG).eps > 1e-18, reason="needs a long double of more than 64 bits")
@pytest.mark.parametrize("ode", ["lotka_volterra", "van_der_pol", "brusselator"])
def test_references_are_right_to_the_last_digits(ode: str) -> None:
    problem = ode_problem(ode)
    truth, scale = reference(ode, 1.0, 0)
    assert truth.shape == (200, 2)
    exact = in_long_double(problem, 6000)
    assert np.sqrt((((truth[-1] - exact) / scale) ** 2).mean()) < 2e-14


def test_arenstorfs_orbit_closes() -> None:
    # To more digits than the table's its period is 17.0652165601579625588917206249: it ends 1.6e-10 early.
    problem = ode_problem("arenstorf")
    truth, scale = reference("arenstorf", 1.0, 0)
    slope = np.empty(4)
    right_side(problem.number, problem.table, problem.initial(0), slope)
    expected = problem.initial(0) - slope * (17.0652165601579625588917206249 - problem.end)
    # The last bit of the initial state makes a difference of 2e-10 at the end.
    assert np.sqrt((((truth[-1] - expected) / scale) ** 2).mean()) < 2e-10


def test_the_stiff_van_der_pol_ends_at_the_published_state() -> None:
    """The Test Set for IVP Solvers, problem VDPOL: its time is ours over mu, its second component mu times ours."""
    truth, scale = reference("van_der_pol", 1000.0, 0)
    published = np.array([1.706167732170483, -0.8928097010247975e-3])
    assert ode_problem("van_der_pol", 1000.0).end == 2000.0
    assert truth[-1] == pytest.approx(published, rel=3e-12)
    assert np.sqrt((((truth[-1] - published) / scale) ** 2).mean()) < 2e-12


def test_robertsons_kinetics_end_at_the_published_state() -> None:
    """The Test Set for IVP Solvers, problem ROBER, to time 1e11."""
    problem = ode_problem("robertson")
    _, states = steps_taken(problem, tight_rodas(), problem.initial(0), 1e11, 10**7)
    assert states[-1] == pytest.approx([0.2083340149701255e-07, 0.8333360770334713e-13, 0.9999999791665050], rel=5e-12)
    truth, _ = reference("robertson", 1.0, 0)
    assert truth.sum(axis=1) == pytest.approx(np.ones(200), abs=1e-12)  # what reacts is conserved


@pytest.mark.slow
def test_robertsons_reference_is_radaus() -> None:
    from scipy.integrate import solve_ivp

    problem = ode_problem("robertson")

    def slope(t, y):
        f = np.empty(3)
        right_side(problem.number, problem.table, y, f)
        return f

    found = solve_ivp(slope, (0.0, problem.end), problem.initial(0), "Radau", rtol=1e-11, atol=1e-17)
    truth, scale = reference("robertson", 1.0, 0)
    assert np.abs((found.y[:, -1] - truth[-1]) / scale).max() < 1e-10


@pytest.mark.parametrize("ode", ODES)
def test_other_starts_are_near_and_their_own(ode: str) -> None:
    problem = ode_problem(ode)
    assert problem.initial(0).tolist() == list(problem.start)
    assert problem.initial(3).tolist() == problem.initial(3).tolist()
    states = np.array([problem.initial(start) for start in range(1, 200)])
    assert len(np.unique(states, axis=0)) == 199
    if ode == "robertson":
        assert states.sum(axis=1) == pytest.approx(np.ones(199))
        assert (states >= 0).all()
    elif ode == "neural_ode":
        assert np.hypot(*states.T).max() <= 2.0 * np.exp(0.1) + 1e-12
    else:
        assert np.median(states, axis=0) == pytest.approx(problem.start, abs=0.06 * max(problem.start))


@pytest.mark.parametrize(
    ("name", "mu", "message"),
    [
        ("lotka_volterra", 2.0, "mu must be 1 but for van_der_pol, got 2 for lotka_volterra. Leave it out."),
        ("van_der_pol", 0.0, r"mu must be in \[0.01, 5000\], got 0. Choose one of these."),
        ("lotka", 1.0, "unknown ode 'lotka'. .*lotka_volterra"),
    ],
)
def test_wrong_options_are_refused_in_one_line(name: str, mu: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ode_problem(name, mu)


@pytest.mark.parametrize(
    ("ode", "mu", "method", "rtol", "evaluations", "error"),
    [
        ("van_der_pol", 1000.0, "Radau", 1e-3, 2059, 2.7068e-06),
        ("van_der_pol", 1000.0, "BDF", 1e-3, 1385, 3.2196e-03),
        ("robertson", 1.0, "Radau", 1e-3, 377, 3.9250e-06),
        ("robertson", 1.0, "Radau", 1e-6, 1178, 5.6405e-09),
        ("robertson", 1.0, "BDF", 1e-4, 343, 1.9712e-05),
    ],
)
def test_scipys_implicit_methods_err_by_what_its_table_says(ode, mu, method, rtol, evaluations, error) -> None:
    """Rows of solver_ivp_scipy.csv: our references and scales of stiff problems are those of somebody else."""
    from scipy.integrate import solve_ivp

    problem = ode_problem(ode, mu)
    truth, scale = reference(ode, mu, 0)

    def slope(t, y):
        f = np.empty(len(y))
        right_side(problem.number, problem.table, y, f)
        return f

    found = solve_ivp(slope, (0.0, problem.end), problem.initial(0), method, rtol=rtol, atol=rtol / 1e3)
    assert found.nfev + len(truth[0]) * found.njev == evaluations
    assert np.sqrt((((found.y[:, -1] - truth[-1]) / scale) ** 2).mean()) == pytest.approx(error, rel=1e-3)
