"""Values rounded to a format: every number on its own, or rows of numbers each under a scale of its own.

What is rounded stays in floating point ("fake quantisation"): y = scale * round(x / scale), saturating.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.quantization.formats import Format

PIECE = 65_536  # numbers that a thread rounds at a time
THREADED = 16 * PIECE  # numbers from which waking threads, milliseconds on busy cores, costs less than they save
CHUNK = 64 * PIECE  # numbers of which copies in float64 are made at a time: 67 MB with what comes of them

Floats = NDArray[np.float64]


def cast(values: NDArray[np.floating], form: Format) -> NDArray[np.float32]:
    """Return values of any shape rounded to a format, float32.

    Ties go to the even number; of formats without mantissa bits to the larger size, but between 0 and the least number
    above it to 0. Infinities and what lies beyond the format's ends come to its ends; NaN stays NaN; -0 becomes 0.
    """
    array = np.asarray(values)
    flat, out, one = array.reshape(-1), np.empty(array.size, np.float32), np.ones(1)
    for first in range(0, array.size, CHUNK):
        part = flat[first : first + CHUNK].astype(np.float64)[None]
        out[first : first + CHUNK] = rows_rounded(part, one, form)[0]
    return out.reshape(array.shape)


def check_finite(values: NDArray[np.floating]) -> None:
    """Raise ValueError, in one line, for NaN and infinities, which no scale serves."""
    if not np.isfinite(values).all():
        raise ValueError(f"what is quantised must be finite, got {values[~np.isfinite(values)][0]}. Mend the data.")


def rows_rounded(
    rows: Floats, scales: Floats, form: Format, low: Floats | float | None = None, high: Floats | float | None = None
) -> Floats:
    """Return rows, (r, n), rounded to the format's numbers times a scale for each row, (r,).

    low, high: ends for each row in units of its scale, in place of the format's. Both float64; row i depends on row i.
    """
    from designgym.cost_models.quantization._casting_kernel import rounded

    count, width = rows.shape
    pieces = max(1, -(-width // PIECE))
    row, piece = np.repeat(np.arange(count), pieces), np.tile(np.arange(pieces), count)
    begin = piece * PIECE
    low = np.broadcast_to(np.asarray(form.low if low is None else low, np.float64), (count,))
    high = np.broadcast_to(np.asarray(form.high if high is None else high, np.float64), (count,))
    out = np.empty((count, width))
    run = rounded.parallel if count * width > THREADED else rounded
    run(
        row, begin, np.minimum(begin + PIECE, width), scales[row], low[row], high[row],
        form.mantissa_bits, form.least_exponent, rows, out,
    )  # fmt: skip
    return out


def rows_errors(rows: Floats, scales: Floats, form: Format) -> Floats:
    """Return the mean squared error of rounding each row, (r, n), under each of its scales, (r, k): (r, k)."""
    from designgym.cost_models.quantization._casting_kernel import squared_errors

    count, tried = scales.shape
    run = squared_errors.parallel if rows.size * tried > THREADED else squared_errors
    (total,) = run(
        np.repeat(np.arange(count), tried), scales.ravel(), form.low, form.high, form.mantissa_bits,
        form.least_exponent, rows,
    )  # fmt: skip
    return total.reshape(count, tried) / rows.shape[1]
