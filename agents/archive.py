"""Trials that a model learns from: designs, their places and their rewards; poor old ones are dropped in time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.places import Places
from designgym.agents.scalarising import chebyshev_rewards, scales
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace

KEPT = 1024  # newest trials, and as many of the best, that are left when there are four times as many


class Archive:
    """Keeps designs as digits, float64 (n, parameters), where places are `flat`, else as columns: its own form.

    bounded: whether it keeps the loss of one objective and the violation too.
    """

    def __init__(self, space: DesignSpace, places: Places, objectives: int = 1, bounded: bool = False) -> None:
        from designgym.agents import _pool_kernel as kernel

        self._kernel, self._space, self._flat = kernel, space, places.flat
        self._floats = [c == 0 for c in space.cardinalities]
        self._places = np.empty((64, len(places.group)))
        self._rewards = np.empty(64)
        self._digits = np.empty((64, len(space.cardinalities) if places.flat else 0))
        self._columns = {} if places.flat else {name: np.empty(64, dtype) for name, dtype in space.dtypes.items()}
        self._told = np.empty((64, objectives + 1 if objectives > 1 else 0))  # losses, NaN if infeasible; own reward
        self._bounded = np.empty((64, 2 if bounded else 0))  # loss and violation
        self._ranked, self._sorted = np.empty(64, np.int64), 0  # rows by reward, and how many of them are sorted
        self.count = 0
        self.total = 0  # trials ever added

    @property
    def places(self) -> NDArray[np.float64]:
        """Places of the designs, (count, width)."""
        return self._places[: self.count]

    @property
    def rewards(self) -> NDArray[np.float64]:
        """Rewards, (count,)."""
        return self._rewards[: self.count]

    @property
    def losses(self) -> NDArray[np.float64]:
        """Losses of the one objective, inf where there is no number, (count,)."""
        return self._bounded[: self.count, 0]

    @property
    def violations(self) -> NDArray[np.float64]:
        """By how much constraints are broken, (count,)."""
        return self._bounded[: self.count, 1]

    def ranked(self) -> NDArray[np.int64]:
        """Return all rows, (count,), the highest reward first, earlier ones first among equals; not to be changed."""
        if self._sorted == 0:
            self._ranked = np.argsort(-self._rewards[: self.count], kind="stable")
        elif self._sorted < self.count:
            if len(self._ranked) < self.count:
                self._ranked = np.append(self._ranked, np.empty(len(self._rewards) - len(self._ranked), np.int64))
            self._kernel.rank(self._ranked, self.rewards, self._sorted)
        self._sorted = self.count
        return self._ranked[: self.count]

    def best(self, n: int) -> NDArray[np.int64]:
        """Return the rows of the n highest rewards, best first, earlier ones first among equals."""
        return self.ranked()[:n].copy()

    def add(
        self,
        designs: Any,
        places: NDArray[np.float64],
        rewards: NDArray[np.float64],
        losses: Any = None,
        violations: Any = None,
    ) -> int:
        """Add designs in the archive's form, their places, (n, width), and rewards, (n,); return the first one's row.

        losses: with several objectives, (n, objectives), NaN where infeasible; of a bounded archive (n, 1), and then
        violations, (n,).
        """
        first, last = self.count, self.count + len(rewards)
        while last > len(self._rewards):
            self._apply(lambda array: np.concatenate([array, np.empty_like(array)]))
        self._places[first:last], self._rewards[first:last] = places, rewards
        if violations is not None:
            self._bounded[first:last, 0] = np.nan_to_num(losses[:, 0], nan=np.inf, posinf=np.inf, neginf=-np.inf)
            self._bounded[first:last, 1] = violations
        elif losses is not None:
            self._told[first:last, :-1], self._told[first:last, -1] = losses, rewards
        if self._flat:
            self._digits[first:last] = designs
        for name, column in self._columns.items():
            column[first:last] = designs[name]
        self.count, self.total = last, self.total + len(rewards)
        return first

    def reweigh(self, weights: NDArray[np.float64]) -> None:
        """With several objectives: make rewards what these weights, (objectives,), make of the losses.

        Infeasible designs stay below all others, in the order of their own rewards.
        """
        losses, own = self._told[: self.count, :-1], self._told[: self.count, -1]
        feasible = ~np.isnan(losses[:, 0])
        self._sorted = 0
        self._rewards[: self.count] = own
        if feasible.any():
            found = chebyshev_rewards(losses[feasible], weights, scales(losses[feasible]))
            self._rewards[: self.count] -= max(0.0, float(own.max()) - float(found.min())) + 1.0
            self._rewards[: self.count][feasible] = found

    def compact(self, row: int) -> int:
        """Drop trials if there are many, but not this one; return its row now."""
        if self.count < 4 * KEPT:
            return row
        kept = np.unique(np.concatenate([self.best(KEPT), np.arange(self.count - KEPT, self.count), [row]]))
        self._apply(lambda array: np.concatenate([array[kept], np.empty_like(array[: 4 * KEPT - len(kept)])]))
        self.count, self._sorted = len(kept), 0
        return int(np.searchsorted(kept, row))

    def _apply(self, change: Any) -> None:
        arrays = (self._places, self._rewards, self._digits, self._told, self._bounded)
        self._places, self._rewards, self._digits, self._told, self._bounded = map(change, arrays)
        self._columns = {name: change(column) for name, column in self._columns.items()}

    def own(self, designs: Columns) -> Any:
        """Return designs in the archive's form."""
        return np.stack(self._space.digits(designs), axis=1).astype(np.float64) if self._flat else designs

    def take(self, rows: NDArray[np.int64]) -> Any:
        """Return the designs of these rows, in the archive's form."""
        return self._digits[rows] if self._flat else {name: column[rows] for name, column in self._columns.items()}

    def columns(self, designs: Any) -> Columns:
        """Designs in the archive's form to columns."""
        if not self._flat:
            return designs
        whole = designs.astype(np.int64)
        digits = zip(designs.T, whole.T, self._floats, strict=True)
        return self._space.from_digits([real.copy() if is_float else digit for real, digit, is_float in digits])
