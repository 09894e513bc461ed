"""The distinct designs of one problem, gathered batch by batch: the first who found each, and what disagrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace
from designgym.envs.memory import Memory, keys_of


class Conflict(ValueError):
    """One design was priced twice and came to different numbers. other: the run that priced it before."""

    def __init__(self, design: Mapping[str, Any], metric: str, was: float, now: float, other: int) -> None:
        self.design = ", ".join(f"{name}={value}" for name, value in design.items() if value is not None)
        self.metric, self.was, self.now, self.other = metric, was, now, other
        super().__init__(f"{self.design}: {metric} was {was} and is {now}")


class Found:
    """Distinct designs in the order found, with what they came to, the run that found each, and its place there.

    Of two runs, that one counts which priced the design after fewer others; of equals, the one added first.
    """

    def __init__(self, space: DesignSpace, metrics: Sequence[str]) -> None:
        self._space, self._metrics = space, tuple(metrics)
        self._memory: Memory | None = None
        self._kept: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return 0 if self._memory is None else self._memory.count

    def add(
        self, designs: Columns, metrics: Columns, violation: NDArray[Any], index: NDArray[Any], run: int,
        error: NDArray[Any],
    ) -> int:  # fmt: skip
        """Add canonical designs of a run, and return how many are new. Conflict where one came to other numbers.

        index: the place of each among the designs of the run, (n,). error: by how much each violation may be off, (n,);
        of two that may be the same the surer one is kept. Metrics must be the same to the last bit.
        """
        n = batch_length({"index": index})
        keys = keys_of(self._space, designs, np.zeros(n))
        if self._memory is None:
            self._memory = Memory(keys.shape[1])
        before = self._memory.count
        places, new = self._memory.insert(keys, n)
        rows = {**designs, **{_of(name): metrics[name] for name in self._metrics}, "violation:": violation,
                "error:": error, "index:": index, "run:": np.full(n, run)}  # fmt: skip
        later = np.flatnonzero(places >= before)
        first = later[np.unique(places[later], return_index=True)[1]]
        for name, column in rows.items():
            self._keep(name, column[first], before)
        self._compare(rows, places)
        self._prefer(rows, places, ("index:",), ("index:", "run:"))
        self._prefer(rows, places, ("error:", "violation:"), ("error:", "violation:"))
        return new

    def _prefer(self, rows: Columns, places: NDArray[np.int64], less: Sequence[str], names: Sequence[str]) -> None:
        """Take columns of rows that come before what is kept, by the first of `less` in which they differ."""
        before, equal = np.zeros(len(places), bool), np.ones(len(places), bool)
        for name in less:
            was = self._kept[name][places]
            before |= equal & (rows[name] < was)
            equal &= rows[name] == was
        # The last written counts: of one design that is twice in the batch the least.
        taken = np.flatnonzero(before)
        taken = taken[np.lexsort([rows[name][taken] for name in reversed(less)])[::-1]]
        for name in names:
            self._kept[name][places[taken]] = rows[name][taken]

    def _keep(self, name: str, column: NDArray[Any], before: int) -> None:
        kept = self._kept.get(name, column[:0])
        if before + len(column) > len(kept):
            grown = np.empty(max(before + len(column), 2 * before), np.result_type(kept, column))
            grown[:before] = kept[:before]
            kept = self._kept[name] = grown
        kept[before : before + len(column)] = column

    def _compare(self, rows: Columns, places: NDArray[np.int64]) -> None:
        for name in (*map(_of, self._metrics), "violation:"):
            was, now = self._kept[name][places], rows[name]
            same = (was == now) | (np.isnan(was) & np.isnan(now))
            if name == "violation:":
                same |= np.abs(was - now) <= self._kept["error:"][places] + rows["error:"]
            if not same.all():
                row = int(np.argmin(same))
                one = {column: rows[column][row : row + 1] for column in self._space.columns}
                names = {column: values[0] for column, values in self._space.describe(one).items()}
                what = name.removeprefix("metric:").removesuffix(":")
                other = int(self._kept["run:"][places[row]])
                raise Conflict(names, what, float(was[row]), float(now[row]), other)

    def columns(self) -> tuple[Columns, Columns, NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return designs, metrics, violation, index and run of each, (n,)."""
        n = len(self)
        kept = {name: column[:n] for name, column in self._kept.items()}
        designs = {name: kept[name] for name in self._space.columns}
        metrics = {name: kept[_of(name)].astype(np.float64) for name in self._metrics}
        return designs, metrics, kept["violation:"].astype(np.float64), kept["index:"], kept["run:"]


def _of(metric: str) -> str:
    return f"metric:{metric}"  # no parameter's name holds a colon
