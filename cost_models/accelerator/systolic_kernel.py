"""Price a systolic array on a network: cycles, words moved, energy, area.

Cycles and words: SCALE-Sim (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016) as its version 3.0.0
counts them. Energy and area: `technology`.

A layer is a matrix multiply of m output pixels, k products each, n filters. Per dataflow, rows of the array, columns
and time stand for (m, n, k) output-stationary, (k, n, m) weight-stationary, (k, m, n) input-stationary.
"""

from math import nan

from numpy import ceil, floor  # of floats they are floats, and one instruction; those of math are not

from designgym.cost_models.kernels import over_designs

OS, WS, IS = 0, 1, 2  # index of the dataflow among DATAFLOWS
DATAFLOWS = ("os", "ws", "is")

# Columns of a workload's table: one row a layer.
M, K, N, MK, KN, MN, IFMAP, TOUCHES, COUNT = range(9)

# Columns of a technology's table.
MAC_J, DRAM_J, MAC_MM2, SRAM_MM2, PHY_MM2, IDLE_J, PHY_W = range(7)


def capacity_words(kb):
    """Return C, the words after which a read buffer of kb kB forgets: half of it, filled in hundredths."""
    return 50.0 * floor(1024.0 * kb / 100.0)


def layer_counts(dataflow, rows, cols, ifmap_c, filter_c, psum_words, reads_back, m, k, n, mk, kn, mn, ifmap, touches):
    """Return what one layer costs: cycles, SRAM words (ifmap, filter, ofmap), partial sums that the ofmap SRAM reads,
    DRAM words (ifmap, filter, ofmap).

    ifmap_c, filter_c [word]: `capacity_words`; psum_words [word]: partial sums that stay on chip, -1 for none;
    reads_back: 1 where partial sums are read to go on with, from DRAM where spilled; 0 where (as in SCALE-Sim) all of
    them are only written;
    ifmap [word]: distinct words that the windows touch; touches: how often they touch one, m k where the windows end
    with the ifmap. Cycles are a count: the tool's index is one less.
    """
    if dataflow == OS:
        row_folds, col_folds = ceil(m / rows), ceil(n / cols)
        tiles = row_folds * col_folds
        return (
            tiles * (rows + cols + k - 2.0),
            mk * col_folds, kn * row_folds, mn + tiles * (rows + cols),
            0.0,
            ifmap if ifmap < ifmap_c else touches * col_folds,
            kn if k * min(cols, n) < filter_c else kn * row_folds,
            mn,
        )  # fmt: skip
    row_folds = ceil(k / rows)
    if dataflow == WS:
        col_folds, time, wide = ceil(n / cols), m, n
        ifmap_sram, filter_sram = mk * col_folds, kn
        ifmap_dram, filter_dram = (ifmap if ifmap < ifmap_c else touches * col_folds), kn
    else:
        col_folds, time, wide = ceil(m / cols), n, m
        ifmap_sram, filter_sram = mk, kn * col_folds
        ifmap_dram, filter_dram = (ifmap if ifmap < ifmap_c else touches), (kn if kn < filter_c else kn * col_folds)
    again = mn * (row_folds - 1.0)
    stays = time * min(cols, wide) <= psum_words
    return (
        row_folds * col_folds * (2.0 * rows + cols + time - 2.0),
        ifmap_sram, filter_sram, mn * row_folds,
        reads_back * again,
        ifmap_dram, filter_dram,
        mn if stays else mn + again + reads_back * again,
    )  # fmt: skip


def sram_word_j(kb, per_kb):
    """Return the energy of one word's access: per_kb[0, i] at i kB, linear in between and beyond the last."""
    i = min(int(kb), per_kb.shape[1] - 2)
    return per_kb[0, i] + (kb - i) * (per_kb[0, i + 1] - per_kb[0, i])


def relative_voltage(clock_hz, curve):
    """Return the least supply voltage that keeps up with the clock, over the nominal one.

    curve: rows of Hz, relative voltage, and by how much the line grows steeper there (1/Hz).
    """
    volt = curve[0, 1]
    for i in range(curve.shape[0]):
        volt += curve[i, 2] * max(0.0, clock_hz - curve[i, 0])
    return volt


def price(
    rows, cols, ifmap_kb, filter_kb, ofmap_kb, dram_words_per_cycle, clock_hz,
    macs, cycles, latency, ifmap_words, filter_words, ofmap_words, psum_words, dram_words, mac_area, mac_energy,
    tech, per_kb, curve,
):  # fmt: skip
    """Return what counts come to: utilization, seconds, mm2, and J of MACs, of SRAMs, of DRAM, and of idling.

    cycles: of the array; latency: cycles with the waiting for DRAM; psum_words: partial sums that the ofmap SRAM reads;
    mac_area, mac_energy: of a multiply-accumulate, over that of the technology's 8 bits.
    """
    square = relative_voltage(clock_hz, curve) ** 2
    words_per_s = dram_words_per_cycle * clock_hz
    chip_mm2 = rows * cols * (tech[0, MAC_MM2] * mac_area) + (ifmap_kb + filter_kb + ofmap_kb) * tech[0, SRAM_MM2]
    latency_s = latency / clock_hz
    sram_j = (
        ifmap_words * sram_word_j(ifmap_kb, per_kb)
        + filter_words * sram_word_j(filter_kb, per_kb)
        + (ofmap_words + psum_words) * sram_word_j(ofmap_kb, per_kb)
    )
    return (
        macs / (cycles * rows * cols), latency_s, chip_mm2 + words_per_s * tech[0, PHY_MM2],
        square * macs * (tech[0, MAC_J] * mac_energy), square * sram_j, dram_words * tech[0, DRAM_J],
        square * latency * chip_mm2 * tech[0, IDLE_J] + latency_s * words_per_s * tech[0, PHY_W],
    )  # fmt: skip


@over_designs
def price_network(
    rows, cols, dataflow, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz,
    layers, macs, buffered, index_of_last, tech, per_kb, curve,
):  # fmt: skip
    """Return cycles, utilization, latency_s, energy_j, area_mm2, edp_js, sram_words, dram_words, power_w, violation.

    macs: of the network; buffered: 1 where partial sums may stay in the ofmap SRAM and spilled ones come back, else 0;
    index_of_last: 1 where a layer's cycles are the index of its last one, as the tool reports, else 0.
    """
    last_hz = curve[curve.shape[0] - 1, 0]
    if clock_hz > last_hz:
        return nan, nan, nan, nan, nan, nan, nan, nan, nan, clock_hz / last_hz - 1.0
    height, width, cycles_per_word = float(rows), float(cols), 1.0 / dram_words_per_cycle
    ifmap_c, filter_c = capacity_words(ifmap_sram_kb), capacity_words(filter_sram_kb)
    psum_words, reads_back = (512.0 * ofmap_sram_kb, 1.0) if buffered else (-1.0, 0.0)
    cycles = latency = ifmap_words = filter_words = ofmap_words = psum_words_read = dram_words = 0.0
    for i in range(layers.shape[0]):
        took, ifmap, filter_, ofmap, psum, ifmap_dram, filter_dram, ofmap_dram = layer_counts(
            dataflow, height, width, ifmap_c, filter_c, psum_words, reads_back, layers[i, M], layers[i, K],
            layers[i, N], layers[i, MK], layers[i, KN], layers[i, MN], layers[i, IFMAP], layers[i, TOUCHES],
        )  # fmt: skip
        count = layers[i, COUNT]
        took -= index_of_last
        dram = ifmap_dram + filter_dram + ofmap_dram
        cycles += count * took
        latency += count * max(took, dram * cycles_per_word)
        ifmap_words += count * ifmap
        filter_words += count * filter_
        ofmap_words += count * ofmap
        psum_words_read += count * psum
        dram_words += count * dram
    utilization, latency_s, area_mm2, mac_j, sram_j, dram_j, idle_j = price(
        height, width, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz, macs, cycles,
        latency, ifmap_words, filter_words, ofmap_words, psum_words_read, dram_words, 1.0, 1.0,
        tech, per_kb, curve,
    )  # fmt: skip
    energy_j = mac_j + sram_j + dram_j + idle_j
    sram_words = ifmap_words + filter_words + ofmap_words
    return (
        cycles, utilization, latency_s, energy_j, area_mm2, energy_j * latency_s, sram_words, dram_words,
        energy_j / latency_s, 0.0,
    )  # fmt: skip


@over_designs
def count_layers(rows, cols, dataflow, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, m, k, n, ifmap, touches, buffered):
    """Return `layer_counts` of pairs of a design and a layer, both as columns: closed DRAM words."""
    psum_words, reads_back = (512.0 * ofmap_sram_kb, 1.0) if buffered else (-1.0, 0.0)
    return layer_counts(
        dataflow, float(rows), float(cols), capacity_words(ifmap_sram_kb), capacity_words(filter_sram_kb), psum_words,
        reads_back, float(m), float(k), float(n), float(m) * k, float(k) * n, float(m) * n, ifmap, touches,
    )  # fmt: skip


@over_designs
def price_counts(
    rows, cols, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz,
    macs, cycles, latency, ifmap_words, filter_words, ofmap_words, psum_words, dram_words, mac_area, mac_energy,
    tech, per_kb, curve,
):  # fmt: skip
    """Return `price` of counts that the caller has made, as columns beside the designs."""
    return price(
        rows, cols, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz, macs, cycles, latency,
        ifmap_words, filter_words, ofmap_words, psum_words, dram_words, mac_area, mac_energy, tech, per_kb, curve,
    )  # fmt: skip
