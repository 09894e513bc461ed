"""Some trials of one problem as plain arrays: those of one run, or the few of all runs that a report keeps.

Repeats and trials of a cheaper fidelity are left out: a report counts each design of a run once, faithfully priced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

STATUSES = ("ok", "infeasible", "failed")


@dataclass(frozen=True)
class Trials:
    """n trials. run: place of each one's run in the sweep. number: its place among the designs priced in it, from 1.

    violation: 0 where feasible, inf where it failed. losses: (n, k). designs: columns of numbers; where a column has
    `names`, indices into them. status: counts of `STATUSES` are all that is made of it.
    """

    run: NDArray[np.int64]
    number: NDArray[np.int64]
    ask: NDArray[np.int64]
    elapsed_s: NDArray[np.float64]
    status: NDArray[np.int64]
    feasible: NDArray[np.bool_]
    violation: NDArray[np.float64]
    losses: NDArray[np.float64]
    designs: dict[str, NDArray[Any]]
    names: dict[str, tuple[str, ...]]
    metrics: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.run)

    @cached_property
    def codes(self) -> NDArray[np.float64]:
        """The designs as one array, (n, columns): equal rows are equal designs."""
        return np.stack([column.astype(np.float64) for column in self.designs.values()], axis=1)

    def values(self, column: str, rows: Any = slice(None)) -> NDArray[Any]:
        """Return a design column as numbers, or as names in an object array."""
        numbers = self.designs[column][rows]
        return np.array(self.names[column], object)[numbers] if column in self.names else numbers

    def design(self, row: int) -> dict[str, Any]:
        """Return the design of one row, in names."""
        found = {name: self.values(name, slice(row, row + 1))[0] for name in self.designs}
        return {name: value if isinstance(value, str) else value.item() for name, value in found.items()}

    def take(self, rows: NDArray[Any]) -> Trials:
        """Return some of the trials."""
        columns = {name: getattr(self, name)[rows] for name in PLAIN}
        return replace(
            self,
            **columns,
            designs={name: column[rows] for name, column in self.designs.items()},
            metrics={name: column[rows] for name, column in self.metrics.items()},
        )

    def bare(self) -> Trials:
        """Return the trials without designs and metrics."""
        return replace(self, designs={}, names={}, metrics={})


PLAIN = ("run", "number", "ask", "elapsed_s", "status", "feasible", "violation", "losses")


def joined(parts: Sequence[Trials]) -> Trials:
    """Return trials of the same problem one after another; names are in alphabetical order."""
    first = parts[0]
    if len(parts) == 1:
        return first
    names = {column: tuple(sorted({n for part in parts for n in part.names[column]})) for column in first.names}
    designs = {
        column: np.concatenate([_coded(part, column, names.get(column)) for part in parts]) for column in first.designs
    }
    metrics = {name: np.concatenate([part.metrics[name] for part in parts]) for name in first.metrics}
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PLAIN}
    return Trials(**columns, designs=designs, names=names, metrics=metrics)


def _coded(part: Trials, column: str, names: tuple[str, ...] | None) -> NDArray[Any]:
    """Return a design column; where it has names, as indices into all of them."""
    numbers = part.designs[column]
    if names is None or part.names[column] == names:
        return numbers
    return np.searchsorted(np.array(names), np.array(part.names[column]))[numbers]


# -- from the log -----------------------------------------------------------------------------------------------------


def trials_of(table: pa.Table, run: int) -> Trials:
    """Return the faithful, fresh trials of one run's table, by their index. run: its place in the sweep."""
    index = _numbers(table, "index")
    kept = _numbers(table, "fresh").astype(bool) & _is(table, "fidelity", "faithful")
    rows = np.flatnonzero(kept)
    if (np.diff(index[rows]) < 0).any():
        rows = rows[np.argsort(index[rows], kind="stable")]
    # All of a run's rows, as nearly always: nothing is copied.
    some: Any = slice(None) if len(rows) == len(index) and (rows == np.arange(len(rows))).all() else rows
    columns = _after(table, "design.")
    named = {name: _named(table, f"design.{name}") for name in columns if _is_named(table, f"design.{name}")}
    numbers = {name: _numbers(table, f"design.{name}") for name in columns if name not in named}
    return Trials(
        run=np.full(len(rows), run, np.int64),
        number=np.arange(1, len(rows) + 1),
        ask=_numbers(table, "ask")[some],
        elapsed_s=_numbers(table, "elapsed_s")[some],
        status=_statuses(table)[some],
        feasible=_numbers(table, "feasible").astype(bool)[some],
        violation=_numbers(table, "violation")[some],
        losses=np.stack([_numbers(table, f"loss.{name}") for name in objectives_of(table)], axis=1)[some],
        designs={name: (named[name][1] if name in named else numbers[name])[some] for name in columns},
        names={name: names for name, (names, _) in named.items()},
        metrics={name: _numbers(table, f"metric.{name}")[some] for name in _after(table, "metric.")},
    )


def objectives_of(table: pa.Table) -> tuple[str, ...]:
    """Return the names of the losses' columns."""
    return tuple(_after(table, "loss."))


def _after(table: pa.Table, prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in table.column_names if name.startswith(prefix)]


def _is_named(table: pa.Table, name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_dictionary(table.column(name).type))


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    """Return a column of numbers; a null is NaN."""
    return np.asarray(table.column(name).to_numpy())


def _dictionary(table: pa.Table, name: str) -> tuple[list[str], NDArray[np.int64]]:
    column = table.column(name).unify_dictionaries().combine_chunks()
    return column.dictionary.to_pylist(), column.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _is(table: pa.Table, name: str, value: str) -> NDArray[np.bool_]:
    names, indices = _dictionary(table, name)
    return indices == names.index(value) if value in names else np.zeros(len(indices), bool)


def _statuses(table: pa.Table) -> NDArray[np.int64]:
    names, indices = _dictionary(table, "status")
    return np.array([STATUSES.index(name) for name in names], np.int64)[indices]


def _named(table: pa.Table, name: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return a dictionary column's names in alphabetical order, and each row's index among them."""
    names, indices = _dictionary(table, name)
    different, place = np.unique(np.array(names, object).astype(str), return_inverse=True)
    return tuple(different.tolist()), place[indices].astype(np.int64)
