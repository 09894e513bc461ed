"""Pareto sets of losses: which are nondominated, in which front, how crowded, and the volume that they dominate.

Row a dominates row b where it is nowhere above it and somewhere below it; equal rows do not dominate each other.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]


def nondominated(losses: Losses) -> NDArray[np.bool_]:
    """Return where no other row dominates a row, bool (n,); of equal rows all or none are kept.

    losses: (n, k), minimised. ValueError for a NaN.
    """
    losses, order = _in_order(losses)
    keep = np.empty(len(losses), bool)
    if losses.shape[1] > 2:
        from designgym.envs._pareto_kernel import nondominated_sorted

        keep[order] = nondominated_sorted(losses)
        return keep
    first, last = losses[:, 0], losses[:, -1]
    starts = np.append(True, first[1:] > first[:-1])[: len(losses)]
    group = np.cumsum(starts) - 1
    # Within a group of equal first losses the least second one comes first; it must beat all groups before it.
    lowest = last[starts]
    beats = np.ones(len(lowest), bool)
    beats[1:] = lowest[1:] < np.minimum.accumulate(lowest)[:-1]
    keep[order] = beats[group] & (last == lowest[group])
    return keep


def nondominated_ranks(losses: Losses) -> NDArray[np.int64]:
    """Return the front of each row, int64 (n,): 0 where nondominated, 1 where so once front 0 is gone, and so on.

    losses: (n, k), minimised. ValueError for a NaN.
    """
    from designgym.envs._pareto_kernel import ranks_of_many, ranks_of_two

    losses, order = _in_order(losses)
    same = np.zeros(len(losses), bool)
    same[1:] = (losses[1:] == losses[:-1]).all(axis=1)
    ranks = np.empty(len(losses), np.int64)
    if losses.shape[1] == 1:
        ranks[order] = np.cumsum(~same) - 1
    elif losses.shape[1] == 2:
        ranks[order] = ranks_of_two(np.ascontiguousarray(losses[:, 1]), same)
    else:
        ranks[order] = ranks_of_many(losses)
    return ranks


def crowding_distance(losses: Losses, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far each row's neighbours in its front lie apart, (n,): inf at a front's ends.

    Per loss, the gap between the next and the previous value over the front's range, summed; 0 where the range is 0.
    Source: Deb, Pratap, Agarwal and Meyarivan, IEEE TEVC 6(2), 2002, doi:10.1109/4235.996017.
    """
    n = len(losses)
    distance = np.zeros(n)
    if not n:
        return distance
    for column in losses.T:
        order = _order(ranks, column)
        value, front = column[order], ranks[order]
        first = np.flatnonzero(np.append(True, front[1:] != front[:-1]))
        last = np.append(first[1:], n) - 1
        gap = np.zeros(n)
        with np.errstate(divide="ignore", invalid="ignore"):
            width = np.repeat(value[last] - value[first], last - first + 1)
            gap[1:-1] = (value[2:] - value[:-2]) / width[1:-1]
        gap[~np.isfinite(gap)] = 0.0
        gap[first] = gap[last] = np.inf
        distance[order] += gap
    return distance


def hypervolume(losses: Losses, reference: NDArray[np.float64]) -> float:
    """Return the volume between the losses, (n, k), and the reference point, (k,): exact; 0 for no row below it.

    A sweep for two losses; for more, the volume that each row adds to those after it, sorted so that the last loss
    factors out (While, Bradstreet and Barone, IEEE TEVC 16(1), 2012, doi:10.1109/TEVC.2010.2077298).
    """
    losses, reference = np.asarray(losses, np.float64), np.asarray(reference, np.float64)
    if losses.ndim != 2 or reference.shape != losses.shape[1:]:
        raise ValueError(f"losses (n, k) need a reference of shape (k,), got {losses.shape} and {reference.shape}.")
    gains = reference - losses
    return _volume(gains[(gains > 0).all(axis=1)])


def hypervolume_so_far(losses: Losses, reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the hypervolume of rows 0 ... i for each i, float64 (n,); a row with a NaN adds nothing."""
    gains = np.asarray(reference, np.float64) - np.asarray(losses, np.float64)
    added = np.zeros(len(gains))
    rows = np.flatnonzero((gains > 0).all(axis=1))
    if gains.shape[1] in (2, 3):
        from designgym.envs._pareto_kernel import added_by_three, added_by_two

        kernel = added_by_two if gains.shape[1] == 2 else added_by_three
        added[rows] = kernel(np.ascontiguousarray(gains[rows]))
        return np.cumsum(added)
    kept = np.empty((0, gains.shape[1]))
    for i in rows:
        gain = gains[i]
        if (kept >= gain).all(axis=1).any():
            continue
        added[i] = np.prod(gain) - _volume(np.minimum(kept, gain))
        kept = np.vstack([kept[(kept > gain).any(axis=1)], gain])
    return np.cumsum(added)


def _volume(gains: Losses) -> float:
    """Volume of the union of boxes from the origin to each row, (n, k), all positive."""
    if not len(gains):
        return 0.0
    if gains.shape[1] == 1:
        return float(gains.max())
    gains = gains[nondominated(-gains)]
    # By the last gain, least first: of every row and those after it, the row itself has the least.
    gains = gains[np.argsort(gains[:, -1], kind="stable")]
    if gains.shape[1] == 2:
        # The first gain falls as the last one rises.
        return float((gains[:, 0] * np.diff(gains[:, 1], prepend=0.0)).sum())
    total = 0.0
    for i, row in enumerate(gains):
        others = np.minimum(gains[i + 1 :, :-1], row[:-1])
        total += float(row[-1]) * (float(np.prod(row[:-1])) - _volume(others))
    return total


def _in_order(losses: Losses) -> tuple[Losses, NDArray[np.int64]]:
    """Rows in lexicographic order, contiguous, and where each came from."""
    losses = np.asarray(losses, np.float64)
    if losses.ndim != 2 or not losses.shape[1]:
        raise ValueError(f"losses must have shape (n, k) with k >= 1, got {losses.shape}.")
    if np.isnan(losses).any():
        raise ValueError(f"losses must not be NaN, got {int(np.isnan(losses).any(axis=1).sum())} such rows. Drop them.")
    order = _order(*losses.T)
    return losses[order], order


def _order(*keys: NDArray[Any]) -> NDArray[np.int64]:
    """Rows by the first key, then the next, then their own order: `np.lexsort(keys[::-1])`, four times as fast."""
    order: NDArray[np.int64] = np.arange(len(keys[0]))
    for key in reversed(keys):
        order = order[np.argsort(_places(key)[order], kind="stable")]
    return order


def _places(key: NDArray[Any]) -> NDArray[Any]:
    """Return each value's place among the different values: 16-bit ones, where they suffice, sort in linear time."""
    order = np.argsort(key)
    ordered = key[order]
    places = np.empty(len(key), np.uint16 if len(key) <= 2**16 else np.int64)
    places[order] = np.cumsum(np.append(False, ordered[1:] != ordered[:-1])[: len(key)])
    return places
