"""Compiled: constants at which a program's largest relative error is least, by levelling its extremes.

Remez' second algorithm with the program linearised at its constants, as for rational functions (Powell, Approximation
Theory and Methods, 1981, chapters 8 and 10). Residuals go in double-double where float64 would be seen in them.
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.quantization._program_fit_kernel import damped_step
from designgym.cost_models.quantization._program_kernel import backward, forward, forward_twice, relative_errors

FINE = 1e-7  # errors below are worked out in double-double
ROUNDS, HALVINGS = 20, 3
LEVEL = 1e-8  # extremes that differ by so little count as level
INDEPENDENT = 1e-11  # what is left of a derivative, over itself, once the others are taken out of it


def errors_of(ops, lefts, rights, constants, count, squarings, target, target_low, fine, rows, low, out):
    """Write relative errors at the points of row 0 and return the largest size; inf for a pole or no number.

    rows, low: x and constants in double-double. fine: whether all is worked out so.
    """
    first, n = 1 + constants, rows.shape[1]
    if not forward(ops, lefts, rights, first, count, rows):
        return math.inf
    last = constants + count
    if fine:
        forward_twice(ops, lefts, rights, first, count, rows, low)
    else:
        for t in range(n):
            low[last, t] = 0.0
    relative_errors(rows[last], low[last], target, target_low, squarings, out)
    worst = 0.0
    for t in range(n):
        if not abs(out[t]) < math.inf:
            return math.inf
        worst = max(worst, abs(out[t]))
    return worst


def independent(slopes, constants, work, chosen):
    """Put those constants first in `chosen` whose derivatives others cannot make; return how many there are."""
    n = slopes.shape[1]
    for j in range(constants):
        size = 0.0
        for t in range(n):
            size += slopes[1 + j, t] * slopes[1 + j, t]
        size = math.sqrt(size)
        for t in range(n):
            work[j, t] = slopes[1 + j, t] / size if size > 0 else 0.0
        chosen[j] = j
    for rank in range(constants):
        best, most = rank, 0.0
        for j in range(rank, constants):
            size = 0.0
            for t in range(n):
                size += work[chosen[j], t] * work[chosen[j], t]
            if size > most:
                best, most = j, size
        if not most > INDEPENDENT * INDEPENDENT:
            return rank
        chosen[rank], chosen[best] = chosen[best], chosen[rank]
        pivot, size = work[chosen[rank]], math.sqrt(most)
        for t in range(n):
            pivot[t] /= size
        for j in range(rank + 1, constants):
            row, along = work[chosen[j]], 0.0
            for t in range(n):
                along += pivot[t] * row[t]
            for t in range(n):
                row[t] -= along * pivot[t]
    return constants


def rises(errors, target, values, squarings, rising):
    """Write the derivative of relative errors by values."""
    for t in range(len(errors)):
        rising[t] = 1.0 / target[t]
        if squarings > 0:
            rising[t] *= 2.0**squarings * (1.0 + errors[t]) ** (1.0 - 0.5**squarings)
            rising[t] = -rising[t] if values[t] < 0 else rising[t]


def extremes(errors, wanted, places):
    """Write the places of extremes of alternating sign, the largest one among them; return how many there are.

    Where there are more than wanted, the smallest go.
    """
    found = 0
    for t in range(len(errors)):
        if found and (errors[places[found - 1]] > 0) == (errors[t] > 0):
            if abs(errors[t]) > abs(errors[places[found - 1]]):
                places[found - 1] = t
        elif errors[t] != 0:
            places[found] = t
            found += 1
    while found > wanted:
        least = 0
        for i in range(1, found):
            if abs(errors[places[i]]) < abs(errors[places[least]]):
                least = i
        ends = found - wanted == 1 or least == 0 or least == found - 1
        if ends:  # one less: at the end that is smaller
            least = 0 if abs(errors[places[0]]) < abs(errors[places[found - 1]]) else found - 1
            gone = 1
        else:  # two neighbours less, for signs to alternate
            if abs(errors[places[least - 1]]) < abs(errors[places[least + 1]]):
                least -= 1
            gone = 2
        for i in range(least, found - gone):
            places[i] = places[i + gone]
        found -= gone
    return found


def level_step(errors, slopes, rising, places, chosen, rank, system, step):
    """Write the change of the chosen constants that makes rank + 1 extremes of one size; return False for none."""
    size = rank + 1
    for i in range(size):
        t = places[i]
        for j in range(rank):
            system[i, j] = slopes[1 + chosen[j], t] * rising[t]
        system[i, rank] = -1.0 if errors[t] > 0 else 1.0
        system[i, size] = -errors[t]
    for j in range(rank):  # columns of one size
        most = 0.0
        for i in range(size):
            most = max(most, abs(system[i, j]))
        if not 0.0 < most < math.inf:
            return False
        system[size, j] = most
        for i in range(size):
            system[i, j] /= most
    for j in range(size):
        pivot = j
        for i in range(j + 1, size):
            if abs(system[i, j]) > abs(system[pivot, j]):
                pivot = i
        if not abs(system[pivot, j]) > 1e-14:
            return False
        for c in range(j, size + 1):
            system[j, c], system[pivot, c] = system[pivot, c], system[j, c]
        for i in range(j + 1, size):
            factor = system[i, j] / system[j, j]
            for c in range(j, size + 1):
                system[i, c] -= factor * system[j, c]
    for i in range(size - 1, -1, -1):
        value = system[i, size]
        for j in range(i + 1, size):
            value -= system[i, j] * system[j, size]
        system[i, size] = value / system[i, i]
    for j in range(rank):
        step[j] = system[j, size] / system[size, j]
        if not abs(step[j]) < 1e100:
            return False
    return True


def set_constant(rows, low, row, value, rest):
    """Write a constant of double-double into its rows."""
    for t in range(rows.shape[1]):
        rows[row, t], low[row, t] = value, rest


def add_to_constant(rows, low, row, step):
    """Add a number to a constant of double-double."""
    value, rest = rows[row, 0], low[row, 0] + step
    total = value + rest
    part = total - value
    set_constant(rows, low, row, total, (value - (total - part)) + (rest - part))


@over_designs
def levelled(which, constants, count, squarings, sets, carried, forms, found, grid, points, best):
    """Return the largest relative error of design `which` at all points, inf where there is a pole.

    sets, found: sets of constants to begin at, as `least_squares` leaves them, and the place for one more, which is
    written: the best. The first that has no pole counts, and the last if it is carried from one squaring less.
    grid, points: rows are x, nothing, and 2^(x / 2^s) for s = 0, 1, ... in double-double; points a multiple of the
    grid's, on which extremes are levelled. best: (n, 2 constants and more), written: high parts of constants, then low.
    """
    row, m, count, squarings, k = int(which), int(constants), int(count), int(squarings), forms.shape[1] // 5
    ops, lefts, rights = forms[row, :k], forms[row, k : 2 * k], forms[row, 2 * k : 3 * k]
    n, own, blocks = grid.shape[1], 2 + 2 * squarings, points.shape[1] // grid.shape[1]
    rows, low, slopes = np.empty((1 + m + count, n)), np.zeros((1 + m + count, n)), np.empty((1 + m + count, n))
    work, places, out = np.empty((2 * m + 6, n + 2 * m)), np.empty(n, np.int64), np.empty(n)
    chosen, high, rest, step, rising = np.empty(m, np.int64), np.empty(m), np.empty(m), np.empty(m), np.empty(n)
    # Every callee is inlined: one place works out errors, first over the grid and then, block by block, at the points.
    tried, total, found_least = 0, int(sets), math.inf
    while tried < total:
        least, judged, rank, fine, halvings, block = math.inf, 0.0, 0, False, 0, -1
        for j in range(m):
            set_constant(rows, low, 1 + j, found[row, tried * m + j], 0.0)
        for turn in range(ROUNDS + blocks):
            part = grid if block < 0 else points[:, block * n : (block + 1) * n]
            for t in range(n):
                rows[0, t], low[0, t] = part[0, t], 0.0
            worst = errors_of(ops, lefts, rights, m, count, squarings, part[own], part[own + 1], fine, rows, low, out)
            if block >= 0:
                judged, block = max(judged, worst), block + 1
                if block == blocks or judged == math.inf:
                    break
                continue
            if worst < FINE and not fine:
                fine = True
                continue
            more = False
            if worst < least:
                least, halvings = worst, 0
                for j in range(m):
                    high[j], rest[j] = rows[1 + j, 0], low[1 + j, 0]
                backward(ops, lefts, rights, 1 + m, count, rows, slopes)
                rises(out, part[own], rows[m + count], squarings, rising)
                rank = independent(slopes, m, work, chosen)
                if rank > 0 and extremes(out, rank + 1, places) == rank + 1:
                    smallest = math.inf
                    for i in range(rank + 1):
                        smallest = min(smallest, abs(out[places[i]]))
                    more = worst - smallest >= LEVEL * worst and level_step(
                        out, slopes, rising, places, chosen, rank, work, step
                    )
                elif rank > 0:  # still far off: a step of least squares
                    for j in range(m):
                        for t in range(n):
                            slopes[1 + j, t] *= rising[t]
                    rank = m
                    more = damped_step(slopes, out, m, 1e-30, work, step)
                    for j in range(m):
                        chosen[j] = j
            else:
                halvings += 1
                more = halvings <= HALVINGS and rank > 0
                for j in range(rank):
                    step[j] *= 0.5
            if least == math.inf:
                judged = math.inf
                break
            for j in range(m):
                set_constant(rows, low, 1 + j, high[j], rest[j])
            if more and turn + 1 < ROUNDS:
                for j in range(rank):
                    add_to_constant(rows, low, 1 + chosen[j], step[j])
            else:
                block = 0
        if judged < found_least:
            found_least = judged
            for j in range(m):
                best[row, j], best[row, m + j] = high[j], rest[j]
                found[row, total * m + j] = high[j]
        tried = (
            total - 1
            if judged < math.inf and carried and tried < total - 1
            else total
            if judged < math.inf
            else (tried + 1)
        )
    return (found_least,)
