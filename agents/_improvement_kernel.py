"""Compiled choice among candidates, by what they are expected to improve on the best."""

import math

import numpy as np
from numba import njit

from designgym.agents._gaussian_process_kernel import FUSED, ONE, SQUARINGS, STEP
from designgym.agents._prediction_kernel import greater


@njit(cache=True, fastmath=FUSED)
def expected_improvement(mean, nearest, noise, target):
    """Return the expected excess over the target of a normal variable.

    Its variance is what the nearest trial alone leaves, 1 - nearest^2 / (1 + noise): at least the process's own.
    """
    deviation = math.sqrt(max(1.0 - nearest * nearest / (1.0 + noise), 1e-9))
    u = (mean - target) / deviation
    density = math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    return deviation * (u * 0.5 * math.erfc(-u / math.sqrt(2.0)) + density)


@njit(cache=True, fastmath=FUSED)
def most_improving(mean, nearest, noise, target, count):
    """Return the rows of the highest expected improvement, the least of them first, at most (count,)."""
    improvement = np.empty(len(mean))
    for j in range(len(mean)):
        improvement[j] = expected_improvement(mean[j], nearest[j], noise, target)
    return np.argsort(improvement)[-count:]


@njit(cache=True, fastmath=FUSED)
def chance_above(mean, nearest, noise, bound):
    """Return how likely a normal variable, of the same variance, is above a bound."""
    deviation = math.sqrt(max(1.0 - nearest * nearest / (1.0 + noise), 1e-9))
    return 0.5 * math.erfc((bound - mean) / (deviation * math.sqrt(2.0)))


@njit(cache=True, fastmath=FUSED)
def promising_within(mean, nearest, margin, margin_nearest, pool, rates, margin_rates, noise, target, bound, count):
    """Return rows of the pool, the best first: expected improvement times the chance that the margin is above a bound.

    mean, nearest: of the score; margin, margin_nearest: of how well the constraints are kept. A row picked counts as a
    trial that came to what was expected of it. Source: Schonlau, Welch and Jones, 1998, doi:10.1214/lnms/1215456182.
    """
    m, count = len(mean), min(count, len(mean))
    rows, worth = np.empty(count, np.int64), np.empty(m)
    nearest, margin_nearest, taken = nearest.copy(), margin_nearest.copy(), np.zeros(m, np.bool_)
    for c in range(count):
        for j in range(m):
            improvement = expected_improvement(mean[j], nearest[j], noise, target)
            worth[j] = -1.0 if taken[j] else improvement * chance_above(margin[j], margin_nearest[j], noise, bound)
        best = np.argmax(worth)
        rows[c], taken[best] = best, True
        if margin[best] > bound:
            target = max(target, mean[best])
        for j in range(m):
            nearest[j] = greater(correlation(rates, pool, best, j), nearest[j])
            margin_nearest[j] = greater(correlation(margin_rates, pool, best, j), margin_nearest[j])
    return rows


@njit(cache=True, fastmath=FUSED)
def correlation(rates, pool, i, j):
    """Return the correlation of two rows of a pool, as `correlate` does."""
    value = ONE
    for f in range(len(rates)):
        value *= ONE - rates[f] * STEP * min(abs(pool[i, f] - pool[j, f]), ONE)
    for _ in range(SQUARINGS):
        value *= value
    return value


@njit(cache=True, fastmath=FUSED)
def promising(mean, nearest, pool, rates, noise, target, count):
    """Return the rows of the pool, (m, f), to price next, the best first: each the one of highest expected improvement.

    A row picked counts as a trial that came to what was expected of it: what lies near it has less to offer. Nothing
    has more to offer than before, so that only rows that come first are looked at again (Minoux, 1978,
    doi:10.1007/BFb0006528).
    """
    m, count = len(mean), min(count, len(mean))
    rows, known = np.empty(count, np.int64), np.zeros(m, np.int64)  # and how many picks each row was looked at after
    nearest, improvement = nearest.copy(), np.empty(m)
    for j in range(m):
        improvement[j] = expected_improvement(mean[j], nearest[j], noise, target)
    for c in range(count):
        best = np.argmax(improvement)
        while known[best] < c:
            for row in rows[known[best] : c]:
                nearest[best] = greater(correlation(rates, pool, row, best), nearest[best])
            known[best] = c
            improvement[best] = expected_improvement(mean[best], nearest[best], noise, target)
            best = np.argmax(improvement)
        rows[c], improvement[best] = best, -1.0
        target = max(target, mean[best])
    return rows
