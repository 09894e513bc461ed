"""Silicon of a processing element whose multiplier is narrower than 8 by 8 bits.

Exact unsigned multipliers as they were synthesised at 45 nm (FreePDK45): EvoApproxLib, Mrazek et al., DATE 2017,
doi:10.23919/DATE.2017.7926993, and JETCAS 10(4), 2020, doi:10.1109/JETCAS.2020.3032495. Everything else in the element
(accumulator, registers, wires) stays as it is.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.accelerator.technology import Technology

NARROW, WIDE = 2, 8  # bits of the multipliers that were synthesised: 8 by 2 to 8
MULTIPLIER_UM2 = np.array([109.8, 247.3, 342.6, 436.0, 538.3, 629.8, 709.6])
NODE_NM = 45.0

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def multiplier_um2(weight_bits: Integers, activation_bits: Integers) -> Floats:
    """Return the area of multipliers, (n,), of 2 to 8 bits: as many rows as the narrow operand has, of the wide one.

    Error: 8 by 2 to 8 bits are what was synthesised; of two narrow operands 7 by 7 alone can be compared, 2.7 %.
    ValueError outside 2 to 8 bits.
    """
    narrow, wide = np.minimum(weight_bits, activation_bits), np.maximum(weight_bits, activation_bits)
    if len(narrow) and (narrow.min() < NARROW or wide.max() > WIDE):
        raise ValueError(f"widths must be in [{NARROW}, {WIDE}] bits, got {narrow.min()} and {wide.max()}.")
    return np.asarray(MULTIPLIER_UM2[narrow - NARROW] * wide / WIDE)


def multiplier_share(technology: Technology) -> float:
    """Return what share of a technology's processing element an 8 by 8 multiplier is, by areas and feature sizes.

    ValueError where the element has no room for it.
    """
    multiplier_mm2 = MULTIPLIER_UM2[-1] * 1e-6 * (technology.node_nm / NODE_NM) ** 2
    if multiplier_mm2 >= technology.mac_mm2:
        raise ValueError(
            f"technology {technology.name}: a multiply-accumulate unit must be larger than the multiplier in it, "
            f"{multiplier_mm2:.3g} mm2 at {technology.node_nm:g} nm, got {technology.mac_mm2:.3g}. Check mac_mm2."
        )
    return float(multiplier_mm2 / technology.mac_mm2)


def mac_area_ratio(weight_bits: Integers, activation_bits: Integers, technology: Technology) -> Floats:
    """Return the area of a processing element, (n,), with such a multiplier, over that with one of 8 by 8 bits."""
    saved = 1.0 - multiplier_um2(weight_bits, activation_bits) / MULTIPLIER_UM2[-1]
    return np.asarray(1.0 - multiplier_share(technology) * saved)
