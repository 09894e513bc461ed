"""Compiled parts of `bayesian`: what a Gaussian process expects of moves of a few designs, and the best of them.

A move differs from the design that it starts from in a few places, and correlations are products over places: those of
a start with all trials are worked out once, and a move costs a factor for each place that it changes.
"""

import numpy as np
from numba import njit

from designgym.agents._gaussian_process_kernel import FUSED, ONE, ZERO, append, come_closer, correlate, raise_up

FEW = 32  # numbers that are added up one by one
# What is known correlates within 1e-4 of what is worked out at once. Under less noise than this only one of the two may
# be in a factor, or it is no longer positive definite.
ENOUGH_NOISE = np.float32(0.01)
WIDE = 64  # rows of numbers, one a trial, end in zeros up to a multiple of so many: no loop over them has a remainder


@njit(cache=True, fastmath=FUSED)
def greater(one, other):
    """Return the greater of two numbers."""
    return one if one > other else other


@njit(cache=True, fastmath=FUSED)
def fold(whole, source, factors, changes, inverses, weights, room, peaks):
    """Write the sums of a row times weights into room and its greatest numbers into peaks, for a quarter of as many.

    The row: whole[source] * factors[a] * inverses[b], as many numbers as weights, a multiple of WIDE, for the first one
    of changes (a, b).
    """
    left = len(weights) // 4
    one, two, three = left, 2 * left, 3 * left
    s, f, v = np.uint64(source), np.uint64(changes[0, 0]), np.uint64(changes[0, 1])
    for i in range(np.uint64(left)):
        j, k, m = i + np.uint64(one), i + np.uint64(two), i + np.uint64(three)
        a, b = whole[s, i] * (factors[f, i] * inverses[v, i]), whole[s, j] * (factors[f, j] * inverses[v, j])
        c, d = whole[s, k] * (factors[f, k] * inverses[v, k]), whole[s, m] * (factors[f, m] * inverses[v, m])
        room[i] = (a * weights[i] + b * weights[j]) + (c * weights[k] + d * weights[m])
        peaks[i] = greater(greater(a, b), greater(c, d))


@njit(cache=True, fastmath=FUSED)
def fold_two(whole, source, factors, changes, inverses, weights, room, peaks):
    """The same for the first two changes: fewer numbers are read than by `multiply` and `fold`."""
    left = len(weights) // 4
    one, two, three = left, 2 * left, 3 * left
    s, f, v = np.uint64(source), np.uint64(changes[0, 0]), np.uint64(changes[0, 1])
    g, w = np.uint64(changes[1, 0]), np.uint64(changes[1, 1])
    for i in range(np.uint64(left)):
        j, k, m = i + np.uint64(one), i + np.uint64(two), i + np.uint64(three)
        a = whole[s, i] * (factors[f, i] * inverses[v, i]) * (factors[g, i] * inverses[w, i])
        b = whole[s, j] * (factors[f, j] * inverses[v, j]) * (factors[g, j] * inverses[w, j])
        c = whole[s, k] * (factors[f, k] * inverses[v, k]) * (factors[g, k] * inverses[w, k])
        d = whole[s, m] * (factors[f, m] * inverses[v, m]) * (factors[g, m] * inverses[w, m])
        room[i] = (a * weights[i] + b * weights[j]) + (c * weights[k] + d * weights[m])
        peaks[i] = greater(greater(a, b), greater(c, d))


@njit(cache=True, fastmath=FUSED)
def summed(room, peaks, left):
    """Return the sum of the first numbers of room, and the greatest of peaks, which are at least 0; both change.

    By quarters, so that it vectorises as it stands.
    """
    total, peak = ZERO, ZERO
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


@njit(cache=True, fastmath=FUSED)
def find(k, value, known, n, values, marks):
    """Return the row of a value of place k among what is known of all of n trials, or -1; known: values of a place."""
    f = len(marks) // (known + 1)
    row = k * known
    last = row + min(marks[k], known)
    while row < last and values[row] != value:
        row += 1
    return row if row < last and marks[f + row] == n else -1


@njit(cache=True, fastmath=FUSED)
def know(k, value, spared, places, n, rates, values, marks, factors, inverses):
    """Return the row of a value of place k among what is known (see `predict`), worked out for all of n trials.

    The oldest value gives way where there is room for no more, but not the one in the row `spared`.
    """
    f = len(places)
    known = len(factors) // f
    count, row = marks[k], k * known
    last = row + min(count, known)
    while row < last and values[row] != value:
        row += 1
    if row == last:
        row = k * known + count % known
        if row == spared:
            count += 1
            row = k * known + count % known
        marks[k] = count + 1
        values[row], marks[f + row] = value, 0
    first = marks[f + row]
    if first < n:
        marks[f + row] = n
        out, step = factors[row, first:n], rates[k]
        out[:] = ONE
        come_closer(places[k, first:n], step, value, out)
        raise_up(out)
        for i in range(first, n):
            inverses[row, i] = ONE / factors[row, i]
    return row


@njit(cache=True, fastmath=FUSED)
def multiply(whole, out, source, factors, new, inverses, old):
    """Write whole[source] * factors[new] * inverses[old] into row `out` of whole; none exceeds exp(10)."""
    o, s, f, v = np.uint64(out), np.uint64(source), np.uint64(new), np.uint64(old)
    for i in range(np.uint64(whole.shape[1])):
        whole[o, i] = whole[s, i] * (factors[f, i] * inverses[v, i])


@njit(cache=True, fastmath=FUSED)
def rows_for(count, weights):
    """Return room for the correlations of `count` places with as many trials as there are weights, and the weights.

    Both end in zeros up to a multiple of WIDE.
    """
    n = len(weights)
    width = (n + WIDE - 1) // WIDE * WIDE
    whole, padded = np.empty((count, width), weights.dtype), np.zeros(width, weights.dtype)
    whole[:, n:] = ZERO
    for i in range(n):
        padded[i] = weights[i]
    return whole, padded


@njit(cache=True, fastmath=FUSED)
def correlate_starts(places, n, rates, starts, values, marks, factors, inverses, whole):
    """Write the correlations of starts, (s, f), with n trials into the first rows of whole."""
    known = len(values) // len(places)
    for s in range(len(starts)):
        out = np.uint64(s)
        for k in range(len(places)):
            found = find(k, starts[s, k], known, n, values, marks)
            if found < 0:
                found = know(k, starts[s, k], -1, places, n, rates, values, marks, factors, inverses)
            row = np.uint64(found)
            if k == 0:
                for i in range(np.uint64(n)):
                    whole[out, i] = factors[row, i]
            else:
                for i in range(np.uint64(n)):
                    whole[out, i] *= factors[row, i]


@njit(cache=True, fastmath=FUSED)
def move(changes, s, starts, pool, j, places, n, rates, values, marks, factors, inverses):
    """Return in how many places pool[j] differs from starts[s], at least one: without any change the last counts.

    Write which correlations to multiply those of the start with into changes: rows of factors and of inverses.
    """
    count, last, known = 0, len(places) - 1, len(values) // len(places)
    for k in range(len(places)):
        here, there = starts[s, k], pool[j, k]
        if here == there and (k < last or count > 0):
            continue
        new = find(k, there, known, n, values, marks)
        old = find(k, here, known, n, values, marks)
        if new < 0 or old < 0:
            new = know(k, there, -1, places, n, rates, values, marks, factors, inverses)
            old = know(k, here, new, places, n, rates, values, marks, factors, inverses)
        changes[count, 0], changes[count, 1] = new, old
        count += 1
    return count


@njit(cache=True, fastmath=FUSED)
def guess(places, n, rates, weights, pool, starts, start, values, marks, factors, inverses, whole):
    """Return what `predict` does. whole, weights: of `rows_for`, the first rows are the correlations of starts."""
    m, scratch = len(pool), len(whole) - 1
    mean, nearest = np.empty(m, places.dtype), np.empty(m, places.dtype)
    room, peaks = np.empty(len(weights) // 4, places.dtype), np.empty(len(weights) // 4, places.dtype)
    changes = np.empty((len(places), 2), np.int64)
    for j in range(m):
        source = start[j]
        count = move(changes, source, starts, pool, j, places, n, rates, values, marks, factors, inverses)
        for c in range(2, count):
            multiply(whole, scratch, source, factors, changes[c, 0], inverses, changes[c, 1])
            source = scratch
        if count == 1:
            fold(whole, source, factors, changes, inverses, weights, room, peaks)
        else:
            fold_two(whole, source, factors, changes, inverses, weights, room, peaks)
        mean[j], nearest[j] = summed(room, peaks, len(room))
    return mean, nearest


@njit(cache=True, fastmath=FUSED)
def correlate_known(one, n, values, marks, factors, out):
    """Write the correlation of one place, (f,), with n trials into out, (n,); False where a value is not known."""
    known = len(values) // len(one)
    for k in range(len(one)):
        found = find(k, one[k], known, n, values, marks)
        if found < 0:
            return False
        row = factors[found]
        if k == 0:
            for i in range(n):
                out[i] = row[i]
        else:
            for i in range(len(out)):
                out[i] *= row[i]
    return True


@njit(cache=True, fastmath=FUSED)
def extend(upper, places, n, rates, noise, scores, values, marks, factors):
    """Extend the factor of the first n places as `append` does, to as many as there are scores; see `predict`."""
    total = len(scores)
    more = total - n
    rows = np.empty((more + 1, total), places.dtype)
    for b in range(more):
        one = places[:, n + b].copy()
        if noise < ENOUGH_NOISE or not correlate_known(one, n, values, marks, factors, rows[b, :n]):
            correlate(places, 0, rates, one, rows[b, :n])
        correlate(places, n, rates, one, rows[b, n:])
    for i in range(total):
        rows[more, i] = scores[i]
    return append(upper, rows, n, noise)


@njit(cache=True, fastmath=FUSED)
def predict(places, n, rates, weights, pool, starts, start, values, marks, factors, inverses):
    """Return the mean at each place of the pool, (m, f), and its correlation with the nearest of n trials, (m,) each.

    weights: what `refactorise` and `append` return, of the trials at the first n columns of places. starts: places from
    which the pool's differ little, (s, f); start: which of them, (m,).

    What is known of each place, to which more is added: values, (f times values kept,); the correlations along the
    place of each value with trials, factors, and their inverses, (f times values kept, most + WIDE), finite all over;
    marks, (f + f times values kept,): how many values were entered of each place, and of how many trials each row is
    worked out, all 0 when the trials known so far or the rates have changed.
    """
    whole, weights = rows_for(len(starts) + 1, weights)
    correlate_starts(places, n, rates, starts, values, marks, factors, inverses, whole)
    return guess(places, n, rates, weights, pool, starts, start, values, marks, factors, inverses, whole)
