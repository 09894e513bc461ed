"""The rows of a dataset: what makes them sound, the order in which they are kept, and the hash that stands for them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import batch_length
from designgym.cost_models.dataset import Dataset


def refuse_unsound(dataset: Dataset) -> None:
    """ValueError, in one line, for what no dataset may hold: rows of a failed evaluation, numbers that are missing."""
    if not dataset.origins:
        raise ValueError("a dataset must say which problem its designs are of, got no origin. Give one Origin.")
    names = [spec.name for spec in dataset.specs], [metric.name for metric in dataset.declared]
    if (list(dataset.designs), list(dataset.metrics)) != names:
        raise ValueError(
            f"a dataset must have the columns {', '.join(names[0])} and the metrics {', '.join(names[1])}, "
            f"got {', '.join(dataset.designs)} and {', '.join(dataset.metrics)}."
        )
    others = {name: getattr(dataset, name) for name in ("violation", "problem", "fidelity", "agent", "run")}
    batch_length({**dataset.designs, **dataset.metrics, **others})
    bad = ~(np.isfinite(dataset.violation) & (dataset.violation >= 0))
    if bad.any():
        raise ValueError(
            f"violation must be finite and at least 0, got {dataset.violation[bad][0]}. Leave out what failed to "
            "evaluate."
        )
    for name, column in dataset.metrics.items():
        if (np.isnan(column) & (dataset.violation == 0)).any():
            raise ValueError(f"metric {name} must be a number where violation is 0, got NaN. Mend the cost model.")


def sorted_rows(dataset: Dataset) -> Dataset:
    """Return the rows by problem, fidelity and design. ValueError where two are of one design."""
    order = np.lexsort(_keys(dataset)[::-1])
    dataset = dataset.take(order)
    if len(dataset) > 1:
        same = np.all([key[1:] == key[:-1] for key in _keys(dataset)], axis=0)
        if same.any():
            row = int(np.argmax(same))
            design = ", ".join(f"{name}={column[row]}" for name, column in dataset.designs.items())
            raise ValueError(f"a dataset must hold each design of a problem once, got {design} twice. Drop one.")
    return dataset


def _keys(dataset: Dataset) -> list[NDArray[Any]]:
    """Return what rows are sorted by, the first one most significant."""
    fidelity = np.unique(dataset.fidelity, return_inverse=True)[1]
    return [dataset.problem, fidelity, *(dataset.designs[spec.name] for spec in dataset.specs)]


def digest_of(dataset: Dataset) -> str:
    """Return the SHA-256, in hexadecimal digits, of what the rows say, in their order.

    It covers the columns and metrics (names, kinds, bounds, units, directions), the problems (id, options, cost model,
    version), and of each row the design, the metrics, the violation, the problem and the fidelity: not which agent and
    run found it, nor where it was read.
    """
    what = {
        "columns": [asdict(spec) for spec in dataset.specs],
        "metrics": [[metric.name, metric.unit, metric.better] for metric in dataset.declared],
        "problems": [[one.id, one.options, one.cost_model, one.version, one.cheap] for one in dataset.origins],
        "rows": len(dataset),
    }
    found = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    numbers = [*(dataset.designs[spec.name] for spec in dataset.specs), dataset.problem, dataset.violation]
    for column in [*numbers, *(dataset.metrics[metric.name] for metric in dataset.declared)]:
        found.update(f"{column.dtype.kind}{column.dtype.itemsize}".encode())
        found.update(_bits(column))
    names, places = np.unique(dataset.fidelity, return_inverse=True)
    found.update("\n".join(names.tolist()).encode())
    found.update(places.astype("<i8").tobytes())
    return found.hexdigest()


def _bits(column: NDArray[Any]) -> bytes:
    """Return a column's bytes: one NaN and one zero whatever their bits."""
    if column.dtype.kind == "f":
        column = np.where(np.isnan(column), np.nan, column + 0.0)
    return np.ascontiguousarray(column, column.dtype.newbyteorder("<")).tobytes()
