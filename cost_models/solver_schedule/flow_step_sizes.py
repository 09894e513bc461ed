"""Euler steps of a rectified flow on some times of a fine grid: how far a few steps end from all of them.

Source: Nguyen et al., "Bellman Optimal Stepsize Straightening of Flow-Matching Models" (BOSS), ICLR 2024,
arXiv:2312.16414: the path of indices, the local cost of a step, and the fine grid's own end as the target.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.solver_schedule.diffusion_sampling import METRICS, ROOM_BYTE
from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.paths import PATHS
from designgym.cost_models.solver_schedule.pictures import Samplers, pictures_of
from designgym.cost_models.solver_schedule.sampler import Schedule, check_noise, errors, noises, sampled, summary

FLOW = PATHS["flow"]
MOST_FINE = 1000
MOST_DRAWN = 40  # evaluations of the curve of error
LOCAL = Metric("local_cost", "1", "lower", "sum of the path's local costs, which stands in for the error at its end")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FlowStepSizes:
    """Samplers of so many Euler steps, whose times are multiples of 1 / fine, against Euler's method in `fine` steps.

    model: see `mixture`. points, noise_seed: how many samples, and of which noise.
    Error: rms within 5e-6 of all 82 paths of tests/reference/solver_schedule/solver_boss_flow.csv, on four noises each,
    and the sums of local costs too; the table is printed to six digits.
    """

    model: str = "ring2d"
    fine: int = 20
    evaluations: int = 6
    points: int = 512
    noise_seed: int = 2

    metrics: tuple[Metric, ...] = (*METRICS, LOCAL)
    version = "2"

    def __post_init__(self) -> None:
        if not 2 <= self.evaluations < self.fine <= MOST_FINE:
            raise ValueError(
                f"evaluations must be at least 2 and below fine, fine at most {MOST_FINE}, got {self.evaluations} and "
                f"{self.fine}. Choose others."
            )
        check_noise(self.points, self.noise_seed)
        mixture(self.model)  # what is wrong is refused at once

    def indices(self, designs: Columns) -> NDArray[np.int64]:
        """Return the paths of designs, from 0 to `fine`, (n, evaluations + 1). designs: step_0 ..., each (n,)."""
        inner = [np.asarray(designs[f"step_{i}"]).astype(np.int64) + 1 for i in range(self.evaluations - 1)]
        ends = np.zeros_like(inner[0]), np.full_like(inner[0], self.fine)
        return np.stack([ends[0], *inner, ends[1]], axis=1)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: step_0 ..., each int (n,): see `indices`."""
        paths = self.indices(designs)
        model = mixture(self.model)
        noise = noises(model.dimensions, self.points, self.noise_seed)
        out = {metric.name: np.full(len(paths), float(self.evaluations)) for metric in self.metrics}
        room = max(1, ROOM_BYTE // (8 * noise.size))
        for first in range(0, len(paths), room):
            schedules = [self.schedule(path) for path in paths[first : first + room]]
            own = errors(sampled(FLOW, model, schedules, noise), _fine_ends(self))
            for name, column in summary(own).items():
                out[name][first : first + room] = column
        # One step after another: a row's sum does not depend on how NumPy would pair its terms.
        costs, out["local_cost"] = _local_costs(self), np.zeros(len(paths))
        for here, there in zip(paths.T[:-1], paths.T[1:], strict=True):
            out["local_cost"] += costs[here, there]
        return out | {"violation": np.zeros(len(paths))}

    def schedule(self, path: NDArray[np.int64]) -> Schedule:
        """Return the sampler of a path of indices, (steps + 1,)."""
        return Schedule(path / self.fine, ("ddim",) * (len(path) - 1))  # on the flow it is Euler's step

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show times, samples, and error for work; see `designgym.cost_models.solver_schedule.pictures`."""
        schedules = tuple(self.schedule(path) for path in self.indices(designs))
        counts = tuple(range(2, min(MOST_DRAWN, self.fine - 1) + 1))
        return pictures_of(Samplers(
            self.model, FLOW, tuple(names), schedules, self.evaluations, counts, True, self._even, self._fine_ends,
            f"Euler's method in {self.fine} steps", self.points, self.noise_seed,
        ))  # fmt: skip

    def _even(self, evaluations: int) -> dict[str, Schedule]:
        """Return the sampler whose times are as evenly spread as the fine grid allows."""
        path = np.round(np.arange(evaluations + 1) * (self.fine / evaluations)).astype(np.int64)
        return {"even steps": self.schedule(path)}

    def _fine_ends(self, points: int) -> Floats:
        """Return where the fine grid's steps carry the first points, (d, points)."""
        return _fine_ends(replace(self, points=points))

    def local_costs(self) -> Floats:
        """Return what a step from time i to time j costs, (fine + 1, fine + 1), inf unless i < j: BOSS's stand-in.

        The mean over points of the squared distance between the Euler step from the fine trajectory's point at i, and
        that trajectory at j.
        """
        return _local_costs(self)


@lru_cache(16)
def _local_costs(model: FlowStepSizes) -> Floats:
    """See `FlowStepSizes.local_costs`."""
    mixed = mixture(model.model)
    x = [noises(mixed.dimensions, model.points, model.noise_seed)]
    for i in range(model.fine):
        x.append(sampled(FLOW, mixed, [model.schedule(np.array([i, i + 1]))], x[-1])[0])
    costs = np.full((model.fine + 1, model.fine + 1), np.inf)
    for i in range(model.fine):
        velocity = (x[i + 1] - x[i]) * model.fine
        for j in range(i + 1, model.fine + 1):
            away = x[i] + (j - i) / model.fine * velocity - x[j]
            costs[i, j] = np.mean((away**2).sum(axis=0))
    costs.flags.writeable = False
    return costs


@lru_cache(16)
def _fine_ends(model: FlowStepSizes) -> Floats:
    """Return where the fine grid's steps carry the noise, (d, points)."""
    noise = noises(mixture(model.model).dimensions, model.points, model.noise_seed)
    ends: Floats = sampled(FLOW, mixture(model.model), [model.schedule(np.arange(model.fine + 1))], noise)[0]
    ends.flags.writeable = False
    return ends
