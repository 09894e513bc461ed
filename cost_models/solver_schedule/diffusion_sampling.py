"""Few-step sampling of a diffusion or flow model: what a schedule of times and solvers costs in endpoint error.

Models are mixtures of Gaussians, whose score is exact, or a network, whose own path is the truth: all error is the
solvers'. Sources: see `solvers`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.solver_schedule.distances import frechet2, sliced_w2
from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.paths import GRIDS, Path, path_of
from designgym.cost_models.solver_schedule.patterns import NAMES, Patterns
from designgym.cost_models.solver_schedule.pictures import Samplers, pictures_of, stock_samplers
from designgym.cost_models.solver_schedule.sampler import (
    Schedule,
    check_noise,
    errors,
    noises,
    reference,
    sampled,
    summary,
)
from designgym.cost_models.solver_schedule.solvers import SOLVERS

LEAST, MOST = 3, 20  # evaluations
# Grids of the parametric kind, each once: power 1 is uniform_t and 2 quadratic_t; where sigma is t, power is Karras's.
SEARCHED = ("logsnr", "karras", "power")
ROOM_BYTE = 2**26  # for samples at a time

METRICS = (
    Metric("rms", "1", "lower", "root mean square over points and coordinates of the error at the end"),
    Metric("median", "1", "lower", "median over points of the error at the end, root mean square over coordinates"),
    Metric("flip_fraction", "1", "lower", "share of points whose error is above .5: they went to another mode"),
    Metric("evaluations", "1", "lower", "evaluations of the model for a sample"),
)
DISTANCES = (
    Metric("sliced_w2", "1", "lower", "sliced Wasserstein-2 distance of the samples to the mixture"),
    Metric("frechet2", "1", "lower", "squared Frechet distance of the samples' moments to the mixture's"),
)


@lru_cache(64)
def _fixed(path: Path, grid: str, steps: int) -> NDArray[np.float64]:
    times = path.grid(grid, steps)
    times.flags.writeable = False
    return times


def left_of(fraction: float, more: int) -> float:
    """Return the share of a stick that a fraction, in (0, 1), leaves to `more` - 1 further breaks and the end.

    Fractions are quantiles: where they are uniform and independent, all ways to break the stick are equally likely, so
    that searchers begin with grids of every shape (the Dirichlet distribution's construction).
    """
    return (1.0 - fraction) ** (1.0 / more)


def even(more: int) -> float:
    """Return the fraction that takes an equal share of what is left to it, to `more` - 1 further breaks and the end."""
    return 1.0 - (more / (more + 1.0)) ** more


@dataclass(frozen=True)
class DiffusionSampling:
    """Samplers of so many evaluations, against the exact path from the same noise.

    model: see `mixture`. path: vp, ve or flow. grid: "free" (stick-breaking fractions of log-SNR, see `left_of`),
    "parametric" (a grid and its parameter are in the design), or one by name, see `Path.grid`. solvers: those to choose
    from, parted by commas; all for "". points: how many samples. noise_seed: of their noise. distances: whether to
    price the distances to the mixture too.
    Error: rms and distances within 5e-6 of the 386 rows of tests/reference/solver_schedule/solver_gmm_stock.csv, which
    are printed to six digits; the multistep solvers within 1e-6 of those of `diffusers` in double precision; the
    reference path, 1,000 steps of fourth order, 2e-8; for that of digits_network see `reference`.
    """

    model: str = "ring2d"
    path: str = "vp"
    evaluations: int = 8
    grid: str = "free"
    solvers: str = ""
    points: int = 1000
    noise_seed: int = 2
    distances: bool = False

    version = "1"

    def __post_init__(self) -> None:
        if not LEAST <= self.evaluations <= MOST:
            raise ValueError(f"evaluations must be in [{LEAST}, {MOST}], got {self.evaluations}. Choose one of them.")
        check_noise(self.points, self.noise_seed)
        if self.grid not in ("free", "parametric", *GRIDS[:4]):
            known = ", ".join(("free", "parametric", *GRIDS[:4]))
            raise ValueError(f"grid must be one of {known}, got {self.grid!r}. Choose one of them.")
        path_of(self.path), mixture(self.model), self.patterns  # what is wrong is refused at once

    @cached_property
    def patterns(self) -> Patterns:
        """Which solvers may stand where."""
        allowed = tuple(name.strip() for name in self.solvers.split(",")) if self.solvers else SOLVERS
        return Patterns(self.path, self.evaluations, allowed)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is priced."""
        return METRICS + DISTANCES if self.distances else METRICS

    def evaluate(self, designs: Columns) -> Columns:
        """designs: solver_1 ..., and fraction_1 ... or grid, rho and power as the grid needs, each (n,)."""
        numbers = self.patterns.numbers(designs)
        faults = self.patterns.faults(numbers).astype(np.float64)
        out = {metric.name: np.full(len(faults), np.nan) for metric in self.metrics}
        schedules = {int(row): self._schedule(designs, numbers, row) for row in np.flatnonzero(faults == 0)}
        rows = np.array(list(schedules), np.int64)
        room = max(1, ROOM_BYTE // (8 * mixture(self.model).dimensions * self.points))
        for first in range(0, len(rows), room):
            some = rows[first : first + room]
            for name, column in self._priced([schedules[row] for row in some.tolist()]).items():
                out[name][some] = column
        return out | {"violation": faults}

    def schedule(self, design: Columns) -> Schedule:
        """Return the times and solvers of a batch of one; ValueError where it is no pattern."""
        numbers = self.patterns.numbers(design)
        if self.patterns.faults(numbers)[0]:
            raise ValueError(f"solvers must follow one another, got {', '.join(NAMES[i] for i in numbers[0])}.")
        return self._schedule(design, numbers, 0)

    def _schedule(self, designs: Columns, numbers: NDArray[np.int64], row: Any) -> Schedule:
        path, solvers = path_of(self.path), self.patterns.solvers(numbers[row])
        if self.grid == "free":
            ends = [slot for slot in range(1, self.evaluations) if NAMES[numbers[row, slot - 1]] != "heun"]
            left = [left_of(float(designs[f"fraction_{e}"][row]), self.evaluations - e) for e in ends]
            return Schedule(path.spread(1.0 - np.cumprod(left, dtype=np.float64)), solvers)
        if self.grid != "parametric":
            return Schedule(_fixed(path, self.grid, len(solvers)), solvers)
        name = SEARCHED[int(designs["grid"][row])]
        column = {"karras": "rho", "power": "power"}.get(name)
        return Schedule(path.grid(name, len(solvers), float(designs[column][row]) if column else None), solvers)

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show times and solvers, samples, and error for work; see `designgym.cost_models.solver_schedule.pictures`."""
        path = path_of(self.path)
        rows = range(len(names))
        schedules = tuple(self.schedule({name: column[[row]] for name, column in designs.items()}) for row in rows)
        grid = "" if self.grid in ("free", "parametric") else self.grid
        counts = tuple(range(LEAST, MOST + 1))
        return pictures_of(Samplers(
            self.model, path, tuple(names), schedules, self.evaluations, counts, False,
            lambda evaluations: stock_samplers(path, grid, evaluations), self._truth, "the exact path", self.points,
            self.noise_seed,
        ))  # fmt: skip

    def _truth(self, points: int) -> NDArray[np.float64]:
        """Return where the exact path carries the first points, (d, points)."""
        return reference(path_of(self.path), self.model, points, self.noise_seed)

    def _priced(self, schedules: list[Schedule]) -> dict[str, NDArray[np.float64]]:
        model, path = mixture(self.model), path_of(self.path)
        truth = self._truth(self.points)
        samples = sampled(path, model, schedules, noises(model.dimensions, self.points, self.noise_seed))
        out = summary(errors(samples, truth))
        out["evaluations"] = np.full(len(schedules), float(self.evaluations))
        if self.distances:
            out["sliced_w2"] = np.array([sliced_w2(own, self.model) for own in samples])
            out["frechet2"] = np.array([frechet2(own, model) for own in samples])
        return out
