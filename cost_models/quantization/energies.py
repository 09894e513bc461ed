"""Energies of arithmetic at 45 nm and .9 V, by width, through the published points of Horowitz.

Horowitz, "Computing's Energy Problem", ISSCC 2014, doi:10.1109/ISSCC.2014.6757323, figure 1.1.9: integers of 8 and 32
bits add for .03 and .1 pJ and multiply for .2 and 3.1 pJ; floats of 16 and 32 bits add for .4 and .9 pJ and multiply
for 1.1 and 3.7 pJ; 64 bits are read from an SRAM of 8 KiB for 10 pJ. Other widths go by the power law through both
points: between them that is interpolation; integers below 8 bits and floats below 16, of which that source says
nothing, are extrapolated.
"""

import math
from dataclasses import dataclass

from designgym.cost_models.quantization.formats import Format


@dataclass(frozen=True)
class PowerLaw:
    """Energy of an operation, J, by its width in bits, through two published points."""

    narrow: tuple[float, float]
    wide: tuple[float, float]

    @property
    def exponent(self) -> float:
        """Of the width."""
        return math.log(self.wide[1] / self.narrow[1]) / math.log(self.wide[0] / self.narrow[0])

    def __call__(self, bits: float) -> float:
        return float(self.narrow[1] * (bits / self.narrow[0]) ** self.exponent)


INTEGER_ADD = PowerLaw((8, 0.03e-12), (32, 0.1e-12))
INTEGER_MULTIPLY = PowerLaw((8, 0.2e-12), (32, 3.1e-12))
FLOAT_ADD = PowerLaw((16, 0.4e-12), (32, 0.9e-12))
FLOAT_MULTIPLY = PowerLaw((16, 1.1e-12), (32, 3.7e-12))
FLOAT_ACCUMULATOR_BITS = 32
SRAM_READ_J = 10e-12 / 64  # of a bit; a larger memory takes more


def multiply_j(weight: Format, activation: Format) -> float:
    """Return the energy of a product, J: that of two numbers of the geometric mean of both widths.

    An integer times a minifloat counts as two minifloats.
    """
    bits = math.sqrt(weight.bits * activation.bits)
    law = INTEGER_MULTIPLY if weight.is_integer and activation.is_integer else FLOAT_MULTIPLY
    return law(bits)


def accumulate_j(weight: Format, activation: Format, terms: int) -> float:
    """Return the energy of adding a product up, J: in an integer that holds `terms` of them, or in a 32-bit float."""
    if weight.is_integer and activation.is_integer:
        return INTEGER_ADD(weight.bits + activation.bits + math.ceil(math.log2(terms)))
    return FLOAT_ADD(FLOAT_ACCUMULATOR_BITS)


def mac_j(weight: Format, activation: Format, terms: int) -> float:
    """Return the energy of a multiply-accumulate of `terms`, J. ValueError for fewer than one term."""
    if terms < 1:
        raise ValueError(f"terms must be at least 1, got {terms}. Raise it.")
    return multiply_j(weight, activation) + accumulate_j(weight, activation, terms)
