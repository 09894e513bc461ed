"""Packs a design's letters into one integer, so that a kernel over strings of any length takes one column."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns

MOST_BITS = 62  # of an int64, with room for its sign and for a shift


def bits_of(letters: int) -> int:
    """Return how many bits hold one of so many letters."""
    return max(1, (letters - 1).bit_length())


def packed(designs: Columns, names: Sequence[str], bits: int) -> NDArray[np.int64]:
    """Return each design as one integer, (n,): the letter of names[i], an index, stands `bits * i` bits from its end.

    ValueError names a column that is missing.
    """
    missing = [name for name in names if name not in designs]
    if missing:
        raise ValueError(f"designs must have the columns {names[0]} ... {names[-1]}; {missing[0]!r} is missing.")
    code = designs[names[-1]].astype(np.int64)
    for name in reversed(names[:-1]):
        code = (code << bits) | designs[name]
    return code


def whole(name: str, value: object, low: int, high: int, remedy: str) -> int:
    """Return an option that is a whole number in [low, high]; ValueError in one line otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number in [{low}, {high}], got {value!r}. {remedy}")
    return int(value)
