"""Compiled parts of `bayesian`: its Gaussian process, and moves of designs in digit space.

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


@njit(cache=True)
def distances(places, rates, one, out):
    """Write the rated L1 distance of one place, (f,), from the first columns of places, (f, most), into out, (n,)."""
    out[:] = 0.0
    for f in range(places.shape[0]):
        here, rate, row = one[f], rates[f], places[f]
        for i in range(len(out)):
            out[i] += rate * min(abs(row[i] - here), ONE)


@njit(cache=True)
def correlations(places, rates):
    """Return the same of the columns with one another, (n, n): computed below the diagonal and mirrored."""
    n = places.shape[1]
    matrix = np.empty((n, n), places.dtype)
    for j in range(n):
        row = matrix[j]
        row[: j + 1] = 0.0
        for f in range(places.shape[0]):
            here, rate, other = places[f, j], rates[f], places[f]
            for i in range(j + 1):
                row[i] += rate * min(abs(other[i] - here), ONE)
        for i in range(j + 1):
            row[i] = math.exp(-row[i])
    for j in range(n):
        for i in range(j):
            matrix[i, j] = matrix[j, i]
    return matrix


@njit(cache=True)
def subtract(out, factor, row):
    """Subtract factor * row from out: from 0 to len, so that it vectorises."""
    for i in range(len(out)):
        out[i] -= factor * row[i]


@njit(cache=True)
def factorise(matrix, n):
    """Turn matrix[:n, :n], symmetric positive definite, into its upper Cholesky factor U, U' U = matrix, in place."""
    for k in range(n):
        first = matrix[k, :n]
        first[k:] /= math.sqrt(max(first[k], TINY))
        for i in range(k + 1, n):
            subtract(matrix[i, i:n], first[i], first[i:])


@njit(cache=True)
def solve_lower(upper, columns):
    """Overwrite columns, (n, m), with U'^-1 columns."""
    n = columns.shape[0]
    for k in range(n):
        columns[k] /= upper[k, k]
        for i in range(k + 1, n):
            subtract(columns[i], upper[k, i], columns[k])


@njit(cache=True)
def solve_upper(upper, columns):
    """Overwrite columns, (n, m), with U^-1 columns."""
    n = columns.shape[0]
    for k in range(n - 1, -1, -1):
        for i in range(k + 1, n):
            subtract(columns[k], upper[k, i], columns[i])
        columns[k] /= upper[k, k]


@njit(cache=True)
def slopes(places, rates, group, groups, scores, noise):
    """Return the slope of the log likelihood in the logarithm of each group's rate, (groups,)."""
    f, n = places.shape
    matrix = correlations(places, rates)
    upper = matrix.copy()
    for i in range(n):
        upper[i, i] += noise
    factorise(upper, n)
    weights = scores.copy().reshape(n, 1)
    solve_lower(upper, weights)
    solve_upper(upper, weights)
    inverse = np.eye(n, dtype=places.dtype)
    solve_lower(upper, inverse)
    solve_upper(upper, inverse)
    out = np.zeros(groups)
    row = np.empty(n, places.dtype)
    for j in range(n):
        for i in range(n):
            row[i] = -(weights[i, 0] * weights[j, 0] - inverse[j, i]) * matrix[j, i]
        for k in range(f):
            here, total, other = places[k, j], 0.0, places[k]
            for i in range(j):
                total += row[i] * min(abs(other[i] - here), ONE)
            out[group[k]] += rates[k] * total
    return out


@njit(cache=True)
def near_exponential(away, out):
    """Write (1 - away / 1024)^1024 of distances, (n,), 0 from 1024 on: exp(-away) within 3e-4, by products alone.

    It vectorises where exp does not, and is positive definite in a distance that is a sum over parameters (Askey 1973).
    """
    for i in range(len(away)):
        value = max(ONE - away[i] * STEP, ZERO)
        for _ in range(10):
            value *= value
        out[i] = value


@njit(cache=True)
def append(upper, places, n, rates, noise):
    """Extend the factor of the first n places, columns of (f, most), by column n: upper[:n + 1, :n + 1] is whole."""
    column = np.empty(n, places.dtype)
    distances(places, rates, places[:, n].copy(), column)
    near_exponential(column, column)
    left = ONE + noise
    for k in range(n):
        value = column[k] / upper[k, k]
        subtract(column[k + 1 : n], value, upper[k, k + 1 : n])
        upper[k, n] = value
        left -= value * value
    upper[n, n] = math.sqrt(max(left, TINY))


@njit(cache=True)
def refactorise(upper, places, n, rates, noise):
    """Write the factor of the first n places, columns of (f, most), into upper[:n, :n]."""
    for j in range(n):
        row = upper[j, :n]
        distances(places, rates, places[:, j].copy(), row)
        near_exponential(row, row)
        row[j] += noise
    factorise(upper, n)


@njit(cache=True)
def solved(upper, n, scores):
    """Return (U' U)^-1 scores for the factor upper[:n, :n], (n,)."""
    out = scores.copy()
    for k in range(n):
        out[k] /= upper[k, k]
        subtract(out[k + 1 :], out[k], upper[k, k + 1 : n])
    sums = np.empty(8, scores.dtype)
    for k in range(n - 1, -1, -1):
        row, known = upper[k, k + 1 : n], out[k + 1 :]
        # Eight sums side by side: one alone would wait for each of its additions.
        whole = len(row) // 8
        sums[:] = 0.0
        for b in range(whole):
            part, other = row[8 * b : 8 * b + 8], known[8 * b : 8 * b + 8]
            for i in range(8):
                sums[i] += part[i] * other[i]
        total = ZERO
        for i in range(8 * whole, len(row)):
            total += row[i] * known[i]
        for i in range(8):
            total += sums[i]
        out[k] = (out[k] - total) / upper[k, k]
    return out


@njit(cache=True)
def predict(places, n, rates, weights, pool):
    """Return the mean at each column of the pool, (f, m), and its correlation with the nearest of n trials, (m,) each.

    weights: what `solved` returns, of the trials at the first n columns of places.
    """
    m = pool.shape[1]
    mean, nearest = np.zeros(m, pool.dtype), np.zeros(m, pool.dtype)
    away = np.empty(m, pool.dtype)
    for i in range(n):
        distances(pool, rates, places[:, i].copy(), away)
        near_exponential(away, away)
        weight = weights[i]
        for j in range(m):
            mean[j] += weight * away[j]
            nearest[j] = max(nearest[j], away[j])
    return mean, nearest


@njit(cache=True)
def expected_improvement(mean, nearest, noise, target):
    """Return the expected excess over the target of normal variables, (m,).

    Their variance is what the nearest trial alone leaves, 1 - nearest^2 / (1 + noise): at least the process's own.
    """
    out = np.empty(len(mean))
    for j in range(len(mean)):
        deviation = math.sqrt(max(1.0 - nearest[j] * nearest[j] / (1.0 + noise), 1e-9))
        u = (mean[j] - target) / deviation
        density = math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
        out[j] = deviation * (u * 0.5 * math.erfc(-u / math.sqrt(2.0)) + density)
    return out


@njit(cache=True)
def moved(centres, cardinalities, ordered, changes, reach, draws):
    """Return one move of each row of centres, (n, d): `changes` digits of it each taken to another value.

    draws: uniform numbers, (n, most changes, 4). A cardinality of 0 stands for a real number in [0, 1).
    """
    out = centres.copy()
    d = len(cardinalities)
    for i in range(len(centres)):
        for c in range(changes[i]):
            j = int(draws[i, c, 0] * d)
            count = cardinalities[j]
            if count == 1:
                continue
            far = not ordered[j] or draws[i, c, 1] < reach
            if count == 0:
                if far:
                    out[i, j] = draws[i, c, 2]
                else:
                    # Box and Muller's normal step, reflected at the ends.
                    size = 0.1 * math.sqrt(-2.0 * math.log(1.0 - draws[i, c, 2]))
                    value = abs(out[i, j] + size * math.cos(2.0 * math.pi * draws[i, c, 3]))
                    value = 2.0 - value if value >= 1.0 else value
                    out[i, j] = min(max(value, 0.0), 1.0 - 2.0**-53)
                continue
            here = int(out[i, j])
            there = -1
            if not far:
                step = 1 + int(-math.log2(1.0 - draws[i, c, 2]))
                sign = 1 if draws[i, c, 3] < 0.5 else -1
                there = here + sign * step
                if there < 0 or there >= count:
                    there = here - sign * step
            if there < 0 or there >= count:
                there = (here + 1 + int(draws[i, c, 2] * (count - 1))) % count
            out[i, j] = there
    return out
