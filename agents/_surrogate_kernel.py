"""Compiled parts of `surrogate_search`: a process with a trend, its likelihood, and what it expects of many candidates.

The covariance of two places is s2 (r + t (1 + z . z') + u e + v c + noise [same]): r falls with the distance of the
places, the product over places of exp(-s) (rough) or of (1 + s + s^2 / 3) exp(-s) (smooth: Matern's of 5/2), where s is
the rated distance along one; z are the ordered places less one half, e how many of the others are equal, c how many
pairs of them, one of each, have the same label, whichever parameters those are of. That is a mean that is not known, a
plane, an effect of each category by itself, and one of each label wherever it stands (additive kernels: Duvenaud,
Nickisch and Rasmussen, NeurIPS 2011, arXiv:1112.4394).
Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006, equations 2.40, 4.17, 5.9 and,
for what is left out, 5.12.
"""

import math

import numpy as np
from numba import njit

from designgym.agents._gaussian_process_kernel import ZERO, eliminate, factorise, inverse_of, solved
from designgym.agents._prediction_kernel import greater

ROUGH, SMOOTH = 0, 1
QUICK = {"contract", "reassoc", "nsz", "nnan"}
LANES = 32  # numbers that are worked on at a time: rows end in zeros up to a multiple of so many
LEVELS = 512  # of a place, as finely as the first look at many candidates tells them apart


@njit(cache=True)
def correlation(kind, rates, one, other):
    """Return the correlation of two places, (f,) each."""
    total, factor = 0.0, 1.0
    for f in range(len(rates)):
        step = rates[f] * min(abs(one[f] - other[f]), 1.0)
        total += step
        if kind == SMOOTH:
            factor *= 1.0 + step + step * step / 3.0
    return factor * math.exp(-total)


@njit(cache=True)
def plane_of(ordered, one, other):
    """Return the covariance of mean and plane at two places, (f,) each, over their variance."""
    value = 1.0
    for f in range(len(one)):
        if ordered[f]:
            value += (one[f] - 0.5) * (other[f] - 0.5)
    return value


@njit(cache=True)
def equal_of(ordered, one, other):
    """Return how many of the places that lie on no line are equal."""
    count = 0.0
    for f in range(len(one)):
        if not ordered[f] and one[f] == other[f]:
            count += 1.0
    return count


@njit(cache=True)
def covariances(kind, rates, plane, effect, ordered, places, others):
    """Return covariances without noise, scale and common labels of places, (m, f), with others, (n, f): (m, n)."""
    out = np.empty((len(places), len(others)))
    for i in range(len(places)):
        for j in range(len(others)):
            trend = plane * plane_of(ordered, places[i], others[j]) + effect * equal_of(ordered, places[i], others[j])
            out[i, j] = correlation(kind, rates, places[i], others[j]) + trend
    return out


@njit(cache=True)
def own_variance(plane, effect, ordered, places):
    """Return the covariance of each place with itself, without noise, scale and common labels, (m,)."""
    out = np.empty(len(places))
    for i in range(len(places)):
        out[i] = 1.0 + plane * plane_of(ordered, places[i], places[i])
        out[i] += effect * equal_of(ordered, places[i], places[i])
    return out


@njit(cache=True)
def likelihood(kind, rates, plane, noise, effect, shared, group, groups, ordered, places, common, values):
    """Return the log likelihood, its slopes in logarithms (rates, plane, noise, effect, shared), and what is left.

    rates: one a place; their slopes: one a group. common: how many pairs of labels are the same, (n, n).
    What is left, (n, 2): of each value the squared error when it is left out over its variance, and that variance;
    the scale is the one that makes all most likely, and the last number returned.
    """
    n, width = places.shape
    alike = np.empty((n, n))
    same = np.empty((n, n))
    bare = np.empty((n, n))  # without plane and effects
    for i in range(n):
        for j in range(i + 1):
            bare[i, j] = correlation(kind, rates, places[i], places[j])
            alike[i, j] = plane_of(ordered, places[i], places[j])
            same[i, j] = equal_of(ordered, places[i], places[j])
    upper = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            upper[j, i] = bare[i, j] + plane * alike[i, j] + effect * same[i, j] + shared * common[i, j]
        upper[i, i] += noise
    factorise(upper, n)
    pull = solved(upper, n, values)
    inverse = inverse_of(upper)
    scale = max((pull * values).sum() / n, 1e-12)
    total = -0.5 * n * math.log(scale) - 0.5 * n
    for i in range(n):
        total -= math.log(upper[i, i])
    slopes = np.zeros(groups + 4)
    for i in range(n):
        for j in range(i + 1):
            weight = (pull[i] * pull[j] / scale - inverse[i, j]) * (0.5 if i == j else 1.0)
            slopes[groups] += weight * plane * alike[i, j]
            slopes[groups + 2] += weight * effect * same[i, j]
            slopes[groups + 3] += weight * shared * common[i, j]
            if i == j:
                slopes[groups + 1] += weight * noise
                continue
            weight *= bare[i, j]
            for f in range(width):
                step = rates[f] * min(abs(places[i, f] - places[j, f]), 1.0)
                if kind == SMOOTH:
                    step = step * step * (1.0 + step) / (3.0 + 3.0 * step + step * step)
                slopes[group[f]] -= weight * step
    left = np.empty((n, 2))
    for i in range(n):
        left[i, 0] = pull[i] * pull[i] / (inverse[i, i] * scale)
        left[i, 1] = scale / inverse[i, i]
    return total, slopes, left, scale


@njit(cache=True)
def levels_of(places, spans):
    """Return which level each place is at, int16 (m, f), numbered from 0 in each column, their places and how many.

    spans: the largest number of each column. Places of one level are taken for the first of them.
    """
    m, width = places.shape
    out, firsts, counts = np.empty((width, m), np.int16), np.empty((width, LEVELS + 1)), np.zeros(width, np.int64)
    number = np.empty(LEVELS + 1, np.int16)
    for f in range(width):
        number[:] = -1
        for i in range(m):
            level = int(places[i, f] / spans[f] * LEVELS + 0.5)
            if number[level] < 0:
                number[level] = counts[f]
                firsts[f, counts[f]] = places[i, f]
                counts[f] += 1
            out[f, i] = number[level]
    return out, firsts, counts


@njit(cache=True)
def keys_of(levels, counts):
    """Return a number for each candidate by which those that begin alike lie together, (m,).

    It tells as many of the first places as a number can.
    """
    width, m = levels.shape
    keys, most = np.zeros(m, np.int64), 1.0
    for f in range(width):
        most *= counts[f]
        if most > 2.0**62:
            break
        keys = keys * counts[f] + levels[f]
    return keys


@njit(cache=True)
def tables_of(kind, rates, places, firsts, counts):
    """Return along each place the factor of each level with each of n trials, and which row is first.

    The factors: float32 (all levels, n), with zeros up to a multiple of LANES.
    """
    n, begins = len(places), np.zeros(len(counts), np.int64)
    begins[1:] = np.cumsum(counts)[:-1]
    out = np.zeros((counts.sum(), (n + LANES - 1) // LANES * LANES), np.float32)
    for f in range(len(counts)):
        for k in range(counts[f]):
            row = begins[f] + k
            for i in range(n):
                step = rates[f] * min(abs(firsts[f, k] - places[i, f]), 1.0)
                factor = 1.0 + step + step * step / 3.0 if kind == SMOOTH else 1.0
                out[row, i] = factor * math.exp(-step)
    return out, begins


@njit(cache=True, fastmath=QUICK)
def multiplied(out, one, other):
    """Write the product of two rows into a third."""
    for i in range(len(out)):
        out[i] = one[i] * other[i]


@njit(cache=True, fastmath=QUICK)
def folded(row, other, weights, sums, peaks):
    """Return the sum of the products of three rows, and the largest product of the first two, of numbers above 0.

    All three are of a multiple of LANES numbers; sums, peaks: room for LANES. Lane by lane, so that it vectorises.
    """
    for i in range(LANES):
        sums[i] = peaks[i] = ZERO
    for begin in range(0, len(weights), LANES):
        first = np.uint64(begin)
        for i in range(np.uint64(LANES)):
            value = row[first + i] * other[first + i]
            sums[i] += value * weights[first + i]
            peaks[i] = greater(value, peaks[i])
    total, peak = ZERO, ZERO
    for i in range(LANES):
        total += sums[i]
        peak = greater(peaks[i], peak)
    return total, peak


@njit(cache=True)
def first_look(levels, tables, begins, weights):
    """Return for each candidate the sum of its correlations times weights, and the largest of them, (m,) each.

    levels: (f, m). Of candidates in order, those that begin alike share what their first places come to. Rows of
    numbers, one a trial, end in zeros up to a multiple of LANES.
    """
    width, m = levels.shape
    n = len(weights)
    heads = np.ones((max(width, 2), n), np.float32)  # products over the first places
    sums, peaks = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    mean, nearest = np.empty(m), np.empty(m)
    for j in range(m):
        same = 0
        while j and same < width - 1 and levels[same, j] == levels[same, j - 1]:
            same += 1
        for f in range(same, width - 1):
            row = tables[begins[f] + levels[f, j]]
            if f:
                multiplied(heads[f + 1], heads[f], row)
            else:
                for i in range(n):  # an assignment of rows takes Numba seconds to compile
                    heads[1, i] = row[i]
        last = tables[begins[width - 1] + levels[width - 1, j]]
        mean[j], nearest[j] = folded(heads[width - 1], last, weights, sums, peaks)
    return mean, nearest


@njit(cache=True)
def conditioned(upper, rows):
    """Solve U' x = row in place for each row, (m, n), and return their squared lengths, (m,)."""
    eliminate(upper, len(upper), rows)
    out = np.empty(len(rows))
    for i in range(len(rows)):
        out[i] = (rows[i] * rows[i]).sum()
    return out
