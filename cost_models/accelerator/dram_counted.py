"""Count DRAM words of one layer on a systolic array by replaying, word for word, what its three buffers see.

Buffers and order of accesses as in SCALE-Sim 3.0.0 (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016;
the `scalesim` package, CALC mode): reads and writes exact on the 516 rows of tests/reference/accelerator.

- Folds: column folds outside, row folds inside. A streamed operand enters skewed: port p sees at cycle c what port 0
  saw at cycle c - p; within a cycle, ports count upwards. A stationary tile enters row by row, the last row first.
- A read buffer keeps every word it has fetched until it holds C distinct ones; then it forgets them all.
- The write buffer sends half of itself to DRAM, in lines of `cols` words, whenever more than that half is full. The
  line still open is padded, and padding counts unless it ends the transfer.
"""

import numpy as np

from designgym.cost_models.accelerator.systolic_kernel import IS, OS, WS, capacity_words
from designgym.cost_models.kernels import over_designs

ADDRESS, ROW, COLUMN = range(3)


@over_designs
def counted_words(
    dataflow, rows, cols, ifmap_kb, filter_kb, ofmap_kb,
    ifmap_h, ifmap_w, filter_h, filter_w, channels, filters, stride_h, stride_w,
):  # fmt: skip
    """Return DRAM words (ifmap reads, filter reads, ofmap writes) of one layer on one array, partial sums spilled.

    Time: about 2 ns per ifmap access, of which a layer that overflows its buffer has m k passes, where passes is the
    number of column folds until the buffer's behaviour repeats (at most all of them, for the tool's stream is cyclic).
    Memory: 4 byte per ifmap word.
    """
    out_h, out_w = up(ifmap_h - filter_h + stride_h, stride_h), up(ifmap_w - filter_w + stride_w, stride_w)
    m, k, n = out_h * out_w, filter_h * filter_w * channels, filters
    pixels, taps = places(out_h, out_w, ifmap_w, channels, stride_h, stride_w, filter_h, filter_w)

    capacity = int(capacity_words(ifmap_kb))
    row_folds, col_folds = up(m if dataflow == OS else k, rows), up(n if dataflow != IS else m, cols)
    stamps = np.zeros(ifmap_h * ifmap_w * channels, np.int32)
    if dataflow == IS:
        ifmap = stationary_reads(pixels, taps, rows, cols, capacity, ifmap_h, ifmap_w, stamps)
    else:
        times, ports = (taps, pixels) if dataflow == OS else (pixels, taps)
        ifmap = streamed_reads(times, ports, rows, col_folds, capacity, ifmap_h, ifmap_w, stamps)
    filter_reads = counted_filter_reads(dataflow, cols, k, n, row_folds, col_folds, int(capacity_words(filter_kb)))
    return ifmap, filter_reads, counted_writes(dataflow, rows, cols, m, k, n, ofmap_kb)


def places(out_h, out_w, ifmap_w, channels, stride_h, stride_w, filter_h, filter_w):
    """Return what each pixel of the output and each tap of the filter add to address, row and column, (3, n) each."""
    pixels = np.empty((3, out_h * out_w), np.int64)
    for i in range(out_h * out_w):
        pixels[ROW, i], pixels[COLUMN, i] = i // out_w * stride_h, i % out_w * stride_w
        pixels[ADDRESS, i] = (pixels[ROW, i] * ifmap_w + pixels[COLUMN, i]) * channels
    taps = np.empty((3, filter_h * filter_w * channels), np.int64)
    for i in range(taps.shape[1]):
        taps[ROW, i], taps[COLUMN, i] = i // (filter_w * channels), i // channels % filter_w
        taps[ADDRESS, i] = (taps[ROW, i] * ifmap_w + taps[COLUMN, i]) * channels + i % channels
    return pixels, taps


def up(a, b):
    """Return a / b, rounded up, of integers."""
    return -(-a // b)


def streamed_reads(times, ports, rows, passes, capacity, ifmap_h, ifmap_w, stamps):
    """Return the misses of `passes` equal passes over the ifmap.

    times, ports: what a step in time and what a port adds to address, row and column of a word, each (3, steps).
    stamps: zeros, one per ifmap word.

    The buffer at the end of a pass is settled by where in the pass it last forgot. Once a place recurs, so does all
    that follows, and the rest is multiplication.
    """
    places, totals = np.empty(passes, np.int64), np.empty(passes, np.int64)
    epoch, held, place, total = 1, 0, -1, 0
    for done in range(passes):
        misses, epoch, held, place = one_pass(times, ports, rows, capacity, ifmap_h, ifmap_w, stamps, epoch, held)
        total += misses
        if place < 0:
            return total  # it never forgot: later passes find everything
        places[done], totals[done] = place, total
        for before in range(done):
            if places[before] == place:
                period, left = done - before, passes - 1 - done
                rest = totals[before + left % period] - totals[before]
                return total + left // period * (total - totals[before]) + rest
    return total


def one_pass(times, ports, rows, capacity, ifmap_h, ifmap_w, stamps, epoch, held):
    """Stream every port's words past the buffer once, fold by fold; place: the access after which it last forgot."""
    depth, lanes = times.shape[1], ports.shape[1]
    # Windows that do not end with the ifmap hang over its end, where there is nothing to fetch.
    overhang = times[ROW, -1] + ports[ROW, -1] >= ifmap_h or times[COLUMN, -1] + ports[COLUMN, -1] >= ifmap_w
    misses, place, access = 0, -1, 0
    for first in range(0, lanes, rows):
        used = min(rows, lanes - first)
        for cycle in range(depth + used - 1):
            for port in range(max(0, cycle - depth + 1), min(used, cycle + 1)):
                time, lane = cycle - port, first + port
                access += 1
                if overhang and (
                    times[ROW, time] + ports[ROW, lane] >= ifmap_h
                    or times[COLUMN, time] + ports[COLUMN, lane] >= ifmap_w
                ):
                    continue
                address = times[ADDRESS, time] + ports[ADDRESS, lane]
                if stamps[address] != epoch:
                    stamps[address] = epoch
                    misses += 1
                    held += 1
                    if held == capacity:
                        epoch, held, place = epoch + 1, 0, access
    return misses, epoch, held, place


def stationary_reads(pixels, taps, rows, cols, capacity, ifmap_h, ifmap_w, stamps):
    """Return the misses while tile after tile of the ifmap is laid into the array, each tile's last row first."""
    m, k = pixels.shape[1], taps.shape[1]
    misses, epoch, held = 0, 1, 0
    for left in range(0, m, cols):
        for top in range(0, k, rows):
            for tap in range(min(top + rows, k) - 1, top - 1, -1):
                for pixel in range(left, min(left + cols, m)):
                    inside = pixels[ROW, pixel] + taps[ROW, tap] < ifmap_h
                    if not (inside and pixels[COLUMN, pixel] + taps[COLUMN, tap] < ifmap_w):
                        continue
                    address = pixels[ADDRESS, pixel] + taps[ADDRESS, tap]
                    if stamps[address] != epoch:
                        stamps[address] = epoch
                        misses += 1
                        held += 1
                        if held == capacity:
                            epoch, held = epoch + 1, 0
    return misses


def counted_filter_reads(dataflow, cols, k, n, row_folds, col_folds, capacity):
    """Return the misses on the weights, in closed form: no word comes twice within a fold, so order cannot matter.

    WS lays each weight down once. IS streams all of them once per column fold. OS streams one strip of weights per
    column fold, once per row fold; what the buffer holds of earlier strips only hastens its forgetting.
    """
    if dataflow == WS:
        return k * n
    if dataflow != OS:
        return k * n if k * n < capacity else k * n * col_folds
    misses, held = 0, 0
    for first in range(0, n, cols):
        strip = k * min(cols, n - first)
        room = capacity - held
        if strip < room:
            misses, held = misses + strip, held + strip
        elif strip >= capacity:
            misses, held = misses + strip * row_folds, (held + strip * row_folds) % capacity
        elif row_folds == 1:
            misses, held = misses + strip, strip - room
        else:  # forgets amid the first reading, fetches the strip's beginning again in the second, then has it all
            misses, held = misses + strip + room, strip
    return misses


def counted_writes(dataflow, rows, cols, m, k, n, ofmap_kb):
    """Return the words that the write buffer sends to DRAM, its padding included."""
    total = 1024 * ofmap_kb
    half = total // 2
    lines_per_drain = up(half, cols)
    s_rows, s_cols, depth = (m, n, k) if dataflow == OS else (k, n, m) if dataflow == WS else (k, m, n)
    fold_cycles = (depth + rows + cols - 2) if dataflow == OS else (2 * rows + cols + depth - 2)

    padded, padding = np.empty(16, np.int64), np.empty(16, np.int64)  # lines that were closed early, and by how much
    n_padded, next_padded = 0, 0
    closed, drained, filled, free = 0, 0, 0, total  # lines closed and drained, words in the open line, words free
    written, drain_end, start = 0, 0, 0
    for left in range(0, s_cols, cols):
        width = min(cols, s_cols - left)
        for top in range(0, s_rows, rows):
            height = min(rows, s_rows - top) if dataflow == OS else depth
            first = start + (depth - 1 + rows - height if dataflow == OS else 2 * rows - 1)
            for diagonal in range(height + width - 1):
                cycle = first + diagonal
                words = min(diagonal, height - 1) - max(0, diagonal - width + 1) + 1
                while words > 0:
                    draining = cycle < drain_end
                    stored = words if draining else min(words, max(1, free - (total - half) + 1))
                    words -= stored
                    free -= stored
                    closed, filled = closed + (filled + stored) // cols, (filled + stored) % cols
                    if draining or free >= total - half:
                        continue
                    if filled:
                        if n_padded == len(padded):
                            padded, padding = doubled(padded), doubled(padding)
                        padded[n_padded], padding[n_padded] = closed, cols - filled
                        n_padded, closed, filled = n_padded + 1, closed + 1, 0
                    lines = min(lines_per_drain, closed - drained)
                    drained += lines
                    sent = lines * cols
                    while next_padded < n_padded and padded[next_padded] < drained:
                        if padded[next_padded] == drained - 1:
                            sent -= padding[next_padded]
                        next_padded += 1
                    written, free, drain_end = written + sent, free + sent, cycle + lines - 1
            start += fold_cycles
    # The layer is over: the buffer is emptied, still half of it at a time.
    written += (closed - drained) * cols + filled
    for i in range(next_padded, n_padded):
        ends_a_transfer = (padded[i] - drained) % lines_per_drain == lines_per_drain - 1
        if ends_a_transfer or (padded[i] == closed - 1 and filled == 0):
            written -= padding[i]
    return written


def doubled(array):
    """Return the array with as much room again."""
    longer = np.empty(2 * len(array), np.int64)
    for i in range(len(array)):
        longer[i] = array[i]
    return longer
