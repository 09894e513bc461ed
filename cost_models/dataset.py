"""Priced designs of one space: what a learned model is fitted on, and what an offline environment is played on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, Metric

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Origin:
    """A problem whose designs a dataset holds. cost_model: class name and version that priced them.

    label: what distinguishes it from the other problems of the dataset. parameters: of its space, as the log writes
    them. objective: its fields, as the log writes them. cheap: version of the cost model of its cheap designs, "" where
    it has none.
    """

    label: str
    id: str
    options: dict[str, Any]
    cost_model: str
    version: str
    parameters: tuple[dict[str, Any], ...]
    objective: dict[str, Any]
    cheap: str = ""


@dataclass(frozen=True)
class Dataset:
    """n distinct designs and what they came to; all problems in it have one space and the same metrics.

    specs: of the columns. designs: one column a spec, numbers as the space has them, (n,). metrics: float64 (n,), NaN
    where a design could not be built. violation: the model's own, (n,), 0 where it could, never inf. problem: (n,),
    index into origins. fidelity, agent, run: (n,) texts, how the design was found. declared: the metrics. sources:
    what was read. sha256: of the file's content, "" where it is none. index: (n,), the place of the design among those
    of its run, from 0; None where that is not known.
    """

    specs: tuple[ColumnSpec, ...]
    declared: tuple[Metric, ...]
    designs: Columns
    metrics: Columns
    violation: Floats
    problem: NDArray[np.int64]
    fidelity: NDArray[np.str_]
    agent: NDArray[np.str_]
    run: NDArray[np.str_]
    origins: tuple[Origin, ...]
    sources: tuple[str, ...] = ()
    sha256: str = ""
    index: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.violation)

    def take(self, rows: Any) -> Dataset:
        """Return some of the rows. rows: whatever indexes an array."""

        def of(columns: Columns) -> Columns:
            return {name: column[rows] for name, column in columns.items()}

        return replace(
            self, designs=of(self.designs), metrics=of(self.metrics), violation=self.violation[rows],
            problem=self.problem[rows], fidelity=self.fidelity[rows], agent=self.agent[rows], run=self.run[rows],
            index=None if self.index is None else self.index[rows],
        )  # fmt: skip

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Whether each design could be built, (n,)."""
        return self.violation == 0
