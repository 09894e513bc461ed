"""Price a systolic array layer by layer: what bounds each layer, the words it moves, where its energy goes.

Formulas: `systolic_kernel`; counted DRAM words: `dram_counted`, replayed ones: `stall_replay`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator.dram_counted import counted_words
from designgym.cost_models.accelerator.layers import GEOMETRY, Layer
from designgym.cost_models.accelerator.stall_replay import replayed_cycles
from designgym.cost_models.accelerator.systolic_array import DESIGN, METRICS, SystolicArray, layer_table
from designgym.cost_models.accelerator.systolic_kernel import (
    COUNT,
    DATAFLOWS,
    IFMAP,
    TOUCHES,
    K,
    M,
    N,
    count_layers,
    price_counts,
)
from designgym.cost_models.base import Columns, batch_length

REPLAYED = ("cycles", "dram_ifmap_words", "dram_filter_words", "dram_ofmap_words", "later_ifmap", "later_filter")
SHAPE = ("dataflow", *DESIGN[:2], *DESIGN[3:7])  # what is replayed of a design, in `replayed_cycles`' order


def price_layers(model: SystolicArray, design: Columns) -> dict[str, Any]:
    """Return one design's cost, one row a layer: columns by name, each (layers,). design: a batch of one.

    layer: names; bound: "compute" or "memory", whichever takes longer. The numbers, float64, are of all copies of a
    layer together: count, macs, cycles, latency_s, utilization, sram_ifmap_words, sram_filter_words, sram_ofmap_words,
    dram_ifmap_words, dram_filter_words, dram_ofmap_words, energy_j, and the mac_j, sram_j, dram_j and idle_j that it
    is made of. Sums over layers are the network's metrics.
    """
    if batch_length(design) != 1:
        raise ValueError(f"price_layers takes one design, got {batch_length(design)}. Price them one at a time.")
    counts = {name: column[:, 0] for name, column in counts_of_layers(model, design).items()}
    priced = _price(model, {name: np.repeat(design[name], len(model.layers)) for name in DESIGN}, counts)
    waits = counts["latency"] > counts["cycles"]
    return {
        "layer": tuple(layer.name for layer in model.layers),
        "bound": tuple("memory" if wait else "compute" for wait in waits),
        "count": np.array([float(layer.count) for layer in model.layers]),
        **{name: counts[name] for name in ("macs", "cycles")},
        **{name: priced[name] for name in ("latency_s", "utilization")},
        **{name: column for name, column in counts.items() if name.endswith("_words")},
        **{name: priced[name] for name in ("energy_j", "mac_j", "sram_j", "dram_j", "idle_j")},
    }


def evaluate_layer_by_layer(model: SystolicArray, designs: Columns) -> Columns:
    """Return what `SystolicArray.evaluate` does, from counts per layer; row i depends on design i alone."""
    totals = {name: summed(column) for name, column in counts_of_layers(model, designs).items()}
    return metrics_of_totals(model, designs, totals)


def words_by_operand(model: SystolicArray, designs: Columns) -> Columns:
    """Return the words that cross each SRAM's and the DRAM's interfaces, of all layers together, each float64 (n,).

    sram_ifmap_words, sram_filter_words, sram_ofmap_words and as many of dram: what sram_words and dram_words add up.
    """
    counts = counts_of_layers(model, designs)
    return {name: summed(column) for name, column in counts.items() if name.endswith("_words")}


def energy_by_part(model: SystolicArray, designs: Columns) -> Columns:
    """Return mac_j, sram_j, dram_j and idle_j, what energy_j adds up, of all layers together, each float64 (n,)."""
    totals = {name: summed(column) for name, column in counts_of_layers(model, designs).items()}
    priced = _price(model, designs, totals)
    return {name: priced[name] for name in ("mac_j", "sram_j", "dram_j", "idle_j")}


def metrics_of_totals(model: SystolicArray, designs: Columns, totals: Columns) -> Columns:
    """Return the metrics that a network's counts come to, and the violation of too fast a clock, each float64 (n,).

    totals: macs, cycles, latency (cycles with all waiting), psum_reads, and words as sram_ifmap_words ...
    dram_ofmap_words, each float64 (n,), of all layers together; of the model only its technology counts.
    """
    priced = _price(model, designs, totals)
    metrics = {
        "cycles": totals["cycles"],
        "edp_js": priced["energy_j"] * priced["latency_s"],
        "sram_words": totals["sram_ifmap_words"] + totals["sram_filter_words"] + totals["sram_ofmap_words"],
        "dram_words": totals["dram_ifmap_words"] + totals["dram_filter_words"] + totals["dram_ofmap_words"],
        "power_w": priced["energy_j"] / priced["latency_s"],
    } | priced
    excess = np.asarray(designs["clock_hz"]) / model._technology.supply_v[-1][0] - 1.0
    columns = {metric.name: np.where(excess > 0, np.nan, metrics[metric.name]) for metric in METRICS}
    return columns | {"violation": np.maximum(excess, 0.0)}


def counts_of_layers(model: SystolicArray, designs: Columns) -> dict[str, NDArray[np.float64]]:
    """Return counts of every layer on every design, all copies together, each (layers, n)."""
    table = layer_table(model.layers)
    shape = len(table), batch_length(designs)
    pairs = {name: np.broadcast_to(designs[name], shape).ravel() for name in DESIGN}
    of_layer = {j: np.repeat(table[:, j], shape[1]) for j in (M, K, N, IFMAP, TOUCHES, COUNT)}
    buffered = int(model.psum == "buffered")
    cycles, ifmap, filter_, ofmap, psum, *dram = count_layers(
        *(pairs[name] for name in DESIGN[:6]), *(of_layer[j] for j in (M, K, N, IFMAP, TOUCHES)), buffered
    )
    if model.dram != "closed":
        words = _counted(model, pairs, shape[1]) if model.dram == "counted" else _fetched(model, designs)
        dram[: 2 if buffered else 3] = words[: 2 if buffered else 3]
    cycles = cycles - int(model.index_of_last)
    waiting = (dram[0] + dram[1] + dram[2]) * (1.0 / pairs["dram_words_per_cycle"])
    counts = {
        "macs": of_layer[M] * of_layer[K] * of_layer[N],
        "cycles": cycles, "latency": np.maximum(cycles, waiting),
        "sram_ifmap_words": ifmap, "sram_filter_words": filter_, "sram_ofmap_words": ofmap, "psum_reads": psum,
        "dram_ifmap_words": dram[0], "dram_filter_words": dram[1], "dram_ofmap_words": dram[2],
    }  # fmt: skip
    return {name: (column * of_layer[COUNT]).reshape(shape) for name, column in counts.items()}


def replayed_of_layers(layers: tuple[Layer, ...], designs: Columns) -> dict[str, NDArray[np.float64]]:
    """Return REPLAYED of every layer, all copies together, (layers, n) each. ValueError for numbers that are not whole.

    later_ifmap, later_filter: DRAM words of these after the first fill of their SRAM.
    """
    checked(designs)
    columns = [np.asarray(designs[name]).astype(np.int64) for name in SHAPE]
    found = np.empty((len(REPLAYED), len(layers), len(columns[0])))
    for i, layer in enumerate(layers):
        sizes = (np.full(len(columns[0]), getattr(layer, name), np.int64) for name in GEOMETRY)
        found[:, i] = np.stack(replayed_cycles(*columns, *sizes)) * layer.count
    return dict(zip(REPLAYED, found, strict=True))


def checked(designs: Columns) -> Columns:
    """Return the designs. ValueError where a column is missing, or holds what SCALE-Sim cannot be given."""
    for name in DESIGN:
        if name not in designs:
            raise ValueError(f"designs must have the columns {', '.join(DESIGN)}; {name!r} is missing.")
    for name in DESIGN[:7]:
        column = np.asarray(designs[name])
        lowest, highest = (0, len(DATAFLOWS) - 1) if name == "dataflow" else (1, 2**31)
        wrong = ~((column >= lowest) & (column <= highest) & (column == np.floor(column)))
        if wrong.any():
            raise ValueError(
                f"{name} must be a whole number from {lowest} to {highest} for SCALE-Sim, got {column[wrong][0]}."
            )
    return designs


def summed(of_layers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sums over layers, (n,), one layer after another: NumPy's own order depends on the shape."""
    total: NDArray[np.float64] = sum(of_layers, np.zeros(of_layers.shape[1]))
    return total


def _counted(model: SystolicArray, pairs: Columns, n: int) -> list[NDArray[np.float64]]:
    """Return counted DRAM words of ifmap, filter and ofmap for every pair; SRAM sizes as whole kB."""
    whole = [np.asarray(pairs[name]).astype(np.int64) for name in ("dataflow", *DESIGN[:2], *DESIGN[3:6])]
    geometry = [np.repeat([getattr(layer, size) for layer in model.layers], n) for size in GEOMETRY]
    run = counted_words.parallel if len(whole[0]) > 1 else counted_words
    return list(run(*whole, *geometry))


def _fetched(model: SystolicArray, designs: Columns) -> list[NDArray[np.float64]]:
    """Return replayed DRAM words of ifmap, filter and ofmap for every pair, of one copy."""
    replayed = replayed_of_layers(model.layers, designs)
    copies = layer_table(model.layers)[:, COUNT, None]
    return [(replayed[name] / copies).ravel() for name in REPLAYED[1:4]]


def _price(model: SystolicArray, designs: Columns, counts: Columns) -> Columns:
    dram_words = counts["dram_ifmap_words"] + counts["dram_filter_words"] + counts["dram_ofmap_words"]
    names = ("macs", "cycles", "latency", "sram_ifmap_words", "sram_filter_words", "sram_ofmap_words", "psum_reads")
    without_dataflow = [designs[name] for name in DESIGN if name != "dataflow"]
    utilization, latency_s, area_mm2, mac_j, sram_j, dram_j, idle_j = price_counts(
        *without_dataflow, *(counts[name] for name in names), dram_words, 1.0, 1.0, *model._tables
    )
    return {
        "utilization": utilization, "latency_s": latency_s, "area_mm2": area_mm2, "mac_j": mac_j, "sram_j": sram_j,
        "dram_j": dram_j, "idle_j": idle_j, "energy_j": mac_j + sram_j + dram_j + idle_j,
    }  # fmt: skip
