"""Compiled: sweeps of successive over-relaxation on the 5-point stencil, four systems at a time.

Young, Iterative Solution of Large Linear Systems, 1971. Within a row of the grid every unknown waits for the one before
it, so what runs side by side is not unknowns but systems, one a lane. A lane that is done takes the next system.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs

LANES = 4  # a register of AVX2; with sixteen 64 systems take 1.5 times as long, for the slowest of them holds all up


def swept(x, source, kept, scale, partial, n, lanes):
    """Sweep once in every lane over the rows of the grid, each from its first unknown to its last.

    x: (n + 2, (n + 2) * lanes), 0 on the boundary; the lanes of an unknown lie side by side. source: right sides,
    (n, n * lanes). kept, scale: 1 - omega and omega / diagonal of each lane, n times, (n * lanes,). partial: as wide.
    """
    width = n * lanes
    for i in range(n):
        here, right, left = x[i + 1, lanes:], x[i + 1, 2 * lanes :], x[i + 1]
        above, below, given = x[i, lanes:], x[i + 2, lanes:], source[i]
        for k in range(width):
            partial[k] = kept[k] * here[k] + scale[k] * (given[k] + above[k] + below[k] + right[k])
        for k in range(width):
            left[k + lanes] = partial[k] + scale[k] * left[k]


def add_squares(x, source, diagonal, partial, i, n, lanes):
    """Add the squares of the residuals of row i of the grid, (n * lanes,). diagonal: of each lane, n times."""
    here, right, left = x[i + 1, lanes:], x[i + 1, 2 * lanes :], x[i + 1]
    above, below, given = x[i, lanes:], x[i + 2, lanes:], source[i]
    for k in range(n * lanes):
        one = given[k] + above[k] + below[k] + right[k] + left[k] - diagonal[k] * here[k]
        partial[k] += one * one


def squared_residuals(x, source, diagonal, partial, squares, first, last, n, lanes):
    """Write the sum of squares of each lane's residuals in the rows from `first` to before `last`, (lanes,)."""
    for k in range(n * lanes):
        partial[k] = 0.0
    for i in range(first, last):
        add_squares(x, source, diagonal, partial, i, n, lanes)
    for lane in range(lanes):
        squares[lane] = 0.0
    for j in range(n):
        column = partial[j * lanes :]
        for lane in range(lanes):
            squares[lane] += column[lane]


def measure(x, source, diagonal, partial, squares, limits, n, lanes):
    """Write the sums of squares of residuals, or where no lane can be done, since one row has too many, that row's.

    No sum of squares is less than a part of it, rounded or not. limits: squares of what the norms must be below.
    """
    squared_residuals(x, source, diagonal, partial, squares, n // 2, n // 2 + 1, n, lanes)
    for lane in range(lanes):
        if squares[lane] < limits[lane]:
            squared_residuals(x, source, diagonal, partial, squares, 0, n, n, lanes)
            return


def load(lane, right_side, shift, omega, x, source, kept, scale, diagonal, n, lanes):
    """Put a system into a lane, which begins at 0."""
    for j in range(n):
        k = j * lanes + lane
        diagonal[k], kept[k], scale[k] = 4.0 + shift, 1.0 - omega, omega / (4.0 + shift)
        for i in range(n):
            source[i, k] = right_side[i * n + j]
            x[i + 1, k + lanes] = 0.0


def solved_in_lanes(first, stride, n, systems, numbers, right_sides, most, lanes):
    """Solve the systems first, first + stride, ...; see `relaxed`. Lanes are constant where this is compiled."""
    x, source = np.zeros((n + 2, (n + 2) * lanes)), np.zeros((n, n * lanes))
    kept, scale, diagonal = np.zeros(n * lanes), np.zeros(n * lanes), np.ones(n * lanes)
    partial, squares, limits, sweeps = np.zeros(n * lanes), np.zeros(lanes), np.zeros(lanes), np.zeros(lanes, np.int64)
    held, coming, running, total = np.full(lanes, -1), first, 0, 0
    while True:
        for lane in range(lanes):
            if held[lane] < 0 and coming < systems.shape[1]:
                right_side, shift, omega = right_sides[numbers[0, coming]], systems[0, coming], systems[1, coming]
                load(lane, right_side, shift, omega, x, source, kept, scale, diagonal, n, lanes)
                limits[lane] = systems[2, coming] ** 2
                held[lane], sweeps[lane], coming, running = coming, 0, coming + stride, running + 1
        if running == 0:
            return total
        swept(x, source, kept, scale, partial, n, lanes)
        measure(x, source, diagonal, partial, squares, limits, n, lanes)
        for lane in range(lanes):
            if held[lane] >= 0:
                sweeps[lane] += 1
                solved = squares[lane] < limits[lane]
                if solved or sweeps[lane] == most:
                    numbers[1, held[lane]] = sweeps[lane] if solved else most + 1
                    total += sweeps[lane]
                    held[lane], limits[lane], running = -1, 0.0, running - 1


@over_designs
def relaxed(first, stride, n, systems, numbers, right_sides, most):
    """Solve the systems first, first + stride, ... of a list; write into numbers[1] the sweeps that each took.

    systems: (3, m), their shifts of the diagonal, omegas, and limits that the norms of residuals must be below.
    numbers: (2, m), in its row 0 each system's row of right_sides, (rows, n * n). most: sweeps after which a system is
    given up, with one more than these written. Returns the sweeps that all of them took.
    """
    return (solved_in_lanes(first, stride, n, systems, numbers, right_sides, most, LANES),)


@over_designs
def relaxed_alone(first, stride, n, systems, numbers, right_sides, most):
    """Do the same one system at a time: the same bits, sooner where there are few systems."""
    return (solved_in_lanes(first, stride, n, systems, numbers, right_sides, most, 1),)
