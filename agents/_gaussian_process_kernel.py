"""Compiled parts of a Gaussian process: its kernel, its factor and how that grows, and the slopes of its likelihood.

Loops run along contiguous rows, so that they vectorise; sums and products are fused where the processor can, and one
sum is added up in as many parts as it has room for: the same bits on every run, on processors of one kind.
Source of the process and of the gradient of its likelihood: Rasmussen and Williams, Gaussian Processes for Machine
Learning, MIT Press 2006, algorithm 2.1 and equation 5.9.
"""

import math

import numpy as np
from numba import njit

# Constants of single precision leave single precision as it is, and double precision too.
ZERO, ONE = np.float32(0.0), np.float32(1.0)
STEP, TINY = np.float32(1.0 / 1024.0), np.float32(1e-9)
SQUARINGS = 10  # 2^10 = 1 / STEP
FOUR = 4  # steps of an elimination at a time, so that a row is read and written once for all
FUSED = {"contract"}  # a product and a sum are one step, rounded once
BLOCK = 64  # rows of a factor that stay in the cache while they are subtracted from all others


@njit(cache=True, fastmath=FUSED)
def distances(places, rates, one, out):
    """Write the rated L1 distance of one place, (f,), from the first columns of places, (f, most), into out, (n,)."""
    out[:] = 0.0
    for f in range(places.shape[0]):
        here, rate, row = one[f], rates[f], places[f]
        for i in range(len(out)):
            out[i] += rate * min(abs(row[i] - here), ONE)


@njit(cache=True, fastmath=FUSED)
def correlate(places, first, rates, one, out):
    """Write the correlation of one place, (f,), with columns of places, (f, most), from `first` on, into out, (n,).

    The product over parameters of (1 - a / 1024)^1024, where a is the rated distance along one: exp of minus their sum
    within 1e-3 for rates of at most 10, by products alone, so that it vectorises where exp does not. Each factor is
    positive definite (Askey 1973), and so is their product.
    """
    out[:] = ONE
    for f in range(places.shape[0]):
        come_closer(places[f, first : first + len(out)], rates[f], one[f], out)
    raise_up(out)


@njit(cache=True, fastmath=FUSED)
def come_closer(column, rate, here, out):
    """Multiply out by 1 - a / 1024, for the rated distances a of one number from a column, (n,)."""
    step = rate * STEP
    for i in range(len(out)):
        out[i] *= ONE - step * min(abs(column[i] - here), ONE)


@njit(cache=True, fastmath=FUSED)
def raise_up(out):
    """Raise to the power of 1024."""
    for i in range(len(out)):
        value = out[i]
        for _ in range(SQUARINGS):
            value *= value
        out[i] = value


@njit(cache=True, fastmath=FUSED)
def subtract(out, factor, row):
    """Subtract factor * row from out: from 0 to len, so that it vectorises."""
    for i in range(len(out)):
        out[i] -= factor * row[i]


@njit(cache=True, fastmath=FUSED)
def subtract_four(out, r, upper, first, factors, begin, n):
    """Subtract four rows of a matrix, from `first` on, each times its factor, from row r of out, in columns begin to n.

    Unsigned numbers of rows and columns can not count from the end: a loop over them vectorises as it stands, where
    slices would cost as much as a hundred columns.
    """
    a, b, c, d = factors
    one = np.uint64(first)
    two, three, four, row = one + np.uint64(1), one + np.uint64(2), one + np.uint64(3), np.uint64(r)
    for i in range(np.uint64(begin), np.uint64(n)):
        out[row, i] -= a * upper[one, i] + b * upper[two, i] + c * upper[three, i] + d * upper[four, i]


@njit(cache=True, fastmath=FUSED)
def subtract_four_twice(rows, r, upper, first, begin, n):
    """Subtract four rows of a matrix, from `first` on, from rows r and r + 1, in columns begin to n.

    Each times a factor: what the rows hold at columns first to first + 3. Numbers of the matrix are read once for both.
    """
    a, b, c, d = rows[r, first], rows[r, first + 1], rows[r, first + 2], rows[r, first + 3]
    e, f, g, h = rows[r + 1, first], rows[r + 1, first + 1], rows[r + 1, first + 2], rows[r + 1, first + 3]
    one, row = np.uint64(first), np.uint64(r)
    two, three, four, other = one + np.uint64(1), one + np.uint64(2), one + np.uint64(3), row + np.uint64(1)
    for i in range(np.uint64(begin), np.uint64(n)):
        w, x, y, z = upper[one, i], upper[two, i], upper[three, i], upper[four, i]
        rows[row, i] -= a * w + b * x + c * y + d * z
        rows[other, i] -= e * w + f * x + g * y + h * z


@njit(cache=True, fastmath=FUSED | {"reassoc", "nsz"})
def product(one, other):
    """Return the inner product of two rows."""
    total = ZERO
    for i in range(len(one)):
        total += one[i] * other[i]
    return total


@njit(cache=True, fastmath=FUSED)
def subtract_rows(matrix, first, last, i, begin, n):
    """Subtract from row i of the matrix, from column `begin` on, rows first to last, each times its own column i."""
    whole = last - (last - first) % FOUR
    for k in range(first, whole, FOUR):
        factors = matrix[k, i], matrix[k + 1, i], matrix[k + 2, i], matrix[k + 3, i]
        subtract_four(matrix, i, matrix, k, factors, begin, n)
    for k in range(whole, last):
        subtract(matrix[i, begin:n], matrix[k, i], matrix[k, begin:n])


@njit(cache=True, fastmath=FUSED)
def factorise(matrix, n):
    """Turn matrix[:n, :n], symmetric positive definite, into its upper Cholesky factor U, U' U = matrix, in place.

    Block by block: what is subtracted from the rows below stays in the cache meanwhile.
    """
    for first in range(0, n, BLOCK):
        last = min(first + BLOCK, n)
        for i in range(first, last):
            subtract_rows(matrix, first, i, i, i, n)
            row = matrix[i, i:n]
            row /= math.sqrt(max(row[0], TINY))
        for i in range(last, n):
            subtract_rows(matrix, first, last, i, i, n)


@njit(cache=True, fastmath=FUSED)
def eliminate(upper, n, rows):
    """Solve U' x = row in place for each of the rows, (m, n or more); U = upper[:n, :n]. Four steps at a time."""
    whole = n - n % FOUR
    for k in range(0, whole, FOUR):
        two, three, four = k + 1, k + 2, k + 3
        # Divisions take long: one for all rows.
        inverses = ONE / upper[k, k], ONE / upper[two, two], ONE / upper[three, three], ONE / upper[four, four]
        for r in range(len(rows)):
            a = rows[r, k] * inverses[0]
            b = (rows[r, two] - upper[k, two] * a) * inverses[1]
            c = (rows[r, three] - upper[k, three] * a - upper[two, three] * b) * inverses[2]
            d = rows[r, four] - upper[k, four] * a - upper[two, four] * b - upper[three, four] * c
            d *= inverses[3]
            rows[r, k], rows[r, two], rows[r, three], rows[r, four] = a, b, c, d
        for r in range(0, len(rows) - 1, 2):
            subtract_four_twice(rows, r, upper, k, k + FOUR, n)
        if len(rows) % 2:
            r = len(rows) - 1
            factors = rows[r, k], rows[r, two], rows[r, three], rows[r, four]
            subtract_four(rows, r, upper, k, factors, k + FOUR, n)
    for r in range(len(rows)):
        for k in range(whole, n):
            for i in range(whole, k):
                rows[r, k] -= rows[r, i] * upper[i, k]
            rows[r, k] /= upper[k, k]


@njit(cache=True, fastmath=FUSED)
def back_substitute(upper, row):
    """Solve U x = row in place; U = upper[:n, :n] for a row of n."""
    n = len(row)
    for k in range(n - 1, -1, -1):
        row[k] = (row[k] - product(upper[k, k + 1 : n], row[k + 1 :])) / upper[k, k]


@njit(cache=True, fastmath=FUSED)
def solved(upper, n, scores):
    """Return (U' U)^-1 scores for the factor U = upper[:n, :n], (n,)."""
    rows = scores.copy().reshape(1, n)
    eliminate(upper, n, rows)
    back_substitute(upper, rows[0])
    return rows[0]


@njit(cache=True, fastmath=FUSED)
def inverse_of(upper):
    """Return (U' U)^-1, (n, n), on and below the diagonal."""
    n = len(upper)
    lower = np.eye(n, dtype=upper.dtype)  # U'^-1
    for k in range(n):
        whole = k - k % FOUR
        for j in range(0, whole, FOUR):
            factors = upper[j, k], upper[j + 1, k], upper[j + 2, k], upper[j + 3, k]
            subtract_four(lower, k, lower, j, factors, 0, j + FOUR)
        for j in range(whole, k):
            subtract(lower[k, : j + 1], upper[j, k], lower[j, : j + 1])
        row = lower[k, : k + 1]
        row /= upper[k, k]
    out, whole = np.zeros((n, n), upper.dtype), n - n % FOUR
    for k in range(0, whole, FOUR):
        for i in range(k + FOUR):
            factors = -lower[k, i], -lower[k + 1, i], -lower[k + 2, i], -lower[k + 3, i]
            subtract_four(out, i, lower, k, factors, 0, i + 1)
    for k in range(whole, n):
        for i in range(k + 1):
            subtract(out[i, : i + 1], -lower[k, i], lower[k, : i + 1])
    return out


@njit(cache=True, fastmath=FUSED)
def slopes(places, rates, group, groups, scores, noise):
    """Return the slope of the log likelihood in the logarithm of each group's rate, (groups,)."""
    f, n = places.shape
    matrix = np.empty((n, n), places.dtype)
    for i in range(n):
        correlate(places, 0, rates, places[:, i].copy(), matrix[i])
    upper = matrix.copy()
    for i in range(n):
        upper[i, i] += noise
    factorise(upper, n)
    pull = solved(upper, n, scores)
    inverse = inverse_of(upper)
    totals = np.zeros((f, n), places.dtype)  # of each pair of trials, at the earlier one
    row = np.empty(n, places.dtype)
    for j in range(n):
        own, against, alike = pull[j], inverse[j], matrix[j]
        for i in range(j):
            row[i] = (against[i] - pull[i] * own) * alike[i]
        for k in range(f):
            here, total, other = places[k, j], totals[k], places[k]
            for i in range(j):
                total[i] += row[i] * min(abs(other[i] - here), ONE)
    out = np.zeros(groups)
    for k in range(f):
        out[group[k]] += rates[k] * totals[k].sum()
    return out


@njit(cache=True, fastmath=FUSED)
def append(upper, rows, n, noise):
    """Extend the factor of the first n places, columns of (f, most), by the next ones, to as many as there are scores.

    rows: their correlations with all, and the scores of all, (m + 1, n + m), overwritten.
    Return (U' U)^-1 scores for the whole factor. Scores are eliminated along with what is new: the factor, which fits
    in no near cache, is read once for both.
    """
    more = len(rows) - 1
    for b in range(more):
        rows[b, n + b] += noise
    eliminate(upper, n, rows)
    for k in range(n):
        for b in range(more):
            upper[k, n + b] = rows[b, k]
    corner, tail = np.empty((more, more), rows.dtype), rows[more:, n:].copy()
    for c in range(more):
        for b in range(c + 1):
            corner[b, c] = rows[b, n + c] - product(rows[b, :n], rows[c, :n])
        tail[0, c] -= product(rows[more, :n], rows[c, :n])
    factorise(corner, more)
    for b in range(more):
        for c in range(b, more):
            upper[n + b, n + c] = corner[b, c]
    eliminate(corner, more, tail)
    weights = rows[more].copy()
    for c in range(more):
        weights[n + c] = tail[0, c]
    back_substitute(upper, weights)
    return weights


@njit(cache=True, fastmath=FUSED)
def refactorise(upper, places, rates, noise, scores):
    """Write the factor of the first places, columns of (f, most), into upper[:n, :n], as many as there are scores.

    Return (U' U)^-1 scores, (n,).
    """
    n = len(scores)
    for j in range(n):
        correlate(places, j, rates, places[:, j].copy(), upper[j, j:n])
        upper[j, j] += noise
    factorise(upper, n)
    return solved(upper, n, scores)
