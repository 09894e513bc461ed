"""Trial rows: a run's answered designs as an Arrow table, and back to what an agent was told.

Columns: run, index, ask, fresh, status, fidelity, elapsed_s, design.<column>, metric.<name>, loss.<name>, violation,
reward, feasible. A category is a dictionary column over all its choices in order, so its index is the design's number;
a permutation is a dictionary column over the orders that occur, since 20! orders fit no dictionary.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignProblem, DesignSpace, Evaluations, Fidelity, Parameter, Permutation

if TYPE_CHECKING:
    import pyarrow as pa

STATUS = ("ok", "infeasible", "failed")
FIDELITIES = ("faithful", "cheap")


@dataclass(frozen=True)
class Heard:
    """New rows of one answered batch. elapsed_s: time within the run when the answer was there.

    fresh: which rows were priced, bool (n,); None where all were.
    """

    designs: Columns
    evaluations: Evaluations
    fidelity: Fidelity
    ask: int
    elapsed_s: float
    fresh: NDArray[np.bool_] | None = None


def to_batch(
    problem: DesignProblem, key: str, first: int | NDArray[np.int64], heard: Sequence[Heard]
) -> pa.RecordBatch:
    """Return the rows of answered batches as one record batch. first: the first row's index within the run, or all."""
    import pyarrow as pa

    evaluations = Evaluations.concatenate([h.evaluations for h in heard])
    counts = [len(h.evaluations) for h in heard]
    n = sum(counts)
    fidelity = [FIDELITIES.index(h.fidelity) for h in heard]
    columns: dict[str, Any] = {
        "run": _dictionary(np.zeros(n, np.int32), [key]),
        "index": np.arange(first, first + n) if isinstance(first, int) else first,
        "ask": np.repeat(np.array([h.ask for h in heard], np.int64), counts),
        "fresh": np.concatenate([_fresh(h) for h in heard]),
        "status": _dictionary(_status(evaluations), STATUS),
        "fidelity": _dictionary(np.repeat(np.array(fidelity, np.int32), counts), FIDELITIES),
        "elapsed_s": np.repeat(np.array([h.elapsed_s for h in heard], np.float64), counts),
    }
    for parameter in problem.space.parameters:
        for name in parameter.columns:
            column = np.concatenate([h.designs[name] for h in heard])
            columns[f"design.{name}"] = _design_column(parameter, column, problem.space.dtypes[name])
    for metric in problem.cost_model.metrics:
        columns[f"metric.{metric.name}"] = evaluations.metrics[metric.name].astype(np.float64, copy=False)
    columns |= {f"loss.{name}": evaluations.losses[:, j] for j, name in enumerate(problem.objective.names)}
    columns |= {name: getattr(evaluations, name) for name in ("violation", "reward", "feasible")}
    arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns.values()]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _fresh(heard: Heard) -> NDArray[np.bool_]:
    return np.ones(len(heard.evaluations), bool) if heard.fresh is None else heard.fresh


def _status(evaluations: Evaluations) -> NDArray[np.int32]:
    status = np.where(evaluations.feasible, 0, 1)
    return np.where(np.isinf(evaluations.violation), 2, status).astype(np.int32)


def _design_column(parameter: Parameter, column: NDArray[Any], dtype: np.dtype[Any]) -> Any:
    if isinstance(parameter, Categorical | Permutation):
        legal = parameter.legal([column])
        if not legal.all():
            raise ValueError(
                f"the agent asked {parameter.name} = {column[~legal][0]}, which stands for no value of it."
            )
    column = column.astype(dtype, copy=False)
    if isinstance(parameter, Categorical):
        return _dictionary(column.astype(np.int32), parameter.choices)
    if isinstance(parameter, Permutation):
        ranks, places = np.unique(column, return_inverse=True)
        return _dictionary(places.astype(np.int32), parameter.describe([ranks])[0])
    return column


def _dictionary(indices: NDArray[np.int32], names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(names, pa.string()))


def empty_table(problem: DesignProblem, key: str) -> pa.Table:
    """Return a table of the problem's trial rows that holds none."""
    import pyarrow as pa

    space = problem.space
    designs = {name: np.empty(0, dtype) for name, dtype in space.dtypes.items()}
    metrics = {metric.name: np.empty(0) for metric in problem.cost_model.metrics}
    losses = np.empty((0, len(problem.objective.names)))
    nothing = Evaluations(metrics, losses, np.empty(0), np.empty(0, bool), np.empty(0))
    return pa.Table.from_batches([to_batch(problem, key, 0, [Heard(designs, nothing, "faithful", 0, 0.0)])])


def designs_of(rows: pa.Table, space: DesignSpace) -> Columns:
    """Return the designs of trial rows as columns of numbers, each (n,): names back to indices and ranks."""
    import pyarrow as pa

    designs: Columns = {}
    for parameter in space.parameters:
        for name in parameter.columns:
            column = rows.column(f"design.{name}").combine_chunks()
            if isinstance(parameter, Categorical | Permutation):
                # In a table of several problems the dictionary may hold another's names: only what occurs is read.
                used, places = np.unique(column.indices.to_numpy(zero_copy_only=False), return_inverse=True)
                names = column.dictionary.take(pa.array(used)).to_pylist()
                designs[name] = np.array([parameter.parse(text)[0] for text in names], np.int64)[places]
            else:
                designs[name] = column.to_numpy(zero_copy_only=False).astype(space.dtypes[name], copy=False)
    return designs


def evaluations_of(rows: pa.Table, problem: DesignProblem) -> Evaluations:
    """Return what the designs of trial rows came to; metrics are float64."""

    def column(name: str) -> NDArray[Any]:
        return rows.column(name).combine_chunks().to_numpy(zero_copy_only=False)

    metrics = {metric.name: column(f"metric.{metric.name}") for metric in problem.cost_model.metrics}
    losses = np.stack([column(f"loss.{name}") for name in problem.objective.names], axis=1)
    return Evaluations(metrics, losses, column("violation"), column("feasible"), column("reward"))


def priced_in(rows: pa.Table | pa.RecordBatch, fidelity: Fidelity = "faithful") -> int:
    """Return how many of these rows are designs priced at a fidelity: others are repeats in a told agent's log."""
    import pyarrow.compute as pc

    chosen = pc.equal(rows.column("fidelity").cast("string"), fidelity)
    return int(pc.sum(pc.and_(rows.column("fresh"), chosen)).as_py() or 0)


def checksum(rows: pa.Table | pa.RecordBatch) -> int:
    """Return a CRC-32 of the rows' names and values: it depends on what they hold, not on how Arrow stores it."""
    import pyarrow as pa

    crc = zlib.crc32("\n".join(rows.schema.names).encode())
    for column in rows.columns:
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.DictionaryArray):
            # Names by row would be slow: each row's number, and the names in order of their first row.
            codes, first = _by_first_sight(array.indices.fill_null(-1).to_numpy(zero_copy_only=False))
            names = array.dictionary.take(pa.array(first[first >= 0], pa.int64())).to_pylist()
            crc = zlib.crc32("\n".join(names).encode(), crc)
            values = codes
        else:
            values = array.to_numpy(zero_copy_only=False)
        crc = zlib.crc32(np.ascontiguousarray(values).data, crc)
    return crc


def _by_first_sight(indices: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Renumber dictionary indices by first sight; return the new ones and the old index that each stands for."""
    distinct, first, inverse = np.unique(indices, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[inverse].astype(np.int64), distinct[order]
