"""What cost models know of designs beside their parameters, `Features` and `Bounds`, for the rows of a dataset."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns
from designgym.cost_models.dataset import Dataset

USES = ("features", "bounds")


@dataclass(frozen=True)
class Known:
    """Further columns of n designs, (n,) each. features: by their own names; bounds: by the metric's."""

    features: Columns
    bounds: Columns

    def take(self, rows: Any) -> Known:
        """Return some of the rows. rows: whatever indexes an array."""

        def of(columns: Columns) -> Columns:
            return {name: column[rows] for name, column in columns.items()}

        return Known(of(self.features), of(self.bounds))

    @property
    def uses(self) -> tuple[str, ...]:
        """Which of the two there is."""
        return tuple(what for what in USES if getattr(self, what))


def of_dataset(dataset: Dataset, beside: Sequence[Any], uses: Collection[str] = USES) -> Known:
    """Return what is known of every row, each row's from the cost model of its problem.

    beside: a cost model for each problem of the dataset, None where it is not at hand. uses: which to ask for; what one
    of those with rows does not offer is left out for all. ValueError where they offer different columns.
    """
    present = [int(i) for i in np.unique(dataset.problem)]
    offered = {
        what: _gathered(dataset, beside, what, present)
        if what in uses and beside and all(hasattr(beside[i], what) for i in present) else {}
        for what in USES
    }  # fmt: skip
    return Known(**offered)


def _gathered(dataset: Dataset, beside: Sequence[Any], what: str, present: list[int]) -> Columns:
    found: Columns = {}
    for i in present:
        rows = np.flatnonzero(dataset.problem == i)
        own = getattr(beside[i], what)({name: column[rows] for name, column in dataset.designs.items()})
        if found and list(own) != list(found):
            raise ValueError(
                f"all problems of a dataset must have the same {what}, got {', '.join(own)} of "
                f"{dataset.origins[i].label} and {', '.join(found)} of another. Leave {what} out."
            )
        for name, column in own.items():
            found.setdefault(name, np.empty(len(dataset)))[rows] = column
    return found
