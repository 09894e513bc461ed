"""Replay how SCALE-Sim's USER mode fills its buffers and waits for them, one layer on one array.

Rules as `scalesim` 3.0.0 has them (Samajdar et al., ISPASS 2020, doi:10.1109/ISPASS48437.2020.00016), its own oddities
included:

- A read buffer holds a window of half its SRAM over the operand as a list, in sets of a hundredth of the SRAM. A word
  that is not in it makes the window go on, round and round, by the other half or by what the list has left; each time
  takes as long as half an SRAM over the interface. The first fill is not waited for; late ones are waited for twice.
- A stationary operand lies as it is tiled, and is asked for tile by tile with the rows from last to first. A streamed
  one lies along the diagonals of all its tiles one below the other, and is asked for along those of one tile. So what
  a cycle asks for lies together in the list, and only its first and last place need be known.
- Where the windows of a convolution overlap, a word is in the list several times, and found at any of them.
- The write buffer sends half of itself, in lines as wide as the interface, when more than that half is full, and is
  waited for when all of it is.
"""

import numpy as np

from designgym.cost_models.accelerator.dram_counted import ADDRESS, COLUMN, ROW, places, up
from designgym.cost_models.accelerator.stall_buffers import (
    LATER,
    WORDS,
    asked,
    emptied,
    listed,
    once,
    read_buffer,
    write_buffer,
    written,
)
from designgym.cost_models.accelerator.systolic_kernel import IS, OS
from designgym.cost_models.kernels import over_designs


@over_designs
def replayed_cycles(
    dataflow, rows, cols, ifmap_kb, filter_kb, ofmap_kb, dram_words_per_cycle,
    ifmap_h, ifmap_w, filter_h, filter_w, channels, filters, stride_h, stride_w,
):  # fmt: skip
    """Return the index of the last cycle of a layer, stalls included, and its DRAM words.

    DRAM words as the tool counts them, whole fills: of ifmap, filter and ofmap, and those of ifmap and filter that come
    after the first fill. All arguments are whole numbers. Time: some 10 ns a cycle without stalls; where windows
    overlap, and the ifmap does not fit, 2 ns more a word that the array asks of it. Memory: then 4 byte a word of the
    ifmap as it is laid out.
    """
    out_h, out_w = up(ifmap_h - filter_h + stride_h, stride_h), up(ifmap_w - filter_w + stride_w, stride_w)
    m, k, n = out_h * out_w, filter_h * filter_w * channels, filters
    down = m if dataflow == OS else k
    across = m if dataflow == IS else n
    steps = k if dataflow == OS else (n if dataflow == IS else m)
    row_folds, col_folds = up(down, rows), up(across, cols)
    length = rows + cols + steps - 2 + (0 if dataflow == OS else rows)
    wait_rows = 0 if dataflow == OS else rows  # until streams begin
    beside = steps if dataflow == OS else down  # how long the other operand's tiles are, all together

    streamed_kb, other_kb = (filter_kb, ifmap_kb) if dataflow == IS else (ifmap_kb, filter_kb)
    stream = read_buffer(streamed_kb, dram_words_per_cycle, down * steps, row_folds * steps * rows)
    other = read_buffer(other_kb, dram_words_per_cycle, across * beside, col_folds * beside * cols)
    again = filter_h > stride_h or filter_w > stride_w
    hangs = (out_h - 1) * stride_h + filter_h > ifmap_h or (out_w - 1) * stride_w + filter_w > ifmap_w
    stream_list = other_list = once()
    if again or hangs:
        pixels, taps = places(out_h, out_w, ifmap_w, channels, stride_h, stride_w, filter_h, filter_w)
        distinct = ifmap_h * ifmap_w * channels
        if dataflow == IS:
            other_list = listed(laid_in_tiles(taps, pixels, cols, ifmap_h, ifmap_w), other, distinct)
        else:
            times, ports = (taps, pixels) if dataflow == OS else (pixels, taps)
            stream_list = listed(laid_along(times, ports, rows, ifmap_h, ifmap_w), stream, distinct)

    writes = write_buffer(ofmap_kb, dram_words_per_cycle)
    begins = diagonals(row_folds, steps, rows, down)
    others = diagonals(col_folds, steps, cols, across) if dataflow == OS else begins
    stalls = line = 0
    for fold in range(row_folds * col_folds):
        fr, fc = fold % row_folds, fold // row_folds
        high, wide = min(rows, down - fr * rows), min(cols, across - fc * cols)
        for j in range(length):
            now = line + stalls
            at = j - wait_rows
            first, last = streamed(begins, fr, at, steps, rows, high, row_folds, down)
            late = asked(stream, now, first, last, stream_list)
            if dataflow == OS:
                first, last = streamed(others, fc, at, steps, cols, wide, col_folds, across)
            else:
                first, last = stationary(j, rows, high, wide, fr * rows, fc * cols * down)
            late = max(late, asked(other, now, first, last, other_list))
            late = max(late, written(writes, now, outputs(dataflow, j, rows, steps, high, wide)))
            stalls += max(late, 0)
            line += 1
    ifmap, filter_ = (other, stream) if dataflow == IS else (stream, other)
    return line - 1 + stalls, ifmap[WORDS], filter_[WORDS], emptied(writes), ifmap[LATER], filter_[LATER]


def word_at(pixels, i, taps, j, ifmap_h, ifmap_w):
    """Return the word that a pixel takes by a tap, -1 where that hangs over the ifmap."""
    inside = pixels[ROW, i] + taps[ROW, j] < ifmap_h and pixels[COLUMN, i] + taps[COLUMN, j] < ifmap_w
    return pixels[ADDRESS, i] + taps[ADDRESS, j] if inside else -1


def laid_along(times, ports, side, ifmap_h, ifmap_w):
    """Return the words of a streamed ifmap along the diagonals of its tiles, `side` ports wide."""
    steps, down = times.shape[1], ports.shape[1]
    folds = up(down, side)
    words, count = np.empty(steps * down, np.int32), 0
    for d in range(folds * steps + side):
        for q in range(max(0, d - folds * steps + 1), min(d + 1, side)):
            port = (d - q) // steps * side + q
            if port < down:
                words[count] = word_at(times, (d - q) % steps, ports, port, ifmap_h, ifmap_w)
                count += 1
    return words


def laid_in_tiles(taps, pixels, cols, ifmap_h, ifmap_w):
    """Return the words of a stationary ifmap, one column of tiles after another, each row by row."""
    across = pixels.shape[1]
    words, count = np.empty(taps.shape[1] * across, np.int32), 0
    for begin in range(0, across, cols):
        for row in range(taps.shape[1]):
            for i in range(begin, min(begin + cols, across)):
                words[count] = word_at(pixels, i, taps, row, ifmap_h, ifmap_w)
                count += 1
    return words


def diagonals(folds, steps, side, whole):
    """Return how many words of a streamed operand lie before each diagonal, (diagonals + 1,).

    Its tiles, `steps` high and `side` wide, the last one as wide as is left of `whole`, stand one below the other.
    """
    count = folds * steps + side
    before = np.zeros(count + 1, np.int64)
    for d in range(count):
        before[d + 1] = before[d] + along(d, min(d + 1, side), folds, steps, side, whole)
    return before


def along(d, ports, folds, steps, side, whole):
    """Return how many words of the diagonal d are of ports below `ports`."""
    first, last = max(0, d - folds * steps + 1), whole - (folds - 1) * side
    lacking = min(ports, d - (folds - 1) * steps + 1) - max(first, last)
    return max(0, ports - first) - max(0, lacking)


def streamed(before, fold, at, steps, side, used, folds, whole):
    """Return the first and last word that a tile's ports are given, `at` cycles after its stream began."""
    low, high = max(0, at - steps + 1), min(at, used - 1)
    if high < low:
        return 0, -1
    d = fold * steps + at
    words = before[d]
    return words + along(d, low, folds, steps, side, whole), words + along(d, high + 1, folds, steps, side, whole) - 1


def stationary(j, rows, high, wide, above, before):
    """Return the first and last word of the row of a tile that is loaded in its cycle j, the last row first."""
    row = rows - 1 - j
    if j >= rows or row >= high:
        return 0, -1
    first = before + (above + row) * wide
    return first, first + wide - 1


def outputs(dataflow, j, rows, steps, high, wide):
    """Return how many sums leave a tile of the array in its cycle j."""
    if dataflow == OS:
        # The last row's leave first; those of rows that are not used would have left before it.
        at = j - (steps - 1) - (rows - high)
        return max(0, min(at, wide - 1) - max(0, at - high + 1) + 1)
    at = j - (2 * rows - 1)
    return max(0, min(at, wide - 1) - max(0, at - steps + 1) + 1)
