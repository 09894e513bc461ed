"""The axes of a cost model's pictures: a plot, a grid of panels, or rows that have names; wide and narrow."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from designgym.cost_models.pictures import Axis, Image, Picture, Series
from designgym.experiments.report.drawing import Floats, axis, layout, log_ticks, plain_text, rounded
from designgym.experiments.report.palette import colour_of
from designgym.experiments.report.text import short_label, shortened

WIDE, PAPER, NARROW = 4, 3, 2  # panels a row
PIXELS = {WIDE: 1000, PAPER: 660, NARROW: 320}  # of a row of panels, about
TALL = {WIDE: 430, PAPER: 350, NARROW: 350}  # of a single plot
MOST_SIDE = 330  # of a panel
TITLE = 22  # pixels above a panel
BAND, NAME = 44, 34  # pixels of a row that has a name, and of the name with the room above it
BESIDE, LETTER = 12, 6.6  # pixels that an upright label needs beside the next one, and of a letter of it


class HasSlot(Protocol):
    """What has a colour of its own, such as an agent."""

    @property
    def slot(self) -> int:
        """Its place among the colours."""


Slots = Mapping[str, HasSlot]


def suffix(panel: int) -> str:
    """Return what plotly.js adds to the names of a panel's axes."""
    return "" if panel == 0 else str(panel + 1)


def layout_of(picture: Picture, slots: Slots, most: int) -> dict[str, Any]:
    """Return a picture's layout without a legend. most: panels a row, `WIDE`, `PAPER` or `NARROW`."""
    if picture.y.names:
        return _rows(picture, slots, most)
    if len(picture.panels) > 1:
        return _panels(picture, most)
    shape = layout(_axis(picture, "x"), _axis(picture, "y"), hovermode="closest", height=TALL[most])
    return _equal(shape, "") if picture.equal else shape


# -- axes -------------------------------------------------------------------------------------------------------------


def _ends(picture: Picture, letter: str) -> tuple[float, float]:
    """Return an axis's limits over all panels, in the logarithm where it is logarithmic, with a little room."""
    of: Axis = getattr(picture, letter)
    values: list[Floats] = []
    for mark in picture.marks:
        if isinstance(mark, Image):
            values.append(np.array([-0.5, mark.values.shape[1 if letter == "x" else 0] - 0.5]))
        elif isinstance(mark, Series) and (not mark.quiet or len(mark.x) < 2):
            values.append(getattr(mark, letter))
    joined = np.concatenate(values) if values else np.array([0.0, 1.0])
    joined = np.log10(joined) if of.log else joined
    low, high = float(joined.min()), float(joined.max())
    room = 0.05 * (high - low) or 0.1 * max(abs(high), 1.0)
    room = 0.0 if _of_images(picture) else room
    return low - room, high + room


def _axis(picture: Picture, letter: str, **more: Any) -> dict[str, Any]:
    of: Axis = getattr(picture, letter)
    low, high = _ends(picture, letter)
    if not of.log:
        return axis(of.title, range=rounded([low, high]), tickformat="~g", **more)
    ticks, names = log_ticks(low, high)
    title = f"{of.title} (log scale)" if of.title else ""
    return axis(title, type="log", range=rounded([low, high]), tickvals=ticks, ticktext=names, **more)


def _equal(shape: dict[str, Any], suffix: str) -> dict[str, Any]:
    y = shape[f"yaxis{suffix}"] | {"scaleanchor": f"x{suffix}", "constrain": "domain", "constraintoward": "top"}
    x = shape[f"xaxis{suffix}"] | {"constrain": "domain", "constraintoward": "left"}
    return shape | {f"xaxis{suffix}": x, f"yaxis{suffix}": y}


def _note(text: str, x: float, y: float, size: float, **more: Any) -> dict[str, Any]:
    return {
        "text": plain_text(text), "x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left",
        "yanchor": "top", "showarrow": False, "font": {"size": size, "color": "@ink"},
    } | more  # fmt: skip


# -- panels -----------------------------------------------------------------------------------------------------------


def _panels(picture: Picture, most: int) -> dict[str, Any]:
    """Return a grid of panels, each with its title above it."""
    count = len(picture.panels)
    down = math.ceil(count / most)
    across = math.ceil(count / down)
    bare = most != WIDE or _of_images(picture)  # without numbers along the axes
    row = min(PIXELS[most] / across - (16 if bare else 34), MOST_SIDE) * _ratio(picture) + TITLE + (6 if bare else 30)
    margin = {"l": 8 if bare else 48, "r": 8, "t": 4, "b": 8 if bare else 44}
    height = round(down * row + margin["t"] + margin["b"])
    shape = layout({}, {}, hovermode="closest", height=height, margin=margin)
    gap, below, notes = 0.004 if bare else 0.012, 2 if bare else 28, []
    for i, title in enumerate(picture.panels):
        left, top = (i % across) / across, 1.0 - (i // across) / down
        x_domain = [left + gap, left + 1.0 / across - gap]
        y_domain = [top - (row - below) / (down * row), top - TITLE / (down * row)]
        x, y = _axes_of_a_panel(picture, i, bare, x_domain, y_domain)
        if i % across:
            y |= {"showticklabels": False, "title": {"text": ""}}
        if bare or i // across < down - 1:
            x["title"] = {"text": ""}
        shape |= {f"xaxis{suffix(i)}": x, f"yaxis{suffix(i)}": y}
        shape = _equal(shape, suffix(i)) if picture.equal else shape
        letters = int((x_domain[1] - x_domain[0]) * PIXELS[most] / 8.0)
        notes.append(_note(shortened(short_label(title), letters), x_domain[0], top, 13))
    return shape | {"annotations": notes}


def _axes_of_a_panel(
    picture: Picture, panel: int, bare: bool, x_domain: list[float], y_domain: list[float]
) -> tuple[dict[str, Any], dict[str, Any]]:
    ticks: dict[str, Any] = {"showticklabels": not bare, "automargin": False}
    if _of_images(picture):
        ticks |= {"ticks": "", "showgrid": False, "showline": False}
    x = _axis(picture, "x", domain=x_domain, anchor=f"y{suffix(panel)}", **ticks)
    return x, _axis(picture, "y", domain=y_domain, anchor=f"x{suffix(panel)}", **ticks)


def _of_images(picture: Picture) -> bool:
    return any(isinstance(mark, Image) for mark in picture.marks)


def _ratio(picture: Picture) -> float:
    """Return how high a panel is over how wide."""
    if not picture.equal:
        return 1.0
    (left, right), (low, high) = _ends(picture, "x"), _ends(picture, "y")
    return min(max((high - low) / (right - left), 0.4), 1.6)


# -- rows that have names ---------------------------------------------------------------------------------------------


def _rows(picture: Picture, slots: Slots, most: int) -> dict[str, Any]:
    """Return a layout of named rows, the first on top, each with its name above it and, if written, its labels."""
    longest = max((len(text) for mark in picture.marks if isinstance(mark, Series) for text in mark.labels), default=0)
    band = round(NAME + 10 + LETTER * longest) if picture.written else BAND
    count = len(picture.y.names)
    pixels = PIXELS[most] - 40
    x = _axis(picture, "x")
    y = axis("", range=[count - 1 + 14 / band, -1 + 14 / band], showgrid=False, showticklabels=False, ticks="")
    y |= {"showline": False}
    notes = []
    for row, name in enumerate(picture.y.names):
        colour = f"@{colour_of(slots[name].slot)}" if name in slots else "@muted"
        text = shortened(short_label(name), int(pixels / 7))
        top = row - 1 + 16 / band
        font = {"size": 12.5, "color": colour}
        notes.append(_note(text, 0.0, top, 12.5, yref="y") | {"font": font, "text": f"<b>{plain_text(text)}</b>"})
    if picture.written:
        low, high = _ends(picture, "x")
        for mark in picture.marks:
            if isinstance(mark, Series):
                notes += _labels(mark, (low, high), pixels, band)
    margin = {"l": 14, "r": 14, "t": 4, "b": 46}
    height = count * band + margin["t"] + margin["b"]
    return layout(x, y, hovermode="closest", height=height, margin=margin) | {"annotations": notes}


def _labels(series: Series, ends: tuple[float, float], pixels: float, band: float) -> list[dict[str, Any]]:
    """Return the labels of a row upright above their points, moved apart where points are close."""
    there = [i for i, text in enumerate(series.labels) if text]
    if not there:
        return []
    a_pixel = (ends[1] - ends[0]) / pixels
    places = apart([float(series.x[i]) / a_pixel for i in there], BESIDE, ends[0] / a_pixel, ends[1] / a_pixel)
    return [
        {
            "text": plain_text(series.labels[i]), "x": place * a_pixel, "y": float(series.y[i]) - 7 / band,
            "xref": "x", "yref": "y", "xanchor": "center", "yanchor": "bottom", "textangle": -90, "showarrow": False,
            "font": {"size": 10.5, "color": "@ink"},
        }
        for i, place in zip(there, places, strict=True)
    ]  # fmt: skip


def apart(places: list[float], least: float, low: float, high: float) -> list[float]:
    """Return places moved so that any two are `least` apart, as little as one pass each way does, within low to high.

    Their order stays. Where there is no room for all they are evenly spread.
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    if least * (len(places) - 1) >= high - low:
        least = (high - low) / max(1, len(places) - 1)
    moved = list(places)
    before = low - least
    for i in order:
        before = moved[i] = max(moved[i], before + least)
    after = high + least
    for i in reversed(order):
        after = moved[i] = min(moved[i], after - least)
    return moved
