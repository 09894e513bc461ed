"""Constants at which straight-line programs come nearest to 2^x on [0, 1], and how near that is.

The largest relative error at 1,501 equally spaced points, as Real, Rossini et al., "AutoNumerics-Zero", 2023,
arXiv:2312.08472 judge programs, is made least: fits by least squares begin at guesses, and the best one's extremes are
levelled as in Remez' exchange (see the compiled modules `_program_squares_kernel` and `_program_minimax_kernel`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization._program_form_kernel import MERGED, plain_form
from designgym.cost_models.quantization._program_minimax_kernel import levelled
from designgym.cost_models.quantization._program_squares_kernel import KEPT, least_squares
from designgym.cost_models.quantization.straight_line import (
    ADD,
    CONSTANT,
    DIGITS,
    DIVIDE,
    SUBTRACT,
    Integers,
    Programs,
    power_of_two,
)

POINTS = 1501  # at which programs are judged
NODES, GRID = 16, 129  # at which they are fitted, and their extremes levelled
MOST_OPERATIONS = 14  # beyond, errors near 1e-15 are lost in a fit of float64
STARTS = 128  # fits that begin at most
DIGITS_TOLD = 6  # of an error: fits of one function by several programs differ in more
CHUNK = 65_536  # programs at a time: constants of several fits of each are held

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What n programs came to.

    errors: largest relative error to DIGITS_TOLD digits, (n,), NaN where there is a pole. constants: those that have a
    say, (n,). left: where an instruction divides by 0 at x = 0 whatever the constants, how many there are from it on,
    else 0.
    forms, best: what `constants_of` reads.
    """

    errors: Floats
    constants: Floats
    left: Floats
    forms: Integers
    best: Floats


def fit_programs(programs: Programs) -> Fitted:
    """Return the best constants of each program. The same program gives the same bits in any batch."""
    k = programs.operations
    if not 1 <= k <= MOST_OPERATIONS:
        raise ValueError(f"operations must be 1 to {MOST_OPERATIONS}, got {k}. Choose such a number.")
    parts = [_fit(_rows(programs, first)) for first in range(0, max(len(programs), 1), CHUNK)]
    return Fitted(*(np.concatenate([getattr(part, name) for part in parts]) for name in Fitted.__dataclass_fields__))


def _rows(programs: Programs, first: int) -> Programs:
    parts = (np.ascontiguousarray(part[first : first + CHUNK]) for part in _arrays(programs))
    return Programs(*parts)


def _arrays(programs: Programs) -> tuple[Integers, Integers, Integers]:
    return programs.ops, programs.lefts, programs.rights


def _fit(programs: Programs) -> Fitted:
    n, k = len(programs), programs.operations
    forms, best = np.zeros((n, 5 * k), np.int64), np.full((n, 4 * k), np.nan)
    constants, count, squarings, left = plain_form(np.arange(n), *_arrays(programs), forms)
    errors = np.full(n, np.nan)
    whole = np.flatnonzero(left == 0)
    if len(whole):
        # Many programs have one plain form, and one fit serves them all.
        keys = np.column_stack([forms[whole, : 3 * k], constants[whole], count[whole], squarings[whole]])
        _, first, same = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        which, same = whole[first], same.ravel()
        worst = _levelled(which, constants[which], count[which], squarings[which], forms, best)
        errors[whole] = _told(np.where(np.isfinite(worst), worst, np.nan))[same]
        best[whole] = best[which[same]]
    return Fitted(errors, constants, left, forms, best)


def _levelled(
    which: Integers, constants: Floats, count: Floats, squarings: Floats, forms: Integers, best: Floats
) -> Floats:
    """Write the best constants of designs `which`, and return their largest errors, inf where there is a pole.

    They are fitted without squarings at the end first, then with one more each: every fit begins also at the last.
    """
    k, sets, worst = forms.shape[1] // 5, np.zeros(len(which)), np.full(len(which), np.inf)
    found = np.empty((len(forms), (KEPT[-1] + 2) * int(constants.max(initial=1))))
    for level in range(int(squarings.max()) + 1):
        at = np.flatnonzero(squarings >= level)
        form = which[at], constants[at], count[at], np.full(len(at), float(level))
        carried = (sets[at] > 0).astype(float)
        (own,) = least_squares(*form, sets[at], forms, _guesses(k), _targets("nodes"), found)
        (worst[at],) = levelled(*form, own, carried, forms, found, _targets("grid"), _targets("points"), best)
        sets[at] = np.where(np.isfinite(worst[at]), own + 1, 0)
    return worst


def _told(errors: Floats) -> Floats:
    """Round to DIGITS_TOLD digits, for fits of one function by several programs differ in the last ones."""
    exponents = np.floor(np.log10(errors, where=errors > 0, out=np.zeros(len(errors)))).astype(int)
    powers = np.array([float(f"1e{DIGITS_TOLD - 1 - exponent}") for exponent in exponents.tolist()])
    rounded: Floats = np.rint(errors * powers) / powers
    return rounded


def constants_of(programs: Programs, fitted: Fitted, row: int) -> list[tuple[Decimal, ...]]:
    """Return the constants of each instruction in the order of its operands, exactly; NaN where nothing needs one.

    A constant that another one makes idle, as the first of c + (c + v), is 0, or 1 where it multiplies.
    """
    k, m = programs.operations, int(fitted.constants[row])
    found: list[tuple[Decimal, ...]] = []
    with localcontext() as context:
        context.prec = DIGITS
        for i in range(k):
            op, left, right = (int(part[row, i]) for part in _arrays(programs))
            first, second = (int(fitted.forms[row, (3 + side) * k + i]) for side in range(2))
            own = []
            for place in (first, second) if left == right == CONSTANT else (first or second,):
                if place > 0 and np.isfinite(fitted.best[row, place - 1]):
                    high, low = (float(fitted.best[row, place - 1 + part * m]) for part in range(2))
                    own.append(Decimal(high) + Decimal(low))
                else:
                    idle = Decimal(0) if op in (ADD, SUBTRACT) else Decimal(1)
                    own.append(idle if place == MERGED else Decimal("nan"))
            if right == CONSTANT and left != CONSTANT and op in (SUBTRACT, DIVIDE):  # fitted as v + c and v * c
                own = [-value if op == SUBTRACT else 1 / value for value in own]
            found.append(tuple(own) if CONSTANT in (left, right) else ())
    return found


@lru_cache(MOST_OPERATIONS)
def _guesses(operations: int) -> Floats:
    """Return numbers in [0, 1), (STARTS, 4 operations): Richtmyer's sequence, multiples of roots of primes."""
    primes: list[int] = []
    candidate = 2
    while len(primes) < 4 * operations:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return np.modf(np.outer(1.0 + np.arange(STARTS), np.sqrt(primes)))[0]


@lru_cache(3)
def _targets(what: str) -> Floats:
    """Return points, weights that extrapolate from nodes to 0, and 2^(x / 2^s), high and low, for s = 0, 1, ..."""
    at_zero = np.zeros(1)
    if what == "nodes":
        points = 0.5 - 0.5 * np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
        at_zero = np.array([math.prod(p / (p - own) for p in points if p != own) for own in points])
    elif what == "grid":
        points = 0.5 - 0.5 * np.cos(np.pi * np.arange(GRID) / (GRID - 1))
    else:  # in whole blocks of a grid: the last point as often as it takes
        points = np.minimum(np.arange(-(-POINTS // GRID) * GRID) / (POINTS - 1), 1.0)
    rows = [points, np.broadcast_to(at_zero, points.shape)]
    with localcontext() as context:
        context.prec = DIGITS
        wanted = [power_of_two(Decimal(x)) for x in points.tolist()]
        for _ in range(MOST_OPERATIONS + 1):
            high = np.array([float(value) for value in wanted])
            low = [float(value - Decimal(part)) for value, part in zip(wanted, high.tolist(), strict=True)]
            rows += [high, np.array(low)]
            wanted = [value.sqrt() for value in wanted]
    return np.array(rows)
