"""Compiled: which of many designs are elsewhere than some that were given up."""

import numpy as np
from numba import njit


@njit(cache=True)
def outside(places, left, group, scale, radius):
    """Return which places, (m, f), differ from each of those left, (k, f), in `radius` parameters at least, (m,).

    group: the parameter of each place, (f,), in order. scale: differences times it, (f,), count as 1 from 1 on; of a
    parameter with several places the largest counts.
    """
    m, width = places.shape
    out = np.ones(m, np.bool_)
    for i in range(m):
        for k in range(len(left)):
            total, step = 0.0, 0.0
            for f in range(width):
                if f > 0 and group[f] != group[f - 1]:
                    total, step = total + step, 0.0
                step = max(step, min(abs(places[i, f] - left[k, f]) * scale[f], 1.0))
            if total + step < radius:
                out[i] = False
                break
    return out
