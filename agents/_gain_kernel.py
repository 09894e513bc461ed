"""Compiled: by how much a design is expected to improve what is known, for any number of objectives.

What is not dominated is cut into boxes; with independent normal losses the expected gain is the sum over boxes of the
product over objectives of what lies below an edge (Emmerich, Yang, Deutz, Wang and Fonseca, 2016,
doi:10.1007/978-3-319-29975-4_7). With one objective there is one box, and this is expected improvement.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True)
def below(edge, mean, deviation):
    """Return the expected length below an edge of a normal variable: E max(edge - y, 0)."""
    if edge == -math.inf:
        return 0.0
    u = (edge - mean) / deviation
    density = math.exp(-0.5 * u * u) / math.sqrt(2.0 * math.pi)
    return deviation * max(u * 0.5 * math.erfc(-u / math.sqrt(2.0)) + density, 0.0)


@njit(cache=True)
def log_chance(margin):
    """Return the logarithm of the chance that a standard normal variable is below a number."""
    if margin > -30.0:
        return math.log(0.5 * math.erfc(-margin / math.sqrt(2.0)))
    return -0.5 * margin * margin - math.log(-margin * math.sqrt(2.0 * math.pi))


@njit(cache=True)
def worths(lower, upper, means, deviations, margins, spreads):
    """Return the logarithm of the expected gain times the chance that every margin is at most 0, (m,).

    lower, upper: edges of boxes, (boxes, k), none where nothing but the chance counts. means, deviations: of losses,
    (k, m); margins, spreads: of how far bounds are passed, (bounds, m).
    """
    m, k = means.shape[1], len(means)
    out = np.empty(m)
    for i in range(m):
        gain = 0.0 if len(lower) else 1.0
        for b in range(len(lower)):
            volume = 1.0
            for j in range(k):
                volume *= below(upper[b, j], means[j, i], deviations[j, i]) - below(
                    lower[b, j], means[j, i], deviations[j, i]
                )
            gain += volume
        value = math.log(max(gain, 1e-300))
        for c in range(len(margins)):
            value += log_chance(-margins[c, i] / spreads[c, i])
        out[i] = value
    return out
