"""Compiled parts of `bayesian`: candidates made of digits, a set of those known, ranks and what they score."""

import math

import numpy as np
from numba import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True)
def mixed(word):
    """Return a word, uint64, well mixed: splitmix64 (Steele, Lea and Flood, 2014, doi:10.1145/2660193.2660195)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@njit(cache=True)
def uniform(state):
    """Return the next number in [0, 1) of a generator with a state of one word, (1,); NumPy's costs five times that."""
    state[0] += GOLDEN
    return np.float64(mixed(state[0]) >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def candidates(state, starts, n, cardinalities, ordered, elite, crossed, further, reach):
    """Return n candidates, (n, d), and the number of the start that each comes from, (n,); state: see `uniform`.

    starts: digits, (s, d). elite: share that begin at another one than the last; crossed: share that take each digit
    from where they begin or from another one than the last; the others take one digit to another value, and with the
    chance `further` one more, and so on. A cardinality of 0 stands for a real number in [0, 1); reach: see `moved`.
    """
    others, d = len(starts) - 1, starts.shape[1]
    pool, start = np.empty((n, d), starts.dtype), np.empty(n, np.int64)
    for i in range(n):
        start[i] = int(uniform(state) * others) if uniform(state) < elite else others
        own, out = starts[start[i]], pool[i]
        if uniform(state) < crossed:
            mate = starts[int(uniform(state) * others)]
            for j in range(d):
                out[j] = own[j] if uniform(state) < 0.5 else mate[j]
            continue
        for j in range(d):
            out[j] = own[j]
        for _ in range(d):
            j = int(uniform(state) * d)
            out[j] = moved(state, out[j], cardinalities[j], ordered[j], reach)
            if uniform(state) >= further:
                break
    return pool, start


@njit(cache=True)
def anywhere(state, cardinalities):
    """Return the digits of a design drawn uniformly, (1, d)."""
    out = np.empty((1, len(cardinalities)))
    for j, count in enumerate(cardinalities):
        value = uniform(state)
        out[0, j] = int(value * count) if count else value
    return out


@njit(cache=True)
def moved(state, here, cardinality, ordered, reach):
    """Return another value of a digit: any, or one or a few steps away; for a real number a normal step away.

    reach: of an ordered parameter's moves the share that go anywhere.
    """
    far = not ordered or uniform(state) < reach
    if cardinality == 0:
        return moved_real(here, far, uniform(state), uniform(state))
    return moved_digit(int(here), cardinality, far, uniform(state), uniform(state))


@njit(cache=True)
def moved_real(here, far, one, other):
    """Return another number in [0, 1): any, or a normal step away (Box and Muller), reflected at the ends."""
    if far:
        return one
    value = abs(here + 0.1 * math.sqrt(-2.0 * math.log(1.0 - one)) * math.cos(2.0 * math.pi * other))
    value = 2.0 - value if value >= 1.0 else value
    return min(max(value, 0.0), 1.0 - 2.0**-53)


@njit(cache=True)
def moved_digit(here, count, far, one, other):
    """Return another digit; a step over the end turns around, or goes anywhere."""
    if count == 1:
        return here
    if not far:
        step = 1 + int(-math.log2(1.0 - one))
        sign = 1 if other < 0.5 else -1
        there = here + sign * step
        if there < 0 or there >= count:
            there = here - sign * step
        if 0 <= there < count:
            return there
    return (here + 1 + int(one * (count - 1))) % count


@njit(cache=True)
def key_of(row):
    """Return a number other than 0 that stands for a row, uint64 (f,)."""
    key, offset = np.uint64(0), np.uint64(0)
    for value in row:
        offset += GOLDEN
        key ^= mixed(value + offset)
    return max(key, np.uint64(1))


@njit(cache=True)
def slot_of(table, key):
    """Return where a key is in an open-addressed table whose length is a power of two, or belongs."""
    mask = np.uint64(len(table) - 1)
    slot = key & mask
    while table[slot] != 0 and table[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True)
def add_rows(table, rows):
    """Add rows, uint64 (n, f), to a table; return how many were new."""
    count = 0
    for i in range(len(rows)):
        key = key_of(rows[i])
        slot = slot_of(table, key)
        count += table[slot] == 0
        table[slot] = key
    return count


@njit(cache=True)
def rehash(table, bigger):
    """Enter the keys of a table into a bigger one, empty so far."""
    for key in table:
        if key:
            bigger[slot_of(bigger, key)] = key


@njit(cache=True)
def new_rows(table, rows, known):
    """Return the numbers of the rows, uint64 (n, f), that are not in the table, the first of equal ones.

    known: rows at the beginning of which it is clear, and which are left out of the answer.
    """
    size = 2
    while size < 2 * len(rows):
        size *= 2
    here, out, count = np.zeros(size, np.uint64), np.empty(len(rows), np.int64), 0
    for i in range(len(rows)):
        key = key_of(rows[i])
        slot = slot_of(here, key)
        if here[slot] == 0 and (i < known or table[slot_of(table, key)] == 0):
            here[slot] = key
            out[count] = i
            count += i >= known
    return out[:count]


@njit(cache=True)
def places_of(digits, tables, firsts, real):
    """Return the places of digits, (n, d): themselves where they are real, else a table's entries from `firsts` on."""
    out = np.empty_like(digits)
    for i in range(len(digits)):
        for j in range(digits.shape[1]):
            out[i, j] = digits[i, j] if real[j] else tables[firsts[j] + int(digits[i, j])]
    return out


@njit(cache=True)
def rank(order, rewards, known):
    """Sort rows `known` and on into order[:known], rows by their rewards, (n,): the highest first, then the earlier."""
    for row in range(known, len(rewards)):
        low, high = 0, row
        while low < high:
            middle = (low + high) // 2
            if rewards[order[middle]] >= rewards[row]:
                low = middle + 1
            else:
                high = middle
        for i in range(row, low, -1):
            order[i] = order[i - 1]
        order[low] = row


@njit(cache=True)
def logistic_scores(rewards, order):
    """Return the logistic distribution's quantiles of the ranks of rewards, scaled to variance 1, equal ones alike.

    order: what sorts the rewards, the highest first, (n,).
    """
    n = len(order)
    out = np.empty(n)
    first = 0
    while first < n:
        last = first + 1
        while last < n and rewards[order[last]] == rewards[order[first]]:
            last += 1
        share = (first + last) / (2.0 * n)
        score = math.log((1.0 - share) / share) * (math.sqrt(3.0) / math.pi)
        for i in range(first, last):
            out[order[i]] = score
        first = last
    return out
