"""Number formats: signed and unsigned integers, minifloats of any exponent, mantissa and bias, and those with names.

A format is a grid: its numbers near x lie 2^(e - mantissa_bits) apart, e being the exponent of x but never less than
that of the least normal number, from `low` to `high`. An integer is such a grid on which no number is normal.

Sources: IEEE 754-2019 (exponents, subnormals); OCP Microscaling Formats (MX) Specification 1.0, 2023, tables 1 to 5
(E5M2, E4M3, E3M2, E2M3, E2M1, INT8); Micikevicius et al., "FP8 Formats for Deep Learning", 2022, arXiv:2209.05433.
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.registry import nearest

Special = Literal["none", "nan", "ieee"]

MOST_BITS = 16
SPECIAL_CODES = {
    "none": "every code is a finite number",
    "nan": "the largest code of each sign is NaN, and there is no infinity",
    "ieee": "codes of the largest exponent are infinities and NaN",
}


@dataclass(frozen=True)
class Format:
    """Numbers that values are rounded to, ties to the even one, and what lies beyond `low` or `high` to these.

    mantissa_bits: of the fraction. least_exponent: of the least normal number; of an integer, as many as its bits, so
    that all its numbers are 1 apart. exponent_bits: 0 for an integer. bits: of a code, its sign bit included.
    """

    name: str
    bits: int
    exponent_bits: int
    mantissa_bits: int
    least_exponent: int
    low: float
    high: float

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer; E1My, which has the grid of one, is not."""
        return self.exponent_bits == 0

    @property
    def signed(self) -> bool:
        """Whether it holds numbers below 0."""
        return self.low < 0

    @property
    def least_normal(self) -> float:
        """The least normal number of a minifloat, and the distance of numbers of an integer."""
        return 1.0 if self.is_integer else 2.0**self.least_exponent

    @property
    def least_positive(self) -> float:
        """The least number above 0."""
        return 2.0 ** (self.least_exponent - self.mantissa_bits)

    def values(self) -> NDArray[np.float64]:
        """Return its finite numbers, each once, increasing."""
        if self.is_integer:
            return np.arange(self.low, self.high + 1.0)
        fractions = np.arange(2**self.mantissa_bits) / 2.0**self.mantissa_bits
        exponents = np.arange(self.least_exponent, np.frexp(self.high)[1])  # high lies below 2^(the last one + 1)
        normal = (1.0 + fractions)[None] * np.exp2(exponents)[:, None]
        positive = np.concatenate([fractions[1:] * 2.0**self.least_exponent, normal.ravel()])
        positive = positive[positive <= self.high]
        return np.concatenate([-positive[::-1] if self.signed else [], [0.0], positive])


def integer(bits: int, signed: bool = True, narrow: bool = True) -> Format:
    """Return an integer: unsigned 0 ... 2^bits - 1, or signed and narrow (symmetric), or else from -2^(bits - 1) on.

    ValueError for fewer than 1 bit, or 2 if signed, or more than 16.
    """
    least = 2 if signed else 1
    if not isinstance(bits, int) or not least <= bits <= MOST_BITS:
        kind = "a signed" if signed else "an unsigned"
        raise ValueError(f"{kind} integer must have {least} to {MOST_BITS} bits, got {bits}. Choose such a number.")
    high = 2.0 ** (bits - 1) - 1.0 if signed else 2.0**bits - 1.0
    low = (-high if narrow else -high - 1.0) if signed else 0.0
    name = f"int{bits}" + ("" if narrow else "full") if signed else f"uint{bits}"
    return Format(name, bits, 0, bits, bits, low, high)


def minifloat(exponent_bits: int, mantissa_bits: int, bias: int | None = None, special: Special = "none") -> Format:
    """Return a float of one sign bit, exponent and mantissa, with subnormals; what `special` codes are not numbers.

    bias: 2^(exponent_bits - 1) - 1 by default, 1 for one exponent bit. ValueError for a format that can not exist, such
    as E0M0 (an exponent takes a bit, or it is an integer), and for numbers beyond those of float32.
    """
    name = f"E{exponent_bits}M{mantissa_bits}"
    if not all(isinstance(one, int) for one in (exponent_bits, mantissa_bits, bias or 0)):
        raise ValueError(f"bits and bias must be whole numbers, got {name} with bias {bias}. Round them.")
    if not 1 <= exponent_bits <= 8:
        raise ValueError(
            f"a minifloat must have 1 to 8 exponent bits, got {name}. For none, take int{max(2, mantissa_bits + 1)}."
        )
    bits = 1 + exponent_bits + mantissa_bits
    if mantissa_bits < 0 or bits > MOST_BITS:
        raise ValueError(f"a minifloat must have 0 mantissa bits or more, {MOST_BITS} bits in all at most, got {name}.")
    if special not in SPECIAL_CODES:
        raise ValueError(f"special must be one of {', '.join(SPECIAL_CODES)}, got {special!r}. Choose one.")
    few = exponent_bits == 1 and (special == "ieee" or (special == "nan" and mantissa_bits == 0))
    if few:
        raise ValueError(f"{name} must keep numbers besides its special codes, got special={special!r}. Use 'none'.")
    own = max(1, 2 ** (exponent_bits - 1) - 1)
    offset = own if bias is None else bias
    code = 2**exponent_bits - (2 if special == "ieee" else 1)  # of the largest exponent
    fraction = 2**mantissa_bits - 1
    if special == "nan":
        code, fraction = (code, fraction - 1) if mantissa_bits else (code - 1, fraction)
    high = (1.0 + fraction / 2.0**mantissa_bits) * 2.0 ** min(code - offset, 200)
    if not (high <= float(np.finfo(np.float32).max) and 1 - offset - mantissa_bits >= -149):
        raise ValueError(f"{name} must hold numbers of float32 alone, got bias {offset}. Choose one nearer to {own}.")
    name += ("" if offset == own else f"b{offset}") + {"none": "", "nan": "fn", "ieee": "ieee"}[special]
    return Format(name, bits, exponent_bits, mantissa_bits, 1 - offset, -high, high)


def _named(name: str, exponent_bits: int, mantissa_bits: int, special: Special) -> tuple[str, Format]:
    made = minifloat(exponent_bits, mantissa_bits, special=special)
    return name, Format(name, made.bits, exponent_bits, mantissa_bits, made.least_exponent, made.low, made.high)


NAMED = dict(
    (
        _named("e2m1fn", 2, 1, "none"),
        _named("e2m3fn", 2, 3, "none"),
        _named("e3m2fn", 3, 2, "none"),
        _named("e4m3fn", 4, 3, "nan"),
        _named("e4m3", 4, 3, "ieee"),
        _named("e3m4", 3, 4, "ieee"),
        _named("e5m2", 5, 2, "ieee"),
        _named("bfloat16", 8, 7, "ieee"),
        _named("float16", 5, 10, "ieee"),
    )
)


def format_of(name: str) -> Format:
    """Return a format by its name: int4, uint8, int8full, E4M3, E3M2b5, E5M2ieee, or e4m3fn, bfloat16 and their like.

    Lower-case names are dtypes of `ml_dtypes`, whose prefix (float8_) may be there. A bare ExMy holds finite numbers
    alone: E4M3 reaches 480, e4m3fn 448. ValueError for what is no format, or none that can exist.
    """
    prefix, plain = re.fullmatch(r"(?:float(\d+)_)?(.*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    if plain in NAMED and prefix in (None, str(NAMED[plain].bits)):
        return NAMED[plain]
    if found := re.fullmatch(r"(u?)int([1-9]\d*|0)(full)?", name):
        unsigned, bits, full = found.groups()
        if not (unsigned and full):
            return integer(int(bits), not unsigned, not full)
    if found := re.fullmatch(r"E([1-9]\d*|0)M([1-9]\d*|0)(?:b(-?\d+))?(fn|ieee)?", name):
        exponent_bits, mantissa_bits, bias, special = found.groups()
        codes: dict[str | None, Special] = {None: "none", "fn": "nan", "ieee": "ieee"}
        return minifloat(int(exponent_bits), int(mantissa_bits), None if bias is None else int(bias), codes[special])
    known = [*NAMED, "int4", "int8", "uint4", "uint8", "E2M1", "E4M3"]
    raise ValueError(f"unknown number format {name!r}. {nearest(name, known)}")
