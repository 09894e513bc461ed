"""Microscaling (MX): blocks of 32 numbers of a small format that share a power of two.

OCP Microscaling Formats (MX) Specification 1.0, 2023: section 5 (formats) and 6.3 (conversion): the shared exponent is
that of the block's largest number in size, less the exponent of the element format's largest; elements saturate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.casting import check_finite, rows_rounded
from designgym.cost_models.quantization.formats import NAMED, Format, integer
from designgym.cost_models.registry import nearest

BLOCK = 32
SCALE_BITS = 8  # E8M0: a power of two, 2^-127 to 2^127
LEAST_SCALE, MOST_SCALE = -127, 127

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Microscaling:
    """A format of blocks. element: of each number. unit: what a step of it is worth beside the shared scale.

    block: numbers that share a scale, 32 in the specification; fewer are a choice of ours. ValueError for none.
    """

    name: str
    element: Format
    unit: float = 1.0
    block: int = BLOCK

    def __post_init__(self) -> None:
        if self.block < 1:
            raise ValueError(f"a block must have at least 1 number, got {self.block}. Raise it.")

    @property
    def bits(self) -> float:
        """Bits of a number, its share of the scale included."""
        return self.element.bits + SCALE_BITS / self.block

    @property
    def largest_exponent(self) -> int:
        """The exponent of the element's largest number."""
        return int(np.frexp(self.element.high * self.unit)[1]) - 1


MX = {
    one.name: one
    for one in (
        Microscaling("mxfp8_e4m3", NAMED["e4m3fn"]),
        Microscaling("mxfp8_e5m2", NAMED["e5m2"]),
        Microscaling("mxfp6_e2m3", NAMED["e2m3fn"]),
        Microscaling("mxfp6_e3m2", NAMED["e3m2fn"]),
        Microscaling("mxfp4_e2m1", NAMED["e2m1fn"]),
        Microscaling("mxint8", integer(8, narrow=False), 2.0**-6),
    )
}


def microscaling_of(name: str) -> Microscaling:
    """Return a format of blocks by its name, as in the specification. ValueError names the nearest."""
    if name not in MX:
        raise ValueError(f"unknown microscaling format {name!r}. {nearest(name, MX)}")
    return MX[name]


def microscaled(values: NDArray[np.floating], form: Microscaling) -> NDArray[np.float32]:
    """Return numbers, (..., n), rounded in blocks along the last axis, the last block as long as what is left.

    ValueError for what is no number or infinite.
    """
    array = np.asarray(values, np.float64)
    blocks, length = blocks_of(array, form.block), array.shape[-1]
    found = rows_rounded(blocks, block_scales(blocks, form), form.element).reshape(*array.shape[:-1], -1)
    return np.ascontiguousarray(found[..., :length], np.float32)


def blocks_of(values: Floats, block: int) -> Floats:
    """Return numbers, (..., n), in blocks along the last axis, (blocks, block), the last of a row filled up with 0.

    ValueError for what is no number or infinite.
    """
    check_finite(values)
    length = values.shape[-1]
    filled = np.zeros((*values.shape[:-1], -(-length // block) * block))
    filled[..., :length] = values
    return filled.reshape(-1, block)


def block_scales(blocks: Floats, form: Microscaling) -> Floats:
    """Return what a number of the element format is worth in each block, (blocks,)."""
    exponents = np.frexp(np.abs(blocks).max(axis=1))[1] - 1 - form.largest_exponent
    return np.asarray(np.ldexp(form.unit, np.clip(exponents, LEAST_SCALE, MOST_SCALE)))
