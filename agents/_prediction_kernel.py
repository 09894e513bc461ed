"""Compiled parts of `bayesian`: what a Gaussian process expects of moves of a few designs, and the best of them.

A move differs from the design that it starts from in a few places, and correlations are products over places: those of
a start with all trials are worked out once, and a move costs a factor for each place that it changes.
"""

import math

import numpy as np
from numba import njit

from designgym.agents._gaussian_process_kernel import FEW, ONE, ZERO, come_closer, correlate, raise_up


@njit(cache=True)
def greater(one, other):
    """Return the greater of two numbers."""
    return one if one > other else other


@njit(cache=True)
def weigh(alike, weights, room, peaks):
    """Return the sum of values times weights, and the greatest of the values, which are at least 0.

    Both by quarters, as `product` adds them. room, peaks: for a quarter of as many.
    """
    n, total, peak = len(alike), ZERO, ZERO
    left = n // 4
    for i in range(left):
        a, b, c, d = alike[i], alike[left + i], alike[2 * left + i], alike[3 * left + i]
        room[i] = (a * weights[i] + b * weights[left + i]) + (c * weights[2 * left + i] + d * weights[3 * left + i])
        peaks[i] = greater(greater(a, b), greater(c, d))
    for i in range(4 * left, n):
        total += alike[i] * weights[i]
        peak = greater(alike[i], peak)
    while left >= FEW:
        quarter = left // 4
        for i in range(4 * quarter, left):
            total += room[i]
            peak = greater(peaks[i], peak)
        for i in range(quarter):
            room[i] = (room[i] + room[quarter + i]) + (room[2 * quarter + i] + room[3 * quarter + i])
        for i in range(quarter):
            a, b, c, d = peaks[i], peaks[quarter + i], peaks[2 * quarter + i], peaks[3 * quarter + i]
            peaks[i] = greater(greater(a, b), greater(c, d))
        left = quarter
    for i in range(left):
        total += room[i]
        peak = greater(peaks[i], peak)
    return total, peak


@njit(cache=True)
def make_row(value, column, rate, factors, inverses):
    """Write the correlations of a value with a column of places, and their inverses, each (n,)."""
    factors[:] = ONE
    come_closer(column, rate, value, factors)
    raise_up(factors)
    for i in range(len(inverses)):
        inverses[i] = ONE / factors[i]


@njit(cache=True)
def predict(places, n, rates, weights, pool, starts, start, values, counts, factors, inverses):
    """Return the mean at each place of the pool, (m, f), and its correlation with the nearest of n trials, (m,) each.

    weights: what `refactorise` and `append` return, of the trials at the first n columns of places. starts: places from
    which the pool's differ little, (s, f); start: which of them, (m,). values, counts, factors, inverses: what is known
    of each place, (f times values kept,), (f,), and (f times values kept, most), to which more is added; counts are 0
    when the trials or the rates have changed.
    """
    m, f = pool.shape
    whole = np.empty((len(starts), n), places.dtype)
    for s in range(len(starts)):
        correlate(places, 0, rates, starts[s], whole[s])
    known = len(factors) // f
    mean, nearest = np.empty(m, places.dtype), np.empty(m, places.dtype)
    alike, room, peaks = np.empty(n, places.dtype), np.empty(n, places.dtype), np.empty(n, places.dtype)
    # Written out, for a slice or a call in here costs as much as two hundred trials.
    for j in range(m):
        s = start[j]
        for i in range(n):
            alike[i] = whole[s, i]
        for k in range(f):
            if starts[s, k] == pool[j, k]:
                continue
            rows = (0, 0)
            for new in (True, False):
                value = pool[j, k] if new else starts[s, k]
                row, last = k * known, k * known + min(counts[k], known)
                while row < last and values[row] != value:
                    row += 1
                if row == last:  # the oldest one gives way, but not to its own partner
                    row = k * known + counts[k] % known
                    if not new and row == rows[0]:
                        counts[k] += 1
                        row = k * known + counts[k] % known
                    counts[k] += 1
                    values[row] = value
                    make_row(value, places[k, :n], rates[k], factors[row, :n], inverses[row, :n])
                rows = (row, rows[0])
            old, new_row = rows
            # No product exceeds exp(10) on the way.
            for i in range(n):
                alike[i] *= factors[new_row, i] * inverses[old, i]
        mean[j], nearest[j] = weigh(alike, weights, room, peaks)
    return mean, nearest


@njit(cache=True)
def expected_improvement(mean, nearest, noise, target):
    """Return the expected excess over the target of a normal variable.

    Its variance is what the nearest trial alone leaves, 1 - nearest^2 / (1 + noise): at least the process's own.
    """
    deviation = math.sqrt(max(1.0 - nearest * nearest / (1.0 + noise), 1e-9))
    u = (mean - target) / deviation
    density = math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    return deviation * (u * 0.5 * math.erfc(-u / math.sqrt(2.0)) + density)


@njit(cache=True)
def most_improving(mean, nearest, noise, target, count):
    """Return the rows of the highest expected improvement, the least of them first, at most (count,)."""
    improvement = np.empty(len(mean))
    for j in range(len(mean)):
        improvement[j] = expected_improvement(mean[j], nearest[j], noise, target)
    return np.argsort(improvement)[-count:]


@njit(cache=True)
def promising(mean, nearest, pool, rates, noise, target, count):
    """Return the rows of the pool, (m, f), to price next, the best first: each the one of highest expected improvement.

    A row picked counts as a trial that came to what was expected of it: what lies near it has less to offer.
    """
    m, count = len(mean), min(count, len(mean))
    rows, alike = np.empty(count, np.int64), np.empty(m, pool.dtype)
    columns, nearest, improvement = pool.T.copy(), nearest.copy(), np.full(m, -1.0)
    new_target = True
    for c in range(count):
        for j in range(m):
            if new_target or (c > 0 and alike[j] > nearest[j]):
                nearest[j] = max(nearest[j], alike[j]) if c > 0 else nearest[j]
                improvement[j] = expected_improvement(mean[j], nearest[j], noise, target)
        for row in rows[:c]:
            improvement[row] = -1.0
        best = np.argmax(improvement)
        rows[c] = best
        new_target = mean[best] > target
        target = max(target, mean[best])
        correlate(columns, 0, rates, pool[best], alike)
    return rows
