"""The figures of a comparison of agents, as the page's frame takes them; the leading agents coloured, the rest grey."""

from __future__ import annotations

from typing import Any

import numpy as np

from designgym.experiments import statistics as stats
from designgym.experiments.bench.agents_study import CHANCE, TARGETS, YARDSTICK, Study, profile_ratios
from designgym.experiments.comparison import (
    Floats,
    Interval,
    performance_profile,
    pooled_iqm,
    probability_of_improvement,
    ranking,
    stratified_interval,
    targets_reached,
)
from designgym.experiments.report.drawing import (
    Figure,
    axis,
    designs_axis,
    layout,
    log_ticks,
    plain_text,
    rounded,
    seconds_axis,
    with_legend,
)

COLOURED = 8  # colours that stay apart; the agents after the first ones are grey
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "8px,2px,2px,2px", "2px,4px")
LEAST = 1e-3  # regret below this is drawn there: a log axis has no 0


def _leading(study: Study) -> list[str]:
    """Return the agents to colour: the best, with the yardstick and random among them."""
    fixed = [agent for agent in (YARDSTICK, CHANCE) if agent in study.curves]
    others = [agent for agent in study.agents if agent not in fixed]
    kept = {*fixed, *others[: COLOURED - len(fixed)]}
    return [agent for agent in study.agents if agent in kept]


def _line(study: Study, agent: str) -> dict[str, Any]:
    leading = _leading(study)
    if agent not in leading:
        return {"color": "@muted/0.45", "width": 1.1, "dash": "dot"}
    place = leading.index(agent)
    return {"color": f"@agent-{place}", "width": 2, "dash": DASHES[place]}


def _trace(study: Study, agent: str, x: Any, y: Any, **more: Any) -> dict[str, Any]:
    grey = agent not in _leading(study)
    return {
        "type": "scatter", "mode": "lines", "name": plain_text(agent), "x": rounded(x), "y": rounded(y),
        "line": _line(study, agent), "legendrank": 2000 if grey else 1000, **more,
    }  # fmt: skip


def _band(study: Study, agent: str, x: Any, low: Any, high: Any) -> dict[str, Any]:
    colour = _line(study, agent)["color"]
    return {
        "type": "scatter", "mode": "lines", "x": rounded([*x, *x[::-1]]), "y": rounded([*high, *low[::-1]]),
        "fill": "toself", "fillcolor": f"{colour}/0.13", "line": {"width": 0}, "hoverinfo": "skip",
        "showlegend": False, "name": plain_text(agent), "legendgroup": plain_text(agent),
    }  # fmt: skip


def _regret_axis(study: Study, lowest: float) -> dict[str, Any]:
    ticks, names = log_ticks(np.log10(max(lowest, LEAST)), 0.1)
    if lowest <= LEAST and LEAST in ticks:
        names[ticks.index(LEAST)] = f"≤ {LEAST:g}"
    title = "hypervolume missing" if study.several else "regret"
    limits = rounded([np.log10(max(lowest, LEAST)) - 0.05, 0.15])
    return axis(f"{title} (log scale)", type="log", tickvals=ticks, ticktext=names, range=limits)


def _curves(study: Study, grid: Any, by_clock: bool) -> tuple[list[dict[str, Any]], float]:
    bands, lines, lowest = [], [], 1.0
    for agent in study.agents:
        tables = [study.after(agent, g) if by_clock else study.at(agent, int(g)) for g in grid]
        found = [stratified_interval(pooled_iqm, table, 400) for table in tables]
        middle, low, high = (np.maximum([one[i] for one in found], LEAST) for i in range(3))
        lowest = min(lowest, float(middle.min()))
        if agent in _leading(study):
            # The band is in sight, unless it falls towards 0, which would leave the curves no room.
            lowest = min(lowest, max(float(low.min()), float(middle.min()) / 3.0))
            bands.append(_band(study, agent, list(grid), list(low), list(high)))
        hover = f"%{{y:.3f}}<extra>{plain_text(agent)}</extra>"
        lines.append(_trace(study, agent, grid, middle, hovertemplate=hover, legendgroup=plain_text(agent)))
    return bands + lines, lowest


def regret_figure(study: Study) -> Figure:
    """Return the interquartile mean of regret by designs priced, with bands for the leading agents."""
    traces, lowest = _curves(study, stats.design_grid(study.budget, 40), by_clock=False)
    x = designs_axis(study.budget)
    shape = layout(x, _regret_axis(study, lowest), height=450, hovermode="closest")
    return with_legend({"data": traces, "layout": shape}, wide=True)


def clock_figure(study: Study) -> Figure:
    """Return the interquartile mean of regret by each run's clock."""
    grid = study.clock[::2]
    traces, lowest = _curves(study, grid, by_clock=True)
    shape = layout(seconds_axis(grid), _regret_axis(study, lowest), hovermode="closest")
    return with_legend({"data": traces, "layout": shape})


def reached_figure(study: Study, unit: str) -> Figure:
    """Return the share of runs and targets reached by designs priced or by the clock."""
    clock = unit == "s"
    grid: Any = study.clock if clock else stats.design_grid(study.budget, 80)
    traces = []
    for agent in study.agents:
        when = np.array([study.reached(agent, target, unit)[0] for target in TARGETS])
        hover = f"%{{y:.0%}}<extra>{plain_text(agent)}</extra>"
        traces.append(_trace(study, agent, grid, targets_reached(when, grid), hovertemplate=hover))
    x = seconds_axis(grid) if clock else designs_axis(study.budget)
    y = _share("share of runs and targets")
    return with_legend({"data": traces, "layout": layout(x, y, hovermode="closest")})


def _share(title: str) -> dict[str, Any]:
    return axis(title, tickformat=".0%", range=[-0.02, 1.03])


def profile_figure(study: Study, unit: str, most: float = 32.0) -> Figure:
    """Return the performance profiles up to a factor of `most`."""
    grid = np.geomspace(1.0, most, 90)
    traces = []
    for agent, ratios in profile_ratios(study, unit).items():
        hover = f"%{{y:.0%}} within %{{x:.2g}} times<extra>{plain_text(agent)}</extra>"
        traces.append(_trace(study, agent, grid, performance_profile(ratios, grid), hovertemplate=hover))
    ticks = [1, 2, 4, 8, 16, 32]
    x = axis("times the best agent's designs", type="log", tickvals=ticks, ticktext=[f"{t}×" for t in ticks])
    y = _share("share of problems and targets")
    return with_legend({"data": traces, "layout": layout(x, y, hovermode="closest")})


def _bars(study: Study, found: dict[str, Interval], x: dict[str, Any], digits: int) -> Figure:
    names = list(found)[::-1]
    low = [found[name].middle - found[name].low for name in names]
    high = [found[name].high - found[name].middle for name in names]
    spread = {"type": "data", "symmetric": False, "array": rounded(high), "arrayminus": rounded(low), "thickness": 2.5,
              "width": 0, "color": "@muted"}  # fmt: skip
    colours = [_line(study, name)["color"].split("/")[0] for name in names]
    trace = {
        "type": "scatter", "mode": "markers", "x": rounded([found[name].middle for name in names]),
        "y": [plain_text(name) for name in names], "error_x": spread, "showlegend": False,
        "marker": {"size": 9, "color": colours}, "hovertemplate": f"%{{y}}: %{{x:.{digits}f}}<extra></extra>",
    }  # fmt: skip
    y = axis("", showgrid=False, ticks="", tickfont={"color": "@ink", "size": 12.5})
    height = 90 + 24 * len(names)
    return {"data": [trace], "layout": layout(x, y, height=height, hovermode="closest", showlegend=False)}


def ranks_figure(study: Study, designs: int) -> Figure:
    """Return average ranks, each with half the critical difference on either side."""
    found = ranking({agent: study.at(agent, designs).mean(axis=0) for agent in study.agents})
    half = found.critical_difference / 2.0
    bars = {agent: Interval(rank, rank - half, rank + half) for agent, rank in found.ranks.items()}
    return _bars(study, bars, axis("average rank"), 2)


def chances_figure(study: Study, designs: int) -> Figure:
    """Return for each agent the chance that a run of it ends below one of the best agent."""
    first: Floats = study.at(study.agents[0], designs)
    found = {
        agent: probability_of_improvement(study.at(agent, designs), first)
        for agent in study.agents
        if agent != study.agents[0]
    }
    x = axis("chance of less regret", tickformat=".0%", range=[-0.03, 1.03])
    figure = _bars(study, found, x, 2)
    half = {"type": "line", "xref": "x", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    figure["layout"]["shapes"] = [half | {"line": {"color": "@muted", "width": 1, "dash": "dash"}}]
    return figure
