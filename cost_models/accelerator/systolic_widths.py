"""A systolic array whose words are as wide as each layer's numbers: traffic in bits, wider or narrower arithmetic.

Counts: `systolic_kernel`, after SCALE-Sim, whose words have one width. Here operands lie packed in SRAM and DRAM, so
that a buffer holds more of them and an access brings more, as in Judd et al., "Proteus", ICS 2016,
doi:10.1145/2925426.2926294.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator.systolic_array import DESIGN
from designgym.cost_models.accelerator.systolic_array import METRICS as IN_WORDS
from designgym.cost_models.accelerator.systolic_kernel import (
    COUNT,
    IFMAP,
    OS,
    TOUCHES,
    K,
    M,
    N,
    count_layers,
    price_counts,
)
from designgym.cost_models.accelerator.systolic_layers import summed
from designgym.cost_models.accelerator.technology import WORD_BITS
from designgym.cost_models.base import Columns, Metric

IN_BYTES = {
    "sram_words": Metric("sram_byte", "byte", "lower", "bytes read and written by the array"),
    "dram_words": Metric("dram_byte", "byte", "lower", "bytes to and from DRAM"),
}
METRICS = tuple(IN_BYTES.get(metric.name, metric) for metric in IN_WORDS)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Widths:
    """How wide the numbers of n designs are, layer by layer, and what their arithmetic takes over that of 8 bits.

    weight_bit, activation_bit: (layers, n), of filters and ifmaps; output_bit: (layers, n), of what a layer hands on;
    psum_bit: of partial sums. mac_energy: (layers, n), a multiply-accumulate's energy over that of 8 bits; mac_area:
    (n,), a processing element's area over that of 8 bits.
    """

    weight_bit: Floats
    activation_bit: Floats
    output_bit: Floats
    psum_bit: float
    mac_energy: Floats
    mac_area: Floats


def price_widths(
    table: Floats, tables: tuple[Floats, Floats, Floats], buffered: bool, designs: Columns, widths: Widths
) -> Columns:
    """Return `METRICS` and "violation" of designs, columns as of `SystolicArray`, each (n,).

    table: `layer_table` of the layers, none of them merged; tables: `Technology.tables`; buffered: whether partial sums
    stay on chip where they fit, as its option psum has it. At 8 bits throughout, partial sums included, everything is
    what `SystolicArray` says of these layers.
    """
    shape = len(table), len(widths.mac_area)
    cycles, byte = _counts(table, shape, buffered, designs, widths)
    rate = np.asarray(designs["dram_words_per_cycle"], np.float64)  # of words of a byte
    count = table[:, COUNT, None]
    totals = {name: summed(column * count) for name, column in byte.items()}
    whole_cycles = summed(cycles * count)
    macs = (table[:, M] * table[:, K] * table[:, N] * table[:, COUNT])[:, None]
    latency = summed(np.maximum(cycles, byte["dram"] * (1.0 / rate)) * count)
    whole = np.full(shape[1], macs.sum())
    without_dataflow = [designs[name] for name in DESIGN if name != "dataflow"]
    utilization, latency_s, area_mm2, mac_j, sram_j, dram_j, idle_j = price_counts(
        *without_dataflow, whole, whole_cycles, latency, totals["ifmap"], totals["filter"], totals["ofmap"],
        totals["psum"], totals["dram"], widths.mac_area, summed(widths.mac_energy * macs) / whole,
        *tables,
    )  # fmt: skip
    energy_j = mac_j + sram_j + dram_j + idle_j
    told = {
        "cycles": whole_cycles, "utilization": utilization, "latency_s": latency_s, "energy_j": energy_j,
        "area_mm2": area_mm2, "edp_js": energy_j * latency_s,
        "sram_byte": totals["ifmap"] + totals["filter"] + totals["ofmap"], "dram_byte": totals["dram"],
        "power_w": energy_j / latency_s,
    }  # fmt: skip
    fastest_hz = tables[2][-1, 0]
    excess = np.asarray(designs["clock_hz"]) / fastest_hz - 1.0
    columns = {name: np.where(excess > 0, np.nan, column) for name, column in told.items()}
    return columns | {"violation": np.maximum(excess, 0.0)}


def _counts(
    table: Floats, shape: tuple[int, int], buffered: bool, designs: Columns, widths: Widths
) -> tuple[Floats, dict[str, Floats]]:
    """Return cycles of one copy of each layer, and bytes of ifmap, filters, outputs, partial sums read, and DRAM."""
    of = {name: np.broadcast_to(np.asarray(designs[name], np.float64), shape) for name in DESIGN[:6]}
    # A buffer holds so many more numbers as they are narrower than a word.
    held = {
        "ifmap_sram_kb": of["ifmap_sram_kb"] * (WORD_BITS / widths.activation_bit),
        "filter_sram_kb": of["filter_sram_kb"] * (WORD_BITS / widths.weight_bit),
        "ofmap_sram_kb": of["ofmap_sram_kb"] * (WORD_BITS / widths.psum_bit),
    }
    sizes = [np.repeat(table[:, j], shape[1]) for j in (M, K, N, IFMAP, TOUCHES)]
    counts = count_layers(*({**of, **held}[name].ravel() for name in DESIGN[:6]), *sizes, int(buffered))
    cycles, ifmap, filter_, ofmap, psum, dram_ifmap, dram_filter, dram_ofmap = (one.reshape(shape) for one in counts)
    activation, weight, output, sums = (
        bit / WORD_BITS for bit in (widths.activation_bit, widths.weight_bit, widths.output_bit, widths.psum_bit)
    )
    # Output-stationary arrays hand on no partial sums: what SCALE-Sim counts beside the outputs is their draining.
    beside = np.where(of["dataflow"] == OS, output, sums)
    outputs = (table[:, M] * table[:, N])[:, None]
    handed_on = outputs * output + (ofmap - outputs) * beside
    sent = outputs * output + (dram_ofmap - outputs) * beside
    byte = {
        "ifmap": ifmap * activation, "filter": filter_ * weight, "ofmap": handed_on, "psum": psum * sums,
        "dram": dram_ifmap * activation + dram_filter * weight + sent,
    }  # fmt: skip
    return cycles - 1.0, byte  # the index of the last cycle, as SCALE-Sim reports
