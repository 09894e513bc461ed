"""Count what a systolic array's layers come to before any of them is simulated: folds, remainders, what fits where.

Folds and fits: as in `systolic_kernel`. Lower bounds: every word crosses the DRAM interface once (compulsory traffic:
Hill and Smith, IEEE Transactions on Computers 38(12), 1989, doi:10.1109/12.40842).
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


@over_designs
def count_features(
    rows, cols, dataflow, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, layers, macs, buffered
):
    """Return row_folds, col_folds, tiles, row_idle, col_idle, streamed_vectors, ifmap_overflow, filter_overflow,
    psum_overflow, and memory_bound: see `systolic_features`.
    """
    height, width = float(rows), float(cols)
    ifmap_c, filter_c = capacity_words(ifmap_sram_kb), capacity_words(filter_sram_kb)
    psum_words = 512.0 * ofmap_sram_kb if buffered else -1.0
    row_folds = col_folds = tiles = row_idle = col_idle = vectors = 0.0
    ifmap_overflow = filter_overflow = psum_overflow = compute = waiting = 0.0
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
        if layers[i, IFMAP] >= ifmap_c:
            ifmap_overflow += count * layers[i, TOUCHES]
        held = k * min(width, n) if dataflow == OS else layers[i, KN] if dataflow == IS else 0.0
        if held >= filter_c:
            filter_overflow += count * layers[i, KN]
        if dataflow != OS and time * min(width, wide) > psum_words:
            psum_overflow += count * layers[i, MN]
        cycles = down * across * time
        compute += count * cycles
        if (layers[i, IFMAP] + layers[i, KN] + layers[i, MN]) > cycles * dram_words_per_cycle:
            waiting += count * cycles
    return (
        row_folds, col_folds, tiles, row_idle, col_idle, vectors, ifmap_overflow, filter_overflow, psum_overflow,
        waiting / compute,
    )  # fmt: skip


@over_designs
def count_bounds(
    rows, cols, dataflow, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz,
    layers, macs, index_of_last, tech, per_kb, curve,
):  # fmt: skip
    """Return lower bounds of latency_s and energy_j: what they are where every word crosses the interface once."""
    height, width = float(rows), float(cols)
    cycles = latency = ifmap_words = filter_words = ofmap_words = dram_words = 0.0
    for i in range(layers.shape[0]):
        count = layers[i, COUNT]
        tall, wide, time = sides(dataflow, layers[i, M], layers[i, K], layers[i, N])
        down, across = ceil(tall / height), ceil(wide / width)
        fill = height + width if dataflow == OS else 2.0 * height + width
        took = down * across * (fill + time - 2.0) - index_of_last
        dram = layers[i, IFMAP] + layers[i, KN] + layers[i, MN]
        cycles += count * took
        latency += count * max(took, dram / dram_words_per_cycle)
        dram_words += count * dram
        # Each operand streams through the array once a fold that does not hold it.
        ifmap_words += count * layers[i, MK] * (1.0 if dataflow == IS else across)
        filter_words += count * layers[i, KN] * (down if dataflow == OS else across if dataflow == IS else 1.0)
        ofmap_words += count * layers[i, MN] * (1.0 if dataflow == OS else down)
    _, latency_s, _, mac_j, sram_j, dram_j, idle_j = price(
        height, width, ifmap_sram_kb, filter_sram_kb, ofmap_sram_kb, dram_words_per_cycle, clock_hz, macs, cycles,
        latency, ifmap_words, filter_words, ofmap_words, 0.0, dram_words, 1.0, 1.0, tech, per_kb, curve,
    )  # fmt: skip
    return latency_s, mac_j + sram_j + dram_j + idle_j
