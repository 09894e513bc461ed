"""Silicon of an integer multiply-accumulate by the widths of its operands.

Exact multipliers and adders as they were synthesised at 45 nm (FreePDK45): EvoApproxLib, Mrazek et al., DATE 2017,
doi:10.23919/DATE.2017.7926993, and JETCAS 10(4), 2020, doi:10.1109/JETCAS.2020.3032495.
"""

import numpy as np
from numpy.typing import NDArray

NARROW, WIDE = 2, 8  # bits of the multipliers that were synthesised: 8 by 2 to 8
MULTIPLIER_UM2 = np.array([109.8, 247.3, 342.6, 436.0, 538.3, 629.8, 709.6])
ADDER_UM2_PER_BIT = 141.7 / 16.0

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def multiplier_um2(weight_bits: Integers, activation_bits: Integers) -> Floats:
    """Return the area of multipliers, (n,), of 2 to 8 bits: as many rows as the narrow operand has, of the wide one.

    Error: 2.7 % at 7 by 7 bits, which was synthesised too. ValueError outside 2 to 8 bits.
    """
    narrow, wide = np.minimum(weight_bits, activation_bits), np.maximum(weight_bits, activation_bits)
    if len(narrow) and (narrow.min() < NARROW or wide.max() > WIDE):
        raise ValueError(f"widths must be in [{NARROW}, {WIDE}] bits, got {narrow.min()} and {wide.max()}.")
    return np.asarray(MULTIPLIER_UM2[narrow - NARROW] * wide / WIDE)


def adder_um2(bits: float) -> float:
    """Return the area of an adder, in proportion to its bits. Error: 5.5 % at most at 8, 9 and 12 bits."""
    return ADDER_UM2_PER_BIT * bits


def mac_area_ratio(weight_bits: Integers, activation_bits: Integers, accumulator_bits: int) -> Floats:
    """Return the area of multiplier and accumulating adder, (n,), over that of 8 by 8 bits with that accumulator."""
    adder = adder_um2(accumulator_bits)
    return np.asarray((multiplier_um2(weight_bits, activation_bits) + adder) / (MULTIPLIER_UM2[-1] + adder))
