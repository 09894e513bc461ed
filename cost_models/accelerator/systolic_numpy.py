"""The formulas of `systolic_kernel` a second time, in plain NumPy: the oracle of its tests, the yardstick of its speed.

Sources as there. Written from the formulas and not from the kernel's loops, so that a slip in one shows against the
other.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator.systolic_array import METRICS, SystolicArray, touches
from designgym.cost_models.accelerator.technology import Technology
from designgym.cost_models.base import Columns, batch_length

Column = NDArray[np.float64]


def evaluate_numpy(model: SystolicArray, designs: Columns) -> Columns:
    """Return what `model.evaluate(designs)` does, for dram="closed", SRAMs of at most 4,096 kB, and
    clocks that can be built."""
    d = {name: np.asarray(column, np.float64) for name, column in designs.items()}
    totals: dict[str, Column] = {}
    for layer in model.layers:
        shape = float(layer.m), float(layer.k), float(layer.n), float(layer.ifmap_words), float(touches(layer))
        counts = _layer(d, *shape, buffered=model.psum == "buffered")
        counts["cycles"] = counts["cycles"] - model.index_of_last
        dram_words = counts["dram_ifmap"] + counts["dram_filter"] + counts["dram_ofmap"]
        counts["dram_words"] = dram_words
        counts["latency"] = np.maximum(counts["cycles"], dram_words * (1.0 / d["dram_words_per_cycle"]))
        for name, column in counts.items():
            totals[name] = totals.get(name, np.zeros(batch_length(designs))) + layer.count * column
    macs = float(sum(layer.macs * layer.count for layer in model.layers))
    return _metrics(d, totals, macs, model._technology)


def _layer(d: Columns, m: float, k: float, n: float, ifmap: float, touched: float, buffered: bool) -> Columns:
    """Return the counts of one layer on every design."""
    rows, cols = d["rows"], d["cols"]
    os, ws = d["dataflow"] == 0, d["dataflow"] == 1
    s_rows = np.where(os, m, k)
    s_cols = np.where(os | ws, n, m)
    time = np.where(os, k, np.where(ws, m, n))
    row_folds, col_folds = np.ceil(s_rows / rows), np.ceil(s_cols / cols)
    folds = row_folds * col_folds
    ifmap_c, filter_c = (50.0 * np.floor(1024.0 * d[f"{which}_sram_kb"] / 100.0) for which in ("ifmap", "filter"))

    ifmap_passes = np.where(os | ws, col_folds, 1.0)
    filter_passes = np.where(os, row_folds, np.where(ws, 1.0, col_folds))
    filter_fits = np.where(os, k * np.minimum(cols, n) < filter_c, k * n < filter_c)
    spilled = m * n * (row_folds - 1.0)
    stays = os | (buffered & (time * np.minimum(cols, s_cols) <= 512.0 * d["ofmap_sram_kb"]))
    return {
        "cycles": folds * (np.where(os, rows, 2.0 * rows) + cols + time - 2.0),
        "sram_ifmap": m * k * ifmap_passes,
        "sram_filter": k * n * filter_passes,
        "sram_ofmap": np.where(os, m * n + folds * (rows + cols), m * n * row_folds),
        "psum_reads": np.where(os, 0.0, buffered * spilled),
        "dram_ifmap": np.where(ifmap < ifmap_c, ifmap, touched * ifmap_passes),
        "dram_filter": k * n * np.where(filter_fits, 1.0, filter_passes),
        "dram_ofmap": np.where(stays, m * n, m * n + spilled + buffered * spilled),
    }


def _metrics(d: Columns, totals: Columns, macs: float, tech: Technology) -> Columns:
    hz, volts = np.array(tech.supply_v).T
    square = (np.interp(d["clock_hz"], hz, volts) / tech.nominal_v) ** 2
    words_per_s = d["dram_words_per_cycle"] * d["clock_hz"]
    sram_kb = d["ifmap_sram_kb"] + d["filter_sram_kb"] + d["ofmap_sram_kb"]
    chip_mm2 = d["rows"] * d["cols"] * tech.mac_mm2 + sram_kb * tech.sram_mm2_per_kb
    latency_s = totals["latency"] / d["clock_hz"]
    sram_j = (
        totals["sram_ifmap"] * _sram_word_j(d["ifmap_sram_kb"], tech)
        + totals["sram_filter"] * _sram_word_j(d["filter_sram_kb"], tech)
        + (totals["sram_ofmap"] + totals["psum_reads"]) * _sram_word_j(d["ofmap_sram_kb"], tech)
    )
    idle_j = square * totals["latency"] * chip_mm2 * tech.idle_j_per_mm2
    idle_j = idle_j + latency_s * words_per_s * tech.phy_w_per_word_per_s
    energy_j = square * macs * tech.mac_j + square * sram_j + totals["dram_words"] * tech.dram_word_j + idle_j
    metrics = {
        "cycles": totals["cycles"],
        "utilization": macs / (totals["cycles"] * d["rows"] * d["cols"]),
        "latency_s": latency_s,
        "energy_j": energy_j,
        "area_mm2": chip_mm2 + words_per_s * tech.phy_mm2_per_word_per_s,
        "edp_js": energy_j * latency_s,
        "sram_words": totals["sram_ifmap"] + totals["sram_filter"] + totals["sram_ofmap"],
        "dram_words": totals["dram_words"],
        "power_w": energy_j / latency_s,
    }
    return {metric.name: metrics[metric.name] for metric in METRICS} | {"violation": np.zeros(len(latency_s))}


def _sram_word_j(kb: Column, tech: Technology) -> Column:
    energies = tech.sram_j_per_kb()[0]
    return np.interp(kb, np.arange(len(energies)), energies)
