"""Compiled choice of what `bayesian` asks next, where designs are digits and every one is valid.

The same steps as `Picker` takes elsewhere, at a tenth of the calls; what moves of a candidate correlate with is worked
out from what the candidate itself does. Here and in the other kernels arrays are copied by loops: one assignment to a
slice takes Numba longer to compile than the loops of a whole module, by seconds.
"""

import numpy as np
from numba import njit

from designgym.agents._improvement_kernel import most_improving, promising
from designgym.agents._pool_kernel import candidates, new_rows, places_of
from designgym.agents._prediction_kernel import correlate_starts, guess, move, multiply, rows_for


@njit(cache=True)
def pick(state, digits, size, space, shares, seen, process, known, noise, target, parents, count):
    """Return the digits and the places of candidates to price next, the best first, at most (count, d) each.

    state: see `uniform`. digits: of designs to begin at, (s, d), the last counts most. size: of each half of a pool.
    space: cardinalities, which are ordered, and what `places_of` takes. shares: see `candidates`. seen: table of places
    not to return. process: places of trials, how many, rates and weights; known: see `predict`. parents: how many of
    the first half the second begins at.
    """
    cardinalities, ordered, tables, firsts, real = space
    places, n, rates, weights = process
    values, marks, factors, inverses = known
    first, start = candidates(state, digits, size, cardinalities, ordered, *shares)
    where = places_of(first, tables, firsts, real)
    rows = new_rows(seen, where.view(np.uint64), 0)
    if len(rows) == 0:
        return first[:0], where[:0]
    parents, own = min(parents, len(rows)), len(digits)
    starts, (whole, weights) = np.empty((own + parents, len(rates)), places.dtype), rows_for(own + parents + 1, weights)
    begun = places_of(digits, tables, firsts, real)
    for i in range(own):
        for j in range(len(rates)):
            starts[i, j] = begun[i, j]
    correlate_starts(places, n, rates, starts[:own], values, marks, factors, inverses, whole)
    pool, start = where[rows].astype(places.dtype), start[rows]
    mean, nearest = guess(places, n, rates, weights, pool, starts, start, values, marks, factors, inverses, whole)
    best = most_improving(mean, nearest, noise, target, parents)
    changes = np.empty((len(rates), 2), np.int64)
    for b in range(parents):
        j, row = best[b], own + b
        for i in range(len(rates)):
            starts[row, i] = pool[j, i]
        source = start[j]
        for c in range(move(changes, source, starts, pool, j, places, n, rates, values, marks, factors, inverses)):
            multiply(whole, row, source, factors, changes[c, 0], inverses, changes[c, 1])
            source = row

    second, start = candidates(state, first[rows[best]], size, cardinalities, ordered, *shares)
    every = np.concatenate((where[rows], places_of(second, tables, firsts, real)))
    more = new_rows(seen, every.view(np.uint64), len(rows))
    others, start = every[more].astype(places.dtype), start[more - len(rows)] + own
    expected = guess(places, n, rates, weights, others, starts, start, values, marks, factors, inverses, whole)
    mean, nearest = np.concatenate((mean, expected[0])), np.concatenate((nearest, expected[1]))
    picked = promising(mean, nearest, np.concatenate((pool, others)), rates, noise, target, count)
    made, taken = np.concatenate((first[rows], second[more - len(rows)])), np.concatenate((where[rows], every[more]))
    return made[picked], taken[picked]
