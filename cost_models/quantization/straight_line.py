"""Straight-line programs for 2^x on [0, 1]: what they are as columns of numbers, in words, and in exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

OPERATIONS = ("+", "-", "*", "/")
ADD, SUBTRACT, MULTIPLY, DIVIDE = range(4)
X, CONSTANT, RESULTS = 0, 1, 2  # operands: x, a constant of its own, the result of instruction operand - RESULTS
DIGITS = 50  # of exact arithmetic, far more than constants have

# A chain's operations on the value v, which starts as x: operation, left and right operand, None for v.
CHAIN_OPERATIONS: dict[str, tuple[int, int | None, int | None]] = {
    "+c": (ADD, None, CONSTANT),
    "*c": (MULTIPLY, None, CONSTANT),
    "c/": (DIVIDE, CONSTANT, None),
    "sq": (MULTIPLY, None, None),
    "+x": (ADD, None, X),
    "*x": (MULTIPLY, None, X),
    "x/": (DIVIDE, X, None),
}
CHAIN_NAMES = tuple(CHAIN_OPERATIONS)


@dataclass(frozen=True, eq=False)
class Programs:
    """n programs of k instructions each, (n, k): what each does, and with which operands. The last result counts."""

    ops: Integers
    lefts: Integers
    rights: Integers

    def __len__(self) -> int:
        return len(self.ops)

    @property
    def operations(self) -> int:
        """The number of instructions, k."""
        return self.ops.shape[1]

    def count(self, op: int) -> NDArray[np.float64]:
        """Return how many instructions of a program are of one operation, (n,)."""
        return (self.ops == op).sum(axis=1).astype(np.float64)

    @staticmethod
    def chains(codes: Integers) -> Programs:
        """codes: (n, k), places in CHAIN_NAMES. Return the programs of these chains."""
        table = [CHAIN_OPERATIONS[name] for name in CHAIN_NAMES]
        before = np.arange(codes.shape[1]) - 1 + RESULTS
        before[0] = X
        ops, lefts, rights = (
            np.array([-1 if row[part] is None else row[part] for row in table])[codes] for part in range(3)
        )
        return Programs(ops, np.where(lefts < 0, before, lefts), np.where(rights < 0, before, rights))


def exact_value(programs: Programs, row: int, constants: Sequence[tuple[Decimal, ...]], x: Decimal) -> Decimal:
    """Return what a program comes to at x. constants: of each instruction, in the order of its operands."""
    with localcontext() as context:
        context.prec = DIGITS
        results: list[Decimal] = []
        instructions = (part[row].tolist() for part in (programs.ops, programs.lefts, programs.rights))
        for op, left, right, own in zip(*instructions, constants, strict=True):
            given = iter(own)
            a, b = (
                x if operand == X else next(given) if operand == CONSTANT else results[operand - RESULTS]
                for operand in (left, right)
            )
            results.append(a + b if op == ADD else a - b if op == SUBTRACT else a * b if op == MULTIPLY else a / b)
        return results[-1]


def power_of_two(x: Decimal) -> Decimal:
    """Return 2^x to DIGITS digits."""
    with localcontext() as context:
        context.prec = DIGITS
        return (x * Decimal(2).ln()).exp()


def exact_errors(
    programs: Programs, row: int, constants: Sequence[tuple[Decimal, ...]], points: Sequence[float]
) -> NDArray[np.float64]:
    """Return a program's relative errors as an approximation of 2^x at the points, worked out exactly."""
    errors = []
    with localcontext() as context:
        context.prec = DIGITS
        for point in points:
            wanted = power_of_two(Decimal(point))
            errors.append(float((exact_value(programs, row, constants, Decimal(point)) - wanted) / wanted))
    return np.array(errors)


def program_text(programs: Programs, row: int, constants: Sequence[tuple[Decimal, ...]], digits: int = 21) -> str:
    """Return a program line by line, its results called r1, r2, ..., its constants to so many digits."""
    lines = []
    for i, own in enumerate(constants):
        given = iter(own)
        words = []
        for operand in (int(programs.lefts[row, i]), int(programs.rights[row, i])):
            if operand == CONSTANT:
                value = next(given)
                words.append(str(value) if value in (0, 1) else f"{value:.{digits - 1}e}")  # idle ones are just that
            else:
                words.append("x" if operand == X else f"r{operand - RESULTS + 1}")
        lines.append(f"r{i + 1} = {words[0]} {OPERATIONS[programs.ops[row, i]]} {words[1]}")
    return "\n".join(lines)
