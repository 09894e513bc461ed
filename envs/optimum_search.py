"""Find a problem's true optimum, or its true Pareto front, by pricing every valid design.

Straight through `cost_model.evaluate`, without meter, memory or reward: at the speed of the cost model's kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, batch_length
from designgym.envs.optimum import Optimum
from designgym.envs.pareto import hypervolume, nondominated
from designgym.envs.problem import DesignProblem, priced
from designgym.envs.ranking import rows_of

CHUNK = 2**18  # designs at a time: fewer cost more to start the threads for, more cost more to allocate for
EXACT_MEDIAN = 2**22  # feasible designs whose losses are kept for the median; of more, a sample
MEDIAN_DRAWS = 2**20  # designs drawn for that sample; where a quarter is feasible, the median's rank is off by 0.1 %

Losses = NDArray[np.float64]
Progress = Callable[[int, int], None]


def find_optimum(problem: DesignProblem, chunk: int = CHUNK, progress: Progress | None = None) -> Optimum:
    """Price every valid design, `chunk` at a time; memory stays flat. progress(ranks done, size of the space).

    Of designs with equal losses the first in rank order is kept. ValueError for a space with a Float; BrokenCostModel
    where the model breaks its contract.
    """
    space = problem.space
    walk = _Walk(len(problem.objective.names))
    for designs in space.enumerate(chunk):
        walk.add(designs, *_priced(problem, designs, first=not walk.valid))
        if progress is not None:
            progress(int(space.rank(rows_of(designs, slice(-1, None)))[0]) + 1, int(space.size))
    if progress is not None:
        progress(int(space.size), int(space.size))
    return _optimum(problem, walk)


def _priced(problem: DesignProblem, designs: Columns, first: bool) -> tuple[Columns, NDArray[np.bool_], Losses]:
    """Return the metrics, where they are feasible, (n,), and the losses of the feasible rows, (m, k).

    The contract is looked into at the first batch, and where a number is amiss.
    """
    metrics = _checked(problem, designs) if first else problem.cost_model.evaluate(designs)
    feasible = problem.objective.feasible(metrics)
    losses = np.empty((np.count_nonzero(feasible), len(problem.objective.names)))
    for j, name in enumerate(problem.objective.names):
        losses[:, j] = metrics[name][feasible]
        if j >= len(problem.objective.minimize):
            np.negative(losses[:, j], out=losses[:, j])
    if not metrics["violation"].min() >= 0 or np.isnan(losses).any():
        _checked(problem, designs)
    return metrics, feasible, losses


def _checked(problem: DesignProblem, designs: Columns) -> Columns:
    return priced(problem.cost_model, designs, problem.space, batch_length(designs))


class _Walk:
    """What is kept of the designs seen so far: those that none dominates, each loss once."""

    def __init__(self, objectives: int) -> None:
        self.valid = 0
        self.feasible = 0
        self.losses = np.empty((0, objectives))
        self.shared = np.empty(0, np.int64)  # how many designs have each of these losses
        self.designs: Columns = {}
        self.metrics: Columns = {}
        self.kept: list[Losses] = []  # of all feasible designs, while they are not too many

    def add(self, designs: Columns, metrics: Columns, feasible: NDArray[np.bool_], losses: Losses) -> None:
        """Go on with a batch: its designs and metrics, (n,), and the losses of the feasible rows, (m, k)."""
        self.valid += len(feasible)
        self.feasible += len(losses)
        self.kept = [*self.kept, losses] if self.feasible <= EXACT_MEDIAN else []
        near = self._candidates(losses)
        if not len(near):
            return
        rows = np.flatnonzero(feasible)[near]
        # The front stands before the new rows, and they in the order of their ranks: the first of equal ones stays.
        pool = np.concatenate([self.losses, losses[near]])
        distinct, first, place = np.unique(pool, axis=0, return_index=True, return_inverse=True)
        shared = np.bincount(place.ravel(), np.append(self.shared, np.ones(len(near)))).astype(np.int64)
        front = np.flatnonzero(nondominated(distinct))
        front = front[np.argsort(first[front])]
        old, new = (part for part in np.split(first[front], [np.searchsorted(first[front], len(self.losses))]))
        picked = rows[new - len(self.losses)]
        self.losses, self.shared = distinct[front], shared[front]
        self.designs = _joined(self.designs, old, designs, picked)
        self.metrics = _joined(self.metrics, old, metrics, picked)

    def _candidates(self, losses: Losses) -> NDArray[np.intp]:
        """Rows that may belong to the front: finite ones that are not dominated by what is known of it."""
        if losses.shape[1] == 1:
            least = min(losses.min(initial=np.inf), self.losses.min(initial=np.inf))
            return np.flatnonzero((losses[:, 0] == least) & np.isfinite(least))
        from designgym.envs._pareto_kernel import undominated_by

        front = self.losses.copy() if len(self.losses) else losses[nondominated(losses[:1000]).nonzero()[0]]
        near = np.flatnonzero(undominated_by(front, losses))
        return near[np.isfinite(losses[near]).all(axis=1)]


def _joined(front: Columns, old: Any, batch: Columns, new: Any) -> Columns:
    if not front:
        return rows_of(batch, new)
    return {name: np.concatenate([column[old], batch[name][new]]) for name, column in front.items()}


def _optimum(problem: DesignProblem, walk: _Walk) -> Optimum:
    space, objective, model = problem.space, problem.objective, problem.cost_model
    names = space.describe(walk.designs) if walk.designs else {}
    metrics = {metric.name: walk.metrics[metric.name].tolist() for metric in model.metrics if walk.metrics}
    sample = np.concatenate(walk.kept) if walk.kept else _drawn(problem) if walk.feasible else walk.losses
    medians = np.median(sample, axis=0) if len(sample) else np.full(len(objective.names), np.nan)
    reference = _reference(walk.losses, medians)
    return Optimum(
        objectives=objective.names,
        valid=walk.valid,
        feasible=walk.feasible,
        designs=tuple({name: values[i] for name, values in names.items()} for i in range(len(walk.losses))),
        losses=tuple(tuple(row) for row in walk.losses.tolist()),
        all_metrics=tuple({name: values[i] for name, values in metrics.items()} for i in range(len(walk.losses))),
        ties=int(walk.shared.sum()) - len(walk.shared),
        median_losses=tuple(medians.tolist()),
        median_of=len(sample),
        reference=tuple(reference.tolist()),
        hypervolume=hypervolume(walk.losses, reference) if len(walk.losses) else 0.0,
        cost_model=type(model).__name__,
        version=model.version,
    )


def _drawn(problem: DesignProblem) -> Losses:
    """Losses of the feasible ones among designs drawn uniformly."""
    designs = problem.space.sample(MEDIAN_DRAWS, np.random.default_rng(0))
    return _priced(problem, designs, first=False)[2]


def _reference(front: Losses, medians: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point that hypervolume is measured from: see `Optimum.reference`."""
    if not len(front):
        return np.full(front.shape[1], np.nan)
    best, worst = front.min(axis=0), front.max(axis=0)
    # A front of one point has no extent: a tenth of its own size keeps the volume above 0.
    extent = np.where(worst > best, worst - best, np.maximum(np.abs(worst), 1e-12))
    return np.maximum(worst + 0.1 * extent, medians)
