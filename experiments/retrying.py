"""Runs whose evaluations failed, opened again: they go on from the trial before the first failure.

What came after it was asked by an agent that had been told of the failure, so the run is made anew from there, as if
the evaluation had never failed. Nothing is paid twice: what the run had priced lies in DIR/runs/KEY.retried.parquet
until it is finished, and is recalled by design.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns
from designgym.envs import DesignProblem
from designgym.envs.ranking import rows_of
from designgym.experiments.finished import read_parquet, write_parquet
from designgym.experiments.parts import RunFiles
from designgym.experiments.results import key_of
from designgym.experiments.rows import designs_of, evaluations_of

if TYPE_CHECKING:
    import pyarrow as pa


def reopen(files: RunFiles) -> int:
    """Open a run again, finished or not, if evaluations of it failed; return how many did. Whole or as it was."""
    rows, meta = files.read()
    if rows is None:
        return 0
    failed = _is(rows, "status", "failed")
    if not failed.any():
        return 0
    before = read_parquet(files.retried)[0] if files.retried.exists() else None
    write_parquet(files.retried, _both(before, rows), meta)
    first = int(rows.column("index").to_numpy()[failed].min())
    kept = rows.filter(np.asarray(rows.column("index").to_numpy() < first))
    files.drop_parts()
    if kept.num_rows:
        writer = files.next_part(kept.schema.remove_metadata(), meta)
        for batch in kept.replace_schema_metadata(None).combine_chunks().to_batches():
            writer.append(batch)
        writer.close()
    files.parquet.unlink(missing_ok=True)  # last: until then the run counts as finished
    files.failures.unlink(missing_ok=True)
    shutil.rmtree(files.failures.with_suffix(""), ignore_errors=True)
    return int(failed.sum())


def recalled(files: RunFiles, problem: DesignProblem) -> dict[str, Columns]:
    """Return what a run that was opened again had priced, each design a batch of one, by `results.key_of`."""
    if not files.retried.exists():
        return {}
    rows = read_parquet(files.retried)[0]
    priced = _is(rows, "fidelity", "faithful") & ~_is(rows, "status", "failed") & np.asarray(rows.column("fresh"))
    # Designs outside the space were never priced.
    rows = rows.filter(priced)
    designs, evaluations = designs_of(rows, problem.space), evaluations_of(rows, problem)
    inside = problem.space.contains(designs)
    violation = problem.objective.of_model(evaluations.metrics, evaluations.violation)
    found = {}
    for row in np.flatnonzero(inside).tolist():
        one = slice(row, row + 1)
        key = key_of(problem.cost_model, problem.space, rows_of(designs, one))
        metrics = {name: column[one] for name, column in evaluations.metrics.items()}
        found[key] = metrics | {"violation": violation[one]}
    return found


def _both(before: pa.Table | None, rows: pa.Table) -> pa.Table:
    """Return the rows of two openings: what was recalled before may have to be recalled once more."""
    import pyarrow as pa

    rows = rows.replace_schema_metadata(None)
    return rows if before is None else pa.concat_tables([before.replace_schema_metadata(None), rows])


def _is(rows: pa.Table, name: str, value: str) -> Any:
    import pyarrow.compute as pc

    return np.asarray(pc.equal(rows.column(name).cast("string"), value))
