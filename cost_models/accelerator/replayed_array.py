"""A systolic array whose buffers are replayed as SCALE-Sim's USER mode fills them: its cycles without running it.

Counts: `stall_replay` for cycles and DRAM words, `SystolicArray` for SRAM words, partial sums as the tool has them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

from designgym.cost_models.accelerator import systolic_array
from designgym.cost_models.accelerator.layers import Layer
from designgym.cost_models.accelerator.scale_sim import WAITS
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_layers import (
    counts_of_layers,
    metrics_of_totals,
    replayed_of_layers,
    summed,
)
from designgym.cost_models.accelerator.technology import Technology
from designgym.cost_models.base import Columns, Metric

MODEL = "1"  # raise it with any number that changes while `SystolicArray` stays
METRICS = tuple(replace(metric, meaning=WAITS.get(metric.name, metric.meaning)) for metric in systolic_array.METRICS)


@dataclass(frozen=True)
class ReplayedArray:
    """One inference of a network on an array that waits as SCALE-Sim 3.0.0 has it in its USER mode.

    workload, technology: as `SystolicArray` has them. Metrics are those of `ScaleSim`. Designs: the columns of
    `SystolicArray`, all but the clock whole numbers.

    Time: about 10 ns a cycle that the array takes without stalls, on each thread, and 2 ns a word that is asked of an
    overlapping ifmap: .1 to .3 ms a design of a small layer, where SCALE-Sim takes .5 s; .1 s to minutes for ResNet-50.
    Error: none against SCALE-Sim 3.0.0, cycles, SRAM words and DRAM words alike, on 1,000 designs of SystolicArray-v0
    and gemm:m=8,k=768,n=64, on 120 of conv:out=8,kernel=3,channels=8,filters=16, and on 24 random layers with strides,
    windows that overlap and hang over, SRAMs of 1 to 4 kB and interfaces of 1 to 6 words.
    """

    workload: str | tuple[Layer, ...] = "resnet50"
    technology: str | Technology = "horowitz45"

    slow = True

    def __post_init__(self) -> None:
        self._closed  # noqa: B018  what is wrong with the options is wrong now rather than at the first design

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return METRICS

    @cached_property
    def version(self) -> str:
        """Changes with this replay and with all that `SystolicArray` counts."""
        return f"{MODEL}-{hashlib.sha256(self._closed.version.encode()).hexdigest()[:12]}"

    @cached_property
    def _closed(self) -> SystolicArray:
        return SystolicArray(self.workload, "scalesim", technology=self.technology)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns of `SystolicArray`, each (n,), whole but for the clock's.

        Return every metric and "violation", float64 (n,). ValueError for a number that is not whole.
        """
        counts = counts_of_layers(self._closed, designs) | self.replayed(designs)
        totals = {name: summed(column) for name, column in counts.items()}
        return metrics_of_totals(self._closed, designs, totals | {"latency": totals["cycles"]})

    def features(self, designs: Columns) -> Columns:
        """Return what is known of designs without replaying them: see `SystolicArray.features`."""
        return self._closed.features(designs)

    def reason(self, design: Columns) -> str:
        """design: a batch of one. Return why it cannot be built, "" where it can."""
        return self._closed.reason(design)

    def replayed(self, designs: Columns) -> Columns:
        """Return what `replayed_of_layers` does. ValueError for a number that is not whole."""
        return replayed_of_layers(self._closed.layers, designs)
