"""Compiled: numbers rounded to the grid of a format, a stretch of a table at a time.

A number gets the distance d of the grid's numbers around it by its own exponent, as bits, and is rounded by a sum: to
1.5 2^52 d float64 adds multiples of d alone, ties to the even one (IEEE 754-2019, 4.3.1), which subtracting it leaves.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs

STRETCH = 256  # numbers that are rounded at a time, in cache
EXPONENT, BIAS = np.int64(0x7FF), np.int64(1023)  # of float64
HALF = np.int64(1) << np.int64(51)  # 1.5 has this bit of the fraction


def clip(x, begin, count, scale, low, high, t):
    """Write x / scale between low and high; what is no number stays none."""
    for k in range(count):
        one = x[begin + k] / scale
        one = high if one > high else one
        t[k] = low if one < low else one


def offsets(bits, count, mantissa, least, sums):
    """Write 1.5 2^52 d of each number, as bits. bits: of the numbers. mantissa, least: see `Format`."""
    for k in range(count):
        exponent = max((bits[k] >> np.int64(52)) & EXPONENT, least + BIAS)
        sums[k] = ((exponent - mantissa + np.int64(52)) << np.int64(52)) | HALF


def round_stretch(x, begin, count, scale, low, high, mantissa, least, t, bits, sums, sum_bits):
    """Write the numbers of a stretch rounded, in units of the scale, into t, whose bits are `bits`."""
    clip(x, begin, count, scale, low, high, t)
    offsets(bits, count, mantissa, least, sum_bits)
    for k in range(count):
        t[k] = (t[k] + sums[k]) - sums[k]


@over_designs
def rounded(row, begin, end, scale, low, high, mantissa, least, x, y):
    """Round the numbers of a row of x, (rows, n), from begin to before end, times the scale again, into y, as large.

    low, high: in units of the scale. mantissa, least: of the format, see `Format`. Returns how many there were.
    """
    t, sums = np.empty(STRETCH), np.empty(STRETCH)
    bits, sum_bits = t.view(np.int64), sums.view(np.int64)
    for first in range(begin, end, STRETCH):
        count = np.uint64(min(STRETCH, end - first))
        round_stretch(x[row], np.uint64(first), count, scale, low, high, mantissa, least, t, bits, sums, sum_bits)
        for k in range(count):
            y[row, np.uint64(first) + k] = t[k] * scale
    return (end - begin,)


@over_designs
def squared_errors(row, scale, low, high, mantissa, least, x):
    """Return the sum of squares of what rounding a row of x under a scale changes."""
    t, sums = np.empty(STRETCH), np.empty(STRETCH)
    bits, sum_bits, total = t.view(np.int64), sums.view(np.int64), 0.0
    for first in range(0, x.shape[1], STRETCH):
        count = np.uint64(min(STRETCH, x.shape[1] - first))
        round_stretch(x[row], np.uint64(first), count, scale, low, high, mantissa, least, t, bits, sums, sum_bits)
        for k in range(count):
            wrong = t[k] * scale - x[row, np.uint64(first) + k]
            total += wrong * wrong
    return (total,)
