"""Formats that are a few chosen numbers: ternary weights, and 3 or 4 bits whose spare code is chosen group by group.

Ternary, by the mean of sizes: Ma et al., "The Era of 1-bit LLMs" (BitNet b1.58), 2024, arXiv:2402.17764, equations 1
to 3. Spare codes: Chen et al., "BitMoD: Bit-serial Mixture-of-Datatype LLM Acceleration", HPCA 2025, arXiv:2411.11745:
a float of 3 or 4 bits has two codes for 0; the second stands for one of four numbers, whichever a group errs least by.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.casting import check_finite

Floats = NDArray[np.float64]

TERNARY_BITS = np.log2(3.0)
BASIC = {3: (0.0, 1.0, 2.0, 4.0), 4: (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)}  # and the same below 0
SPARE = {3: (-6.0, -3.0, 3.0, 6.0), 4: (-8.0, -5.0, 5.0, 8.0)}
SELECTOR_BITS = 2  # of a group: which of the four


def ternary(rows: NDArray[np.floating]) -> Floats:
    """Return rows, (r, n), rounded to -1, 0 and 1 times the mean size of each row; a row of zeros stays as it is.

    ValueError for what is no number or infinite.
    """
    array = np.asarray(rows, np.float64)
    check_finite(array)
    scales = np.abs(array).mean(axis=1, keepdims=True)
    scales = np.where(scales > 0.0, scales, 1.0)
    return np.clip(np.rint(array / scales), -1.0, 1.0) * scales


def grid(bits: int, spare: float) -> Floats:
    """Return the numbers of 3 or 4 bits with this one in place of the second 0, increasing."""
    return np.array(sorted({*BASIC[bits], *(-one for one in BASIC[bits]), spare}))


def mixture_codes(rows: NDArray[np.floating], bits: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """Return, of groups, (r, n), the place of the spare number that each errs least by, its scale, and codes, (r, n).

    A code is the place of the nearest number of the group's grid, of two that are as near the lower one. A group's
    scale has its largest number in size come to the grid's. ValueError for other bits than 3 and 4, and for what is no
    number or infinite.
    """
    if bits not in BASIC:
        raise ValueError(f"a mixture of data types must have 3 or 4 bits, got {bits}. Choose one of them.")
    array = np.asarray(rows, np.float64)
    check_finite(array)
    sizes = np.abs(array).max(axis=1)
    places, best, least = np.zeros(len(array), np.int64), np.ones(len(array)), np.full(len(array), np.inf)
    codes = np.zeros(array.shape, np.int64)
    for place, spare in enumerate(SPARE[bits]):
        numbers = grid(bits, spare)
        scales = np.where(sizes > 0.0, sizes / np.abs(numbers).max(), 1.0)
        found = np.searchsorted(0.5 * (numbers[1:] + numbers[:-1]), array / scales[:, None])
        error = np.sum((numbers[found] * scales[:, None] - array) ** 2, axis=1)
        better = error < least
        places[better], best[better], codes[better] = place, scales[better], found[better]
        least = np.minimum(error, least)
    return places, best, codes


def mixture_rounded(rows: NDArray[np.floating], bits: int) -> Floats:
    """Return groups, (r, n), rounded to 3 or 4 bits, each by the spare number of the least squared error.

    ValueError as `mixture_codes` has it.
    """
    places, scales, codes = mixture_codes(rows, bits)
    numbers = np.stack([grid(bits, spare) for spare in SPARE[bits]])
    return np.asarray(numbers[places[:, None], codes] * scales[:, None])
