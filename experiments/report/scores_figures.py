"""Figures of scores: the mean of each arm with its interval, and each instance beside the best fixed policy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from designgym.experiments.report.drawing import (
    Figure,
    axis,
    layout,
    plain_text,
    rounded,
    value_axis,
    with_legend,
    with_unit,
)
from designgym.experiments.report.palette import colour_of, symbol_of
from designgym.experiments.report.text import short_label

Told = dict[str, Any]
ROW = 44  # pixels of an arm
OTHERS = {"fixed": "ink", "hindsight": "muted"}


def means_figure(entry: Told, metric: Told) -> Figure | None:
    """Return a row an arm: its mean with the interval, and the means of its policies; None where none has a mean."""
    name = metric["name"]
    arms = list(reversed(entry["arms"]))
    data: list[dict[str, Any]] = []
    drawn: list[float] = []
    for place, arm in enumerate(arms):
        mean, low, high = arm["metrics"][name]
        if mean is None:
            continue
        colour = _colour(entry, arm)
        own = [one["metrics"][name] for one in arm["each"] if one["metrics"][name] is not None]
        if len(own) > 1:
            data.append({
                "x": rounded(own), "y": [place] * len(own), "mode": "markers", "showlegend": False, "hoverinfo": "x",
                "marker": {"size": 6, "color": f"@{colour}/0.4", "symbol": "circle"},
            })  # fmt: skip
        reach = {"type": "data", "array": rounded([high - mean]), "arrayminus": rounded([mean - low]),
                 "color": f"@{colour}", "thickness": 2, "width": 6}  # fmt: skip
        data.append({
            "x": rounded([mean]), "y": [place], "mode": "markers", "showlegend": False, "hoverinfo": "x",
            "marker": {"size": 10, "color": f"@{colour}"}, "error_x": reach,
        })  # fmt: skip
        drawn += [mean, low, high, *own]
    if not drawn:
        return None
    x = value_axis(f"mean {with_unit(name, metric['unit'])}", np.array(drawn))
    names = [plain_text(short_label(arm["label"])) for arm in arms]
    y = axis("", tickvals=list(range(len(arms))), ticktext=names, range=[-0.6, len(arms) - 0.4], showgrid=False)
    del y["title"]
    shape = layout(x, y, hovermode="closest", showlegend=False)
    return {"data": data, "layout": shape | {"height": max(200, 90 + ROW * len(arms))}}


def pairs_figure(entry: Told, metric: Told) -> Figure | None:
    """Return a point an instance: the policies' against the best fixed policy's; None where there is no such pair."""
    name = metric["name"]
    fixed = next((arm for arm in entry["arms"] if arm["kind"] == "fixed"), None)
    if fixed is None:
        return None
    theirs = np.array(fixed["points"][name], np.float64)
    data: list[dict[str, Any]] = []
    drawn = [theirs]
    for arm in (arm for arm in entry["arms"] if arm["kind"] == "policy"):
        ours = np.array(arm["points"][name], np.float64)
        both = np.isfinite(ours) & np.isfinite(theirs)
        if not both.any():
            continue
        place = _place(entry, arm)
        data.append({
            "x": rounded(theirs[both]), "y": rounded(ours[both]), "mode": "markers",
            "name": plain_text(short_label(arm["label"])),
            "marker": {"size": 6, "color": f"@{colour_of(place)}/0.6", "symbol": symbol_of(place)},
        })  # fmt: skip
        drawn.append(ours[both])
    if not data:
        return None
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    x = value_axis(f"best fixed: {with_unit(name, metric['unit'])}", values)
    y = value_axis(f"policy: {with_unit(name, metric['unit'])}", values)
    ends = rounded([values.min(), values.max()])
    line = {"x": ends, "y": ends, "mode": "lines", "name": "as much", "hoverinfo": "skip",
            "line": {"color": "@muted", "width": 1.2, "dash": "dash"}}  # fmt: skip
    return with_legend({"data": [line, *data], "layout": layout(x, y, hovermode="closest")})


def _place(entry: Told, arm: Told) -> int:
    return [one["label"] for one in entry["arms"] if one["kind"] == "policy"].index(arm["label"])


def _colour(entry: Told, arm: Told) -> str:
    return OTHERS.get(arm["kind"]) or colour_of(_place(entry, arm))
