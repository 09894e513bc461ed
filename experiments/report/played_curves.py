"""How the trials of a sequential environment went on: an agent's runs as one line with its band."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.experiments import statistics as stats
from designgym.experiments.report.drawing import (
    Figure,
    axis,
    layout,
    level,
    rounded,
    value_axis,
    with_legend,
    with_unit,
)
from designgym.experiments.report.frame import Part, figures
from designgym.experiments.report.palette import colour_of, dash_of
from designgym.experiments.report.text import NBSP, short_label

if TYPE_CHECKING:
    from designgym.experiments.report.played import Played, PlayedRun

Floats = NDArray[np.float64]


def course(played: Played, windows: int, part: Part) -> str:
    """Return two or three figures: means as trials go on, what share was feasible where not all are, means so far.

    Of a training the last is the mean return instead, what was learned from: nobody pays for its trials on average.
    """
    unit = with_unit(played.objective, played.metric.unit)
    some = any(run.feasible < 1.0 for player in played.players for run in player.runs)
    parts = f"over {windows} parts of a run; the band is the 95{NBSP}% interval over runs."
    note = f"Means {'of feasible trials ' if some else ''}{parts}"
    drawn = [part.place(_curves(played, "means", f"mean {unit}"), "As trials go on", note)]
    if some:
        drawn.append(part.place(_curves(played, "shares", "feasible trials"), "Feasible trials", f"Shares {parts}"))
    returned = any(np.isfinite(run.returns).any() for player in played.players for run in player.runs)
    if played.training and returned:
        why = f"Mean return of all trials {parts.replace('; the', ', what agents learn from; the')}"
        drawn.append(part.place(_curves(played, "returns", "mean return"), "What agents learn from", why))
    elif not (some and played.training):
        total = "The mean of all trials so far: what a user has paid for each, learning included."
        drawn.append(part.place(_curves(played, "so_far", f"mean so far, {unit}"), "The mean so far", total))
    return figures(*drawn)


def _curves(played: Played, what: str, title: str) -> Figure:
    """Return the lines of all agents with their bands, by trials. what: means, so_far, shares or returns."""
    of_objective = what in ("means", "so_far")
    fixed = played.fixed if of_objective else None
    data: list[dict[str, Any]] = []
    drawn: list[Floats] = [] if fixed is None else [np.array([fixed])]
    for player in played.players:
        longest = max(player.runs, key=lambda run: run.trials)
        grid = longest.ends
        rows = [_on_grid(run, getattr(run, what), grid) for run in player.runs if np.isfinite(getattr(run, what)).any()]
        if not rows:
            continue
        found = stats.iqm_interval(np.stack(rows))
        colour, name = colour_of(player.slot), short_label(player.label)
        x = rounded(np.concatenate([grid, grid[::-1]]))
        band = {"x": x, "y": rounded(np.concatenate([found.high, found.low[::-1]])), "fill": "toself",
                "fillcolor": f"@{colour}/0.15", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False,
                "mode": "lines"}  # fmt: skip
        line = {"x": rounded(grid), "y": rounded(found.middle), "name": escape(name), "mode": "lines",
                "line": {"color": f"@{colour}", "width": 2, "dash": dash_of(player.slot)}}  # fmt: skip
        data += [band, line]
        drawn += [found.low, found.high]
    x_axis = axis("trials", tickformat=",d", hoverformat=",d")
    more: dict[str, Any] = {}
    if fixed is not None:
        more["shapes"] = [level(fixed, "best fixed policy")]
    y_axis = (
        axis(title, tickformat=".0%", range=[0, 1.02]) if what == "shares" else value_axis(title, np.concatenate(drawn))
    )
    return with_legend({"data": data, "layout": layout(x_axis, y_axis, **more)})


def _on_grid(run: PlayedRun, values: Floats, grid: Floats) -> Floats:
    """Return a run's values at other numbers of trials; windows without a feasible trial are bridged."""
    known = np.isfinite(values)
    return np.interp(grid, run.ends[known], values[known])
