"""The trials of one problem as plain arrays, from the log's Arrow table.

Repeats and trials of a cheaper fidelity are left out: a report counts each design of a run once, faithfully priced.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Trials:
    """n trials, run by run in the order priced.

    run: index into `runs` (keys). losses: (n, k). designs: columns of numbers; where a column has `names`, indices
    into them. status: indices into `statuses`.
    """

    runs: tuple[str, ...]
    run: NDArray[np.int64]
    objectives: tuple[str, ...]
    losses: NDArray[np.float64]
    feasible: NDArray[np.bool_]
    elapsed_s: NDArray[np.float64]
    ask: NDArray[np.int64]
    index: NDArray[np.int64]
    statuses: tuple[str, ...]
    status: NDArray[np.int64]
    designs: dict[str, NDArray[Any]]
    names: dict[str, tuple[str, ...]]
    metrics: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.run)

    @cached_property
    def bounds(self) -> dict[str, slice]:
        """Where each run's trials lie."""
        starts = np.searchsorted(self.run, np.arange(len(self.runs) + 1))
        return {key: slice(int(starts[i]), int(starts[i + 1])) for i, key in enumerate(self.runs)}

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

    def of_runs(self, keys: set[str]) -> NDArray[np.bool_]:
        """Return which trials belong to some runs, bool (n,)."""
        return np.array([key in keys for key in self.runs], bool)[self.run]


def trials_of(table: pa.Table, problem: str) -> Trials:
    """Pick the faithful, fresh trials of one problem out of a sweep's table; columns that it lacks are left out."""
    import pyarrow.compute as pc

    for column, value in (("problem", problem), ("fidelity", "faithful")):
        table = table.filter(pc.equal(table.column(column).cast("string"), value))
    table = table.filter(table.column("fresh")).unify_dictionaries().combine_chunks()
    runs, run = _named(table, "run")
    order = np.lexsort((_numbers(table, "index"), run))
    table, run = table.take(order), run[order]
    there, run = np.unique(run, return_inverse=True)
    statuses, status = _named(table, "status")
    objectives = tuple(_present(table, "loss."))
    columns = _present(table, "design.")
    named = {name: _named(table, f"design.{name}") for name in columns if _is_named(table, f"design.{name}")}
    numbers = {name: _numbers(table, f"design.{name}") for name in columns if name not in named}
    return Trials(
        runs=tuple(runs[i] for i in there),
        run=run.astype(np.int64),
        objectives=objectives,
        losses=np.stack([_numbers(table, f"loss.{name}") for name in objectives], axis=1),
        feasible=_numbers(table, "feasible").astype(bool),
        elapsed_s=_numbers(table, "elapsed_s"),
        ask=_numbers(table, "ask"),
        index=_numbers(table, "index"),
        statuses=statuses,
        status=status,
        designs={name: named[name][1] if name in named else numbers[name] for name in columns},
        names={name: names for name, (names, _) in named.items()},
        metrics={name: _numbers(table, f"metric.{name}") for name in _present(table, "metric.")},
    )


def _present(table: pa.Table, prefix: str) -> list[str]:
    """Names after a prefix of the columns that hold something: a sweep's table has the columns of all its problems."""
    found = [name for name in table.column_names if name.startswith(prefix)]
    return [name.removeprefix(prefix) for name in found if table.column(name).null_count < table.num_rows]


def _is_named(table: pa.Table, name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_dictionary(table.column(name).type))


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    """Return a column of numbers; a null is NaN."""
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False))


def _named(table: pa.Table, name: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return a dictionary column's names in alphabetical order, and each row's index among them."""
    column = table.column(name).combine_chunks()
    names, place = np.unique(np.array(column.dictionary.to_pylist(), object).astype(str), return_inverse=True)
    indices = column.indices.to_numpy(zero_copy_only=False)
    return tuple(names.tolist()), place[indices].astype(np.int64)
