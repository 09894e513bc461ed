"""Compiled parts of a Gaussian process: its kernel, its factor and how that grows, and the slopes of its likelihood.

Loops run along contiguous rows, so that they vectorise without reassociating a sum: the same bits on every run.
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
FEW = 32  # numbers that are added up one by one
BLOCK = 64  # rows of a factor that stay in the cache while they are subtracted from all others


@njit(cache=True)
def distances(places, rates, one, out):
    """Write the rated L1 distance of one place, (f,), from the first columns of places, (f, most), into out, (n,)."""
    out[:] = 0.0
    for f in range(places.shape[0]):
        here, rate, row = one[f], rates[f], places[f]
        for i in range(len(out)):
            out[i] += rate * min(abs(row[i] - here), ONE)


@njit(cache=True)
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


@njit(cache=True)
def come_closer(column, rate, here, out):
    """Multiply out by 1 - a / 1024, for the rated distances a of one number from a column, (n,)."""
    step = rate * STEP
    for i in range(len(out)):
        out[i] *= ONE - step * min(abs(column[i] - here), ONE)


@njit(cache=True)
def raise_up(out):
    """Raise to the power of 1024."""
    for i in range(len(out)):
        value = out[i]
        for _ in range(SQUARINGS):
            value *= value
        out[i] = value


@njit(cache=True)
def subtract(out, factor, row):
    """Subtract factor * row from out: from 0 to len, so that it vectorises."""
    for i in range(len(out)):
        out[i] -= factor * row[i]


@njit(cache=True)
def subtract_four(out, factors, first, second, third, fourth):
    """Subtract four rows, each times its factor, from out."""
    a, b, c, d = factors[0], factors[1], factors[2], factors[3]
    for i in range(len(out)):
        out[i] -= a * first[i] + b * second[i] + c * third[i] + d * fourth[i]


@njit(cache=True)
def product(one, other, room):
    """Return the inner product of two rows: its quarters are added up side by side, then those of what is left.

    room: for a quarter of as many.
    """
    n, total = len(one), ZERO
    left = n // 4
    for i in range(left):
        room[i] = (one[i] * other[i] + one[left + i] * other[left + i]) + (
            one[2 * left + i] * other[2 * left + i] + one[3 * left + i] * other[3 * left + i]
        )
    for i in range(4 * left, n):
        total += one[i] * other[i]
    while left >= FEW:
        quarter = left // 4
        for i in range(4 * quarter, left):
            total += room[i]
        for i in range(quarter):
            room[i] = (room[i] + room[quarter + i]) + (room[2 * quarter + i] + room[3 * quarter + i])
        left = quarter
    for i in range(left):
        total += room[i]
    return total


@njit(cache=True)
def subtract_rows(matrix, first, last, i, begin, n):
    """Subtract from row i of the matrix, from column `begin` on, rows first to last, each times its own column i."""
    out = matrix[i, begin:n]
    whole = last - (last - first) % FOUR
    for k in range(first, whole, FOUR):
        # Row by row: Numba knows that one row is contiguous, and of several it does not.
        one, two = matrix[k, begin:n], matrix[k + 1, begin:n]
        three, four = matrix[k + 2, begin:n], matrix[k + 3, begin:n]
        subtract_four(out, matrix[k : k + FOUR, i], one, two, three, four)
    for k in range(whole, last):
        subtract(out, matrix[k, i], matrix[k, begin:n])


@njit(cache=True)
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


@njit(cache=True)
def eliminate(upper, n, first, rows):
    """Solve four steps of U' x = row, from `first` on, in place and for each of the rows; U = upper[:n, :n]."""
    last = min(first + FOUR, n)
    for r in range(len(rows)):
        for k in range(first, last):
            rows[r, k] /= upper[k, k]
            for i in range(k + 1, last):
                rows[r, i] -= rows[r, k] * upper[k, i]
    if last == n:
        return
    one, two, three, four = (
        upper[first, last:n], upper[first + 1, last:n], upper[first + 2, last:n], upper[first + 3, last:n]
    )  # fmt: skip
    for r in range(len(rows)):
        subtract_four(rows[r, last:n], rows[r, first:last], one, two, three, four)


@njit(cache=True)
def solved(upper, n, scores):
    """Return (U' U)^-1 scores for the factor upper[:n, :n], (n,)."""
    row, room = scores.copy().reshape(1, n), np.empty(n, scores.dtype)
    for first in range(0, n, FOUR):
        eliminate(upper, n, first, row)
    out = row[0]
    for k in range(n - 1, -1, -1):
        out[k] = (out[k] - product(upper[k, k + 1 : n], out[k + 1 :], room)) / upper[k, k]
    return out


@njit(cache=True)
def inverse_of(upper):
    """Return (U' U)^-1, (n, n), on and below the diagonal."""
    n = len(upper)
    lower = np.zeros((n, n), upper.dtype)  # U'^-1
    for k in range(n):
        lower[k, k] = ONE
        for j in range(k):
            subtract(lower[k, : j + 1], upper[j, k], lower[j, : j + 1])
        row = lower[k, : k + 1]
        row /= upper[k, k]
    out = np.zeros((n, n), upper.dtype)
    for k in range(n):
        for i in range(k + 1):
            subtract(out[i, : i + 1], -lower[k, i], lower[k, : i + 1])
    return out


@njit(cache=True)
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


@njit(cache=True)
def append(upper, places, n, more, rates, noise):
    """Extend the factor of the first n places, columns of (f, most), by the next ones: upper[:n + more] is whole."""
    columns = np.empty((more, n + more), places.dtype)
    for b in range(more):
        correlate(places, 0, rates, places[:, n + b].copy(), columns[b])
        columns[b, n + b] += noise
    for b in range(0, n, FOUR):
        eliminate(upper, n, b, columns)
    for b in range(more):
        for k in range(n):
            upper[k, n + b] = columns[b, k]
    corner, room = np.empty((more, more), places.dtype), np.empty(n, places.dtype)
    for b in range(more):
        for c in range(b, more):
            corner[b, c] = columns[b, n + c] - product(columns[b, :n], columns[c, :n], room)
    factorise(corner, more)
    for b in range(more):
        upper[n + b, n + b : n + more] = corner[b, b:]


@njit(cache=True)
def refactorise(upper, places, n, rates, noise):
    """Write the factor of the first n places, columns of (f, most), into upper[:n, :n]."""
    for j in range(n):
        correlate(places, j, rates, places[:, j].copy(), upper[j, j:n])
        upper[j, j] += noise
    factorise(upper, n)


@njit(cache=True)
def logistic_scores(rewards, order):
    """Return the logistic distribution's quantiles of the ranks of rewards, scaled to variance 1, equal ones alike.

    order: what sorts the rewards, (n,).
    """
    n = len(order)
    out = np.empty(n)
    first = 0
    while first < n:
        last = first + 1
        while last < n and rewards[order[last]] == rewards[order[first]]:
            last += 1
        share = (first + last) / (2.0 * n)
        out[order[first:last]] = math.log(share / (1.0 - share)) * (math.sqrt(3.0) / math.pi)
        first = last
    return out
