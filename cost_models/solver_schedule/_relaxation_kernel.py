"""Compiled: sweeps of successive over-relaxation on the 5-point stencil, four systems at a time.

Young, Iterative Solution of Large Linear Systems, 1971. Within a row of the grid every unknown waits for the one before
it, so what runs side by side is not unknowns but systems, one a lane. A lane that is done takes the next system.

All of them lie in one table, a record of `FIELDS` numbers an unknown, each for all lanes. How far a number lies from
another is then known when this is compiled, without which no compiler would run lanes side by side: it may not load the
one before it has stored the other. Hence too a function for each number of lanes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.cost_models.kernels import over_designs

LANES = 4  # a register of AVX2; eight take less time on ten by ten unknowns from 64 systems on, and more elsewhere
FIELDS = 6  # of an unknown: value, right side, 1 - omega, omega / diagonal, diagonal, and squares of residuals
WIDTH = 66  # unknowns of a row, the boundary's too, whatever the grid
BLOCK = 5  # unknowns of a row that are kept in registers together
LINE = 8  # numbers of a cache line
ONE = np.uint64(1)


def sweeper(lanes: int, unknowns: int) -> Callable[..., Any]:
    """Return a function that sweeps over some unknowns of a row. here: where the first one's record begins.

    count: the lanes once more. As a constant it would have the loop unrolled, and lanes run one after another.
    """
    each, step = np.uint64(lanes), np.uint64(FIELDS * lanes)
    row, kept_at, scale_at = np.uint64(WIDTH * FIELDS * lanes), np.uint64(2 * lanes), np.uint64(3 * lanes)

    def swept(w, here, count):
        for lane in range(count):
            first = here + lane
            kept, scale, before, now = w[first + kept_at], w[first + scale_at], w[first - step], w[first]
            for k in range(np.uint64(unknowns)):
                at = first + k * step
                after = w[at + step]
                around = w[at + each] + w[at - row] + w[at + row] + after
                before = kept * now + scale * around + scale * before
                w[at] = before
                now = after

    return swept


def squarer(lanes: int, unknowns: int) -> Callable[..., Any]:
    """Return a function that writes the sum of squares of the same unknowns' residuals, in the first one's record."""
    each, step = np.uint64(lanes), np.uint64(FIELDS * lanes)
    row, diagonal_at, squares_at = np.uint64(WIDTH * FIELDS * lanes), np.uint64(4 * lanes), np.uint64(5 * lanes)

    def squared(w, here, count):
        for lane in range(count):
            first = here + lane
            diagonal, before, now, total = w[first + diagonal_at], w[first - step], w[first], 0.0
            for k in range(np.uint64(unknowns)):
                at = first + k * step
                after = w[at + step]
                one = w[at + each] + w[at - row] + w[at + row] + after + before - diagonal * now
                total += one * one
                before, now = now, after
            w[first + squares_at] = total

    return squared


def along(lanes: int) -> Callable[..., Any]:
    """Return a function that sweeps once in every lane over all rows."""
    each, step, row = np.uint64(lanes), np.uint64(FIELDS * lanes), np.uint64(WIDTH * FIELDS * lanes)
    sweep_one, sweep_block = sweeper(lanes, 1), sweeper(lanes, BLOCK)

    def swept(w, start, n):
        for i in range(np.uint64(n)):
            here = start + (i + ONE) * row + step
            for _ in range(n // BLOCK):
                sweep_block(w, here, each)
                here += np.uint64(BLOCK) * step
            for _ in range(n % BLOCK):
                sweep_one(w, here, each)
                here += step

    return swept


def measurer(lanes: int) -> Callable[..., Any]:
    """Return a function that tells how far lanes are from a solution.

    It writes the sums of squares of residuals, (lanes,), or where no lane can be done, since one row has too many, that
    row's: no sum of squares is less than a part of it, rounded or not. limits: squares of what norms must be below.
    """
    each, step = np.uint64(lanes), np.uint64(FIELDS * lanes)
    row, squares_at = np.uint64(WIDTH * FIELDS * lanes), np.uint64(5 * lanes)
    square_one, square_block = squarer(lanes, 1), squarer(lanes, BLOCK)

    def add(w, here, squares):
        for lane in range(each):
            squares[lane] += w[here + squares_at + lane]

    def add_row(w, here, n, squares):
        for _ in range(n // BLOCK):
            square_block(w, here, each)
            add(w, here, squares)
            here += np.uint64(BLOCK) * step
        for _ in range(n % BLOCK):
            square_one(w, here, each)
            add(w, here, squares)
            here += step

    def measured(w, start, n, squares, limits):
        squares[:] = 0.0
        add_row(w, start + np.uint64(n // 2 + 1) * row + step, n, squares)
        if not (squares < limits).any():
            return
        squares[:] = 0.0
        for i in range(np.uint64(n)):
            add_row(w, start + (i + ONE) * row + step, n, squares)

    return measured


def solver(lanes: int) -> Callable[..., Any]:
    """Return a function that solves the systems first, first + stride, ...; see `relaxed`."""
    each, step, row = np.uint64(lanes), np.uint64(FIELDS * lanes), np.uint64(WIDTH * FIELDS * lanes)
    sweep, measure = along(lanes), measurer(lanes)

    def load(w, start, lane, right_side, shift, omega, n):
        for i in range(np.uint64(n)):
            for j in range(np.uint64(n)):
                here = start + (i + ONE) * row + (j + ONE) * step + lane
                w[here], w[here + each] = 0.0, right_side[i * np.uint64(n) + j]
                w[here + each * np.uint64(2)] = 1.0 - omega
                w[here + each * np.uint64(3)] = omega / (4.0 + shift)
                w[here + each * np.uint64(4)] = 4.0 + shift

    def solved(first, stride, n, systems, numbers, right_sides, most):
        w = np.zeros((n + 2) * WIDTH * FIELDS * lanes + LINE)
        start = np.uint64((-(w.ctypes.data // w.itemsize)) % LINE)
        squares, limits, sweeps = np.zeros(lanes), np.zeros(lanes), np.zeros(lanes, np.int64)
        held, coming, running, total = np.full(lanes, -1), first, 0, 0
        while True:
            for lane in range(each):
                if held[lane] < 0 and coming < systems.shape[1]:
                    right_side, shift, omega = right_sides[numbers[0, coming]], systems[0, coming], systems[1, coming]
                    load(w, start, lane, right_side, shift, omega, n)
                    limits[lane] = systems[2, coming] ** 2
                    held[lane], sweeps[lane], coming, running = coming, 0, coming + stride, running + 1
            if running == 0:
                return total
            sweep(w, start, n)
            measure(w, start, n, squares, limits)
            for lane in range(each):
                if held[lane] >= 0:
                    sweeps[lane] += 1
                    done = squares[lane] < limits[lane]
                    if done or sweeps[lane] == most:
                        numbers[1, held[lane]] = sweeps[lane] if done else most + 1
                        total += sweeps[lane]
                        held[lane], limits[lane], running = -1, 0.0, running - 1

    return solved


solved_in_lanes, solved_alone = solver(LANES), solver(1)


@over_designs
def relaxed(first, stride, n, systems, numbers, right_sides, most):
    """Solve the systems first, first + stride, ... of a list; write into numbers[1] the sweeps that each took.

    systems: (3, m), their shifts of the diagonal, omegas, and limits that the norms of residuals must be below.
    numbers: (2, m), in its row 0 each system's row of right_sides, (rows, n * n). most: sweeps after which a system is
    given up, with one more than these written. n: at most 64. Returns the sweeps that all of them took.
    """
    return (solved_in_lanes(first, stride, n, systems, numbers, right_sides, most),)


@over_designs
def relaxed_alone(first, stride, n, systems, numbers, right_sides, most):
    """Do the same one system at a time: the same bits, sooner where there are few systems."""
    return (solved_alone(first, stride, n, systems, numbers, right_sides, most),)
