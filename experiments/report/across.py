"""Problems that differ in one number alone: what the agents reach against it, such as error against work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from designgym.experiments import statistics as stats
from designgym.experiments.report.drawing import (
    Figure,
    Floats,
    axis,
    layout,
    log_ticks,
    plain_text,
    rounded,
    scaled_unit,
    value_axis,
    with_legend,
    with_unit,
)
from designgym.experiments.report.frame import Part, figures
from designgym.experiments.report.palette import colour_of, dash_of, symbol_of
from designgym.experiments.report.study import AgentStudy, ProblemStudy
from designgym.experiments.report.text import NBSP, code, metric_unit, short_label

MOST_FIGURES = 6
NAMES_ONLY = ("seed", "instance")  # last words of options whose numbers say nothing of more or less
WIDE_RANGE = 8.0  # largest over smallest number above which its axis is logarithmic
MOST_TICKS = 12


@dataclass(frozen=True)
class Line:
    """Problems of one environment and objective that differ in the number of one option, in its order."""

    option: str
    numbers: tuple[float, ...]
    problems: tuple[ProblemStudy, ...]


def lines_of(problems: Sequence[ProblemStudy]) -> list[Line]:
    """Return the sets of at least two problems that differ in one numeric option alone, largest first."""
    solved = [problem for problem in problems if problem.best and problem.single]
    names = dict.fromkeys(
        name for problem in solved for name, value in problem.logged.options.items() if _number(value)
    )
    found = []
    for option in names:
        groups: dict[str, dict[float, ProblemStudy]] = {}
        for problem in solved:
            if _number(problem.logged.options.get(option)):
                others = {name: value for name, value in problem.logged.options.items() if name != option}
                key = json.dumps([problem.logged.id, problem.objectives, others], sort_keys=True, default=str)
                groups.setdefault(key, {})[float(problem.logged.options[option])] = problem
        for group in groups.values():
            if len(group) > 1:
                numbers = tuple(sorted(group))
                found.append(Line(option, numbers, tuple(group[number] for number in numbers)))
    return sorted(found, key=lambda line: -len(line.numbers))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def across_block(problems: Sequence[ProblemStudy], part: Part) -> str:
    """Return a figure for each such set, at most six; nothing where there is none."""
    lines = lines_of(problems)[:MOST_FIGURES]
    placed = []
    for line in lines:
        first = line.problems[0]
        heading = f"{first.objectives[0]} against {line.option}, {first.logged.id}"
        held = [f"{name}={value}" for name, value in first.logged.given.items() if name != line.option]
        under = f" with {escape(', '.join(held))}" if held else ""
        of = f"{escape(first.logged.id)}{under}"
        note = (
            f"The best {code(first.objectives[0])} that a run finds, on the problems of {of} that differ in "
            f"{code(line.option)} alone: interquartile mean over runs, with its 95{NBSP}% interval."
        )
        placed.append(part.place(_figure(line), heading, note, wide=len(lines) == 1))
    return figures(*placed) if placed else ""


def _figure(line: Line) -> Figure:
    first = line.problems[0]
    name, sign = first.objectives[0], float(first.signs[0])
    best = [float(problem.truth.loss) for problem in line.problems]
    scale, unit = scaled_unit(float(np.median(np.abs(best))), metric_unit(first, name))
    agents = {agent.label: agent for problem in line.problems for agent in problem.shown}
    traces, values = [], [np.array(best) * sign / scale]
    for agent in agents.values():
        trace, drawn = _trace(line, agent, sign / scale)
        traces.append(trace)
        values.append(drawn)
    if all(problem.truth.known for problem in line.problems):
        traces.append({
            "type": "scatter", "mode": "lines", "name": "true optimum", "x": rounded(line.numbers),
            "y": rounded(np.array(best) * sign / scale), "line": {"color": "@ink", "width": 1.4, "dash": "dash"},
        })  # fmt: skip
    y = value_axis(f"best {with_unit(name, unit)}", np.concatenate(values))
    return with_legend({"data": traces, "layout": layout(_option_axis(line), y, hovermode="closest")}, wide=True)


def _trace(line: Line, agent: AgentStudy, factor: float) -> tuple[dict[str, Any], Floats]:
    """Return an agent's means with their intervals as bars, and all that is drawn of them."""
    rows = []
    for number, problem in zip(line.numbers, line.problems, strict=True):
        mine = next((one for one in problem.agents if one.label == agent.label and one.counted), None)
        if mine is not None and np.isfinite(mine.final_best).all():
            estimate = stats.iqm_interval(mine.final_best)
            ends = sorted(float(end) * factor for end in (estimate.low, estimate.high))
            rows.append((number, float(estimate.middle) * factor, *ends))
    x, middle, low, high = np.array(rows, np.float64).reshape(-1, 4).T
    colour = f"@{colour_of(agent.slot)}"
    name = plain_text(short_label(agent.label))
    bars = {"type": "data", "symmetric": False, "array": rounded(high - middle), "arrayminus": rounded(middle - low)}
    trace = {
        "type": "scatter", "mode": "lines+markers", "name": name, "x": rounded(x), "y": rounded(middle),
        "error_y": bars | {"color": colour, "thickness": 1.2, "width": 3},
        "line": {"color": colour, "width": 2, "dash": dash_of(agent.slot)},
        "marker": {"color": colour, "size": 7, "symbol": symbol_of(agent.slot)},
        "hovertemplate": f"{plain_text(line.option)} %{{x:g}}: %{{y:.4g}}<extra>{name}</extra>",
    }  # fmt: skip
    return trace, np.concatenate([middle, low, high])


def _option_axis(line: Line) -> dict[str, Any]:
    low, high = line.numbers[0], line.numbers[-1]
    few = {"tickvals": list(line.numbers), "ticktext": [f"{number:,g}" for number in line.numbers]}
    if low > 0 and high / low > WIDE_RANGE:
        ticks, names = log_ticks(np.log10(low), np.log10(high))
        shown = few if len(line.numbers) <= MOST_TICKS else {"tickvals": ticks, "ticktext": names}
        return axis(f"{line.option} (log scale)", type="log", **shown)
    return axis(line.option, **(few if len(line.numbers) <= MOST_TICKS else {}))
