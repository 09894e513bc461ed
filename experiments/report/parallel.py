"""The figure of parallel coordinates: each of the best designs as a line through all its parameters and what it does.

Drawn as plain lines, so that names, log scales, print and SVG come out right and no WebGL is needed. On a narrow
screen the axes lie below each other.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.experiments.report.drawing import Figure, Floats, plain_text, rounded, with_legend
from designgym.experiments.report.drawing import layout as plain_layout
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.text import apart, figure_only, metric_unit, parameter_unit, shortened

MOST_AXES = 14
MOST_PLACES = 24  # values of a parameter that get a place of their own on its axis
MOST_TICKS = 8
LONGEST_TITLE = 16  # letters of a line
SPREAD = 0.6  # of the room between two values over which the lines through one are spread
IDLE = 0.1  # of a continuous axis is kept for designs in which the parameter is idle
PIXELS, LETTER, SMALL = 940, 6.9, 5.9  # of the figure where its axes stand, of a letter, and of one of a title
LYING = 300  # pixels of an axis on a narrow screen
GROUPS = (("@muted/0.55", 1.0), ("@accent", 1.6), ("@warn", 3.0))  # from many to the best


@dataclass(frozen=True)
class Axis:
    """One parameter or metric. places: of the lines, in [0, 1]. ticks: places and names. told: the lines' values."""

    name: str
    unit: str
    places: Floats
    ticks: list[tuple[float, str]]
    told: list[str]


def parallel_figure(problem: ProblemStudy) -> Figure | None:
    """Return the best designs as lines, best last so that they lie on top; None for fewer than two."""
    if len(problem.lines) < 2:
        return None
    axes = [_parameter_axis(problem, column) for column in axes_of(problem)]
    axes += [_metric_axis(problem, j) for j in range(len(problem.objectives))]
    groups = _groups(problem)
    wide = {"data": _traces(problem, axes, groups, False), "layout": _layout(axes, False)}
    narrow = {"data": _traces(problem, axes, groups, True), "layout": _layout(axes, True)}
    wide, narrow = with_legend(wide, wide=True), with_legend(narrow)
    return {"data": wide["data"], "layout": wide["layout"], "narrow": narrow["narrow"], "narrowData": narrow["data"]}


def axes_of(problem: ProblemStudy) -> list[str]:
    """Return the design columns that get an axis: all, or those of the parameters that matter most."""
    columns = list(problem.columns)
    if len(columns) <= MOST_AXES:
        return columns
    weight: dict[str, float] = {}
    for found in problem.importances.values():
        for name, drop in zip(found.parameters, found.drop, strict=True):
            weight[name] = weight.get(name, 0.0) + max(float(drop), 0.0)
    first = sorted(columns, key=lambda column: -weight.get(str(problem.parameter_of[column]["name"]), 0.0))[:MOST_AXES]
    return [column for column in columns if column in first]


# -- axes -------------------------------------------------------------------------------------------------------------


def _parameter_axis(problem: ProblemStudy, column: str) -> Axis:
    parameter, unit = problem.parameter_of[column], parameter_unit(problem, column)
    values = [line.design[column] for line in problem.lines]
    told = ["idle" if v is None else v if isinstance(v, str) else figure_only(v, unit) for v in values]
    order = _values_of(parameter, values)
    if order is None:
        places, ticks = _continuous(parameter, values, unit)
    else:
        if None in values:
            order = [None, *order]
        places = _spread(np.array([order.index(value) for value in values]), len(order))
        names = ["idle" if v is None else v if isinstance(v, str) else figure_only(v, unit) for v in order]
        step = max(1, math.ceil(len(order) / MOST_TICKS))
        ticks = [((i + 0.5) / len(order), shortened(names[i], 11)) for i in range(0, len(order), step)]
    return Axis(column, apart(unit), places, ticks, told)


def _values_of(parameter: dict[str, Any], values: list[Any]) -> list[Any] | None:
    """Return the values that have a place of their own, in order; None where the axis is a scale of numbers."""
    listed = parameter.get("choices") or parameter.get("values")
    if listed:
        return list(listed)
    numbers = [value for value in values if isinstance(value, int)]
    if parameter.get("kind") == "Subset" and numbers and int(parameter["n"]) <= MOST_PLACES:
        return list(range(min(numbers), max(numbers) + 1))
    low, high, step = (parameter.get(key) for key in ("low", "high", "step"))
    if isinstance(low, int) and isinstance(high, int) and step and (high - low) // step < MOST_PLACES:
        return list(range(low, high + 1, step))
    if any(isinstance(value, str) for value in values):
        return sorted({value for value in values if value is not None})
    return None


def _spread(indices: Any, n: int) -> Floats:
    """Return places of lines on an axis of n values: lines through one value lie side by side, in their order."""
    places = np.empty(len(indices))
    for value in np.unique(indices):
        rows = np.flatnonzero(indices == value)
        offsets = np.linspace(-0.5, 0.5, len(rows)) if len(rows) > 1 else np.zeros(1)
        width = SPREAD * min(1.0, len(rows) / 12)
        places[rows] = (value + 0.5 + width * offsets) / n
    return places


def _continuous(parameter: dict[str, Any], values: list[Any], unit: str) -> tuple[Floats, list[tuple[float, str]]]:
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    there = numbers[np.isfinite(numbers)]
    low = float(parameter["low"] if parameter.get("low") is not None else there.min(initial=0.0))
    high = float(parameter["high"] if parameter.get("high") is not None else there.max(initial=1.0))
    idle = IDLE if len(there) < len(numbers) else 0.0
    step = int(parameter.get("step") or 1) if all(isinstance(v, int) for v in values if v is not None) else None
    scaled, ticks = _scale(numbers, low, high, bool(parameter.get("log")) and low > 0, unit, step)
    places = np.where(np.isfinite(numbers), idle + (1 - idle) * np.nan_to_num(scaled), 0.0)
    ticks = [(idle + (1 - idle) * place, name) for place, name in ticks]
    return places, [(0.0, "idle"), *ticks] if idle else ticks


def _scale(
    numbers: Floats, low: float, high: float, log: bool, unit: str, step: int | None = None
) -> tuple[Floats, list[tuple[float, str]]]:
    """Return numbers as places on an axis from low to high, and its ticks, at multiples of a step from `low` if any."""
    a, b = (math.log(low), math.log(high)) if log else (low, high)
    extent = (b - a) or 1.0
    places = ((np.log(numbers) if log else numbers) - a) / extent
    marks = np.linspace(a, b, 5) if b > a else np.array([a])
    ticks = []
    for mark in marks:
        value = math.exp(mark) if log else float(mark)
        value = float(f"{value:.3g}") if step is None else min(low + step * round((value - low) / step), high)
        mark = math.log(value) if log else value
        ticks.append((float((mark - a) / extent), figure_only(int(value) if value.is_integer() else value, unit)))
    return np.asarray(places), ticks


def _metric_axis(problem: ProblemStudy, j: int) -> Axis:
    name, unit = problem.objectives[j], metric_unit(problem, problem.objectives[j])
    values = np.array([float(problem.signs[j] * line.losses[j]) for line in problem.lines])
    low, high = float(values.min()), float(values.max())
    places, ticks = _scale(values, low, high, low > 0 and high > 20 * low, unit)
    return Axis(name, apart(unit), places, ticks, [figure_only(value, unit) for value in values.tolist()])


# -- lines ------------------------------------------------------------------------------------------------------------


def _groups(problem: ProblemStudy) -> list[tuple[str, list[int]]]:
    """Return the lines in three groups with their names, the one to be drawn on top last."""
    n = len(problem.lines)
    if problem.single:
        bounds = [(f"best {n}", 10, n), (f"best {min(n, 10)}", 1, min(n, 10)), ("best design", 0, 1)]
        return [(name, list(range(a, b))[::-1]) for name, a, b in bounds if a < b]
    word = "least" if problem.signs[0] > 0 else "most"
    thirds = np.array_split(np.arange(n), 3)[::-1]
    names = ("last third", "middle third", f"third with {word} {shortened(problem.objectives[0], 24)}")
    return [(name, rows.tolist()) for name, rows in zip(names, thirds, strict=True) if len(rows)]


def _traces(
    problem: ProblemStudy, axes: list[Axis], groups: list[tuple[str, list[int]]], lying: bool
) -> list[dict[str, Any]]:
    styles = GROUPS[-len(groups) :] if problem.single else (("@muted", 1.3), ("@accent", 1.3), ("@warn", 1.3))
    traces = []
    for (name, rows), (colour, width) in zip(groups, styles, strict=False):
        along: list[Any] = []
        across: list[Any] = []
        text: list[Any] = []
        for row in rows:
            along += [*range(len(axes)), None]
            across += [*rounded([axis.places[row] for axis in axes]), None]
            head = plain_text(f"{f'no. {row + 1}: ' if problem.single else ''}{axes[-1].told[row]}")
            text += [*(f"{head}<br>{plain_text(f'{axis.name} = {axis.told[row]}')}" for axis in axes), None]
        x, y = (across, [None if a is None else -a for a in along]) if lying else (along, across)
        traces.append({
            "type": "scatter", "mode": "lines", "name": plain_text(name), "x": x, "y": y, "text": text,
            "line": {"color": colour, "width": width}, "hovertemplate": "%{text}<extra></extra>",
        })  # fmt: skip
    return traces


def _layout(axes: list[Axis], lying: bool) -> dict[str, Any]:
    """Return axes as lines of the layout, with ticks and titles as its annotations."""
    shapes, notes = [], []
    left, right, letters = _rooms(axes)
    for i, axis in enumerate(axes):
        x, y = ([0, 1], [-i, -i]) if lying else ([i, i], [0, 1])
        shapes.append({
            "type": "line", "x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1], "layer": "below",
            "line": {"color": "@rule", "width": 1.5},
        })  # fmt: skip
        notes.append(_title(axis, i, lying, letters))
        notes += [
            _tick(place, name if lying else _fitting(name, letters), i, lying)
            for place, name in _roomy(axis.ticks, lying)
        ]
    hidden = {"visible": False, "fixedrange": True}
    x_range = [-0.04, 1.04] if lying else [-left, len(axes) - 1 + right]
    y_range = [0.5 - len(axes), 0.5] if lying else [-0.05, 1.03]
    lines = max(_title(axis, 0, False, letters)["text"].count("<br>") + 1 for axis in axes)
    margin = {"l": 12, "r": 14, "t": 8, "b": 8} if lying else {"l": 6, "r": 6, "t": 6, "b": 20 + 15 * lines}
    return plain_layout(
        hidden | {"range": x_range}, hidden | {"range": y_range}, hovermode="closest", shapes=shapes,
        annotations=notes, margin=margin, height=30 + 58 * len(axes) if lying else 420,
    )  # fmt: skip


def _rooms(axes: list[Axis]) -> tuple[float, float, int]:
    """Return the room left and right of standing axes, in gaps between two, and the letters of a title.

    The names of its values stand left of the first axis, and half of a title beside the first and the last.
    """
    letters = max(4, int(PIXELS / (len(axes) + 0.4) / SMALL - 0.4))
    half = LETTER * min(letters, LONGEST_TITLE) / 2
    names = LETTER * max((len(name) for _, name in axes[0].ticks), default=0) + 4
    left, right = max(half, names), max(half, 14.0)
    gap = (PIXELS - left - right) / max(1, len(axes) - 1)
    return left / gap, right / gap, letters


def _title(axis: Axis, i: int, lying: bool, letters: int) -> dict[str, Any]:
    """Return an axis's name and unit: below it in lines of some letters, or above its left end where it lies."""
    font = {"size": 12 if lying else 11, "color": "@ink"}
    unit = f" ({axis.unit})" if axis.unit else ""
    if lying:
        most = int(LYING / LETTER)
        text = plain_text(shortened(shortened(axis.name, max(16, most - len(unit))) + unit, most))
        place = {"x": 0, "xanchor": "left", "y": -i, "yanchor": "bottom", "yshift": 5}
        return {"text": text, "showarrow": False, "font": font, "bgcolor": "@paper/0.75"} | place
    lines = _wrapped(axis.name, min(letters, LONGEST_TITLE)) + ([shortened(axis.unit, letters)] if axis.unit else [])
    text = "<br>".join(plain_text(line) for line in lines)
    return {"text": text, "showarrow": False, "font": font, "x": i, "y": -0.05, "yanchor": "top"}


def _wrapped(name: str, most: int) -> list[str]:
    """Break a name after underscores into at most three lines of at most `most` letters."""
    lines = [""]
    for word in re.sub(r"_(?=.{3})", "_ ", name).split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > most:
            lines.append("")
        lines[-1] += word
    return [shortened(line, most) for line in (*lines[:2], "".join(lines[2:])) if line]


def _roomy(ticks: list[tuple[float, str]], lying: bool) -> list[tuple[float, str]]:
    """Return the ticks that have room beside each other where the axis lies."""
    if not lying:
        return ticks
    kept: list[tuple[float, str]] = []
    for place, name in ticks:
        if not kept or (place - kept[-1][0]) * LYING > 3.4 * (len(name) + len(kept[-1][1])) + 8:
            kept.append((place, name))
    return kept


def _fitting(name: str, letters: int) -> str:
    """Return what names a tick, a word no longer than the gap between two axes; a number stays whole."""
    return name if name[:1].isdigit() else shortened(name, max(6, letters))


def _tick(place: float, name: str, i: int, lying: bool) -> dict[str, Any]:
    note = {"text": plain_text(name), "showarrow": False, "font": {"size": 11, "color": "@muted"}}
    note |= {"bgcolor": "@paper/0.75", "borderpad": 0}
    if lying:
        half = LETTER * len(name) / 2 / LYING
        end = {"x": -0.04, "xanchor": "left"} if place < half else {"x": 1.04, "xanchor": "right"}
        at = end if place < half - 0.04 or place > 1.04 - half else {"x": place}
        return note | at | {"y": -i, "yanchor": "top", "yshift": -2}
    return note | {"x": i, "xanchor": "right", "xshift": -3, "y": place}
