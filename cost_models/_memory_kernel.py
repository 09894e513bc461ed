"""Compiled insertion and look-up in a hash table of designs; Numba is imported only when one is first used."""

import numpy as np
from numba import njit


@njit(cache=True)
def insert(slots, known, count, keys, limit):
    """Look every row of keys up in the table, adding it while count < limit.

    slots: int64 (2**b,), a place or -1. known: uint64 (capacity, words), the key of each place, written for new ones.
    Return places, int64 (n,), -1 where the limit was reached, and the new count.
    """
    mask = len(slots) - 1
    n, words = keys.shape
    places = np.empty(n, np.int64)
    for i in range(n):
        # splitmix64's finaliser (Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195), word after word.
        h = np.uint64(0)
        for w in range(words):
            h ^= keys[i, w]
            h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            h ^= h >> np.uint64(31)
        slot = np.int64(h & np.uint64(mask))
        place = np.int64(-1)
        while slots[slot] >= 0:
            candidate = slots[slot]
            same = True
            for w in range(words):
                if known[candidate, w] != keys[i, w]:
                    same = False
                    break
            if same:
                place = candidate
                break
            slot = (slot + 1) & mask
        if place < 0 and count < limit:
            place = count
            slots[slot] = count
            for w in range(words):
                known[count, w] = keys[i, w]
            count += 1
        places[i] = place
    return places, count


@njit(cache=True)
def find(slots, known, keys):
    """Return the place of every row of keys in the table, int64 (n,), -1 where it is not there; writes nothing."""
    # The loop of `insert` once more: a function that both call takes three times as long.
    mask = len(slots) - 1
    n, words = keys.shape
    places = np.empty(n, np.int64)
    for i in range(n):
        h = np.uint64(0)
        for w in range(words):
            h ^= keys[i, w]
            h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            h ^= h >> np.uint64(31)
        slot = np.int64(h & np.uint64(mask))
        place = np.int64(-1)
        while slots[slot] >= 0:
            candidate = slots[slot]
            same = True
            for w in range(words):
                if known[candidate, w] != keys[i, w]:
                    same = False
                    break
            if same:
                place = candidate
                break
            slot = (slot + 1) & mask
        places[i] = place
    return places
