"""L-Mul: products of floats by adding their fractions and exponents, with no multiplier.

Luo and Sun, "Addition is All You Need for Energy-efficient Language Models", 2024, arXiv:2410.00907, equation 1: for
x = (1 + f) 2^p and y = (1 + g) 2^q the product is taken for (1 + f + g + 2^-l) 2^(p + q), the formula form. What adds
the bits of both numbers and of 2^-l as integers, which is how the paper builds it, carries into the exponent where
fractions come to 1 or more: (1 + r) 2^(p + q + c) with f + g + 2^-l = c + r, the adder form. The two differ there.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Form = Literal["adder", "formula"]
Rounding = Literal["even", "truncate"]

Floats = NDArray[np.float64]
MOST_MANTISSA_BITS, FRACTION_BITS = 23, 52  # of what is rounded; of float64


def published_offset(mantissa_bits: int) -> int:
    """Return l by the paper's rule: as many as mantissa bits up to 3, 3 for 4, 4 for more."""
    return mantissa_bits if mantissa_bits <= 3 else 3 if mantissa_bits == 4 else 4


def to_bits(values: ArrayLike, mantissa_bits: int, rounding: Rounding = "even") -> Floats:
    """Return numbers with fractions of so many bits, of any exponent: the nearest, ties to even, or that towards 0.

    Subnormal float64 keep as many bits as they have there.
    """
    dropped = np.int64(FRACTION_BITS - mantissa_bits)
    bits = np.array(values, np.float64).view(np.int64)
    if rounding == "even":  # a carry out of the fraction is the next exponent
        bits += (np.int64(1) << (dropped - 1)) - 1 + ((bits >> dropped) & 1)
    return (bits & ~((np.int64(1) << dropped) - 1)).view(np.float64)


def l_mul(
    x: ArrayLike, y: ArrayLike, mantissa_bits: int, offset: int, form: Form = "adder", rounding: Rounding = "even"
) -> Floats:
    """Return L-Mul's products of numbers first rounded to mantissa_bits, elementwise, float64; 0 times any is 0.

    offset: l of what is added, 2^-l. Exponents have no ends. ValueError for fewer than 1 bit, more than 23, or a
    negative offset.
    """
    if not 1 <= mantissa_bits <= MOST_MANTISSA_BITS:
        raise ValueError(f"mantissa bits must be 1 to {MOST_MANTISSA_BITS}, got {mantissa_bits}. Choose such a number.")
    if offset < 0:
        raise ValueError(f"the offset l must be at least 0, got {offset}. Raise it.")
    a, b = to_bits(x, mantissa_bits, rounding), to_bits(y, mantissa_bits, rounding)
    (f, p), (g, q) = np.frexp(a), np.frexp(b)
    total = 2.0 * np.abs(f) - 1.0 + 2.0 * np.abs(g) - 1.0 + 2.0**-offset
    carry = np.floor(total) if form == "adder" else np.zeros_like(total)
    size = np.ldexp(1.0 + total - carry, p + q - 2 + carry.astype(np.int64))
    return np.where((a == 0) | (b == 0), 0.0, np.sign(a) * np.sign(b) * size)


def signed_error(mantissa_bits: int, offset: int | None = None, form: Form = "formula") -> float:
    """Return the expectation of x y less its product, x and y uniform in [1, 2) and truncated, exactly.

    offset: None for the product of the truncated numbers. As the paper has it: 1/4 + 2^-k - 2^-l by the formula form,
    9/4 - (3/2 - 2^-(k + 1))^2 for the product. A truncated number takes 2^k values, each as likely.
    """
    numbers = 1.0 + np.arange(2**mantissa_bits) / 2.0**mantissa_bits
    x, y = numbers[:, None], numbers[None]
    products = x * y if offset is None else l_mul(x, y, mantissa_bits, offset, form)
    return float(2.25 - products.mean())


def relative_errors(products: Floats, exact: Floats) -> dict[str, float]:
    """Return mean_abs_rel_err, mean_rel_err, rms_rel_err and max_abs_rel_err of products."""
    wrong = products / exact - 1.0
    return {
        "mean_abs_rel_err": float(np.abs(wrong).mean()), "mean_rel_err": float(wrong.mean()),
        "rms_rel_err": float(np.sqrt((wrong**2).mean())), "max_abs_rel_err": float(np.abs(wrong).max()),
    }  # fmt: skip
