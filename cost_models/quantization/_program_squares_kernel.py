"""Compiled: constants at which straight-line programs come near 2^x on [0, 1], by least squares of relative errors.

Fits begin at many guesses, and the best ones go on (successive halving). A program that ends in squarings begins also
at what it was with one squaring less, for (P^2)(x) is wanted to be 2^x where P(x) is to be 2^(x / 2): constants that
take in the halved x lead there.
"""

import math

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.quantization._program_fit_kernel import fit
from designgym.cost_models.quantization._program_scale_kernel import equations, solved
from designgym.cost_models.quantization._program_start_kernel import begin, dependences

KEPT, STEPS = (48, 8), (8, 120)  # best fits that go on, and for how many steps at most
ALIKE = (6, 3)  # of them with constants of the same signs
FEWEST = 8  # fits that begin are so many times 2^constants
FIRST_STEPS = 8  # of what the end of a program leaves
DAMPING, TOLERANCE = 1e-8, 1e-9
FIRST_DAMPING, FIRST_TOLERANCE = 1e-3, 1e-3


def best_of(squares, found_at, kept, alike, order):
    """Write the places of the least sums of squares, least first; return how many of them there are.

    kept: most places. alike: most of them whose constants have the same signs, for these lead to the same minimum.
    """
    total, m = found_at.shape
    signs, taken = np.zeros(total, np.int64), np.zeros(total, np.int64)
    for i in range(total):
        for j in range(m):
            signs[i] = 2 * signs[i] + (1 if found_at[i, j] < 0 else 0)
    rank = 0
    while rank < kept:
        best = -1
        for i in range(total):
            if not taken[i] and squares[i] < math.inf and (best < 0 or squares[i] < squares[best]):
                best = i
        if best < 0:
            break
        taken[best], same = 1, 0
        for earlier in range(rank):
            same += signs[order[earlier]] == signs[best]
        if same < alike:
            order[rank] = best
            rank += 1
    return rank


def halved(ops, lefts, rights, constants, count, system, exponents):
    """Write by which powers of two each row changes where x is halved and the result stays; 0 where none does it."""
    first, rows = 1 + constants, 1 + constants + count
    used = equations(ops, lefts, rights, first, count, system)
    system[used, 0], system[used, rows] = 1.0, 1.0
    system[used + 1, rows - 1] = 1.0
    if not solved(system, used + 2, rows, exponents):
        exponents[:] = 0.0


@over_designs
def least_squares(which, constants, count, squarings, before, forms, guesses, nodes, found):
    """Write the best constants of design `which`; return how many sets of them there are.

    before: how many sets of constants for one squaring less `found` holds of it, the last of which, x halved, is also
    the last that is written, as it is.

    constants, count, squarings, forms: as `plain_form` has them. guesses: (starts, at least 2 constants), in [0, 1).
    nodes: rows are the points to fit at, weights that extrapolate to x = 0, and 2^(x / 2^s) for s = 0, 1, ... in
    double-double. found: (n, sets constants and more), written, the best set first.
    """
    row, m, count, squarings, k = int(which), int(constants), int(count), int(squarings), forms.shape[1] // 5
    ops, lefts, rights = forms[row, :k], forms[row, k : 2 * k], forms[row, 2 * k : 3 * k]
    if m == 0:
        return (1,)
    n, total, extra = nodes.shape[1], min(len(guesses), FEWEST << m), int(before)
    every = total + extra
    rows, slopes = np.empty((1 + m + count, n)), np.empty((1 + m + count, n))
    work, below = np.empty((2 * m + 8, n + 2 * m)), np.empty(1 + m + count, np.int64)
    target, weights, order = np.empty(n), np.empty(n), np.empty(every, np.int64)
    squares, found_at = np.full(every, math.inf), np.zeros((every, m))
    system, exponents, carried = np.empty((2 * count + 2, 2 + m + count)), np.zeros(1 + m + count), np.empty(m)
    if extra > 0:
        halved(ops, lefts, rights, m, count, system, exponents)
        for i in range(extra):
            squares[total + i] = 0.0  # until it is summed up
            for j in range(m):
                found_at[total + i, j] = found[row, i * m + j] * 2.0 ** exponents[1 + j]
        for j in range(m):
            carried[j] = found_at[every - 1, j]
    for t in range(n):
        rows[0, t] = nodes[0, t]
    dependences(lefts, rights, m, count, below)
    # Every callee is inlined: one place fits. Stage -2 fits what the ends of programs leave, -1 sums up.
    for stage in range(-2, len(KEPT)):
        kept = every if stage < 0 else best_of(squares, found_at, KEPT[stage], ALIKE[stage], order)
        for turn in range(2 * total if stage == -2 else kept):
            i = turn // 2 if stage == -2 else turn if stage == -1 else order[turn]
            earlier = squares[i]
            fitted, squared, steps = count, squarings, 0 if stage < 0 else STEPS[stage]
            damping, tolerance = DAMPING, TOLERANCE
            for j in range(m):
                rows[1 + j, :] = found_at[i, j]
            if stage == -2:
                squared, steps, damping, tolerance = 0, FIRST_STEPS, FIRST_DAMPING, FIRST_TOLERANCE
                fitted = begin(
                    ops, lefts, rights, m, count, below, i, guesses[i], turn % 2 == 1, nodes, squarings, rows, target,
                    weights,
                )  # fmt: skip
                if fitted == 0:
                    continue
            else:
                if squares[i] == math.inf:
                    continue
                for t in range(n):
                    target[t] = nodes[2 + 2 * squarings, t]
                    weights[t] = 1.0 / target[t]
            squares[i] = fit(
                ops, lefts, rights, m, fitted, squared, target, weights, steps, stage >= 0, damping, tolerance, rows,
                slopes, work,
            )  # fmt: skip
            if stage == -2 and not squares[i] < earlier:
                squares[i] = earlier
                continue
            for j in range(m):
                found_at[i, j] = rows[1 + j, 0]
    kept = best_of(squares, found_at, KEPT[len(KEPT) - 1], KEPT[0], order)
    for rank in range(kept):
        for j in range(m):
            found[row, rank * m + j] = found_at[order[rank], j]
    if extra > 0:
        for j in range(m):
            found[row, kept * m + j] = carried[j]
        kept += 1
    return (kept,)
