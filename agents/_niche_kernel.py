"""Compiled: which of many designs are elsewhere than some that were given up."""

import numpy as np
from numba import njit


@njit(cache=True)
def difference(place, other, group, scale):
    """Return in how many parameters two places, (f,), differ. group, scale: see `outside`."""
    total, step = 0.0, 0.0
    for f in range(len(place)):
        if f > 0 and group[f] != group[f - 1]:
            total, step = total + step, 0.0
        step = max(step, min(abs(place[f] - other[f]) * scale[f], 1.0))
    return total + step


@njit(cache=True)
def outside(places, left, group, scale, radius):
    """Return which places, (m, f), differ from each of those left, (k, f), in `radius` parameters at least, (m,).

    group: the parameter of each place, (f,), in order. scale: differences times it, (f,), count as 1 from 1 on; of a
    parameter with several places the largest counts.
    """
    out = np.ones(len(places), np.bool_)
    for i in range(len(places)):
        for k in range(len(left)):
            if difference(places[i], left[k], group, scale) < radius:
                out[i] = False
                break
    return out


@njit(cache=True)
def mean_difference(places, others, group, scale):
    """Return in how many parameters two places of a row, (m, f) each, differ on average."""
    total = 0.0
    for i in range(len(places)):
        total += difference(places[i], others[i], group, scale)
    return total / len(places)
