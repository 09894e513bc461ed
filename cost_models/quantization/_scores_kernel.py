"""Compiled: the last layer of a quantised classifier, and the accuracy and negative log-likelihood of its logits.

Examples go side by side. Their exponentials are worked out likewise, by 2^n e^r with |r| <= ln 2 / 2 and the series of
e^r to the twelfth power, whose remainder is below 2e-16 (Muller, Elementary Functions, 3rd ed. 2016, chapter 11).
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs

SIDE = 64  # examples at a time, with their codes in a cache of 32 KiB
LOG2_E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.693147180369123816490, 1.90821492927058770002e-10
TO_WHOLE = 1.5 * 2.0**52  # a number that is added to it is rounded, and stands in the last bits
ONE, SHIFT = np.int64(1023) << np.int64(52), np.int64(52)  # 1.0 as bits; where an exponent stands
LEAST = -700.0  # e^LEAST counts for nothing beside 1
SERIES = tuple(1.0 / math.factorial(k) for k in range(12, -1, -1))


def logits_of(first, codes, count, weights, factors, bias, place, classes, z):
    """Write the logits of examples, (classes, SIDE): exact sums of whole numbers, times what they are worth, and bias.

    codes: (inputs, examples).
    """
    for k in range(classes):
        for i in range(count):
            z[k, i] = 0.0
        column, inputs = weights[:, place * classes + k], codes.shape[0]
        for j in range(0, inputs - 3, 4):  # four at a time: fewer sums are stored; whole numbers mind no order
            a, b, c, d = column[j], column[j + 1], column[j + 2], column[j + 3]
            p, q, r, s = codes[j, first:], codes[j + 1, first:], codes[j + 2, first:], codes[j + 3, first:]
            for i in range(count):
                z[k, i] += a * p[i] + b * q[i] + c * r[i] + d * s[i]
        for j in range(inputs - inputs % 4, inputs):
            weight, row = column[j], codes[j, first:]
            for i in range(count):
                z[k, i] += weight * row[i]
        for i in range(count):
            z[k, i] = z[k, i] * factors[place, k] + bias[0, k]


def add_powers(z, most, count, bits, scale, power, total):
    """Add e^(z - most) of examples to their totals. bits: of scale, which no loop reads both of."""
    for i in range(count):
        scale[i] = max(z[i] - most[i], LEAST) * LOG2_E + TO_WHOLE
    for i in range(count):
        n = scale[i] - TO_WHOLE
        r = max(z[i] - most[i], LEAST) - n * LN2_HIGH - n * LN2_LOW
        series = SERIES[0]
        for k in range(1, 13):
            series = series * r + SERIES[k]
        power[i] = series
    for i in range(count):
        bits[i] = (bits[i] << SHIFT) + ONE
    for i in range(count):
        total[i] += power[i] * scale[i]


def score_block(z, first, count, labels, most, total, scale, power, bits):
    """Return how many examples of a block are right, and the sum of their -ln p. z: logits, (classes, SIDE)."""
    classes, right, lost = z.shape[0], 0, 0.0
    for i in range(count):
        most[i], total[i] = z[0, i], 0.0
    for k in range(1, classes):
        for i in range(count):
            most[i] = max(most[i], z[k, i])
    for k in range(classes):
        add_powers(z[k], most, count, bits, scale, power, total)
    for i in range(count):
        label, best = labels[0, first + i], 0
        lost += math.log(total[i]) + most[i] - z[label, i]
        while z[best, i] < most[i]:
            best += 1
        right += best == label
    return right, lost


@over_designs
def last_layer_scores(place, classes, codes, weights, factors, bias, labels):
    """Return the share of examples that are right, of equal logits the first counting, and the mean of -ln p, in nats.

    place: of a width of weights among those side by side. codes: what the layer reads, (inputs, examples). weights:
    codes, (inputs, widths * classes). factors: what sums are worth, (widths, classes). bias: (1, classes). labels:
    (1, examples).
    """
    examples, right, lost = codes.shape[1], 0, 0.0
    z, most, total = np.empty((classes, SIDE)), np.empty(SIDE), np.empty(SIDE)
    scale, power = np.empty(SIDE), np.empty(SIDE)
    bits = scale.view(np.int64)
    for first in range(0, examples, SIDE):
        count = min(SIDE, examples - first)
        logits_of(first, codes, count, weights, factors, bias, place, classes, z)
        own, own_lost = score_block(z, first, count, labels, most, total, scale, power, bits)
        right, lost = right + own, lost + own_lost
    return right / examples, lost / examples


@over_designs
def logit_scores(place, classes, logits, labels):
    """Return the same of logits that stand among those of others, (networks * classes, examples)."""
    examples, right, lost = logits.shape[1], 0, 0.0
    z, most, total = np.empty((classes, SIDE)), np.empty(SIDE), np.empty(SIDE)
    scale, power = np.empty(SIDE), np.empty(SIDE)
    bits = scale.view(np.int64)
    for first in range(0, examples, SIDE):
        count = min(SIDE, examples - first)
        for k in range(classes):
            for i in range(count):
                z[k, i] = logits[place * classes + k, first + i]
        own, own_lost = score_block(z, first, count, labels, most, total, scale, power, bits)
        right, lost = right + own, lost + own_lost
    return right / examples, lost / examples
