"""A weight matrix and the numbers that each of its entries may become, under scales that are fixed beforehand.

What rounds weights one after another (see `rounding_methods`) needs to know of a format no more than that: integers,
minifloats, microscaling blocks, ternary numbers and mixtures of data types are all lists of numbers times a scale.
Scales are those of rounding to the nearest: see `scales`, `microscaling` and `codebooks` for their sources.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.casting import check_finite, rows_rounded
from designgym.cost_models.quantization.codebooks import SPARE, grid, mixture_codes
from designgym.cost_models.quantization.formats import Format, integer
from designgym.cost_models.quantization.microscaling import Microscaling, block_scales, blocks_of
from designgym.cost_models.quantization.scales import Scaling, rows_of, scales_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TERNARY = integer(2)


@dataclass(frozen=True, eq=False)
class Grid:
    """Arrays are (outputs, inputs): weights as they were, their scales, the list that each is rounded to, and codes.

    numbers: the lists, (lists, k), each increasing. nearest: the place of each weight's number in its list when it is
    rounded on its own, ties as its format has them.
    """

    weights: Floats
    scales: Floats
    lists: Integers
    numbers: Floats
    nearest: Integers

    def matrix(self, codes: Integers) -> Floats:
        """Return the weight matrix, (inputs, outputs), of codes, (outputs, inputs)."""
        return np.ascontiguousarray((self.numbers[self.lists, codes] * self.scales).T)


def format_grid(weight: NDArray[np.floating], form: Format, scaling: Scaling) -> Grid:
    """Return the grid of an integer or minifloat. weight: (inputs, outputs). ValueError for what is not finite."""
    rows = rows_of(weight, scaling)
    return _of_rows(weight, rows, scales_of(rows, form, scaling.rule), form)


def block_grid(weight: NDArray[np.floating], form: Microscaling) -> Grid:
    """Return the grid of blocks along the inputs of an output, each under the power of two of its largest number."""
    rows = blocks_of(np.asarray(weight.T, np.float64), form.block)
    return _of_rows(weight, rows, block_scales(rows, form), form.element)


def ternary_grid(weight: NDArray[np.floating], scaling: Scaling) -> Grid:
    """Return the grid of -1, 0 and 1 times the mean size of what shares a scale. scaling: its rule does not matter."""
    check_finite(weight)
    rows = rows_of(weight, scaling)
    counts = rows_of(np.ones(weight.shape), scaling).sum(axis=1)  # without what fills a group up
    scales = np.abs(rows).sum(axis=1) / counts
    return _of_rows(weight, rows, np.where(scales > 0.0, scales, 1.0), TERNARY)


def mixture_grid(weight: NDArray[np.floating], bits: int, scaling: Scaling) -> Grid:
    """Return the grid of 3 or 4 bits whose spare code what shares a scale has chosen. scaling: as for `ternary_grid`.

    ValueError for other numbers of bits.
    """
    rows = rows_of(weight, scaling)
    places, scales, codes = mixture_codes(rows, bits)
    numbers = np.stack([grid(bits, spare) for spare in SPARE[bits]])
    width = rows.shape[1]
    return Grid(
        np.ascontiguousarray(weight.T, np.float64), _spread(np.repeat(scales, width), weight),
        _spread(np.repeat(places, width), weight), numbers, _spread(codes, weight),
    )  # fmt: skip


def _of_rows(weight: NDArray[np.floating], rows: Floats, scales: Floats, form: Format) -> Grid:
    units = rows_rounded(rows / scales[:, None], np.ones(len(rows)), form)
    numbers = _numbers(form)
    return Grid(
        np.ascontiguousarray(weight.T, np.float64), _spread(np.repeat(scales, rows.shape[1]), weight),
        np.zeros(weight.shape[::-1], np.int64), numbers, _spread(np.searchsorted(numbers[0], units), weight),
    )  # fmt: skip


def _spread(of_rows: NDArray[Any], weight: NDArray[np.floating]) -> NDArray[Any]:
    """Return what stands in rows, those of `rows_of`, as (outputs, inputs), without what fills groups up."""
    inputs, outputs = weight.shape
    return np.ascontiguousarray(of_rows.reshape(outputs, -1)[:, :inputs])


@lru_cache(256)
def _numbers(form: Format) -> Floats:
    return form.values()[None].copy()
