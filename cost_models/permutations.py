"""Orders of items as digits and as lexicographic ranks: the Lehmer code (Knuth, TAOCP 4A, 7.2.1.2)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def take_among_rest(digits: Sequence[Array], n: int) -> Array:
    """Pick for each row, one after another, the digit-th of the items 0 ... n - 1 not picked before.

    digits: each int64 (rows,), digit j in range(n - j). Returns picks, int64 (rows, len(digits)).
    """
    picks = np.empty((len(digits[0]) if digits else 0, len(digits)), np.int64)
    for j, digit in enumerate(digits):
        pick = digit.astype(np.int64, copy=True)
        # Every earlier pick at or below the candidate shifts it up by one, smallest first.
        for earlier in np.sort(picks[:, :j], axis=1).T:
            pick += pick >= earlier
        picks[:, j] = pick
    return picks


def digits_of_picks(picks: Array) -> list[Array]:
    """Inverse of take_among_rest: how many smaller items were still there when each was picked."""
    return [pick - (picks[:, :j] < pick[:, None]).sum(axis=1) for j, pick in enumerate(picks.T)]


def orders_of_ranks(ranks: Array, items: int) -> Array:
    """Return the orders of these lexicographic ranks, int64 (n, items): which item stands at each place."""
    rest, digits = np.asarray(ranks).astype(np.int64, copy=False), [np.zeros(len(ranks), np.int64)]
    for cardinality in range(2, items + 1):
        rest, digit = np.divmod(rest, cardinality)
        digits.append(digit)
    return take_among_rest(digits[::-1], items)


def ranks_of_orders(orders: Array) -> Array:
    """Inverse of orders_of_ranks, int64 (n,)."""
    rank = np.zeros(len(orders), np.int64)
    items = orders.shape[1]
    for place, digit in enumerate(digits_of_picks(np.asarray(orders))[:-1]):
        rank = rank * (items - place) + digit
    return rank
