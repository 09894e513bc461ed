"""Tables of somebody else's measurements, and how far a cost model agrees with them."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WITHIN = {"within_0.1pct": 1e-3, "within_1pct": 1e-2, "within_5pct": 5e-2}

Cells = dict[str, str]


def read_rows(path: Path, required: Sequence[str], what: str) -> list[tuple[int, Cells]]:
    """Return each row that fills in anything required, with its number (the header is row 1), by the header's names.

    ValueError in one line: a file that can not be read, or a header that lacks one of the required. what: the table's.
    """
    reader = _reader(path, what)
    missing = [name for name in required if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"{path}: the header must name {', '.join(missing)}. Add what is missing.")
    return [(reader.line_num, row) for row in reader if any(given(row, name) for name in required)]


def header_of(path: Path, what: str) -> tuple[str, ...]:
    """Return the names in a table's header; ValueError as of `read_rows`."""
    return tuple(_reader(path, what).fieldnames or ())


def _reader(path: Path, what: str) -> "csv.DictReader[str]":
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{path} cannot be read: {reason}. Give the path of a table of {what}.") from None
    return csv.DictReader(text.splitlines(), skipinitialspace=True)


def given(cells: Cells, name: str) -> bool:
    """Whether a cell is there and not blank."""
    return bool((cells.get(name) or "").strip())


def whole(path: Path, row: int, cells: Cells, name: str, least: int = 1) -> int:
    """Return a cell's integer; ValueError where it is none, or below the least."""
    text = (cells.get(name) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value >= least and value.is_integer()):
        raise ValueError(f"{path} row {row}: {name} must be an integer >= {least}, got {text!r}. Correct it.")
    return int(value)


def measured(path: Path, row: int, cells: Cells, name: str) -> float:
    """Return a cell's number, NaN where it is blank or not there; ValueError where it is none."""
    text = (cells.get(name) or "").strip()
    try:
        return float(text or "nan")
    except ValueError:
        raise ValueError(f"{path} row {row}: {name} must be a number or empty, got {text!r}. Correct it.") from None


def agreement(model: NDArray[np.float64], told: NDArray[np.float64], tolerance: float = 0.0) -> dict[str, Any]:
    """Return how many rows agree, and the mean and the worst of |model - told| / |told|, NaN without rows.

    model, told: (rows,); what was not told is NaN and does not count. tolerance: of what counts as exact.
    """
    there = np.isfinite(told)
    model, told = model[there], told[there]
    error = np.abs(model - told) / np.where(told == 0, 1.0, np.abs(told))
    return {
        "rows": len(error),
        "exact": int(np.sum(error <= tolerance)),
        **{name: int(np.sum(error <= bound)) for name, bound in WITHIN.items()},
        "mean_error": float(error.mean()) if len(error) else math.nan,
        "worst_error": float(error.max()) if len(error) else math.nan,
    }
