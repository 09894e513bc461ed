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
    with_legend,
    with_unit,
)
from designgym.experiments.report.palette import colour_of, dash_of
from designgym.experiments.report.study import AgentStudy, ProblemStudy, Run, needed
from designgym.experiments.report.text import metric_unit, metric_value, short_label

LEAST_REGRET = 1e-7  # anything below is drawn as 0
WITHIN = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # of the optimum


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


def curves(
    problem: ProblemStudy, value: Callable[[Run], Floats], before: float, by_time: bool = False
) -> tuple[list[Curve], list[Curve]]:
    """Return the curves of a run's value of the agents drawn in colours, and of the others, drawn without interval.

    before: where a run is that has no value yet.
    """
    grid = _grid(problem, by_time)

    def curve(agent: AgentStudy, resampled: bool) -> Curve:
        places = [run.steps.elapsed_s if by_time else run.steps.number for run in agent.counted]
        rows = stats.on_grid(places, [value(run) for run in agent.counted], grid, before)
        if not resampled:
            middle = stats.interquartile_mean(rows)
            return Curve(agent, grid, middle, middle, middle)
        estimate = stats.iqm_interval(rows)
        return Curve(agent, grid, estimate.middle, estimate.low, estimate.high)

    return [curve(agent, True) for agent in problem.shown], [curve(agent, False) for agent in problem.others]


def _grid(problem: ProblemStudy, by_time: bool) -> Floats:
    if not by_time:
        return stats.design_grid(longest(problem)).astype(np.float64)
    steps = [run.steps for agent in problem.agents for run in agent.counted]
    return stats.second_grid([np.array([step.first_s, step.last_s]) for step in steps])


def longest(problem: ProblemStudy) -> int:
    """Return the number of designs in the longest run that counts."""
    return max(run.trials for agent in problem.agents for run in agent.counted)


# -- figures ----------------------------------------------------------------------------------------------------------


def best_figure(problem: ProblemStudy, by_time: bool) -> Figure:
    """Return the best value so far, against designs priced or against seconds, with the optimum's level."""
    name, sign, optimum = problem.objectives[0], float(problem.signs[0]), problem.truth.loss
    scale, unit = scaled_unit(optimum, metric_unit(problem, name))
    found, others = curves(problem, lambda run: run.best, np.inf, by_time)
    found, others = ([curve.times(sign / scale) for curve in group] for group in (found, others))
    at = sign * optimum / scale
    known = "true optimum" if problem.truth.known else "best known"
    line = level(at, f"{known}: {metric_value(problem, name, sign * optimum)}")
    y = value_axis(
        f"best {with_unit(name, unit)}", np.append(np.concatenate([c.values for c in [*found, *others]]), at)
    )
    return _figure(problem, (found, others), y, by_time, unit, shapes=[line])


def hypervolume_figure(problem: ProblemStudy, by_time: bool) -> Figure:
    """Return the share of the hypervolume of the true or best known front, against designs priced or seconds."""
    found = curves(problem, lambda run: 1.0 - run.regret, 0.0, by_time)
    known = "true front" if problem.truth.known else "best known front"
    y = axis("share of the hypervolume", tickformat=".0%", range=[-0.03, 1.06])
    return _figure(problem, found, y, by_time, "", shapes=[level(1.0, known)])


def regret_figure(problem: ProblemStudy) -> Figure:
    """Return regret against designs priced, both on log scales; 0 sits on the lowest tick."""
    found = curves(problem, lambda run: run.regret, 1.0)
    values = np.concatenate([curve.values for curve in found[0] + found[1]])
    positive = values[(values > LEAST_REGRET) & np.isfinite(values)]
    low, high = (math.log10(positive.min()), math.log10(positive.max())) if len(positive) else (-1.0, 0.0)
    ticks, names = log_ticks(low, high)
    if (values <= LEAST_REGRET).any():
        # 0 has no place on a log axis: it is drawn one decade below the least regret above 0.
        low = math.floor(low) - 1.0
        ticks, names = [10.0**low, *ticks], ["0", *names]
    y = axis("regret (log scale)", type="log", range=[low - 0.14, high + 0.12], tickvals=ticks, ticktext=names)
    return _figure(problem, found, y, False, "", least=10.0**low)


def tolerance_reached(problem: ProblemStudy) -> float:
    """Return the least of `WITHIN` within which some run came to the optimum, the first if none did within any."""
    finals = [needed(run, problem.truth, t)[0] for t in WITHIN for agent in problem.ranked for run in agent.counted]
    came = np.isfinite(finals).reshape(len(WITHIN), -1).any(axis=1)
    return WITHIN[int(np.argmax(came))]


def reached_figure(problem: ProblemStudy, tolerance: float) -> Figure:
    """Return the share of runs within a tolerance of the optimum, against designs priced."""
    grid = stats.design_grid(longest(problem)).astype(np.float64)
    shares = {}
    for agent in problem.ranked:
        reach = np.array([needed(run, problem.truth, tolerance)[0] for run in agent.counted])
        shares[agent.label] = (reach[:, None] <= grid).mean(axis=0)
    traces = _greys([(grid, shares[agent.label]) for agent in problem.others])
    for agent in problem.shown:
        line = _line(agent, grid, shares[agent.label])
        traces.append(line | {"hovertemplate": f"%{{y:.0%}}<extra>{_name(agent)}</extra>"})
    y = axis(f"runs within {tolerance:.0%}", tickformat=".0%", range=[-0.03, 1.06])
    return with_legend({"data": traces, "layout": layout(designs_axis(longest(problem)), y)})


# -- traces -----------------------------------------------------------------------------------------------------------


def _figure(
    problem: ProblemStudy,
    found: tuple[list[Curve], list[Curve]],
    y: dict[str, Any],
    by_time: bool,
    unit: str,
    least: float = -np.inf,
    shapes: list[dict[str, Any]] | None = None,
) -> Figure:
    """Return a band and a line an agent in colours, and a grey line for others. least: values below are drawn there."""
    traces = _greys([(curve.grid, np.maximum(curve.middle, least)) for curve in found[1]])
    for curve in found[0]:
        middle, low, high = (np.maximum(v, least) for v in (curve.middle, curve.low, curve.high))
        shown = np.isfinite(low) & np.isfinite(high)
        if shown.sum() > 1 and (high[shown] > low[shown]).any():
            traces.append(_band(curve.agent, curve.grid[shown], low[shown], high[shown]))
        suffix = plain_text(f" {unit}") if unit else ""
        # The hover text tells what was measured, also where a 0 is drawn at the lowest tick.
        told = list(zip(rounded(curve.middle), rounded(curve.low), rounded(curve.high), strict=True))
        hover = f"%{{customdata[0]:.4g}}{suffix} [%{{customdata[1]:.4g}}, %{{customdata[2]:.4g}}]"
        hover += f"<extra>{_name(curve.agent)}</extra>"
        traces.append(_line(curve.agent, curve.grid, middle) | {"customdata": told, "hovertemplate": hover})
    x = seconds_axis(found[0][0].grid) if by_time else designs_axis(longest(problem))
    return with_legend({"data": traces, "layout": layout(x, y, shapes=shapes or [])})


def _greys(lines: list[tuple[Floats, Floats]]) -> list[dict[str, Any]]:
    """Return the lines of the agents that get no colour, thin and grey, as one trace; nothing where there are none."""
    if not lines:
        return []
    x = [place for grid, _ in lines for place in [*rounded(grid), None]]
    y = [value for _, values in lines for value in [*rounded(values), None]]
    stroke = {"color": "@muted/0.45", "width": 1, "shape": "hv"}
    name = f"{len(lines)} other{'s' if len(lines) > 1 else ''}"
    return [{"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": stroke, "hoverinfo": "skip"}]


def _name(agent: AgentStudy) -> str:
    return plain_text(short_label(agent.label)) + ("" if agent.whole else " (unfinished)")


def _line(agent: AgentStudy, x: Floats, y: Floats) -> dict[str, Any]:
    stroke = {"color": f"@{colour_of(agent.slot)}", "width": 2.2, "dash": dash_of(agent.slot), "shape": "hv"}
    shown = {"name": _name(agent), "legendgroup": plain_text(agent.label), "line": stroke}
    return {"type": "scatter", "mode": "lines", "x": rounded(x), "y": rounded(y), **shown}


def _band(agent: AgentStudy, x: Floats, low: Floats, high: Floats) -> dict[str, Any]:
    """Return the area between two step functions as one closed outline."""
    along = np.repeat(x, 2)[1:]
    upper, lower = np.repeat(high, 2)[:-1], np.repeat(low, 2)[:-1]
    around = np.concatenate([along, along[::-1]]), np.concatenate([upper, lower[::-1]])
    clear = {"width": 0, "color": f"@{colour_of(agent.slot)}/0"}
    return {
        "type": "scatter", "mode": "lines", "x": rounded(around[0]), "y": rounded(around[1]), "fill": "toself",
        "fillcolor": f"@{colour_of(agent.slot)}/0.16", "line": clear, "hoverinfo": "skip", "showlegend": False,
        "legendgroup": plain_text(agent.label), "name": plain_text(f"{agent.label}, 95 % interval"),
    }  # fmt: skip
