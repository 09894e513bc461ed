"""What a systolic array waits for in SCALE-Sim's USER mode, by a roofline: the cheap model beside `ScaleSim`.

Counts: `SystolicArray`, partial sums as the tool has them. Rule, from how `scalesim` 3.0.0 fills its buffers (Samajdar
et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016): the first fill of a buffer is not counted, so an interface is
waited for only where its operand overflows half of its SRAM, and then for all the words that cross it. A buffer is
filled in the order in which its operand lies, round and round. Filters that are asked for tile by tile, as they are but
where outputs stay, are thus fetched anew about as often as they overflow.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator import systolic_array
from designgym.cost_models.accelerator.layers import Layer
from designgym.cost_models.accelerator.replayed_array import ReplayedArray
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_kernel import OS, K, M, N
from designgym.cost_models.accelerator.systolic_layers import counts_of_layers, metrics_of_totals, summed
from designgym.cost_models.accelerator.technology import Technology
from designgym.cost_models.base import Columns, Metric

MODEL = "1"  # raise it with any number that changes while `SystolicArray` stays
HALF_WORDS_PER_KB = 512  # of one byte, in the half of an SRAM that is in use
OPERANDS = {"ifmap": (M, K), "filter": (K, N)}
WAITS = {
    "cycles": "cycles of all layers, waits for overflowing operands included",
    "utilization": "multiply-accumulates over those the array could do in `cycles`",
    "latency_s": "time of one inference: `cycles` over the clock",
}
METRICS = tuple(replace(metric, meaning=WAITS.get(metric.name, metric.meaning)) for metric in systolic_array.METRICS)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StallingArray:
    """One inference of a network on an array that waits, per layer, for the slowest of its interfaces that overflow.

    workload, technology: as `SystolicArray` has them. An operand is the whole matrix of a layer's product, m x k or
    k x n, a word as often as windows touch it, for so the tool lays it out.
    dram: "closed": a rule, as fast as `SystolicArray`. "replayed": the words that cross after the first fill, exactly
        as `ReplayedArray` counts them, in as much time as it takes.

    Error, against SCALE-Sim 3.0.0 on 1,000 designs of SystolicArray-v0 and one layer, gemm:m=8,k=768,n=64, on which
    the closed rule was found: RMS of the log ratio of cycles .33 closed and .18 replayed, where `SystolicArray`'s
    latency is 1.5 off; on others, `designgym bench two-fidelity`. Inputs that are asked for tile by tile thrash too, in
    a way that the closed rule does not follow: there it is up to 9 times too low. `features` say how far operands
    overflow, from which that can be learned.
    """

    workload: str | tuple[Layer, ...] = "resnet50"
    technology: str | Technology = "horowitz45"
    dram: Literal["closed", "replayed"] = "closed"

    def __post_init__(self) -> None:
        systolic_array.check_choice("dram", self.dram, ("closed", "replayed"))
        self._closed  # noqa: B018  what else is wrong with the options is wrong now rather than at the first design

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return METRICS

    @property
    def slow(self) -> bool:
        """Whether one design takes seconds or minutes."""
        return self.dram == "replayed"

    @cached_property
    def version(self) -> str:
        """Changes with this rule and with all that `SystolicArray` counts."""
        told = self._closed.version + ("" if self.dram == "closed" else self._replay.version)
        return f"{MODEL}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"

    @cached_property
    def _closed(self) -> SystolicArray:
        return SystolicArray(self.workload, "scalesim", technology=self.technology)

    @cached_property
    def _replay(self) -> ReplayedArray:
        return ReplayedArray(self.workload, self.technology)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns of `SystolicArray`, each (n,). Return every metric and "violation", float64 (n,)."""
        counts, _, waits = self._waits(designs)
        cycles = np.maximum(counts["cycles"], np.maximum(waits["ifmap"], waits["filter"]))
        totals = {name: summed(column) for name, column in counts.items()}
        totals["cycles"] = summed(cycles)
        return metrics_of_totals(self._closed, designs, totals | {"latency": totals["cycles"]})

    def features(self, designs: Columns) -> Columns:
        """Return what stalls depend on, each float64 (n,), at least 1; means over layers by their compute cycles.

        ifmap_over, filter_over: how many times an operand is as large as the half of its SRAM that it is read from, 1
        where it fits. ifmap_wait, filter_wait: 1 + the wait for its interface over compute. ifmap_thrash,
        filter_thrash: the same with the words that cross it times how often it overflows.
        """
        counts, over, waits = self._waits(designs)
        compute = np.maximum(summed(counts["cycles"]), 1.0)
        found: Columns = {}
        for name in OPERANDS:
            found[f"{name}_over"] = summed(over[name] * counts["cycles"]) / np.maximum(summed(counts["cycles"]), 1e-9)
            found[f"{name}_wait"] = 1.0 + summed(waits[name]) / compute
            once = waits[name] / self._again(name, designs, over[name])
            found[f"{name}_thrash"] = 1.0 + summed(once * over[name]) / compute
        return found

    def reason(self, design: Columns) -> str:
        """design: a batch of one. Return why it cannot be built, "" where it can."""
        return self._closed.reason(design)

    def _waits(self, designs: Columns) -> tuple[Columns, Columns, Columns]:
        """Return the counts of every layer, by how much its operands overflow, and the cycles waited for them.

        Each (layers, n), all copies of a layer together. Overflow is at least 1; waits are 0 where an operand fits.
        """
        counts = counts_of_layers(self._closed, designs)
        table = systolic_array.layer_table(self._closed.layers)
        over: Columns = {}
        waits: Columns = {}
        if self.dram == "replayed":
            counts |= self._replay.replayed(designs) | {"cycles": counts["cycles"]}
        for name, (a, b) in OPERANDS.items():
            room = np.asarray(designs[f"{name}_sram_kb"], np.float64) * HALF_WORDS_PER_KB
            over[name] = np.maximum((table[:, a] * table[:, b])[:, None] / room, 1.0)
            if self.dram == "replayed":
                words = counts[f"later_{name}"]
            else:
                words = counts[f"dram_{name}_words"] * self._again(name, designs, over[name])
                words = np.where(over[name] > 1.0, words, 0.0)
            waits[name] = words / np.asarray(designs["dram_words_per_cycle"])
        return counts, over, waits

    def _again(self, name: str, designs: Columns, over: Floats) -> Floats:
        """Return how often words are fetched anew that a closed form has cross once, (layers, n), at least 1."""
        once = (np.asarray(designs["dataflow"]) == OS) | (name == "ifmap") | (self.dram == "replayed")
        return np.where(once, 1.0, over)
