"""Compiled: a design's instructions in the plainest form that computes the same, with its constants numbered.

Instructions that the result does not need go, squarings at the end are counted apart, v - c is v + c and v / c is v * c
with another constant, and a constant that meets a constant of its kind is one with it.
"""

import numpy as np

from designgym.cost_models.kernels import over_designs
from designgym.cost_models.quantization._program_kernel import ADD, DIVIDE, MULTIPLY, SUBTRACT

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
    form = forms[row]
    form[:] = 0
    constants, count = numbered(work[0], work[1], work[2], work[3], last, form)
    failed = zero_divisor(form, k, constants, count)
    return constants, count, squarings, failed + squarings if failed else 0
