"""Compiled: a design's instructions in the plainest form that computes the same, with its constants numbered.

Instructions that the result does not need go, squarings at the end are counted apart, v - c is v + c and v / c is v * c
with another constant, a constant that meets a constant of its kind is one with it, and a factor that others can take
in goes: in (c (x + c)) + c, say, when the result is divided by a constant.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.quantization._program_kernel import ADD, DIVIDE, MULTIPLY, SUBTRACT
from designgym.cost_models.quantization._program_scale_kernel import TINY, solved

X, CONSTANT, RESULTS = 0, 1, 2  # operands of a design: x, a constant of its own, the result of instruction operand - 2
MERGED = -1  # uses of a result whose constant another one has taken in


def living(ops, lefts, rights, op, left, right, uses):
    """Copy what the result needs, in plain forms; return its last instruction, -1 for x itself, and squarings after it.

    ops, lefts, rights: of a design, (k,). uses: how often each result is used; where 0, its instruction is dead.
    """
    k = len(ops)
    last, squarings = k - 1, 0
    while last >= 0 and ops[last] == MULTIPLY and lefts[last] == rights[last] and lefts[last] != CONSTANT:
        last = lefts[last] - RESULTS if lefts[last] >= RESULTS else -1
        squarings += 1
    for i in range(k):
        uses[i] = 1 if i == last else 0
    for i in range(last, -1, -1):
        op[i], left[i], right[i] = ops[i], lefts[i], rights[i]
        if uses[i] == 0:
            continue
        if right[i] == CONSTANT and left[i] != CONSTANT and (op[i] == SUBTRACT or op[i] == DIVIDE):
            op[i] = ADD if op[i] == SUBTRACT else MULTIPLY
        if left[i] == CONSTANT and right[i] != CONSTANT and (op[i] == ADD or op[i] == MULTIPLY):
            left[i], right[i] = right[i], left[i]
        for operand in (left[i], right[i]):
            if operand >= RESULTS:
                uses[operand - RESULTS] += 1
    return last, squarings


def merged(op, left, right, uses, last):
    """Let constants take in those that they meet: c + (c + v), c - (c - v), c (c v), c / (c v) and the like."""
    for i in range(last + 1):
        if uses[i] <= 0 or (left[i] == CONSTANT) == (right[i] == CONSTANT):
            continue
        j = (left[i] if right[i] == CONSTANT else right[i]) - RESULTS
        if j < 0 or uses[j] != 1 or (left[j] == CONSTANT) == (right[j] == CONSTANT):
            continue
        inner = left[j] if right[j] == CONSTANT else right[j]
        linear = op[i] == ADD or op[i] == SUBTRACT
        if linear != (op[j] == ADD or op[j] == SUBTRACT) or (op[i] == DIVIDE and op[j] == DIVIDE):
            continue  # c / (c / v) differs from c v where v is 0
        turned = (op[i] == SUBTRACT or op[i] == DIVIDE) != (op[j] == SUBTRACT or op[j] == DIVIDE)
        uses[j] = MERGED
        if turned:
            op[i], left[i], right[i] = (SUBTRACT if linear else DIVIDE), CONSTANT, inner
        else:
            op[i], left[i], right[i] = (ADD if linear else MULTIPLY), inner, CONSTANT


def factors_taken_in(op, left, right, uses, last):
    """Leave out v c where other constants can be scaled so that c = 1 or -1 does as well.

    That is so where there are whole exponents, 1 for c, 0 for x and the result, equal for what is added or subtracted,
    whose sum a product has and whose difference a quotient.
    """
    rows = 3 * (last + 1)
    system, exponents = np.empty((2 * last + 4, rows + 1)), np.empty(rows)
    for j in range(last + 1):
        if j == last or uses[j] <= 0 or op[j] != MULTIPLY or right[j] != CONSTANT or left[j] == CONSTANT:
            continue
        used = scalings(op, left, right, uses, last, system)
        system[used, last], system[used + 1, last + 1 + 2 * j + 1], system[used + 1, rows] = 1.0, 1.0, 1.0
        whole = solved(system, used + 2, rows, exponents)
        for row in range(rows):
            whole = whole and abs(exponents[row] - round(exponents[row])) < TINY
        if not whole:
            continue
        inner = left[j]
        for i in range(j + 1, last + 1):
            if uses[i] > 0:
                left[i] = inner if left[i] == j + RESULTS else left[i]
                right[i] = inner if right[i] == j + RESULTS else right[i]
        if inner >= RESULTS:
            uses[inner - RESULTS] += uses[j] - 1
        uses[j] = MERGED


def scalings(op, left, right, uses, last, system):
    """Write the equations of exponents of results, then of constants, left and right ones in turn; return how many."""
    system[:] = 0.0
    used = 0
    for i in range(last + 1):
        if uses[i] <= 0:
            continue
        linear = op[i] == ADD or op[i] == SUBTRACT
        for side in range(2):
            operand = left[i] if side == 0 else right[i]
            if linear or side == 0:
                system[used, i] += 1.0
                used += 1
            if operand != X:
                row = last + 1 + 2 * i + side if operand == CONSTANT else operand - RESULTS
                system[used - 1, row] -= -1.0 if op[i] == DIVIDE and side == 1 else 1.0
    return used


def numbered(op, left, right, uses, last, form):
    """Write the living instructions by rows (x, constants, results); return the numbers of constants and instructions.

    form: (5 k,), see `plain_form`.
    """
    k = len(op)
    constants, count, used = 0, 0, 0
    row_of = np.zeros(k, np.int64)
    for i in range(last + 1):
        if uses[i] > 0:
            constants += (left[i] == CONSTANT) + (right[i] == CONSTANT)
    for i in range(last + 1):
        form[3 * k + i] = MERGED if uses[i] == MERGED else 0
        if uses[i] <= 0:
            continue
        form[count] = op[i]
        for side in range(2):
            operand = left[i] if side == 0 else right[i]
            row = 0
            if operand == CONSTANT:
                used += 1
                row = used
                form[(3 + side) * k + i] = row
            elif operand >= RESULTS:
                row = row_of[operand - RESULTS]
            form[(1 + side) * k + count] = row
        row_of[i] = 1 + constants + count
        count += 1
    return constants, count


def zero_divisor(form, k, constants, count):
    """Return how many instructions are left at one that divides by 0 at x = 0 in any case, itself included; else 0."""
    values = np.zeros(1 + constants + count)
    for j in range(constants):
        values[1 + j] = 1.0 + 0.7548776662466927 * (j + 1) % 1.0  # any numbers that no sum or product makes 0
    for i in range(count):
        op, a, b = form[i], values[form[k + i]], values[form[2 * k + i]]
        if op == DIVIDE and not abs(b) > 0:
            return count - i
        values[1 + constants + i] = (
            a + b if op == ADD else a - b if op == SUBTRACT else a * b if op == MULTIPLY else a / b
        )
    return 0


@over_designs
def plain_form(which, ops, lefts, rights, forms):
    """Write the plain form of design `which`; return its constants, instructions, squarings after them, and a failure.

    ops, lefts, rights: (n, k). forms: int (n, 5 k), written: operations, left rows and right rows of the instructions
    that are left, then for each instruction of the design the row of the constant on its left, 0 for none and MERGED
    for one that others have taken in, and of the one on its right. The failure is how many instructions are left at
    one that divides by 0 at x = 0 whatever the constants, 0 for none.
    """
    row, k = int(which), ops.shape[1]
    work = np.zeros((4, k), np.int64)
    last, squarings = living(ops[row], lefts[row], rights[row], work[0], work[1], work[2], work[3])
    merged(work[0], work[1], work[2], work[3], last)
    factors_taken_in(work[0], work[1], work[2], work[3], last)
    form = forms[row]
    form[:] = 0
    constants, count = numbered(work[0], work[1], work[2], work[3], last, form)
    failed = zero_divisor(form, k, constants, count)
    return constants, count, squarings, failed + squarings if failed else 0
