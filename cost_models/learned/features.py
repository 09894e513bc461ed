"""Columns of designs as features of a regression: numbers in [0, 1], categories as indicators, orders as places."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, batch_length

PRODUCTS = 64
FEW = 16  # a number of at most so many values has an indicator each, beside its share

Floats = NDArray[np.float64]


def features(specs: Sequence[ColumnSpec], designs: Columns) -> Floats:
    """Return features of designs, float64 (n, f).

    A number is its share of the way from low to high, in logarithms where the spec says log. A category has one
    indicator a choice, or one for both of two. A permutation, whose column is its lexicographic rank, has for each item
    the place that it stands at, as a share. ValueError where a column is missing.
    """
    n = _checked(specs, designs)
    parts = [_features(spec, np.asarray(designs[spec.name])) for spec in specs]
    return np.concatenate(parts, axis=1) if parts else np.empty((n, 0))


def further_features(specs: Sequence[ColumnSpec], designs: Columns) -> Floats:
    """Return what smooth models see of the numbers besides `features`, float64 (n, f), each within [-1, 1].

    Per number above 0: its share on the other scale (linear where the spec says log, else in logarithms), and that of
    its inverse, since work is divided among units. Per number of 3 to FEW values: an indicator for each of them. Where
    they come to at most PRODUCTS columns: per choice of a category, its indicator times the share of each number, in
    logarithms where it is above 0, so that a choice may have slopes of its own.
    """
    n = _checked(specs, designs)
    parts: list[Floats] = _slopes(specs, designs)
    for spec in specs:
        if spec.kind in ("categorical", "permutation"):
            continue
        values = np.asarray(designs[spec.name], np.float64)
        if spec.low > 0:
            other = values if spec.log else np.log(values)
            ends = (spec.low, spec.high) if spec.log else (math.log(spec.low), math.log(spec.high))
            parts += [_share(other, *ends), _share(-1.0 / values, -1.0 / spec.low, -1.0 / spec.high)]
        if 2 < spec.choices <= FEW:
            parts.append(_indicators(spec, values))
    return np.concatenate(parts, axis=1) if parts else np.empty((n, 0))


def _slopes(specs: Sequence[ColumnSpec], designs: Columns) -> list[Floats]:
    numbers = [spec for spec in specs if spec.kind not in ("categorical", "permutation")]
    choices = [spec for spec in specs if spec.kind == "categorical"]
    if len(numbers) * sum(spec.choices for spec in choices) > PRODUCTS or not (numbers and choices):
        return []
    shares = [_features(replace(spec, log=spec.low > 0), np.asarray(designs[spec.name])) for spec in numbers]
    slopes = np.concatenate(shares, axis=1) - 0.5
    return [
        slopes * (np.asarray(designs[spec.name]) == choice)[:, None]
        for spec in choices
        for choice in range(spec.choices)
    ]


def _checked(specs: Sequence[ColumnSpec], designs: Columns) -> int:
    missing = [spec.name for spec in specs if spec.name not in designs]
    if missing:
        raise ValueError(f"designs must have the columns of the specs, got none named {', '.join(missing)}.")
    return batch_length({spec.name: designs[spec.name] for spec in specs})


def _features(spec: ColumnSpec, column: NDArray[np.float64]) -> Floats:
    if spec.kind == "permutation":
        return _places(column, spec.choices)
    if spec.kind == "categorical" and spec.choices > 2:
        return (column[:, None] == np.arange(spec.choices)).astype(np.float64)
    values = column.astype(np.float64)
    low, high = (math.log(spec.low), math.log(spec.high)) if spec.log else (spec.low, spec.high)
    return _share(np.log(values) if spec.log else values, low, high)


def _share(values: Floats, low: float, high: float) -> Floats:
    return np.asarray((values - low) / (high - low if high > low else 1.0))[:, None]


def _indicators(spec: ColumnSpec, values: Floats) -> Floats:
    """Return which step of its range each value is nearest to, in logarithms where the spec says so, (n, choices).

    The values of an ordinal are not in its spec: two that share a step share an indicator.
    """
    place = _share(np.log(values), math.log(spec.low), math.log(spec.high)) if spec.log else _share(
        values, spec.low, spec.high
    )  # fmt: skip
    steps = np.rint(place * (spec.choices - 1))
    return (steps == np.arange(spec.choices)).astype(np.float64)


def _places(ranks: NDArray[np.float64], orders: int) -> Floats:
    """Return where each item stands in orders of these lexicographic ranks, as shares, (n, items)."""
    items = 1
    while math.factorial(items) < orders:
        items += 1
    left = np.tile(np.arange(items), (len(ranks), 1))
    rest, rows = ranks.astype(np.int64), np.arange(len(ranks))
    out = np.empty(left.shape)
    for place in range(items):
        digit, rest = np.divmod(rest, math.factorial(items - 1 - place))
        out[rows, left[rows, digit]] = place / max(items - 1, 1)
        # What is left keeps its order without the item taken.
        keep = np.arange(left.shape[1]) != digit[:, None]
        left = left[keep].reshape(len(ranks), -1)
    return out
