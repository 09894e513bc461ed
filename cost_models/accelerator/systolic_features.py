"""What a user of a simulator knows of a systolic array and a network before running it: counts, and lower bounds.

A learned model is helped by them; see `Features` and `Bounds`. None of them is a metric.
"""

from __future__ import annotations

import numpy as np

from designgym.cost_models.accelerator import _systolic_features_kernel as kernel
from designgym.cost_models.accelerator.systolic_array import DESIGN, SystolicArray
from designgym.cost_models.base import Columns

NAMES = (
    "row_folds", "col_folds", "tiles", "row_idle", "col_idle", "streamed_vectors", "ifmap_again", "filter_again",
    "psum_again", "starved", "words_over_cycles", "waiting", "idle_over_rest",
)  # fmt: skip
BOUNDED = ("latency_s", "energy_j")


def features(model: SystolicArray, designs: Columns) -> Columns:
    """Return counts over the network's layers, each float64 (n,), finite; designs as in `SystolicArray.evaluate`.

    row_folds, col_folds, tiles: in how many pieces the layers' matrices are cut along rows and columns of the array,
    and into both; row_idle, col_idle: share of the rows and columns left idle by the last piece, by
    multiply-accumulates; streamed_vectors: tiles times the length of what streams through each. ifmap_again,
    filter_again, psum_again: words fetched, or spilled and read back, beyond their first crossing of the DRAM
    interface, since half of their SRAM does not hold them. words_over_cycles: time of all DRAM words over that of all
    compute; starved: share of compute in layers that take longer to move each word once; waiting: the time of all
    layers if each word moved once, over that of compute; idle_over_rest: idle power in the bound of energy_j, over the
    rest.

    None is a metric, but whole-network counts follow from them: cycles, sram_words and dram_words are no more to be
    learned. What is left is how layers that compute and layers that wait add up to latency_s and energy_j.
    """
    counted = _counted(model, designs)
    return {name: counted[name] for name in NAMES}


def bounds(model: SystolicArray, designs: Columns) -> Columns:
    """Return lower bounds of latency_s and energy_j, each float64 (n,), finite and above 0.

    A roofline of the whole network: the longer of all compute and all DRAM traffic, as if compute and traffic of
    different layers overlapped, or of each layer's compute and its words moved once, whichever is higher; and the
    energy at that latency. Each equals its metric where every layer computes longer than it moves words, or every one
    moves longer: on 70 % of `SystolicArray-v0`, ResNet-50. Alone it is 5.3 and 2.0 % off (relative RMSE, 100,000
    uniform designs). A clock beyond the last of the voltage curve goes on along its last slope.
    """
    counted = _counted(model, designs)
    return {name: counted[name] for name in BOUNDED}


def _counted(model: SystolicArray, designs: Columns) -> Columns:
    columns = [np.asarray(designs[name], np.float64) for name in DESIGN]
    found = kernel.count_features(*columns, *model._network, *model._tables)
    return dict(zip((*NAMES, *BOUNDED), found, strict=True))
