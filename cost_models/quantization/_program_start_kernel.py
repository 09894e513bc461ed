"""Compiled: constants from which a straight-line program's fit begins.

Constants near the end are guessed, and undone: what the program before them should come to then follows point by point.
The first constants of all are drawn at the size of what they meet. Every guess comes from a table of numbers in [0, 1).
"""

import math

import numpy as np

from designgym.cost_models.quantization._program_kernel import ADD, DIVIDE, MULTIPLY, SUBTRACT

WIDTH, TAIL = 2.0, 4.0  # factors are drawn between e^-6 and e^6, half of them between e^-1.5 and e^1.5
LEFT = 2  # constants that are not guessed but fitted to what the end of the program leaves
FAR, NEAR = 30.0, 0.1  # a guessed summand lies so far beside the values at most, over their size, or at least


def peel(ops, lefts, rights, constants, count, below, signs, uniforms, at_zero, rows, target):
    """Undo instructions from the last on; change the target accordingly and return how many are left, 0 for a failure.

    below: constants that each row depends on, (rows,). uniforms: (2 constants,). at_zero: weights that extrapolate
    values at the points to x = 0. Guessed constants are written into their rows. signs: a bit for each root.
    """
    first, n = 1 + constants, rows.shape[1]
    while count > 0:
        left, right, op = lefts[count - 1], rights[count - 1], ops[count - 1]
        if left == right:
            if op != MULTIPLY or left < first:
                return count
            for t in range(n):
                if not target[t] > 0:
                    return 0
            sign = -1.0 if signs & 1 else 1.0
            signs >>= 1
            for t in range(n):
                target[t] = sign * math.sqrt(target[t])
            count = left - first + 1
            continue
        known, inner = (left, right) if left < first else (right, left)
        if known >= first or inner < first or (known >= 1 and below[first + count - 1] <= LEFT):
            return count
        if known >= 1:
            guess = guessed(ops, lefts, rights, first, inner, op, right == known, known, uniforms, at_zero, target)
            for t in range(n):
                rows[known, t] = guess
        undo(op, right == known, rows[known], target)
        count = inner - first + 1
    return count


def undo(op, on_the_right, known, target):
    """Turn what an instruction should come to into what its unknown operand should be."""
    n = len(target)
    if op == ADD:
        for t in range(n):
            target[t] -= known[t]
    elif op == SUBTRACT:
        for t in range(n):
            target[t] = target[t] + known[t] if on_the_right else known[t] - target[t]
    elif op == MULTIPLY:
        for t in range(n):
            target[t] /= known[t]
    else:
        for t in range(n):
            target[t] = target[t] * known[t] if on_the_right else known[t] / target[t]


def factor_of(u):
    """Return a factor for a number in [0, 1)."""
    w = 2.0 * u - 1.0
    return math.exp(w * (WIDTH + TAIL * w * w))


def guessed(ops, lefts, rights, first, inner, op, on_the_right, known, uniforms, at_zero, target):
    """Return a guess of the constant that an instruction joins with the row `inner` to come to the target."""
    low, high = math.inf, -math.inf
    for t in range(len(target)):
        low, high = min(low, target[t]), max(high, target[t])
    size, span = max(abs(low), abs(high)), high - low
    u, side = uniforms[2 * known - 2], uniforms[2 * known - 1] < 0.5
    if op in (ADD, SUBTRACT):
        i = inner - first
        squared = ops[i] == MULTIPLY and lefts[i] == rights[i]
        by_x = (ops[i] == MULTIPLY and not squared and (lefts[i] == 0 or rights[i] == 0)) or (
            ops[i] == DIVIDE and lefts[i] == 0
        )
        offset = NEAR * span * math.exp(u * math.log(FAR * (size + span) / (span + 1e-300)))
        guess = low - offset if squared or side else high + offset
        if by_x:  # x v and x / v vanish at 0: the constant is what is wanted there
            guess = 0.0
            for t in range(len(target)):
                guess += at_zero[t] * target[t]
        return -guess if op == SUBTRACT and on_the_right else guess
    factor = size * factor_of(u)
    return (1.0 if side else -1.0) * (1.0 / factor if op == DIVIDE and on_the_right else factor)


def draw(ops, lefts, rights, constants, count, uniforms, turned, rows):
    """Draw the constants of the first `count` instructions at the size of what they meet; write all rows.

    turned: whether the first constant goes to the other side.
    """
    first, n = 1 + constants, rows.shape[1]
    for i in range(count):
        left, right, op = lefts[i], rights[i], ops[i]
        known, other = (left, right) if 1 <= left < first else (right, left)
        if 1 <= known < first:
            low, high = math.inf, -math.inf
            for t in range(n):
                low, high = min(low, rows[other, t]), max(high, rows[other, t])
            size = max(abs(low), abs(high))
            if not 0.0 < size < math.inf or (0 < other < first):
                low, high, size = 0.0, 0.0, 1.0
            factor = factor_of(uniforms[2 * known - 2])
            side = 1.0 if (uniforms[2 * known - 1] < 0.5) != (turned and known == 1) else -1.0
            if op in (ADD, SUBTRACT):  # what comes out keeps one sign
                factor = size * factor - low if side > 0 else -size * factor - high
                if op == SUBTRACT:
                    factor = -factor
            else:
                factor *= side / size if op == MULTIPLY else side * size
            for t in range(n):
                rows[known, t] = factor
        a, b, r = rows[left], rows[right], rows[first + i]
        for t in range(n):
            if op == ADD:
                r[t] = a[t] + b[t]
            elif op == SUBTRACT:
                r[t] = a[t] - b[t]
            elif op == MULTIPLY:
                r[t] = a[t] * b[t]
            else:
                r[t] = a[t] / b[t]


def dependences(lefts, rights, constants, count, below):
    """Write how many constants each row depends on."""
    sets = np.zeros(1 + constants + count, np.int64)
    for row in range(1 + constants + count):
        if row > constants:
            sets[row] = sets[lefts[row - 1 - constants]] | sets[rights[row - 1 - constants]]
        elif row > 0:
            sets[row] = np.int64(1) << np.int64(row - 1)
        below[row] = 0
        for j in range(constants):
            below[row] += (sets[row] >> np.int64(j)) & 1


def begin(ops, lefts, rights, constants, count, below, signs, guess, turned, nodes, squarings, rows, target, weights):
    """Draw constants, and write what the first instructions, as many as returned, should come to; 0 for a failure."""
    n = rows.shape[1]
    for t in range(n):
        target[t] = nodes[2 + 2 * squarings, t]
    left = peel(ops, lefts, rights, constants, count, below, signs, guess, nodes[1], rows, target)
    size = 0.0
    for t in range(n):
        size = max(size, abs(target[t]))
    if not 0.0 < size < 1e30:
        return 0
    for t in range(n):
        weights[t] = 1.0 / (abs(target[t]) + 0.1 * size)
    draw(ops, lefts, rights, constants, left, guess, turned, rows)
    return left
