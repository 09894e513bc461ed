"""Steps of the methods: their coefficients by the conditions of order, their orders as measured, scipy's steps."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.integrate._ivp import common, rk

from designgym.cost_models.solver_schedule import _ode_steps_kernel as kernel
from designgym.cost_models.solver_schedule._ode_right_sides_kernel import right_side
from designgym.cost_models.solver_schedule.ode_integrator import (
    METHODS,
    SCIPY_METHODS,
    integrations,
    scipy_design,
    steps_taken,
)
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem, ode_problem
from designgym.cost_models.solver_schedule.ode_reference import reference

PAIRS = ("bs32", "dp54", "tsit54")
NOT_STIFF = ("lotka_volterra", "van_der_pol", "brusselator", "arenstorf")


def conditions(a: np.ndarray, b: np.ndarray, order: int, x: float = 1.0) -> list[float]:
    """Return by how much a Runge-Kutta method misses each condition of order, of its solution at a part x of a step.

    Hairer, Norsett and Wanner I, table II.2.1: a row of b for each rooted tree.
    """
    c = a.sum(axis=1)
    trees = [
        [(1, np.ones(len(c)))],
        [(2, c)],
        [(3, c**2), (6, a @ c)],
        [(4, c**3), (8, c * (a @ c)), (12, a @ c**2), (24, a @ a @ c)],
        [(5, c**4), (10, c**2 * (a @ c)), (15, c * (a @ c**2)), (30, c * (a @ a @ c)), (20, (a @ c) ** 2),
         (20, a @ c**3), (40, a @ (c * (a @ c))), (60, a @ a @ c**2), (120, a @ a @ a @ c)],
    ]  # fmt: skip
    return [float(b @ phi - x**p / gamma) for p in range(1, order + 1) for gamma, phi in trees[p - 1]]


@pytest.mark.parametrize(("name", "order"), [("bs32", 3), ("dp54", 5), ("tsit54", 5)])
def test_pairs_meet_the_conditions_of_their_orders(name: str, order: int) -> None:
    method = PAIRS.index(name)
    stages = kernel.STAGES[method]
    a = kernel.STAGE_WEIGHTS[method, :stages, :stages]
    b = a[-1]
    embedded = b - kernel.ERROR_WEIGHTS[method, :stages]
    assert np.abs(conditions(a, b, order)).max() < 1e-13
    assert np.abs(conditions(a, embedded, kernel.ESTIMATE_ORDER[method])).max() < 1e-13
    assert np.abs(conditions(a, embedded, kernel.ESTIMATE_ORDER[method] + 1)).max() > 1e-5
    for x in (0.3, 0.7, 1.0):
        dense = kernel.DENSE_WEIGHTS[method, :stages] @ x ** np.arange(1, 5)
        assert np.abs(conditions(a, dense, min(order, 4), x)).max() < 1e-12
    assert dense == pytest.approx(b, abs=1e-12)


def test_rodas_meets_the_conditions_of_order_four() -> None:
    # Its printed form holds alpha Gamma^-1, 1 / gamma - Gamma^-1 and b Gamma^-1 (Hairer and Wanner II, (IV.7.23)).
    gamma = np.linalg.inv(np.eye(6) / kernel.GAMMA - kernel.ROSENBROCK_COUPLING)
    a = kernel.ROSENBROCK_WEIGHTS @ gamma
    beta = a + gamma
    alpha, sums = a.sum(axis=1), beta.sum(axis=1)
    ones = np.ones(6)
    # Table IV.7.1, without terms of a Jacobian that is not exact.
    by_order = [
        [(1, ones)], [(2, sums)], [(3, alpha**2), (6, beta @ sums)],
        [(4, alpha**3), (8, alpha * (a @ sums)), (12, beta @ alpha**2), (24, beta @ beta @ sums)],
    ]  # fmt: skip
    last = kernel.ROSENBROCK_WEIGHTS[5] + np.eye(6)[5]
    for weights, order in ((last, 4), (kernel.ROSENBROCK_WEIGHTS[5], 3)):
        missed = [abs(weights @ gamma @ phi - 1 / n) for trees in by_order[:order] for n, phi in trees]
        assert max(missed) < 1e-13
    assert alpha == pytest.approx([0, 0.386, 0.21, 0.63, 1, 1], abs=1e-13)


def in_equal_steps(name: str, steps: int) -> dict[str, float]:
    """Integrate a slightly nonlinear oscillator by a tolerance that all errors meet, without growth of steps."""
    problem = ode_problem("van_der_pol", 0.01)
    truth, scale = reference("van_der_pol", 0.01, 0)
    values = {"method": METHODS.index(name), "max_factor": 1.0, "min_factor": 1.0}
    values |= {"first_step": 1, "first_fraction": 1 / steps}
    design = scipy_design(rtol=1e3, atol=1e3) | {key: np.array([value]) for key, value in values.items()}
    found = integrations(problem, design, problem.initial(0), truth, scale, 10**7)
    assert abs(found["steps"][0] - steps) <= 1
    return {key: float(column[0]) for key, column in found.items()}


@pytest.mark.parametrize(("name", "order"), [("bs32", 3), ("dp54", 5), ("tsit54", 5), ("rodas43", 4)])
def test_errors_fall_by_each_methods_order(name: str, order: int) -> None:
    # Far from linear the errors of order five of the pairs are so small that those of order six hide them.
    found = [in_equal_steps(name, steps) for steps in (400, 800)]
    slopes = {key: math.log2(found[0][key] / found[1][key]) for key in ("error", "local_error", "largest_error")}
    assert slopes["error"] == pytest.approx(order, abs=0.06)
    assert slopes["largest_error"] == pytest.approx(order, abs=0.06)
    assert slopes["local_error"] == pytest.approx(kernel.ESTIMATE_ORDER[METHODS.index(name)] + 1, abs=0.02)


def solved(problem: OdeProblem, method: str, rtol: float):
    def slope(t, y):
        f = np.empty(len(y))
        right_side(problem.number, problem.table, y, f)
        return f

    span, start = (0.0, problem.end), problem.initial(0)
    return solve_ivp(slope, span, start, method, dense_output=True, rtol=rtol, atol=rtol / 1e3)


@pytest.mark.parametrize("rtol", [1e-3, 1e-6])
@pytest.mark.parametrize("method", SCIPY_METHODS)
@pytest.mark.parametrize("ode", NOT_STIFF)
def test_every_step_is_scipys_to_the_last_bit_where_sums_are_in_one_order(ode, method, rtol, monkeypatch) -> None:
    """scipy's own control code, with its BLAS products replaced by sums in the order of a loop."""

    def product(k, weights, stages):
        return np.array([sum_in_order(weights[j] * k[j, d] for j in range(stages)) for d in range(k.shape[1])])

    def sum_in_order(terms):
        total = 0.0
        for term in terms:
            total += term
        return total

    def rk_step(fun, t, y, f, h, a, b, c, k):
        k[0] = f
        for s in range(1, len(c)):
            k[s] = fun(t + c[s] * h, y + product(k, a[s], s) * h)
        y_new = y + product(k, b, len(b)) * h
        k[-1] = fun(t + h, y_new)
        return y_new, k[-1].copy()

    def norm(x):
        return math.sqrt(sum_in_order(float(v) * float(v) for v in x) / len(x))

    monkeypatch.setattr(rk, "rk_step", rk_step)
    monkeypatch.setattr(rk, "norm", norm)
    monkeypatch.setattr(common, "norm", norm)
    monkeypatch.setattr(rk.RungeKutta, "_estimate_error", lambda self, k, h: product(k, self.E, len(self.E)) * h)
    problem = ode_problem(ode)
    theirs = solved(problem, method, rtol)
    times, states = steps_taken(problem, scipy_design(method, rtol, rtol / 1e3), problem.initial(0))
    assert np.array_equal(times, theirs.t[1:])
    assert np.array_equal(states, theirs.y.T[1:])


@pytest.mark.parametrize("method", SCIPY_METHODS)
@pytest.mark.parametrize("ode", NOT_STIFF)
def test_steps_evaluations_and_dense_output_are_scipys_own(ode: str, method: str) -> None:
    problem = ode_problem(ode)
    truth, scale = reference(ode, 1.0, 0)
    theirs = solved(problem, method, 1e-6)
    design = scipy_design(method, 1e-6, 1e-9)
    times, states = steps_taken(problem, design, problem.initial(0))
    # Rounding, of sums in another order on every processor, is magnified by the control of steps and by the problem.
    assert len(times) == len(theirs.t) - 1
    assert times == pytest.approx(theirs.t[1:], rel=1e-6)
    assert states == pytest.approx(theirs.y.T[1:], abs=1e-7)
    found = integrations(problem, design, problem.initial(0), truth, scale, 10**6)
    assert found["evaluations"][0] == theirs.nfev
    at = np.arange(1, len(truth) + 1) * problem.end / len(truth)
    errors = np.sqrt((((theirs.sol(at).T - truth) / scale) ** 2).mean(axis=1))
    assert found["largest_error"][0] == pytest.approx(errors.max(), rel=1e-5)
    assert found["error"][0] == pytest.approx(errors[-1], rel=1e-5)


@pytest.mark.parametrize("ode", [*NOT_STIFF, "robertson", "neural_ode"])
def test_jacobians_are_the_right_sides_slopes(ode: str) -> None:
    problem = ode_problem(ode)
    rng = np.random.default_rng(0)
    n = len(problem.start)
    for _ in range(5):
        y, jacobi = problem.initial(0) + 0.1 * rng.random(n), np.full((n, n), np.nan)
        from designgym.cost_models.solver_schedule._ode_right_sides_kernel import jacobian

        jacobian(problem.number, problem.table, y, jacobi)
        for column in range(n):
            ends = []
            step = 1e-6 * max(abs(y[column]), 1e-2)
            for sign in (-1.0, 1.0):
                f, near = np.empty(n), y.copy()
                near[column] += sign * step
                right_side(problem.number, problem.table, near, f)
                ends.append(f)
            numeric = (ends[1] - ends[0]) / (2 * step)
            assert jacobi[:, column] == pytest.approx(numeric, rel=1e-5, abs=1e-5 * np.abs(jacobi).max())


def test_right_sides_are_the_published_ones() -> None:
    y = np.array([0.7, -0.3, 0.2, 1.1])
    u, v, w = y[:3]
    m, e = 0.012277471, 1 - 0.012277471
    d1, d2 = np.hypot(u + m, v) ** 3, np.hypot(u - e, v) ** 3
    wanted = {
        "lotka_volterra": [1.5 * u - u * v, -3 * v + u * v],
        "van_der_pol": [v, 7.0 * (1 - u**2) * v - u],
        "robertson": [-0.04 * u + 1e4 * v * w, 0.04 * u - 1e4 * v * w - 3e7 * v**2, 3e7 * v**2],
        "brusselator": [1 + u**2 * v - 4 * u, 3 * u - u**2 * v],
        "arenstorf": [w, y[3], u + 2 * y[3] - e * (u + m) / d1 - m * (u - e) / d2, v - 2 * w - e * v / d1 - m * v / d2],
    }
    for name, slopes in wanted.items():
        problem = ode_problem(name, 7.0 if name == "van_der_pol" else 1.0)
        f = np.empty(len(problem.start))
        right_side(problem.number, problem.table, y[: len(f)], f)
        assert f == pytest.approx(slopes, rel=1e-12), name


def test_a_pid_controller_sets_steps_by_three_errors() -> None:
    """Against a plain integrator written here: h' = h s (1/e)^(kI+kP+kD)/5 (1/e1)^(-kP-2kD)/5 (1/e2)^(kD)/5."""
    problem, (k_i, k_p, k_d) = ode_problem("lotka_volterra"), (0.4, 0.25, 0.05)
    a, e = kernel.STAGE_WEIGHTS[2], kernel.ERROR_WEIGHTS[2]
    t, y, h, past, rejected, times = 0.0, problem.initial(0), 1e-3 * problem.end, [1.0, 1.0], False, []
    while t < problem.end:
        h = min(h, problem.end - t)
        k = np.zeros((7, 2))
        for s in range(7):
            right_side(0, problem.table, y + h * a[s] @ k, k[s])
        new = y + h * a[6] @ k
        size = np.sqrt(np.mean((h * e @ k / (1e-8 + 1e-5 * np.maximum(abs(y), abs(new)))) ** 2))
        if size >= 1:
            h, rejected = h * max(0.2, 0.9 * size**-0.2), True
            continue
        t, y = t + h, new
        times.append(t)
        factor = 0.9 * size ** (-(k_i + k_p + k_d) / 5) * past[0] ** ((k_p + 2 * k_d) / 5) * past[1] ** (-k_d / 5)
        factor = min(max(factor, 0.2), 3.0)
        h *= min(factor, 1.0) if rejected else factor
        past, rejected = [max(size, 1e-4), past[0]], False
    values = {"method": 2, "controller": 2, "gain_i": k_i, "gain_p": k_p, "gain_d": k_d, "max_factor": 3.0}
    values |= {"first_step": 1, "first_fraction": 1e-3}
    design = scipy_design(rtol=1e-5, atol=1e-8) | {name: np.array([value]) for name, value in values.items()}
    ours, _ = steps_taken(problem, design, problem.initial(0))
    assert ours == pytest.approx(np.array(times), rel=1e-9)
