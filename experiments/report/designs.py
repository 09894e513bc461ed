"""The figures of designs: the Pareto front, and what each parameter matters."""

from __future__ import annotations

from itertools import combinations
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
    with_legend,
    with_unit,
)
from designgym.experiments.report.palette import colour_of, dash_of, symbol_of
from designgym.experiments.report.study import AgentStudy, ProblemStudy
from designgym.experiments.report.text import metric_unit, short_label, shortened

MOST_POINTS = 1200
MOST_ON_FRONT = 400
MOST_PAIRS = 3
SERIES = ("@accent", "@warn", "@muted")  # objectives: no agent has these colours
SPECK = 0.25  # share of an axis below which a front is too small to read


class _Pair:
    """Two of the losses, shown as metrics in readable units."""

    def __init__(self, problem: ProblemStudy, i: int, j: int) -> None:
        self.at = (i, j)
        self.names = [problem.objectives[k] for k in self.at]
        self.signs = [float(problem.signs[k]) for k in self.at]
        middle = np.median(np.abs(problem.truth.front), axis=0)
        scaled = [scaled_unit(float(middle[k]), metric_unit(problem, problem.objectives[k])) for k in self.at]
        self.scales, self.units = [scale for scale, _ in scaled], [unit for _, unit in scaled]

    def values(self, losses: Floats) -> list[Floats]:
        """Return losses, (n, k), as the two metrics, each (n,)."""
        return [s * losses[:, k] / c for s, k, c in zip(self.signs, self.at, self.scales, strict=True)]

    def trace(self, losses: Floats, name: str, mode: str, **more: Any) -> dict[str, Any]:
        """Return a trace of points."""
        x, y = self.values(losses)
        shown = {"type": "scatter", "mode": mode, "name": plain_text(name), "x": rounded(x), "y": rounded(y)}
        told = [
            f"{plain_text(metric)} %{{{letter}:.4g}} {plain_text(unit)}"
            for metric, letter, unit in zip(self.names, "xy", self.units, strict=True)
        ]
        return shown | {"hovertemplate": f"{'<br>'.join(told)}<extra>{plain_text(name)}</extra>"} | more

    def limits(self, losses: Floats, room: float) -> list[list[float | None]]:
        """Return both axes' ranges around losses, with room on each side as a share of their extent."""
        ranges = []
        for values in self.values(losses):
            low, high = float(values.min()), float(values.max())
            extent = (high - low) or 0.1 * max(abs(high), 1e-12)
            ranges.append(rounded([low - room * extent, high + room * extent]))
        return ranges


def pareto_figures(problem: ProblemStudy) -> list[Figure]:
    """Return a figure a pair of objectives, at most three: designs, agents' fronts, the known one, the reference."""
    pairs = list(combinations(range(len(problem.objectives)), 2))[:MOST_PAIRS]
    return [_pareto_figure(problem, _Pair(problem, i, j)) for i, j in pairs]


def pairs_of(problem: ProblemStudy) -> list[tuple[str, str]]:
    """Return the objectives of each figure of `pareto_figures`."""
    return list(combinations(problem.objectives, 2))[:MOST_PAIRS]


def _pareto_figure(problem: ProblemStudy, pair: _Pair) -> Figure:
    truth = problem.truth
    # With more than two objectives the front is a surface: its points alone are drawn.
    steps = len(problem.objectives) == 2
    grey = {"color": "@muted/0.35", "size": 3.5}
    traces = [pair.trace(_cloud(problem), "feasible designs", "markers", marker=grey)]
    for agent in problem.shown:
        colour = f"@{colour_of(agent.slot)}"
        stroke = {"color": colour, "width": 1.6, "dash": dash_of(agent.slot), "shape": "hv"}
        marker = {"color": colour, "size": 7, "symbol": symbol_of(agent.slot)}
        mode = "lines+markers" if steps else "markers"
        traces.append(pair.trace(_front_of(problem, agent), short_label(agent.label), mode, line=stroke, marker=marker))
    if steps:
        known = "true front" if truth.known else "best known front"
        order = np.argsort(truth.front[:, 0], kind="stable")
        line = {"color": "@ink", "width": 1.6, "shape": "hv"}
        traces.append(pair.trace(thinned(truth.front[order], 4 * MOST_ON_FRONT), known, "lines", line=line))
    cross = {"color": "@ink", "size": 10, "symbol": "x-thin-open"}
    traces.append(pair.trace(truth.reference[None, :], "reference point", "markers", marker=cross))
    return with_legend({"data": traces, "layout": _views(problem, pair)}, wide=len(problem.objectives) == 2)


def _cloud(problem: ProblemStudy) -> Floats:
    """Return the losses of some feasible designs, uniformly drawn from all that were priced, (n, k)."""
    sample = problem.digest.sample.trials()
    if sample is None:
        return np.zeros((0, len(problem.objectives)))
    rows = np.flatnonzero(sample.feasible)
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_POINTS, replace=False))
    return sample.losses[rows]


def _front_of(problem: ProblemStudy, agent: AgentStudy) -> Floats:
    """Return what all runs of an agent found together that none of it dominates, sorted and thinned, (n, k)."""
    found = problem.digest.fronts[agent.label].trials() if agent.label in problem.digest.fronts else None
    if found is None:
        return np.zeros((0, len(problem.objectives)))
    return thinned(np.unique(found.losses, axis=0), MOST_ON_FRONT)


def thinned(rows: Floats, most: int) -> Floats:
    """Return at most `most` rows, evenly spread over those given, both ends included."""
    if len(rows) <= most:
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]


def _views(problem: ProblemStudy, pair: _Pair) -> dict[str, Any]:
    """Return a layout around the front and the reference point, or around the front alone, with buttons between them.

    It opens on the first, as readers of such figures expect, unless the front would be a speck there.
    """
    front, reference = problem.truth.front, problem.truth.reference[None, :]
    far, near = pair.limits(np.vstack([front, reference]), 0.08), pair.limits(front, 0.35)
    extents = [np.ptp(values) for values in pair.values(front)]
    speck = any(extent < SPECK * (f[1] - f[0]) for extent, f in zip(extents, np.array(far, float), strict=True))
    buttons = [
        {"label": label, "method": "relayout", "args": [{"xaxis.range": view[0], "yaxis.range": view[1]}]}
        for label, view in (("with reference point", far), ("front only", near))
    ]
    menu = {
        "type": "buttons", "direction": "right", "active": int(speck), "buttons": buttons, "showactive": True,
        "x": 1, "xanchor": "right", "y": -0.16, "yanchor": "top",
        "font": {"size": 11, "color": "@ink"}, "bgcolor": "@paper", "bordercolor": "@rule", "borderwidth": 1,
    }  # fmt: skip
    axes = [
        axis(with_unit(name, unit), range=view, tickformat="~g")
        for name, unit, view in zip(pair.names, pair.units, near if speck else far, strict=True)
    ]
    return layout(
        axes[0],
        axes[1],
        hovermode="closest",
        height=480,
        updatemenus=[menu],
        margin={"l": 62, "r": 26, "t": 10, "b": 92},
    )


def importance_figure(problem: ProblemStudy) -> Figure | None:
    """Return what shuffling each parameter costs a forest's prediction of each objective, the weightiest on top."""
    learned = problem.importances
    if not learned:
        return None
    names = next(iter(learned.values())).parameters
    order = np.argsort(np.sum([np.maximum(found.drop, 0.0) for found in learned.values()], axis=0), kind="stable")
    traces = []
    for i, (objective, found) in enumerate(learned.items()):
        spread = {"type": "data", "array": rounded(found.spread[order]), "color": "@muted", "thickness": 1, "width": 3}
        traces.append({
            "type": "bar", "orientation": "h", "name": plain_text(objective), "error_x": spread,
            "y": [plain_text(names[k]) for k in order], "x": rounded(np.maximum(found.drop[order], 0.0)),
            "marker": {"color": SERIES[i % len(SERIES)]},
            "hovertemplate": f"%{{y}}: %{{x:.3f}}<extra>{plain_text(objective)}</extra>",
        })  # fmt: skip
    most = max(float((found.drop + found.spread).max()) for found in learned.values())
    x = axis("R² lost when shuffled", range=[0.0, 1.05 * max(most, 0.01)], tickformat="~g")
    height = max(200, 80 + len(names) * (16 + 14 * len(learned)))

    def shape(letters: int) -> dict[str, Any]:
        ticks = {"tickvals": [plain_text(name) for name in names]}
        ticks |= {"ticktext": [plain_text(shortened(name, letters)) for name in names]}
        y = axis("", showgrid=False, ticks="", tickfont={"color": "@ink", "size": 13}, **ticks)
        return layout(x, y, hovermode="closest", height=height, bargap=0.35)

    made = with_legend({"data": traces, "layout": shape(44), "narrow": shape(19)}, wide=True)
    for one in (made["layout"], made["narrow"]):
        # Bars of a group are stacked upwards, so the legend is read in that order too.
        one["legend"] = one["legend"] | {"traceorder": "reversed"}
    return made
