"""A run's memory: which designs were priced, looked up a batch at a time in compiled code.

A design's key is its rank; where a Float takes part or ranks pass 64 bits, the bits of its columns. The table is open
addressing with linear probing at a load below one half.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.objective import Evaluations
from designgym.envs.ranking import rows_of
from designgym.envs.space import DesignSpace

Keys = NDArray[np.uint64]
Named = tuple[str, NDArray[Any]]
OUTSIDE = np.uint64(2**63)
RESULTS = ("losses", "violation", "feasible", "reward")


def keys_of(space: DesignSpace, designs: Columns, outside: NDArray[np.float64]) -> Keys:
    """Canonical designs to keys, uint64 (n, words). outside: their `space.violation`."""
    illegal = space.illegal(designs) > 0 if outside.any() else np.zeros(1, bool)
    if not illegal.any():
        return _legal_keys(space, designs)
    legal = _legal_keys(space, rows_of(designs, ~illegal))
    keys = np.zeros((len(outside), legal.shape[1]), np.uint64)
    keys[~illegal] = legal
    columns = [designs[name][illegal].astype(np.float64) + 0.0 for name in space.columns]
    # In the upper half of the key range, where no rank lies; 63 bits of hash make a chance meeting negligible.
    hashes = [hash(row.tobytes()) & (2**63 - 1) for row in np.stack(columns, axis=1)]
    keys[illegal, 0] = OUTSIDE | np.array(hashes, np.uint64)
    return keys


def _legal_keys(space: DesignSpace, designs: Columns) -> Keys:
    if space.has_floats or space.size >= 2**63:
        words = [np.ascontiguousarray(designs[name], dtype).view(np.uint64) for name, dtype in space.dtypes.items()]
        return np.stack(words, axis=1)
    return space.rank(designs).view(np.uint64)[:, None]


class Memory:
    """Priced designs and what they came to, in the order in which they were priced."""

    def __init__(self, words: int) -> None:
        self._keys = np.empty((64, words), np.uint64)
        self._slots = np.full(256, -1, np.int64)
        self._metrics: dict[str, NDArray[Any]] = {}
        self._results: dict[str, NDArray[Any]] = {}  # in the order of RESULTS
        self.count = 0

    def insert(self, keys: Keys, room: int) -> tuple[NDArray[np.int64], int]:
        """Return each row's place in the order of pricing, int64 (n,), and how many places are new.

        At most `room` new places are given; rows beyond them get -1.
        """
        insert = _insert()
        n = len(keys)
        if self.count + n > len(self._keys):
            self._keys = _grown(self._keys, self.count, self.count + n)
        if 2 * (self.count + n) > len(self._slots):
            self._slots = np.full(1 << int(4 * (self.count + n) - 1).bit_length(), -1, np.int64)
            insert(self._slots, self._keys, 0, self._keys[: self.count].copy(), self.count)
        places, count = insert(self._slots, self._keys, self.count, np.ascontiguousarray(keys), self.count + room)
        new = count - self.count
        self.count = count
        return places, new

    def insert_one(self, key: int, room: int) -> int:
        """The same for one design whose key is its rank."""
        return int(self.insert(np.array([[key]], np.uint64), room)[0].item())

    def forget(self, new: int) -> None:
        """Take the newest places back: their designs could not be priced."""
        insert = _insert()
        self.count -= new
        self._slots[:] = -1
        insert(self._slots, self._keys, 0, self._keys[: self.count].copy(), self.count)

    def store(self, evaluations: Evaluations) -> None:
        """Keep what the newest places came to; they are the last `len(evaluations)` of `count`."""
        start, stop = self.count - len(evaluations), self.count
        for kept, given in self._pairs(evaluations):
            for name, column in given:
                array = kept.get(name)
                if array is None:
                    array = np.empty((max(64, stop), *column.shape[1:]), column.dtype)
                if array.dtype != column.dtype:
                    # A metric that was an integer so far turns to float when a NaN stands in its place.
                    array = array.astype(np.result_type(array, column), copy=False)
                if array is not kept.get(name) or stop > len(array):
                    array = kept[name] = _grown(array, start, stop)
                array[start:stop] = column

    def _pairs(self, evaluations: Evaluations) -> tuple[tuple[dict[str, NDArray[Any]], Iterable[Named]], ...]:
        results = [(name, getattr(evaluations, name)) for name in RESULTS]
        return (self._metrics, evaluations.metrics.items()), (self._results, results)

    def recall(self, places: Any) -> Evaluations:
        """Return what the designs at these places came to."""
        count = self.count
        metrics = {name: column[:count][places] for name, column in self._metrics.items()}
        return Evaluations(metrics, *[column[:count][places] for column in self._results.values()])

    def recall_one(self, place: int) -> Evaluations:
        """The same for one place."""
        row = slice(place, place + 1)
        metrics = {name: column[row].copy() for name, column in self._metrics.items()}
        return Evaluations(metrics, *[column[row].copy() for column in self._results.values()])


@functools.cache
def _insert() -> Any:
    from designgym.cost_models._memory_kernel import insert

    return insert


def _grown(array: NDArray[Any], used: int, needed: int) -> NDArray[Any]:
    if needed <= len(array):
        return array
    grown = np.empty((max(needed, 2 * len(array)), *array.shape[1:]), array.dtype)
    grown[:used] = array[:used]
    return grown
