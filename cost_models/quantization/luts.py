"""Look-up tables that a multiply-accumulate takes on an FPGA: a structural estimate, no published table, no synthesis.

A processing element of `lanes` multipliers, a tree of adders and an accumulator over `terms` products. Integers by the
constants of FINN-R (Blott et al., ACM TRETS 11(3), 2018, doi:10.1145/3242897): a multiplier of w by a bits has
2 ceil((w + a) / 6) - 1 rows of w + a tables. A minifloat multiplies its fractions likewise, adds exponents, and shifts
the product into fixed point as wide as all products of its formats, where it is summed as integers are (Kulisch,
"Computer Arithmetic and Validity", 2008). It comes to .9 to 5.3 times the tables of integers of equal width, where
published circuits come to 1.2 to 2.8 times: it orders designs, and counts no tables.
"""

import math

from designgym.cost_models.quantization.formats import Format

LANES, TERMS = 16, 64
OVERHEAD = 1.1  # control and wiring, of all tables
BITS_A_ROW = 6  # inputs of a look-up table


def luts_per_mac(weight: Format, activation: Format, lanes: int = LANES, terms: int = TERMS) -> float:
    """Return the tables for each multiply-accumulate of a weight by an activation.

    ValueError for an integer times a minifloat, for which there is no estimate, and for fewer than one lane or term.
    """
    if lanes < 1 or terms < 1:
        raise ValueError(f"lanes and terms must be at least 1, got {lanes} and {terms}. Raise them.")
    if weight.is_integer != activation.is_integer:
        raise ValueError(
            f"an estimate of tables is for two integers or two minifloats, got {weight.name} times {activation.name}. "
            "Choose one kind for both."
        )
    if weight.is_integer:
        width = weight.bits + activation.bits
        multiplier = _rows(width) * width
        top = math.log2(terms) + width - 2
        accumulator: float = math.ceil(top + math.log2(1 + 2**-top) + 1)
    else:
        width, multiplier = _minifloat(weight, activation)
        accumulator = width + math.log2(terms) + 1
    tree = width * (2 * lanes - 1)
    return OVERHEAD * (lanes * multiplier + tree + accumulator) / lanes


def product_width(weight: Format, activation: Format) -> int:
    """Return the bits of a fixed-point number that holds any product of the two exactly."""
    if weight.is_integer and activation.is_integer:
        return weight.bits + activation.bits
    fractions = weight.mantissa_bits + activation.mantissa_bits + 2
    return 2**weight.exponent_bits - 2 + 2**activation.exponent_bits - 2 + fractions


def _rows(bits: int) -> int:
    return 2 * math.ceil(bits / BITS_A_ROW) - 1


def _minifloat(weight: Format, activation: Format) -> tuple[int, int]:
    """Return the width of the product in fixed point, and the tables of one multiplier, its shifter included."""
    fractions = weight.mantissa_bits + activation.mantissa_bits + 2
    width = product_width(weight, activation)
    exponents = 2**weight.exponent_bits + 2**activation.exponent_bits - 3
    shifter = width * math.ceil(math.log(exponents, 4))
    adder = max(weight.exponent_bits, activation.exponent_bits) + 1
    return width, _rows(fractions) * fractions + adder + shifter
