"""Schedules as matrices: spellings of one update are one, and what each evaluation is given."""

import numpy as np
import pytest

from designgym.cost_models.solver_schedule import _steps_kernel as kernel
from designgym.cost_models.solver_schedule.paths import PATHS, Path
from designgym.cost_models.solver_schedule.sampler import Schedule, matrices
from designgym.cost_models.solver_schedule.solvers import LOWER, NODES, PREDICTORS, SOLVERS, pattern

RNG = np.random.default_rng(0)
EVERY_PATH = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def grid(path: Path, steps: int) -> np.ndarray:
    """Random times from the beginning to the end."""
    low, high = path.log_snr([path.first, path.last])
    times = path.times(low + (high - low) * np.concatenate([[0.0], np.sort(RNG.random(steps - 1)), [1.0]]))
    times[0], times[-1] = path.begin, path.end
    return times


def matrix(path: Path, times: np.ndarray, *solvers: str) -> np.ndarray:
    return matrices(path, [Schedule(times, solvers)])[0][0]


@EVERY_PATH
@pytest.mark.parametrize(("noise", "in_t"), [(True, True), (True, False), (False, False)])
def test_first_orders_of_all_families_are_ddim(path: Path, noise: bool, in_t: bool) -> None:
    times = grid(path, 4)[1:3]
    alphas, sigmas = (np.array([f(path.number, times[0])]) for f in (kernel.alpha_of, kernel.sigma_of))
    given = np.array([[0.7, 0.0]])
    found = []
    for solver in ("exact", kernel.DDIM, kernel.UNIPC1_NOISE):
        x, weights = given[0].copy(), np.empty(8)
        nodes, own = np.zeros(1, np.int64), np.array([times[0]])
        if solver == "exact":
            kernel.exact(path.number, *times, noise, in_t, nodes, own, x, given, alphas, sigmas, weights)
        else:
            kernel.predict(path.number, solver, *times, nodes, own, x, given, alphas, sigmas, weights)
        found.append(x)
    assert found[0] == pytest.approx(found[1], rel=1e-12, abs=1e-12)
    assert found[2] == pytest.approx(found[1], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", ["flow", "ve"])
def test_ddim_is_euler_on_the_flow_and_in_sigma(name: str) -> None:
    path = PATHS[name]
    times = grid(path, 6)
    made = matrix(path, times, *["ddim"] * 6)
    assert (made == matrix(path, times, *["euler"] * 6)).all()
    x = np.zeros(7)
    x[0] = path.scale
    for i in range(6):
        assert made[i] == pytest.approx(x, rel=1e-12, abs=1e-12)
        noise = (x - path.scales(times[i : i + 1])[0] * np.eye(7)[1 + i]) / path.scales(times[i : i + 1])[1]
        slope = noise if name == "ve" else np.eye(7)[1 + i] - noise
        x = x + (times[i + 1] - times[i]) * slope
    assert made[6] == pytest.approx(x, rel=1e-12, abs=1e-12)


def test_euler_is_the_step_of_the_ode_in_t() -> None:
    path, times = PATHS["vp"], np.array([1.0, 0.6])
    made = matrix(path, times, "euler")[1]
    beta, (_, (sigma,)) = 0.1 + 19.9 * 1.0, path.scales(times[:1])
    alpha = path.scales(times[:1])[0][0]
    # dx / dt = -beta / 2 (x + score), score = -noise / sigma = -(x - alpha D) / sigma^2.
    assert made[0] == pytest.approx(1 - 0.4 * (-beta / 2) * (1 - 1 / sigma**2), rel=1e-12)
    assert made[1] == pytest.approx(-0.4 * (-beta / 2) * alpha / sigma**2, rel=1e-12)


@EVERY_PATH
def test_unip_of_order_2_is_dpmpp2m_and_of_order_3_solves_its_system(path: Path) -> None:
    """As in the paper, algorithm 1 and eq. 12, with B2(h) = e^h - 1: of data."""
    times = grid(path, 6)[1:5]  # log-SNR is finite there
    log_snrs = path.log_snr(times)
    alphas, sigmas = path.scales(times)
    h = log_snrs[3] - log_snrs[2]
    b = np.expm1(-h)
    given, nodes = RNG.normal(size=(3, 4)), np.array([2, 1, 0])
    for order, solver in ((2, "dpmpp2m"), (3, "unip3")):
        ratios = (log_snrs[2 - np.arange(1, order)] - log_snrs[2]) / h
        phi, right, factorial = b / -h - 1.0, [], 1.0
        for i in range(1, order):
            factorial *= i
            right.append(phi * factorial / b)
            phi = phi / -h - 1.0 / (factorial * (i + 1))
        rhos = [0.5] if order == 2 else np.linalg.solve(np.vander(ratios, increasing=True).T, right)
        expected = sigmas[3] / sigmas[2] * given[2].copy()
        expected[1 + 2] -= alphas[3] * b
        for rho, ratio, node in zip(rhos, ratios, (1, 0), strict=False):
            expected[1 + node] -= alphas[3] * b * rho / ratio
            expected[1 + 2] += alphas[3] * b * rho / ratio
        x, weights = given[2].copy(), np.empty(8)
        number = SOLVERS.index(solver)
        kernel.predict(path.number, number, *times[2:], nodes, times, x, given, alphas[:3], sigmas[:3], weights)
        assert x == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_no_two_solvers_are_one_where_all_may_stand() -> None:
    path = PATHS["vp"]
    times = grid(path, 6)
    made = {name: matrix(path, times[:6], "ddim", "deis1", "deis2", name, "deis3")[-1] for name in SOLVERS}
    heun = made.pop("heun")
    assert len(heun) == len(made["ddim"]) + 1
    for name, own in made.items():
        for other, theirs in made.items():
            assert np.allclose(own, theirs, rtol=1e-9, atol=1e-12) == (name == other), (name, other)


def test_after_a_ddim_step_second_orders_of_noise_and_of_data_are_one() -> None:
    path = PATHS["vp"]
    times = grid(path, 3)
    made = [matrix(path, times, "ddim", name, "ddim") for name in ("dpmpp2m", "dpm2m", "deis_log1")]
    assert made[0] == pytest.approx(made[1], rel=1e-12, abs=1e-12)
    assert made[0] != pytest.approx(made[2], rel=1e-3)


def test_a_pattern_starts_at_lower_orders_and_ends_without_a_corrector() -> None:
    assert pattern("deis3", 5) == ("ddim", "deis1", "deis2", "deis3", "deis3")
    assert pattern("dpmpp2m_lof", 4) == ("ddim", "dpmpp2m", "dpmpp2m", "ddim")
    assert pattern("heun", 5) == ("heun", "heun", "ddim")
    assert pattern("unipc3", 5) == ("unipc1", "unipc2", "unipc3", "unipc3", "unip3")
    with pytest.raises(ValueError, match=r"solver must be one of euler, .*, got 'dpm'. Correct it."):
        pattern("dpm", 4)


def test_the_tables_of_solvers_agree_with_the_compiled_code() -> None:
    assert set(NODES) == set(SOLVERS)
    for number, name in enumerate(SOLVERS):
        assert kernel.nodes_of(number) == NODES[name]
        assert getattr(kernel, name.upper()) == number
        assert (name in LOWER) == (NODES[name] > 1)
        assert name not in LOWER or NODES[LOWER[name]] == NODES[name] - 1
        assert NODES[PREDICTORS.get(name, name)] == NODES[name]
