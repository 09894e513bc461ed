"""What a user of a simulator knows of a systolic array and a network before running it: counts, and lower bounds.

A learned model is helped by them; see `Features` and `Bounds`. None of them is a metric.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from designgym.cost_models.accelerator import _systolic_features_kernel as kernel
from designgym.cost_models.accelerator.systolic_array import COUNTED, DESIGN, SystolicArray
from designgym.cost_models.accelerator.systolic_layers import checked, counts_of_layers, replayed_of_layers, summed
from designgym.cost_models.base import Columns

NAMES = (
    "row_folds", "col_folds", "tiles", "row_idle", "col_idle", "streamed_vectors", "ifmap_again", "filter_again",
    "psum_again", "starved", "words_over_cycles", "waiting", "idle_over_rest",
)  # fmt: skip
FOLDS = NAMES[:6]  # that tell nothing of words
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

    Where DRAM words are replayed, what the closed rule says of words gives way to `waits`, at the price of a replay;
    where they are counted, it stays.
    """
    counted = _counted(model, designs)
    if model.dram == "replayed":
        return {name: counted[name] for name in FOLDS} | waits(model, designs)
    return {name: counted[name] for name in NAMES}


def waits(model: SystolicArray, designs: Columns) -> Columns:
    """Return how long words take to cross the DRAM interface over all compute, each float64 (n,), finite, at least 1.

    ifmap_wait, filter_wait, ofmap_wait: 1 + the time of an operand's words over that of compute; those of the first
    fill of the ifmap's and the filter's SRAM are left out, for SCALE-Sim's USER mode does not wait for them. waiting:
    the time of all layers, of each its compute or that of its later ifmap and filter words, whichever is longer, over
    that of compute.
    """
    closed, words = counts_of_layers(replace(model, dram="closed"), designs), replayed_of_layers(model.layers, designs)
    ofmap = (words if model.psum == "scalesim" else closed)["dram_ofmap_words"]
    crossing = {"ifmap": words["later_ifmap"], "filter": words["later_filter"], "ofmap": ofmap}
    times = {name: column / np.asarray(designs["dram_words_per_cycle"]) for name, column in crossing.items()}
    cycles = closed["cycles"]
    compute = np.maximum(summed(cycles), 1.0)
    found = {f"{name}_wait": 1.0 + summed(column) / compute for name, column in times.items()}
    waiting = summed(np.maximum(cycles, times["ifmap"] + times["filter"]))
    return found | {"waiting": np.maximum(waiting / compute, 1.0)}


def bounds(model: SystolicArray, designs: Columns) -> Columns:
    """Return lower bounds of latency_s and energy_j, each float64 (n,), finite and above 0.

    A roofline of the whole network: the longer of all compute and all DRAM traffic, as if compute and traffic of
    different layers overlapped, or of each layer's compute and its words moved once, whichever is higher; and the
    energy at that latency. Where words are counted or replayed, traffic is each word that is used moved once, replayed
    less what a window holds beyond the half SRAM that its fill counts. Closed, each equals its metric where every layer
    computes longer than it moves words, or every one moves longer: on 70 % of `SystolicArray-v0`, ResNet-50. Alone it
    is 5.3 and 2.0 % off (relative RMSE, 100,000 uniform designs). A clock beyond the last of the voltage curve goes on
    along its last slope.
    """
    counted = _counted(model, designs, ("closed", *COUNTED).index(model.dram))
    return {name: counted[name] for name in BOUNDED}


def _counted(model: SystolicArray, designs: Columns, all_once: int = 0) -> Columns:
    """Return NAMES and BOUNDED. all_once: see `count_features`."""
    if model.dram == "replayed":
        checked(designs)
    columns = [np.asarray(designs[name], np.float64) for name in DESIGN]
    found = kernel.count_features(*columns, *model._network, *model._tables, all_once)
    return dict(zip((*NAMES, *BOUNDED), found, strict=True))
