"""The figure of what was verified: a metric of the best designs when verified, against the same in search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from designgym.experiments.report.drawing import (
    Figure,
    Floats,
    axis,
    layout,
    plain_text,
    rounded,
    scaled_unit,
    value_axis,
    with_legend,
    with_unit,
)
from designgym.experiments.report.palette import colour_of, symbol_of
from designgym.experiments.report.study import AgentStudy, ProblemStudy
from designgym.experiments.report.text import metric_unit, short_label

ALONG = 48  # points of the diagonal, which is a curve where one axis alone is logarithmic

Pairs = Mapping[str, tuple[Floats, Floats]]  # by agent: in search, and verified


def verified_figure(problem: ProblemStudy, name: str, pairs: Pairs) -> Figure:
    """Return the agents' designs, with the line of no change. name: of the metric."""
    finite = {agent: _finite(*pair) for agent, pair in pairs.items()}
    finite = {agent: pair for agent, pair in finite.items() if len(pair[0])}
    if not finite:
        return {"data": [], "layout": layout(axis("in search"), axis("verified"))}
    first = next(iter(finite.values()))[0]
    scale, unit = scaled_unit(float(first[0]), metric_unit(problem, name))
    scaled = {agent: (x / scale, y / scale) for agent, (x, y) in finite.items()}
    x, y = (np.concatenate([pair[k] for pair in scaled.values()]) for k in (0, 1))
    along = np.linspace(x.min(), x.max(), ALONG)
    line = {"color": "@muted", "width": 1.4, "dash": "dash"}
    traces: list[dict[str, Any]] = [{
        "type": "scatter", "mode": "lines", "name": "nothing lost", "x": rounded(along), "y": rounded(along),
        "line": line, "hoverinfo": "skip",
    }]  # fmt: skip
    traces += [_trace(problem, name, agent, *pair) for agent, pair in scaled.items()]
    title = with_unit(name, unit)
    shape = layout(
        value_axis(f"{title} in search", x), value_axis(f"{title} verified", np.concatenate([x, y])),
        hovermode="closest",
    )  # fmt: skip
    return with_legend({"data": traces, "layout": shape})


def _finite(searched: Floats, verified: Floats) -> tuple[Floats, Floats]:
    there = np.isfinite(verified) & np.isfinite(searched)
    return searched[there], verified[there]


def _trace(problem: ProblemStudy, name: str, agent: str, x: Floats, y: Floats) -> dict[str, Any]:
    studies: Mapping[str, AgentStudy] = {own.label: own for own in problem.shown}
    label = plain_text(short_label(agent))
    colour, symbol = "@muted", "circle-open"
    if agent in studies:
        colour, symbol = f"@{colour_of(studies[agent].slot)}", symbol_of(studies[agent].slot)
    told = f"{plain_text(name)} %{{x:.4g}} in search, %{{y:.4g}} verified<extra>{label}</extra>"
    return {
        "type": "scatter", "mode": "markers", "name": label, "x": rounded(x), "y": rounded(y),
        "marker": {"color": colour, "size": 8, "symbol": symbol}, "hovertemplate": told,
    }  # fmt: skip
