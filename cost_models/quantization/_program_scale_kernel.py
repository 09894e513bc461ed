"""Compiled: by which powers of two constants change when x is halved, and which of them a scaling makes idle.

Each row (x, constants, results) may be so many times as large as before, 2^d: rows that are added or subtracted must
have one d, a product has the sum and a quotient the difference. These equations are linear, and are solved by
elimination.
"""

from designgym.cost_models.quantization._program_kernel import ADD, DIVIDE, SUBTRACT

TINY = 1e-9


def equations(ops, lefts, rights, first, count, system):
    """Write the equations of the first `count` instructions, results from row `first` on; return how many there are.

    system: (2 count and more, rows + 1), the right side last, written.
    """
    system[:] = 0.0
    used = 0
    for i in range(count):
        a, b, r = lefts[i], rights[i], first + i
        if ops[i] == ADD or ops[i] == SUBTRACT:
            system[used, r] += 1.0
            system[used, a] -= 1.0
            system[used + 1, r] += 1.0
            system[used + 1, b] -= 1.0
            used += 2
        else:
            system[used, r] += 1.0
            system[used, a] -= 1.0
            system[used, b] -= -1.0 if ops[i] == DIVIDE else 1.0
            used += 1
    return used


def solved(system, used, rows, exponents):
    """Write a solution of `used` equations, 0 where it is free; return whether there is one."""
    rank = 0
    pivots = exponents  # for a while: which equation settles a row, -1 for none
    for row in range(rows):
        pivots[row] = -1.0
        best, most = -1, TINY
        for e in range(rank, used):
            if abs(system[e, row]) > most:
                best, most = e, abs(system[e, row])
        if best < 0:
            continue
        for j in range(rows + 1):
            system[rank, j], system[best, j] = system[best, j], system[rank, j]
        pivot = system[rank, row]
        for j in range(rows + 1):
            system[rank, j] /= pivot
        for e in range(used):
            if e != rank and abs(system[e, row]) > 0.0:
                part = system[e, row]
                for j in range(rows + 1):
                    system[e, j] -= part * system[rank, j]
        pivots[row] = float(rank)
        rank += 1
    for e in range(rank, used):
        if abs(system[e, rows]) > TINY:
            return False
    for row in range(rows):
        exponents[row] = system[int(pivots[row]), rows] if pivots[row] >= 0.0 else 0.0
    return True
