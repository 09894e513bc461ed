"""The score network of the digits: compiled as in torch, point by point, operations counted, figures as recorded."""

import dataclasses
import math

import numpy as np
import pytest

from designgym.cost_models import kernels
from designgym.cost_models.solver_schedule import _denoising_kernel as kernel
from designgym.cost_models.solver_schedule.distances import frechet2
from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.networks import SPREAD, Weights
from designgym.cost_models.solver_schedule.paths import PATHS
from designgym.cost_models.solver_schedule.sampler import Schedule, errors, noises, reference, sampled
from designgym.cost_models.solver_schedule.solvers import pattern

RNG = np.random.default_rng(0)
MODEL = mixture("digits_network")
VP = PATHS["vp"]


def network() -> Weights:
    assert MODEL.network is not None
    return MODEL.network


def found(x: np.ndarray, alpha: float, sigma: float, kind: tuple[float, ...], skipped: int = 0) -> np.ndarray:
    out = np.empty_like(x)
    kernel.network(x, alpha, sigma, kind, skipped, MODEL.compiled, out)
    return out


def noisy(log_snr: float, points: int) -> tuple[np.ndarray, float, float]:
    alpha = 1.0 / math.sqrt(1.0 + math.exp(-2.0 * log_snr))
    sigma = alpha * math.exp(-log_snr)
    data = MODEL.means[RNG.integers(len(MODEL.means), size=points)].T
    return alpha * data + sigma * RNG.standard_normal(data.shape), alpha, sigma


def test_compiled_is_as_torchs() -> None:
    torch = pytest.importorskip("torch")
    from designgym.experiments.weights import score_network

    names = [field.name for field in dataclasses.fields(Weights)[:10]]
    weights = {name: torch.tensor(getattr(network(), name)) for name in names}
    for log_snr in (-5.0, -1.0, 0.5, 4.5):
        for skipped in (0, 0b0101, 0b1111):
            x, alpha, sigma = noisy(log_snr, 40)
            y, levels = torch.tensor((x / alpha).T, dtype=torch.float32), torch.full((40,), log_snr)
            theirs = score_network.denoised(weights, y, levels, network().scale, skipped=skipped).numpy().T
            ours = found(x, alpha, sigma, (1.0, alpha, 0.0), skipped)
            assert ours == pytest.approx(theirs, abs=1e-5)
    assert score_network.SPREAD == SPREAD == kernel.SPREAD


def test_noise_and_velocity_go_with_the_data_and_are_finite_at_both_ends_of_the_flow() -> None:
    x, alpha, sigma = noisy(0.7, 9)
    data = found(x, alpha, sigma, (1.0, alpha, 0.0))
    noise = (x - alpha * data) / sigma
    assert found(x, alpha, sigma, (0.0, 0.0, 1.0)) == pytest.approx(noise, rel=1e-9, abs=1e-9)
    assert found(x, alpha, sigma, (1.0, alpha, -1.0)) == pytest.approx(data - noise, rel=1e-9, abs=1e-9)
    for t in (0.0, 1.0):
        assert np.isfinite(found(x, t, 1.0 - t, (1.0, t, -1.0))).all()
    assert found(x, 1.0, 0.0, (1.0, 1.0, 0.0)) == pytest.approx(x, abs=1e-12), "without noise nothing is changed"


def test_a_point_and_a_schedule_alone_have_the_bits_that_they_have_among_others(monkeypatch) -> None:
    noise = noises(64, 40, 5)
    times = VP.grid("logsnr", 3)
    left_out: list[tuple[int, ...]] = [(), (0, 0, 9), (0, 6, 9), (15, 0, 0), (0, 0, 0)]
    schedules = [Schedule(times, pattern("ddim", 3), bits) for bits in left_out]
    schedules.insert(1, Schedule(times, pattern("dpmpp2m", 3)))
    together = sampled(VP, MODEL, schedules, noise)
    assert (together[0] == together[5]).all()
    for i in range(1, 5):
        assert np.abs(together[i] - together[0]).max() > 1e-3
    for i, schedule in enumerate(schedules):
        assert (sampled(VP, MODEL, [schedule], noise)[0] == together[i]).all()
    for p in (0, 17, 39):
        own = np.ascontiguousarray(noise[:, p : p + 1])
        assert (sampled(VP, MODEL, schedules, own)[:, :, 0] == together[:, :, p]).all()
    monkeypatch.setattr(kernels, "_forked", True)
    assert (sampled(VP, MODEL, schedules, noise) == together).all()


class Counted(float):
    """A number that counts what is done with it."""

    done = 0

    def _by(self, value: float) -> "Counted":
        Counted.done += 1
        return Counted(value)

    def __add__(self, other: float) -> "Counted":
        return self._by(float(self) + float(other))

    def __mul__(self, other: float) -> "Counted":
        return self._by(float(self) * float(other))

    def __truediv__(self, other: float) -> "Counted":
        return self._by(float(self) / float(other))

    def sqrt(self) -> "Counted":
        return self._by(math.sqrt(self))


def counted(values: np.ndarray) -> np.ndarray:
    return np.array([Counted(value) for value in np.ravel(values)], object).reshape(np.shape(values))


def gate(x: np.ndarray) -> np.ndarray:
    return np.array([v * Counted(0.5) * (v / (v * v + 1.0).sqrt() + 1.0) for v in x], object)


@pytest.mark.parametrize("skipped", [0, 0b0110])
def test_operations_are_counted_one_by_one(skipped: int) -> None:
    w, d = network(), 64
    small = Weights(*(counted(array) for array in w.arrays), scale=w.scale, facts={})  # type: ignore[arg-type]
    Counted.done = 0
    x = counted(RNG.normal(size=d)) * Counted(0.7)
    hidden = small.w_in @ x + small.b_level[0]
    for k in range(w.blocks):
        if not skipped >> k & 1:
            inner = gate(small.w_first[k] @ gate(hidden) + small.b_level[1 + k])
            hidden = hidden + (small.w_second[k] @ inner + small.b_second[k])
    out = x * Counted(0.2) + (small.w_out @ gate(hidden) + small.b_out) * Counted(0.3)
    assert len(out) == d
    assert Counted.done == w.flop(skipped)
    assert w.flop(0b1111) < w.flop(0b0110) < w.flop()


@pytest.mark.parametrize("name", PATHS)
def test_many_steps_come_to_its_own_path(name: str) -> None:
    path, noise = PATHS[name], noises(64, 32, 3)
    truth, away = reference(path, MODEL.name, 32, 3, 60), []
    grid = "uniform_t" if name == "flow" else "logsnr"
    for steps in (20, 40):
        schedule = Schedule(path.grid(grid, steps), pattern("dpmpp2m" if name != "flow" else "deis1", steps))
        away.append(float(np.median(errors(sampled(path, MODEL, [schedule], noise), truth))))
    assert away[1] < away[0] < 0.1


def test_its_path_is_known_to_what_is_said() -> None:
    for name, most in (("vp", 1e-5), ("ve", 1e-5), ("flow", 2e-4)):
        away = np.abs(reference(PATHS[name], MODEL.name, 32, 3, 200) - reference(PATHS[name], MODEL.name, 32, 3))
        assert 0 < away.max() < most


def test_recorded_figures() -> None:
    facts = network().facts
    again = frechet2(reference(VP, MODEL.name, 200, 3, 60), MODEL)
    assert again == pytest.approx(facts["data"]["frechet2_of_200"], rel=1e-3)
    assert facts["exact"]["frechet2"] < facts["data"]["frechet2"] < facts["noise"]["frechet2"]
    assert facts["data"]["training_loss"] < facts["data"]["held_out_loss"] < 1.05 * facts["data"]["training_loss"]
    assert sum(array.nbytes for array in network().arrays) < 1_000_000


@pytest.mark.slow
def test_training_again_comes_to_the_figures_that_are_shipped() -> None:
    pytest.importorskip("torch")
    from designgym.experiments.weights import score_network

    facts = network().facts
    scale = score_network.data_scale()
    for name, noise in (("data", False), ("noise", True)):
        weights, losses = score_network.train(facts["seed"], facts["steps"], noise)
        assert losses["held_out_loss"] == pytest.approx(facts[name]["held_out_loss"], rel=0.02)
        own = score_network.frechet(score_network.finder(weights, scale, noise))
        assert own == pytest.approx(facts[name]["frechet2"], rel=0.3)
