"""Count what a systolic array's layers come to, network by network: folds, remainders, words, and a roofline.

Folds and fits: as in `systolic_kernel`. Roofline: Williams, Waterman and Patterson, CACM 52(4), 2009,
doi:10.1145/1498765.1498785, of the network as a whole and not layer by layer.
"""

from numpy import ceil

from designgym.cost_models.accelerator.systolic_kernel import (
    COUNT,
    IFMAP,
    IS,
    KN,
    MK,
    MN,
    OS,
    TOUCHES,
    WS,
    K,
    M,
    N,
    capacity_words,
    price,
)
from designgym.cost_models.kernels import over_designs


def sides(dataflow, m, k, n):
    """Return what stands for a layer's rows, columns and time."""
    if dataflow == OS:
        return m, n, k
    if dataflow == WS:
        return k, n, m
    return k, m, n


def fetched(dataflow, ifmap_c, filter_c, psum_words, width, down, across, wide, time, k, n, kn, mn, ifmap, touches):
    """Return words of a layer that cross the DRAM interface again, after their first time: ifmap, filter, partial sums.

    An operand that half of its SRAM holds never does; one that it does not hold does so once a fold. psum_words: the
    partial sums that stay on chip, -1 for none.
    """
    passes = 1.0 if dataflow == IS else across
    ifmap_again = 0.0 if ifmap < ifmap_c else touches * passes - ifmap
    if dataflow == OS:
        return ifmap_again, (0.0 if k * min(width, n) < filter_c else kn * (down - 1.0)), 0.0
    filter_again = kn * (across - 1.0) if dataflow == IS and kn >= filter_c else 0.0
    return ifmap_again, filter_again, (0.0 if time * min(width, wide) <= psum_words else mn * (down - 1.0))


def filled(kb):
    """Return the least words that SCALE-Sim's USER mode counts for an operand, over those of it that its window passes.

    A fill counts half an SRAM; the window holds as many sets of a hundredth of the SRAM as that takes, rounded up.
    """
    each = ceil(1024.0 * kb / 100.0)
    return 512.0 * kb / (ceil(512.0 * kb / each) * each)


@over_designs
def count_features(
    rows, cols, dataflow, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz,
    layers, macs, buffered, index_of_last, tech, per_kb, curve, all_once,
):  # fmt: skip
    """Return what `systolic_features.NAMES` name, then the bounds of latency_s and energy_j.

    all_once: how words cross the DRAM interface: 0 by the closed rule, 1 each once, 2 as much of it as `filled` says.
    """
    ifmap_share, filter_share = (filled(ifmap_sram_kb), filled(filter_sram_kb)) if all_once == 2 else (1.0, 1.0)
    height, width, cycles_per_word = float(rows), float(cols), 1.0 / dram_words_per_cycle
    ifmap_c, filter_c = capacity_words(ifmap_sram_kb), capacity_words(filter_sram_kb)
    psum_words, back = (512.0 * ofmap_sram_kb, 1.0) if buffered else (-1.0, 0.0)
    fill = (height if dataflow == OS else 2.0 * height) + width - 2.0
    row_folds = col_folds = tiles = row_idle = col_idle = vectors = cycles = once = waiting = starved = 0.0
    ifmap_again = filter_again = psum_again = ifmap_words = filter_words = ofmap_words = psum_reads = 0.0
    for i in range(layers.shape[0]):
        m, k, n, count = layers[i, M], layers[i, K], layers[i, N], layers[i, COUNT]
        tall, wide, time = sides(dataflow, m, k, n)
        down, across = ceil(tall / height), ceil(wide / width)
        share = count * layers[i, MK] * n / macs
        row_folds += count * down
        col_folds += count * across
        tiles += count * down * across
        row_idle += share * (1.0 - tall / (down * height))
        col_idle += share * (1.0 - wide / (across * width))
        vectors += count * down * across * time
        words = ifmap_share * layers[i, IFMAP] + filter_share * layers[i, KN] + layers[i, MN]
        took = down * across * (fill + time) - index_of_last
        once += count * words
        cycles += count * took
        waiting += count * max(took, words * cycles_per_word)
        starved += count * took if words * cycles_per_word > took else 0.0
        again = 0.0 if all_once else count
        ifmap, filter_, psum = fetched(
            dataflow, ifmap_c, filter_c, psum_words, width, down, across, wide, time, k, n, layers[i, KN],
            layers[i, MN], layers[i, IFMAP], layers[i, TOUCHES],
        )  # fmt: skip
        ifmap_again += again * ifmap
        filter_again += again * filter_
        psum_again += again * psum * (1.0 + back)
        # Each operand streams through the array once a fold that does not hold it.
        ifmap_words += count * layers[i, MK] * (1.0 if dataflow == IS else across)
        filter_words += count * layers[i, KN] * (down if dataflow == OS else across if dataflow == IS else 1.0)
        folds = down * across * (height + width) if dataflow == OS else layers[i, MN] * (down - 1.0)
        ofmap_words += count * (layers[i, MN] + folds)
        psum_reads += 0.0 if dataflow == OS else back * count * layers[i, MN] * (down - 1.0)
    words = once + ifmap_again + filter_again + psum_again
    latency = max(waiting, words * cycles_per_word)
    _, latency_s, _, mac_j, sram_j, dram_j, idle_j = price(
        height, width, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz, macs, cycles,
        latency, ifmap_words, filter_words, ofmap_words, psum_reads, words, 1.0, 1.0, tech, per_kb, curve,
    )  # fmt: skip
    return (
        row_folds, col_folds, tiles, row_idle, col_idle, vectors, ifmap_again, filter_again, psum_again,
        starved / cycles, words * cycles_per_word / cycles, waiting / cycles, idle_j / (mac_j + sram_j + dram_j),
        latency_s, mac_j + sram_j + dram_j + idle_j,
    )  # fmt: skip
