"""Samplers at a few of the many times that a diffusion model was trained for, with blocks of a network left out.

Source: Li et al., "AutoDiffusion: Training-Free Optimization of Time Steps and Architectures for Automated Diffusion
Model Acceleration", ICCV 2023, arXiv:2309.10438: any K of the training times, in order, and at each of them which
layers of the network are evaluated. There Frechet distance under a bound on the cost; here the error to the exact path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.solver_schedule.diffusion_sampling import DISTANCES, METRICS, ROOM_BYTE
from designgym.cost_models.solver_schedule.distances import frechet2, sliced_w2
from designgym.cost_models.solver_schedule.mixtures import NETWORK, mixture
from designgym.cost_models.solver_schedule.networks import Weights
from designgym.cost_models.solver_schedule.paths import PATHS
from designgym.cost_models.solver_schedule.pictures import Samplers, pictures_of
from designgym.cost_models.solver_schedule.sampler import (
    Schedule,
    check_noise,
    errors,
    noises,
    reference,
    sampled,
    summary,
)
from designgym.cost_models.solver_schedule.solvers import pattern

VP = PATHS["vp"]
MOST_TIMES, MOST_EVALUATIONS = 1000, 50
MOST_DRAWN = 20  # evaluations of the curve of error

OF_NETWORKS = (
    Metric("flop", "flop", "lower", "additions, multiplications, divisions and roots of the network for a sample"),
    Metric(
        "penalised_rms", "1", "lower", "rms + flop_weight * flop / (flop of the whole network at every chosen time)"
    ),
)


@lru_cache(16)
def even_times(count: int) -> NDArray[np.float64]:
    """Return the times of 0 ... count, (count + 1,)."""
    times = VP.grid("uniform_t", count)
    times.flags.writeable = False
    return times


@dataclass(frozen=True)
class TimestepSubset:
    """Samplers that evaluate a model at some of `times` times on the variance-preserving path.

    Time i of 0 ... times - 1 is t = 1 + (0.001 - 1) i / times, the even grid from noise to data. A design's times,
    increasing, are where the model is evaluated: the noise is taken for x at the first of them, wherever it is, and the
    last step goes to t = 0.001, as in the samplers that AutoDiffusion searches (which count from data to noise). Where
    the times are every (times / evaluations)-th from 0 it is DiffusionSampling's grid uniform_t.
    model: see `mixture`. evaluations: how many times. solver: of every step, see `pattern`; not heun, which evaluates
    twice a step. skip: whether designs say which blocks of the network are left out at each time. points, noise_seed:
    how many samples, and of which noise. flop_weight: of the share of the whole network's operations, in units of rms.
    distances: whether to price those to the mixture too.
    Error: that of DiffusionSampling, whose code samples: at even times rms within 5e-6 of the 84 rows of the grid
    uniform_t, all but Heun's, in tests/reference/solver_schedule/solver_gmm_stock.csv, printed to six digits. The path
    that samples are compared with is that of the whole network, from t = 1; see `reference` for its error.
    """

    model: str = "ring2d"
    times: int = 100
    evaluations: int = 8
    solver: str = "ddim"
    skip: bool = False
    points: int = 1000
    noise_seed: int = 2
    flop_weight: float = 0.1
    distances: bool = False

    version = "1"

    def __post_init__(self) -> None:
        if not 2 <= self.evaluations < self.times <= MOST_TIMES or self.evaluations > MOST_EVALUATIONS:
            raise ValueError(
                f"evaluations must be in [2, {MOST_EVALUATIONS}] and below times, times at most {MOST_TIMES:,}, got "
                f"{self.evaluations} and {self.times}. Choose others."
            )
        check_noise(self.points, self.noise_seed)
        if self.solver.removesuffix("_lof") == "heun":
            raise ValueError("solver must evaluate once a step, got 'heun'. Choose ddim, dpmpp2m or deis2, say.")
        if not 0 <= self.flop_weight < np.inf:
            raise ValueError(f"flop_weight must be a number of at least 0, got {self.flop_weight}. Correct it.")
        pattern(self.solver, self.evaluations), mixture(self.model)  # what is wrong is refused at once
        if self.skip and self.network is None:
            raise ValueError(f"skip needs a model that has blocks, {NETWORK}, got {self.model!r}. Choose it.")

    @property
    def network(self) -> Weights | None:
        """What the model denoises by, where it has learned to."""
        return mixture(self.model).network

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is priced: operations where the model is a network, distances where they are asked for."""
        return METRICS + (OF_NETWORKS if self.network else ()) + (DISTANCES if self.distances else ())

    def evaluate(self, designs: Columns) -> Columns:
        """designs: time_0 ..., and skipped_0 ... (bits of blocks) where blocks may be skipped, each int (n,)."""
        places = range(self.evaluations)
        columns = [[f"time_{i}", f"skipped_{i}"] if self.skip else [f"time_{i}"] for i in places]
        table = np.stack([np.asarray(designs[name]).astype(np.int64) for own in columns for name in own], axis=1)
        # Designs that begin alike stand together, and are evaluated once as far as they do.
        rows, row_of = np.unique(table, axis=0, return_inverse=True)
        out = {metric.name: np.empty(len(rows)) for metric in self.metrics}
        noise = noises(mixture(self.model).dimensions, self.points, self.noise_seed)
        room = max(1, ROOM_BYTE // (8 * noise.size))
        for first in range(0, len(rows), room):
            for name, column in self._priced(
                [self._schedule(row) for row in rows[first : first + room]], noise
            ).items():
                out[name][first : first + room] = column
        return {name: column[row_of.ravel()] for name, column in out.items()} | {"violation": np.zeros(len(table))}

    def schedule(self, design: Columns) -> Schedule:
        """Return the times, solvers and skipped blocks of a batch of one."""
        names = [f"{name}_{i}" for i in range(self.evaluations) for name in ("time", "skipped")[: 1 + self.skip]]
        return self._schedule(np.array([int(designs_[0]) for designs_ in (design[name] for name in names)]))

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show times and solvers, samples, and error for work; see `designgym.cost_models.solver_schedule.pictures`."""
        own = tuple(
            self.schedule({name: column[[row]] for name, column in designs.items()}) for row in range(len(names))
        )
        counts = tuple(range(2, min(MOST_DRAWN, self.times - 1) + 1))
        return pictures_of(Samplers(
            self.model, VP, tuple(names), own, self.evaluations, counts, False, self._even, self._truth,
            "the exact path", self.points, self.noise_seed,
        ))  # fmt: skip

    def _even(self, evaluations: int) -> dict[str, Schedule]:
        """Return the sampler whose times are as evenly spread as the training times allow, no block left out."""
        row = self.times * np.arange(evaluations + 1) // evaluations
        return {
            f"{self.solver} on even times": Schedule(even_times(self.times)[row], pattern(self.solver, evaluations))
        }

    def _truth(self, points: int) -> NDArray[np.float64]:
        """Return where the exact path carries the first points, (d, points)."""
        return reference(VP, self.model, points, self.noise_seed)

    def _schedule(self, row: NDArray[np.int64]) -> Schedule:
        step = 2 if self.skip else 1
        times = even_times(self.times)[np.append(row[::step], self.times)]
        return Schedule(times, pattern(self.solver, self.evaluations), tuple(row[1::2].tolist()) if self.skip else ())

    def _priced(self, schedules: list[Schedule], noise: NDArray[np.float64]) -> dict[str, Any]:
        model = mixture(self.model)
        samples = sampled(VP, model, schedules, noise)
        out = summary(errors(samples, self._truth(self.points)))
        out["evaluations"] = np.full(len(schedules), float(self.evaluations))
        if model.network:
            whole = float(self.evaluations * model.network.flop())
            skipped = [schedule.skipped or (0,) * self.evaluations for schedule in schedules]
            out["flop"] = np.array([float(sum(map(model.network.flop, own))) for own in skipped])
            out["penalised_rms"] = out["rms"] + self.flop_weight * out["flop"] / whole
        if self.distances:
            out["sliced_w2"] = np.array([sliced_w2(own, self.model) for own in samples])
            out["frechet2"] = np.array([frechet2(own, model) for own in samples])
        return out
