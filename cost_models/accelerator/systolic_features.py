"""What a user of a simulator knows of a systolic array and a network before running it: counts, and lower bounds.

A learned model is helped by them; see `Features` and `Bounds`. None of them is a metric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from designgym.cost_models.accelerator import _systolic_features_kernel as kernel
from designgym.cost_models.base import Columns

if TYPE_CHECKING:
    from designgym.cost_models.accelerator.systolic_array import SystolicArray

NAMES = (
    "row_folds", "col_folds", "tiles", "row_idle", "col_idle", "streamed_vectors", "ifmap_overflow",
    "filter_overflow", "psum_overflow", "memory_bound",
)  # fmt: skip
BOUNDED = ("latency_s", "energy_j")
COUNTED_ON = (
    "rows", "cols", "dataflow", "ifmap_sram_kb", "filter_sram_kb", "ofmap_sram_kb", "dram_words_per_cycle",
)  # fmt: skip


def features(model: SystolicArray, designs: Columns) -> Columns:
    """Return counts over the network's layers, each float64 (n,), finite; designs as in `SystolicArray.evaluate`.

    row_folds, col_folds, tiles: in how many pieces the layers' matrices are cut along rows and columns of the array,
    and into both; row_idle, col_idle: share of the rows and columns left idle by the last piece, by
    multiply-accumulates; streamed_vectors: tiles times the length of what streams through each (cycles less filling and
    draining). ifmap_overflow, filter_overflow, psum_overflow: words of the layers whose input, weights or partial sums
    do not fit into half of their SRAM, each counted once however often it is fetched. memory_bound: share of the
    streaming time in layers that each word's crossing of the DRAM interface once takes longer than.
    """
    columns = [np.asarray(designs[name], np.float64) for name in COUNTED_ON]
    layers, macs, buffered, _ = model._network
    return dict(zip(NAMES, kernel.count_features(*columns, layers, macs, buffered), strict=True))


def bounds(model: SystolicArray, designs: Columns) -> Columns:
    """Return lower bounds of latency_s and energy_j, each float64 (n,), finite and above 0.

    They are what the two come to where the SRAMs hold whatever is used again: every word crosses the DRAM interface
    once, and no partial sum is read back. A layer takes at least its compute cycles. Each equals its metric on designs
    whose SRAMs are that large (and, for energy_j, whose partial sums are never summed up in SRAM), and is far below it
    on the rest; a clock beyond the last of the voltage curve goes on along its last slope.
    """
    columns = [np.asarray(designs[name], np.float64) for name in (*COUNTED_ON, "clock_hz")]
    layers, macs, _, index_of_last = model._network
    found = kernel.count_bounds(*columns, layers, macs, index_of_last, *model._tables)
    return dict(zip(BOUNDED, found, strict=True))
