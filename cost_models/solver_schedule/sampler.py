"""Few-step samplers of diffusion and flow models: schedules of any solvers, priced by where they take the same noise.

The reference is the probability-flow ODE itself, by the classical Runge-Kutta method in a thousand steps.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.kernels import on_all_threads
from designgym.cost_models.solver_schedule.mixtures import NETWORK, Mixture, mixture
from designgym.cost_models.solver_schedule.paths import Path
from designgym.cost_models.solver_schedule.solvers import SOLVERS, evaluations_of

REFERENCE_STEPS = 1000
DEAR_STEPS = {"digits": 200, NETWORK: 100}  # of models that cost a hundred times as much
# Of `Mixture.size` times evaluations of points, milliseconds: below it waking the threads costs more than it saves.
THREADS_FROM = 1_000_000
FLIP = 0.5  # a point whose error is above this has gone to another mode

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """One sampler: times, (steps + 1,), to the path's end, and the solver of each step by name.

    The noise is taken for x at the first time, which is the path's beginning but where a model says otherwise.
    skipped: blocks that a network leaves out at each evaluation, as bits; none for ().
    """

    times: Floats
    solvers: tuple[str, ...]
    skipped: tuple[int, ...] = ()


def check_noise(points: int, seed: int) -> None:
    """ValueError unless there can be so many points of noise with this seed."""
    if points < 2:
        raise ValueError(f"points must be at least 2, got {points}. Raise it.")
    if seed < 0:
        raise ValueError(f"noise_seed must be at least 0, got {seed}. Give another.")


def noises(dimensions: int, count: int, seed: int) -> Floats:
    """Return standard normal noise, (d, count): that of `default_rng(seed).standard_normal((count, d))`."""
    return np.ascontiguousarray(np.random.default_rng(seed).standard_normal((count, dimensions)).T)


def matrices(path: Path, schedules: list[Schedule]) -> tuple[Floats, Floats, Floats]:
    """Return schedules of one number of evaluations as matrices and the scales of their evaluations; see `fill`."""
    from designgym.cost_models.solver_schedule import _steps_kernel as kernel

    evaluations = {evaluations_of(schedule.solvers) for schedule in schedules}
    if len(evaluations) != 1:
        raise ValueError(f"schedules must make one number of evaluations, got {sorted(evaluations)}. Part them.")
    e, n = evaluations.pop(), len(schedules)
    out = np.empty((n, e + 1, e + 1)), np.empty((n, e)), np.empty((n, e))
    for schedule, matrix, alphas, sigmas in zip(schedules, *out, strict=True):
        solvers = np.array([SOLVERS.index(name) for name in schedule.solvers])
        kernel.fill(path.number, path.scale, schedule.times, solvers, matrix, alphas, sigmas)
    return out


def sampled(path: Path, model: Mixture, schedules: list[Schedule], noise: Floats) -> Floats:
    """Return where schedules carry noise, (d, n): (schedules, d, n)."""
    from designgym.cost_models.solver_schedule import _denoising_kernel as kernel

    made = matrices(path, schedules)
    out = np.empty((len(schedules), *noise.shape))
    tasks = -(-len(schedules) // kernel.RUN) * -(-noise.shape[1] // kernel.BLOCK)
    skipped = np.zeros(made[1].shape, np.int64)
    for row, schedule in zip(skipped, schedules, strict=True):
        row[: len(schedule.skipped)] = schedule.skipped
    alike = kernel.begun_alike(*made)
    alike[1:] = np.minimum(alike[1:], np.cumprod(skipped[1:] == skipped[:-1], axis=1).sum(axis=1))
    args = tasks, *made, skipped, alike, noise, model.compiled, out
    if made[1].size * noise.shape[1] * model.size < THREADS_FROM:
        kernel.samples_serial(*args)
    else:
        on_all_threads(kernel.samples, kernel.samples_serial, *args)
    return out


@functools.lru_cache(16)
def reference(path: Path, name: str, count: int, seed: int, steps: int | None = None) -> Floats:
    """Return where the exact path carries noise, (d, count). steps: of a fourth-order method, equal in log-SNR or t.

    By default 1,000; 200 of the digits; 100 of their network, which twice as many change by 8e-6 at most (1.2e-4 on
    the flow), in root mean square by 2e-6 (1e-5).
    """
    from designgym.cost_models.solver_schedule import _denoising_kernel as kernel

    model = mixture(name)
    noise = noises(model.dimensions, count, seed)
    alphas, sigmas, kinds, lengths, before, after = path.exact(steps or DEAR_STEPS.get(name, REFERENCE_STEPS))
    ends = np.empty_like(noise)
    args = alphas, sigmas, kinds, lengths, noise * before, model.compiled, ends
    on_all_threads(kernel.carried, kernel.carried_serial, -(-count // kernel.BLOCK), *args)
    ends *= after
    ends.flags.writeable = False
    return ends


def errors(samples: Floats, truth: Floats) -> Floats:
    """Return the root mean square over coordinates of each point's error, (schedules, n)."""
    return np.sqrt(np.mean((samples - truth) ** 2, axis=1))


def summary(own: Floats) -> dict[str, Any]:
    """Return RMS, median and share of flips of points' errors, (schedules, n): each (schedules,)."""
    return {
        "rms": np.sqrt(np.mean(own**2, axis=1)),
        "median": np.median(own, axis=1),
        "flip_fraction": np.mean(own > FLIP, axis=1),
    }
