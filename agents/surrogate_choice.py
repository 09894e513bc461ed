"""Which of many candidates to price next: a quick look at all, then the most promising few exactly, then a batch.

The quick look takes single precision and the variance that the nearest trial alone leaves; a sample of candidates tells
how much less the others leave, and all are corrected by it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.candidates import merged, some
from designgym.agents.gain import boxes, reference_of
from designgym.agents.places import Places
from designgym.agents.surrogate_models import SurrogateModels
from designgym.agents.surrogate_pool import SurrogatePool
from designgym.agents.surrogate_process import Prediction

Floats = NDArray[np.float64]
Foretold = dict[int, tuple[float, float]]  # mean and variance by target
SAMPLE = 48  # candidates by which the quick look is corrected
EXACT = 256  # candidates that are looked at exactly
PARENTS, MOVED = 32, 4096  # best candidates, and how many moves of theirs are looked at besides, at each round
ROUNDS = 2


@dataclass(frozen=True)
class Aim:
    """What a choice is to improve on, and where.

    starts: incumbents, in the archive's form, the best last; losses: of the feasible designs to improve on, (n, k).
    boldness: what deviations of losses are multiplied by. local: whether moves of incumbents are chosen among, and all
    candidates else. within: tells of places, (m, width), which may be chosen, (m,); all where it is None. weights: what
    is added to the logarithm of places' worth, (m,); nothing where it is None.
    """

    starts: Any
    losses: Floats
    boldness: float = 1.0
    local: bool = False
    within: Callable[[Floats], NDArray[np.bool_]] | None = None
    weights: Callable[[Floats], Floats] | None = None


class Choice:
    """Chooses among the candidates of a pool by what models expect. looked_at: how many for the last choice."""

    def __init__(self, pool: SurrogatePool, models: SurrogateModels, places: Places) -> None:
        from designgym.agents import _gain_kernel as gain
        from designgym.agents import _surrogate_kernel as kernel

        self._gain, self._kernel = gain, kernel
        self._pool, self._models = pool, models
        self.looked_at, self._boldness = 0, 1.0
        self._spans = np.ones(len(places.group))

    def choose(self, aim: Aim, pending: Floats, count: int) -> tuple[Any, Floats, list[Foretold]]:
        """Return at most `count` designs in the archive's form, their places, and what was foretold of each.

        pending: places of designs under way, (p, width).
        """
        self._boldness = aim.boldness
        known = self._mapped(aim.losses)
        designs, where, near = self._pool.draw(aim.starts)
        self.looked_at = len(where)
        if not len(where):
            return designs, where, []
        worth = self._look(where, known, aim)
        if near and aim.local:
            worth[near:] = -np.inf
        for _ in range(ROUNDS):
            best = _highest(worth, PARENTS)[::-1]
            more, others = self._pool.near(some(designs, best), MOVED, where)
            if not len(others):
                break
            self.looked_at += len(others)
            designs, where = merged([designs, more]), np.concatenate([where, others])
            worth = np.append(worth, self._look(others, known, aim))
        few = _highest(worth, EXACT)
        few = few[np.isfinite(worth[few])]
        if not len(few):
            return some(designs, few), where[few], []
        predictions = self._models.predict(np.ascontiguousarray(np.concatenate([where[few], pending])))
        foretold = [(p.mean.copy(), p.variance + p.noise) for p in predictions]
        weights = np.zeros(len(few)) if aim.weights is None else aim.weights(where[few])
        rows = self._batch(predictions, known, weights, count)
        told = [
            {
                target: (float(mean[row]), float(variance[row]))
                for target, (mean, variance) in zip(self._models.learnt, foretold, strict=True)
            }
            for row in rows
        ]
        return some(designs, few[rows]), where[few[rows]], told

    def _mapped(self, losses: Floats) -> Floats:
        """Return losses of feasible designs as the models learn them, (n, k)."""
        columns = [
            self._models.mapped(target, losses[:, target])
            for target in range(losses.shape[1])
            if target in self._models.learnt
        ]
        return np.stack(columns, axis=1) if columns else np.empty((0, 0))

    def _look(self, where: Floats, known: Floats, aim: Aim) -> Floats:
        """Return the worth of many candidates, nearly, (m,): none, -inf, where they may not be chosen."""
        self._spans = np.maximum(self._spans, where.max(axis=0))
        levels, firsts, counts = self._kernel.levels_of(where, self._spans)
        order = np.argsort(self._kernel.keys_of(levels, counts))
        ordered, levels = where[order], levels[:, order]
        rows = np.linspace(0, len(ordered) - 1, min(SAMPLE, len(ordered))).astype(np.int64)
        sample = ordered[rows]
        means, variances = [], []
        for process in self._models.processes():
            mean, variance = process.glance(ordered, (levels, firsts, counts))
            means.append(mean)
            variances.append(_corrected(variance, rows, process.predict(sample).variance))
        worth = np.empty(len(where))
        worth[order] = self._worth(np.array(means), np.array(variances), known)
        if aim.weights is not None:
            worth += aim.weights(where)
        if aim.within is not None:
            worth[~aim.within(where)] = -np.inf
        return worth

    def _worth(self, means: Floats, variances: Floats, known: Floats) -> Floats:
        """Return the logarithm of the expected gain times the chance of keeping all bounds, (m,)."""
        deviations = np.sqrt(variances * np.array(self._models.inflations())[:, None])
        k = sum(target < self._models.losses for target in self._models.learnt)
        lower, upper = self._boxes(known)
        return self._gain.worths(lower, upper, means[:k], self._boldness * deviations[:k], means[k:], deviations[k:])

    def _boxes(self, known: Floats) -> tuple[Floats, Floats]:
        """Return what is to be gained; nothing while no feasible design is known: then only bounds count."""
        if not known.size:
            return np.empty((0, 1)), np.empty((0, 1))
        if known.shape[1] == 1:
            return boxes(np.empty((0, 1)), known.min(axis=0))
        return boxes(known, reference_of(known))

    def _batch(self, predictions: list[Prediction], known: Floats, weights: Floats, count: int) -> list[int]:
        """Return rows, the best first, each as if those before it and those pending had come to what is expected.

        weights: what is added to the logarithms of the first designs' worth, (few,); those after them are pending.
        """
        few = len(weights)
        for row in range(few, len(predictions[0].mean)):
            for one in predictions:
                one.take(row)
        means = np.array([one.mean[:few] for one in predictions])
        k = sum(target < self._models.losses for target in self._models.learnt)
        rows: list[int] = []
        for _ in range(min(count, few)):
            variances = np.array([one.variance[:few] for one in predictions])
            worth = self._worth(means, variances, known) + weights
            worth[rows] = -np.inf
            best = int(np.argmax(worth))
            rows.append(best)
            for one in predictions:
                one.take(best)
            if known.size and (means[k:, best] <= 0).all():
                known = np.concatenate([known, means[:k, best][None]])
        return rows


def _highest(worth: Floats, count: int) -> NDArray[np.int64]:
    """Return the rows of the highest numbers, the highest first, at most (count,)."""
    rows = np.argpartition(-worth, count)[:count] if len(worth) > count else np.arange(len(worth))
    return rows[np.argsort(-worth[rows], kind="stable")]


def _corrected(bound: Floats, rows: NDArray[np.int64], exact: Floats) -> Floats:
    """Return variances that are bounds, (m,), as a power law makes them of what rows of them exactly come to."""
    one, other = np.log(bound[rows]), np.log(exact)
    spread = one - one.mean()
    slope = float(spread @ (other - other.mean())) / max(float(spread @ spread), 1e-9)
    slope = min(max(slope, 0.0), 3.0)
    shifted = np.exp(other.mean() + slope * (np.log(bound) - one.mean()))
    corrected: Floats = np.minimum(shifted, bound)
    return corrected
