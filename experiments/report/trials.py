"""The trials of one problem as plain arrays, from the log's Arrow table.

Repeats and trials of a cheaper fidelity are left out: a report counts each design of a run once, faithfully priced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Trials:
    """n trials, run by run in the order priced.

    run: index into `runs` (keys). losses: (n, k). designs: name to numbers, or to names as an object array. metrics:
    name to float64. status: "ok", "infeasible" or "failed".
    """

    runs: tuple[str, ...]
    run: NDArray[np.int64]
    losses: NDArray[np.float64]
    objectives: tuple[str, ...]
    feasible: NDArray[np.bool_]
    elapsed_s: NDArray[np.float64]
    ask: NDArray[np.int64]
    index: NDArray[np.int64]
    status: NDArray[Any]
    designs: dict[str, NDArray[Any]]
    metrics: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.run)

    def bounds(self) -> dict[str, slice]:
        """Return where each run's trials lie."""
        starts = np.searchsorted(self.run, np.arange(len(self.runs) + 1))
        return {key: slice(int(starts[i]), int(starts[i + 1])) for i, key in enumerate(self.runs)}

    def design(self, row: int) -> dict[str, Any]:
        """Return the design of one row, in names."""
        return {
            name: column[row].item() if column.dtype != object else column[row] for name, column in self.designs.items()
        }

    def codes(self) -> NDArray[np.float64]:
        """Return the designs as numbers, (n, columns): equal rows are equal designs."""
        return np.stack([numbered(column) for column in self.designs.values()], axis=1)


def trials_of(table: pa.Table, problem: str) -> Trials:
    """Pick the faithful, fresh trials of one problem out of a sweep's table; columns that it lacks are left out."""
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(texts(table, "problem"), problem))
    if "fidelity" in rows.column_names:
        rows = rows.filter(pc.equal(texts(rows, "fidelity"), "faithful"))
    rows = rows.filter(rows.column("fresh"))
    rows = rows.append_column("run key", texts(rows, "run")).sort_by([("run key", "ascending"), ("index", "ascending")])
    keys, run = np.unique(np.array(rows.column("run key").to_pylist(), object), return_inverse=True)
    objectives = tuple(_present(rows, "loss."))
    losses = [numbers(rows, f"loss.{name}") for name in objectives]
    return Trials(
        runs=tuple(keys),
        run=run.astype(np.int64),
        losses=np.stack(losses, axis=1),
        objectives=objectives,
        feasible=numbers(rows, "feasible").astype(bool),
        elapsed_s=numbers(rows, "elapsed_s"),
        ask=numbers(rows, "ask").astype(np.int64),
        index=numbers(rows, "index").astype(np.int64),
        status=np.array(texts(rows, "status").to_pylist(), object),
        designs={name: _values(rows, f"design.{name}") for name in _present(rows, "design.")},
        metrics={name: numbers(rows, f"metric.{name}") for name in _present(rows, "metric.")},
    )


def texts(rows: pa.Table, name: str) -> Any:
    """Return a column of names as plain Arrow strings, dictionary or not."""
    import pyarrow as pa

    return rows.column(name).cast(pa.string())


def numbers(rows: pa.Table, name: str) -> NDArray[Any]:
    """Return a column of numbers; a null is NaN."""
    return np.asarray(rows.column(name).to_numpy(zero_copy_only=False))


def numbered(column: NDArray[Any]) -> NDArray[np.float64]:
    """Return numbers as they are, names by their place among the different ones."""
    if column.dtype != object:
        return column.astype(np.float64)
    return np.unique(column.astype(str), return_inverse=True)[1].astype(np.float64)


def _present(rows: pa.Table, prefix: str) -> list[str]:
    """Names after a prefix of the columns that hold something: a sweep's table has the columns of all its problems."""
    named = [name for name in rows.column_names if name.startswith(prefix)]
    return [
        name.removeprefix(prefix) for name in named if not rows.num_rows or rows.column(name).null_count < rows.num_rows
    ]


def _values(rows: pa.Table, name: str) -> NDArray[Any]:
    import pyarrow as pa

    column = rows.column(name)
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        return np.array(texts(rows, name).to_pylist(), object)
    return numbers(rows, name)
