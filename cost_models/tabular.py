"""What a dataset says, as a cost model: designs that were priced are looked up, all others are infeasible.

Designs are found by their columns' bits in a hash table, looked up a batch at a time in compiled code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric, batch_length
from designgym.cost_models.dataset import Dataset

NEVER_PRICED = 1.0  # violation of a design that is not in the dataset
MISSING = "not in the dataset"


class PricedRows:
    """Distinct designs and what they came to, found by design. name: stands for all of it, such as its hash.

    metrics and violation, each (n,), by name in `values`. ValueError where two designs are one.
    """

    def __init__(self, designs: Columns, metrics: Columns, violation: NDArray[np.float64], name: str) -> None:
        from designgym.cost_models._memory_kernel import insert

        self.name = name
        self._dtypes = {key: np.dtype(_eight_bytes(column)) for key, column in designs.items()}
        self._keys, _ = self._keys_of(designs)
        self._slots = np.full(1 << int(4 * len(violation)).bit_length(), -1, np.int64)
        _, count = insert(self._slots, np.empty_like(self._keys), 0, self._keys, len(violation))
        if count < len(violation):
            raise ValueError("the designs of a dataset must be distinct, got one twice. Drop one of the two.")
        # The last place is that of every design that is not there, which row -1 finds.
        absent = [np.append(column, np.nan) for column in metrics.values()]
        self._names = (*metrics, "violation")
        self._values = np.stack([*absent, np.append(violation, NEVER_PRICED)])

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"PricedRows({len(self)} designs, {self.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PricedRows) and (len(self), self.name) == (len(other), other.name)

    def __hash__(self) -> int:
        return hash((len(self), self.name))

    def _keys_of(self, designs: Columns) -> tuple[NDArray[np.uint64], NDArray[np.bool_] | None]:
        """Return the designs' bits, (n, columns), -0.0 as 0.0, and where a column holds them, None for everywhere."""
        keys = np.empty((batch_length(designs), len(self._dtypes)), np.uint64)
        whole: NDArray[np.bool_] | None = None
        for place, (name, dtype) in enumerate(self._dtypes.items()):
            column = np.asarray(designs[name])
            if column.dtype != dtype:
                with np.errstate(invalid="ignore"):
                    cast = column.astype(dtype)
                whole = (cast == column) if whole is None else whole & (cast == column)
                column = cast
            keys[:, place] = (column + 0.0 if dtype == np.float64 else column).view(np.uint64)
        return keys, whole

    def find(self, designs: Columns) -> NDArray[np.int64]:
        """Return each design's row, int64 (n,), -1 where it is not among them."""
        from designgym.cost_models._memory_kernel import find

        keys, whole = self._keys_of(designs)
        rows = find(self._slots, self._keys, keys)
        return rows if whole is None else np.where(whole, rows, -1)

    def come_to(self, rows: NDArray[np.int64]) -> Columns:
        """Return metrics and "violation" of rows, each float64 (n,): NaN and 1 for row -1."""
        return dict(zip(self._names, self._values[:, rows], strict=True))


@dataclass(frozen=True)
class DatasetCostModel:
    """Prices designs as a dataset has them. A design never priced has violation 1 and no metrics.

    Domain: the designs of the dataset. Error: none, its numbers are those of the cost model that priced them.
    """

    metrics: tuple[Metric, ...]
    version: str
    rows: PricedRows

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns of the dataset's space, each (n,)."""
        return self.rows.come_to(self.rows.find(designs))

    def reason(self, design: Columns) -> str:
        """Return why one design cannot be built: it was never priced, or the dataset has it as infeasible."""
        rows = self.rows.find(design)
        if rows.item() < 0:
            return MISSING
        violation = self.rows.come_to(rows)["violation"].item()
        return f"the dataset has it as infeasible, with a violation of {violation:.3g}" if violation else ""


def dataset_cost_model(dataset: Dataset) -> DatasetCostModel:
    """Return what the rows of a dataset say; they are of one problem and one fidelity. ValueError where there is none.

    The version is the dataset's sha256, so that what was found on other rows is another cost model's.
    """
    if not batch_length({"violation": dataset.violation}):
        raise ValueError("a dataset must hold a design to be a cost model, got none. Gather or sample some.")
    name = f"sha256 {dataset.sha256[:16]}"
    rows = PricedRows(dataset.designs, dataset.metrics, dataset.violation, name)
    return DatasetCostModel(dataset.declared, f"dataset {name}", rows)


def _eight_bytes(column: NDArray[Any]) -> type:
    return np.float64 if column.dtype.kind == "f" else np.int64
