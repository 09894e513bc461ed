"""Few-step samplers of diffusion and flow models: schedules of any solvers, priced by where they take the same noise.

The reference is the probability-flow ODE itself, by the classical Runge-Kutta method in a thousand steps.
"""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.kernels import on_all_threads
from designgym.cost_models.solver_schedule.mixtures import Mixture, mixture
from designgym.cost_models.solver_schedule.paths import Path
from designgym.cost_models.solver_schedule.solvers import SOLVERS, evaluations_of

REFERENCE_STEPS = 1000
FLIP = 0.5  # a point whose error is above this has gone to another mode

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """One sampler: times, (steps + 1,), from the path's beginning to its end, and the solver of each step by name."""

    times: Floats
    solvers: tuple[str, ...]


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
    alike = kernel.begun_alike(*made)
    args = tasks, *made, alike, noise, model.weights, model.stds, model.means, out
    on_all_threads(kernel.samples, kernel.samples_serial, *args)
    return out


@functools.lru_cache(16)
def reference(path: Path, name: str, count: int, seed: int, steps: int = REFERENCE_STEPS) -> Floats:
    """Return where the exact path carries noise, (d, count). steps: of a fourth-order method, equal in log-SNR or t."""
    from designgym.cost_models.solver_schedule import _denoising_kernel as kernel

    model = mixture(name)
    noise = noises(model.dimensions, count, seed)
    alphas, sigmas, kinds, lengths, before, after = path.exact(steps)
    ends = np.empty_like(noise)
    args = alphas, sigmas, kinds, lengths, noise * before, model.weights, model.stds, model.means, ends
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
