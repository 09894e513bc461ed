"""Compiled domination checks for `designgym.envs.pareto`; Numba is imported only when one is first used."""

import numpy as np
from numba import njit


@njit(cache=True)
def dominates(a, b):
    """Whether loss row a is nowhere above row b and somewhere below it; both (k,)."""
    below = False
    for j in range(len(a)):
        if a[j] > b[j]:
            return False
        below |= a[j] < b[j]
    return below


@njit(cache=True)
def undominated_by(front, losses):
    """Where no row of front, (m, k), dominates the row of losses, (n, k). The order of front's rows is changed."""
    keep = np.ones(len(losses), np.bool_)
    row = np.empty(front.shape[1])
    for i in range(len(losses)):
        for m in range(len(front)):
            if dominates(front[m], losses[i]):
                keep[i] = False
                # What dominated one row probably dominates the next: it is asked first.
                if m:
                    row[:] = front[m]
                    front[m] = front[m // 2]
                    front[m // 2] = row
                break
    return keep


@njit(cache=True)
def nondominated_sorted(losses):
    """Where no other row dominates a row. losses: (n, k) in lexicographic order, so only earlier rows can."""
    keep = np.ones(len(losses), np.bool_)
    front = np.empty_like(losses)
    size = 0
    for i in range(len(losses)):
        for m in range(size):
            if dominates(front[m], losses[i]):
                keep[i] = False
                break
        if keep[i]:
            front[size] = losses[i]
            size += 1
    return keep


@njit(cache=True)
def ranks_of_two(second, same):
    """Front of each row in lexicographic order, given its second loss and whether it equals the row before.

    The last row of a front has its least second loss, and these rise from front to front: one binary search a row
    (Jensen, IEEE TEVC 7(5), 2003, doi:10.1109/TEVC.2003.817234).
    """
    n = len(second)
    ranks = np.empty(n, np.int64)
    last = np.empty(n)
    fronts = 0
    for i in range(n):
        if same[i]:
            ranks[i] = ranks[i - 1]
            continue
        low, high = 0, fronts
        while low < high:
            middle = (low + high) // 2
            if last[middle] <= second[i]:
                low = middle + 1
            else:
                high = middle
        last[low] = second[i]
        fronts = max(fronts, low + 1)
        ranks[i] = low
    return ranks


@njit(cache=True)
def ranks_of_many(losses):
    """Front of each row of losses, (n, k) in lexicographic order.

    A row belongs to the first front of which no member dominates it, found by binary search: the fronts before it all
    hold such a member (ENS-BS; Zhang, Tian, Cheng and Jin, IEEE TEVC 19(2), 2015, doi:10.1109/TEVC.2014.2308305).
    """
    n = len(losses)
    ranks = np.empty(n, np.int64)
    newest = np.full(n, -1)  # last member of each front
    older = np.full(n, -1)  # member before this one in the same front
    fronts = 0
    for i in range(n):
        low, high = 0, fronts
        while low < high:
            middle = (low + high) // 2
            member = newest[middle]
            while member >= 0 and not dominates(losses[member], losses[i]):
                member = older[member]
            if member >= 0:
                low = middle + 1
            else:
                high = middle
        older[i] = newest[low]
        newest[low] = i
        fronts = max(fronts, low + 1)
        ranks[i] = low
    return ranks


@njit(cache=True)
def _insert(stairs, size, x, y):
    """Put a box from the origin to (x, y) under stairs, (m, 2); return what area it adds and how many stairs there are.

    The first `size` stairs fall in x and rise in y.
    """
    at, height = 0, 0.0
    while at < size and stairs[at, 0] >= x:
        height = stairs[at, 1]
        at += 1
    if height >= y:
        return 0.0, size
    right, area, gone = x, 0.0, at
    while gone < size and stairs[gone, 1] <= y:
        area += (right - stairs[gone, 0]) * (y - height)
        right, height = stairs[gone, 0], stairs[gone, 1]
        gone += 1
    left = stairs[gone, 0] if gone < size else 0.0
    area += (right - left) * (y - height)
    # An equal x that is lower lies below the new box too.
    if at and stairs[at - 1, 0] == x:
        at -= 1
    moved = size - gone
    if gone > at:
        for i in range(moved):
            stairs[at + 1 + i] = stairs[gone + i]
    else:
        for i in range(moved - 1, -1, -1):
            stairs[at + 1 + i] = stairs[gone + i]
    stairs[at, 0], stairs[at, 1] = x, y
    return area, at + 1 + moved


@njit(cache=True)
def added_by_two(gains):
    """Area that each row adds to those before it, (n,). gains: (n, 2), boxes from the origin."""
    added = np.empty(len(gains))
    stairs = np.empty((len(gains) + 1, 2))
    size = 0
    for i in range(len(gains)):
        added[i], size = _insert(stairs, size, gains[i, 0], gains[i, 1])
    return added


@njit(cache=True)
def added_by_three(gains):
    """Volume that each row adds to those before it, (n,). gains: (n, 3), boxes from the origin.

    A row's own volume less that of the others within it, swept downwards along the last gain.
    """
    n = len(gains)
    added = np.zeros(n)
    kept = np.empty((n + 1, 3))  # no row below another one, by falling last gain
    stairs = np.empty((n + 1, 2))
    size = 0
    for i in range(n):
        x, y, z = gains[i, 0], gains[i, 1], gains[i, 2]
        stair, area, shared, top, inside = 0, 0.0, 0.0, z, False
        for j in range(size):
            a, b, c = min(kept[j, 0], x), min(kept[j, 1], y), min(kept[j, 2], z)
            inside = a == x and b == y and c == z
            if inside:
                break
            shared += area * (top - c)
            top = c
            more, stair = _insert(stairs, stair, a, b)
            area += more
        if inside:
            continue
        added[i] = x * y * z - shared - area * top
        # Rows below the new one go, and it takes its place.
        left = 0
        for j in range(size):
            if kept[j, 0] > x or kept[j, 1] > y or kept[j, 2] > z:
                kept[left] = kept[j]
                left += 1
        size = left
        at = size
        while at and kept[at - 1, 2] < z:
            kept[at] = kept[at - 1]
            at -= 1
        kept[at, 0], kept[at, 1], kept[at, 2] = x, y, z
        size += 1
    return added
