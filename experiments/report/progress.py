"""The figures of search progress: best so far, hypervolume, regret, and who got there, over the runs of an agent."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.experiments import statistics as stats
from designgym.experiments.report.drawing import (
    Figure,
    Floats,
    axis,
    designs_axis,
    layout,
    level,
    log_ticks,
    plain_text,
    rounded,
    scaled_unit,
    seconds_axis,
    value_axis,
    with_unit,
)
from designgym.experiments.report.palette import DASHES
from designgym.experiments.report.study import AgentStudy, ProblemStudy, Run
from designgym.experiments.report.text import metric_unit, metric_value

LEAST_REGRET = 1e-7  # anything below is drawn as 0


@dataclass(frozen=True)
class Curve:
    """An agent's interquartile mean over its runs with its interval, on a grid of designs priced or of seconds."""

    agent: AgentStudy
    grid: Floats
    middle: Floats
    low: Floats
    high: Floats

    @property
    def values(self) -> Floats:
        """All that is drawn of it."""
        return np.concatenate([self.middle, self.low, self.high])

    def times(self, factor: float) -> Curve:
        """Return the curve in another unit; a negative factor turns a loss into a metric that is maximised."""
        low, high = (self.low, self.high) if factor > 0 else (self.high, self.low)
        return Curve(self.agent, self.grid, self.middle * factor, low * factor, high * factor)


def curves(problem: ProblemStudy, value: Callable[[Run], Floats], before: float, by_time: bool = False) -> list[Curve]:
    """Return each agent's curve of a run's value; a run that has none yet is at `before`."""
    runs = [run for agent in problem.agents for run in agent.counted]
    if by_time:
        grid = stats.second_grid([run.elapsed_s for run in runs])
    else:
        grid = stats.design_grid(longest(problem)).astype(np.float64)
    found = []
    for agent in (a for a in problem.agents if a.counted):
        places = [run.elapsed_s if by_time else np.arange(1.0, len(run.regret) + 1) for run in agent.counted]
        rows = stats.on_grid(places, [value(run) for run in agent.counted], grid, before)
        estimate = stats.iqm_interval(rows)
        found.append(Curve(agent, grid, estimate.middle, estimate.low, estimate.high))
    return found


def longest(problem: ProblemStudy) -> int:
    """Return the number of designs in the longest run that counts."""
    return max(len(run.regret) for agent in problem.agents for run in agent.counted)


# -- figures ----------------------------------------------------------------------------------------------------------


def best_figure(problem: ProblemStudy, by_time: bool) -> Figure:
    """Return the best value so far, against designs priced or against seconds, with the optimum's level."""
    name, sign, optimum = problem.objectives[0], float(problem.signs[0]), problem.truth.loss
    scale, unit = scaled_unit(optimum, metric_unit(problem, name))
    found = [curve.times(sign / scale) for curve in curves(problem, lambda run: run.best, np.inf, by_time)]
    at = sign * optimum / scale
    known = "true optimum" if problem.truth.known else "best known"
    line = level(at, f"{known}: {metric_value(problem, name, sign * optimum)}")
    y = value_axis(f"best {with_unit(name, unit)}", np.append(np.concatenate([c.values for c in found]), at))
    return _figure(problem, found, y, by_time, unit, shapes=[line])


def hypervolume_figure(problem: ProblemStudy, by_time: bool) -> Figure:
    """Return the share of the hypervolume of the true or best known front, against designs priced or seconds."""
    found = curves(problem, lambda run: 1.0 - run.regret, 0.0, by_time)
    known = "true front" if problem.truth.known else "best known front"
    y = axis("share of the hypervolume", tickformat=".0%", range=[-0.03, 1.06])
    return _figure(problem, found, y, by_time, "", shapes=[level(1.0, known)])


def regret_figure(problem: ProblemStudy) -> Figure:
    """Return regret against designs priced, both on log scales; 0 sits on the lowest tick."""
    found = curves(problem, lambda run: run.regret, 1.0)
    values = np.concatenate([curve.values for curve in found])
    positive = values[(values > LEAST_REGRET) & np.isfinite(values)]
    low, high = (math.log10(positive.min()), math.log10(positive.max())) if len(positive) else (-1.0, 0.0)
    ticks, names = log_ticks(low, high)
    if (values <= LEAST_REGRET).any():
        # 0 has no place on a log axis: it is drawn one decade below the least regret above 0.
        low = math.floor(low) - 1.0
        ticks, names = [10.0**low, *ticks], ["0", *names]
    y = axis("regret (log scale)", type="log", range=[low - 0.14, high + 0.12], tickvals=ticks, ticktext=names)
    return _figure(problem, found, y, False, "", least=10.0**low)


def reached_figure(problem: ProblemStudy, tolerance: float = 0.01) -> Figure:
    """Return the share of runs within a tolerance of the optimum, against designs priced."""
    grid = stats.design_grid(longest(problem)).astype(np.float64)
    traces = []
    for agent in (a for a in problem.agents if a.counted):
        share = (agent.reach[tolerance][:, None] <= grid).mean(axis=0)
        traces.append(_line(agent, grid, share) | {"hovertemplate": f"%{{y:.0%}}<extra>{_name(agent)}</extra>"})
    y = axis(f"runs within {tolerance:.0%}", tickformat=".0%", range=[-0.03, 1.06])
    return {"data": traces, "layout": layout(designs_axis(longest(problem)), y)}


# -- traces -----------------------------------------------------------------------------------------------------------


def _figure(
    problem: ProblemStudy,
    found: list[Curve],
    y: dict[str, Any],
    by_time: bool,
    unit: str,
    least: float | None = None,
    shapes: list[dict[str, Any]] | None = None,
) -> Figure:
    """Return a band and a line an agent. least: values below are drawn there."""
    traces = []
    for curve in found:
        middle, low, high = (
            v if least is None else np.maximum(v, least) for v in (curve.middle, curve.low, curve.high)
        )
        shown = np.isfinite(low) & np.isfinite(high)
        if shown.sum() > 1 and (high[shown] > low[shown]).any():
            traces.append(_band(curve.agent, curve.grid[shown], low[shown], high[shown]))
        suffix = plain_text(f" {unit}") if unit else ""
        # The hover text tells what was measured, also where a 0 is drawn at the lowest tick.
        told = list(zip(rounded(curve.middle), rounded(curve.low), rounded(curve.high), strict=True))
        hover = f"%{{customdata[0]:.4g}}{suffix} [%{{customdata[1]:.4g}}, %{{customdata[2]:.4g}}]"
        hover += f"<extra>{_name(curve.agent)}</extra>"
        traces.append(_line(curve.agent, curve.grid, middle) | {"customdata": told, "hovertemplate": hover})
    x = seconds_axis(found[0].grid) if by_time else designs_axis(longest(problem))
    return {"data": traces, "layout": layout(x, y, shapes=shapes or [])}


def _name(agent: AgentStudy) -> str:
    return plain_text(agent.label) + ("" if agent.whole else " (unfinished)")


def _line(agent: AgentStudy, x: Floats, y: Floats) -> dict[str, Any]:
    stroke = {"color": f"@agent-{agent.slot}", "width": 2.2, "dash": DASHES[agent.slot], "shape": "hv"}
    shown = {"name": _name(agent), "legendgroup": plain_text(agent.label), "line": stroke}
    return {"type": "scatter", "mode": "lines", "x": rounded(x), "y": rounded(y), **shown}


def _band(agent: AgentStudy, x: Floats, low: Floats, high: Floats) -> dict[str, Any]:
    """Return the area between two step functions as one closed outline."""
    along = np.repeat(x, 2)[1:]
    upper, lower = np.repeat(high, 2)[:-1], np.repeat(low, 2)[:-1]
    around = np.concatenate([along, along[::-1]]), np.concatenate([upper, lower[::-1]])
    clear = {"width": 0, "color": f"@agent-{agent.slot}/0"}
    return {
        "type": "scatter", "mode": "lines", "x": rounded(around[0]), "y": rounded(around[1]), "fill": "toself",
        "fillcolor": f"@agent-{agent.slot}/0.16", "line": clear, "hoverinfo": "skip", "showlegend": False,
        "legendgroup": plain_text(agent.label), "name": plain_text(f"{agent.label}, 95 % interval"),
    }  # fmt: skip
