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
