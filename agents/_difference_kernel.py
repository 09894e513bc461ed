"""Compiled: in how many parameters designs differ."""

import numpy as np
from numba import njit


@njit(cache=True)
def difference(place, other, group, scale, most):
    """Return in how many parameters two places, (f,), differ; `most` or more where it is at least that.

    group: the parameter of each place, (f,), in order. scale: differences times it, (f,), count as 1 from 1 on; of a
    parameter with several places the largest counts.
    """
    total, step = 0.0, 0.0
    for f in range(len(place)):
        if f > 0 and group[f] != group[f - 1]:
            total, step = total + step, 0.0
            if total >= most:
                return total
        step = max(step, min(abs(place[f] - other[f]) * scale[f], 1.0))
    return total + step


@njit(cache=True)
def nearest(places, others, group, scale):
    """Return in how many parameters each place, (m, f), differs from the nearest of others, (k, f); (m,), inf of none.

    group, scale: see `difference`.
    """
    out = np.empty(len(places))
    for i in range(len(places)):
        least = np.inf
        for k in range(len(others)):
            least = min(least, difference(places[i], others[k], group, scale, least))
        out[i] = least
    return out


@njit(cache=True)
def mean_difference(places, others, group, scale):
    """Return in how many parameters two places of a row, (m, f) each, differ on average."""
    total = 0.0
    for i in range(len(places)):
        total += difference(places[i], others[i], group, scale, np.inf)
    return total / len(places)
