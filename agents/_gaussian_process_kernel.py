"""Compiled parts of `bayesian`: its Gaussian process, and moves of designs in digit space.

Loops run along contiguous rows, so that they vectorise without reassociating a sum: the same bits on every run.
Source of the process and of the gradient of its likelihood: Rasmussen and Williams, Gaussian Processes for Machine
Learning, MIT Press 2006, algorithm 2.1 and equation 5.9.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True)
def distances(places, rates, one, out):
    """Write the rated L1 distance of one place, (f,), from each column of places, (f, n), into out, (n,)."""
    out[:] = 0.0
    for f in range(places.shape[0]):
        here, rate = one[f], rates[f]
        for i in range(places.shape[1]):
            out[i] += rate * min(abs(places[f, i] - here), 1.0)


@njit(cache=True)
def correlate(places, rates, others, out):
    """Write exp(-distance) of each column of places, (f, n), from each row of others, (m, f), into out, (m, n)."""
    for j in range(others.shape[0]):
        distances(places, rates, others[j], out[j])
        for i in range(places.shape[1]):
            out[j, i] = math.exp(-out[j, i])


@njit(cache=True)
def correlations(places, rates):
    """Return the same of the columns with one another, (n, n): computed below the diagonal and mirrored."""
    n = places.shape[1]
    matrix = np.empty((n, n))
    for j in range(n):
        row = matrix[j]
        row[: j + 1] = 0.0
        for f in range(places.shape[0]):
            here, rate = places[f, j], rates[f]
            for i in range(j + 1):
                row[i] += rate * min(abs(places[f, i] - here), 1.0)
        for i in range(j + 1):
            row[i] = math.exp(-row[i])
    for j in range(n):
        for i in range(j):
            matrix[i, j] = matrix[j, i]
    return matrix


@njit(cache=True)
def factorise(matrix):
    """Turn a symmetric positive definite matrix into its upper Cholesky factor U, U' U = matrix, in place."""
    n = matrix.shape[0]
    for k in range(n):
        pivot = math.sqrt(max(matrix[k, k], 1e-12))
        for j in range(k, n):
            matrix[k, j] /= pivot
        matrix[k, k] = pivot
        for i in range(k + 1, n):
            factor = matrix[k, i]
            for j in range(i, n):
                matrix[i, j] -= factor * matrix[k, j]


@njit(cache=True)
def solve_lower(upper, columns):
    """Overwrite columns, (n, m), with U'^-1 columns."""
    n, m = columns.shape
    for k in range(n):
        pivot = upper[k, k]
        for j in range(m):
            columns[k, j] /= pivot
        for i in range(k + 1, n):
            factor = upper[k, i]
            for j in range(m):
                columns[i, j] -= factor * columns[k, j]


@njit(cache=True)
def solve_upper(upper, columns):
    """Overwrite columns, (n, m), with U^-1 columns."""
    n, m = columns.shape
    for k in range(n - 1, -1, -1):
        for i in range(k + 1, n):
            factor = upper[k, i]
            for j in range(m):
                columns[k, j] -= factor * columns[i, j]
        pivot = upper[k, k]
        for j in range(m):
            columns[k, j] /= pivot


@njit(cache=True)
def slopes(places, rates, group, groups, scores, noise):
    """Return the slope of the log likelihood in the logarithm of each group's rate, (groups,)."""
    f, n = places.shape
    matrix = correlations(places, rates)
    upper = matrix.copy()
    for i in range(n):
        upper[i, i] += noise
    factorise(upper)
    weights = scores.copy().reshape(n, 1)
    solve_lower(upper, weights)
    solve_upper(upper, weights)
    inverse = np.eye(n)
    solve_lower(upper, inverse)
    solve_upper(upper, inverse)
    out = np.zeros(groups)
    row = np.empty(n)
    for j in range(n):
        for i in range(n):
            row[i] = -(weights[i, 0] * weights[j, 0] - inverse[j, i]) * matrix[j, i]
        for k in range(f):
            here, total = places[k, j], 0.0
            for i in range(j):
                total += row[i] * min(abs(places[k, i] - here), 1.0)
            out[group[k]] += rates[k] * total
    return out


@njit(cache=True)
def expected_improvement(places, rates, scores, noise, pool, target):
    """Return the expected excess of each row of the pool, (m, f), over the target, under a process on scores, (m,)."""
    n, m = places.shape[1], pool.shape[0]
    upper = correlations(places, rates)
    for i in range(n):
        upper[i, i] += noise
    factorise(upper)
    weights = scores.copy().reshape(n, 1)
    solve_lower(upper, weights)
    cross = np.empty((m, n))
    correlate(places, rates, pool, cross)
    cross = np.ascontiguousarray(cross.T)
    solve_lower(upper, cross)
    mean, variance = np.zeros(m), np.full(m, 1.0)
    for i in range(n):
        weight = weights[i, 0]
        for j in range(m):
            mean[j] += weight * cross[i, j]
            variance[j] -= cross[i, j] * cross[i, j]
    for j in range(m):
        deviation = math.sqrt(max(variance[j], 1e-9))
        u = (mean[j] - target) / deviation
        density = math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
        mean[j] = deviation * (u * 0.5 * math.erfc(-u / math.sqrt(2.0)) + density)
    return mean


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
