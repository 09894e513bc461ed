"""What a bound costs: designs by the objective and the bounded metric, with the true front where that is known."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from designgym.experiments.counterparts import counterpart
from designgym.experiments.report.bounds import Bound, bound_losses
from designgym.experiments.report.drawing import (
    Figure,
    Floats,
    axis,
    layout,
    level,
    log_ticks,
    plain_text,
    rounded,
    scaled_unit,
    with_legend,
    with_unit,
)
from designgym.experiments.report.frame import Part, figures
from designgym.experiments.report.palette import colour_of, dash_of, symbol_of
from designgym.experiments.report.study import AgentStudy, ProblemStudy
from designgym.experiments.report.text import code, metric_unit, short_label

MOST_OF_AN_AGENT = 300  # designs in a cloud; those that nothing dominates are drawn besides, all of them
MOST_ON_FRONT = 400
ROUNDING = 1e-9
SPAN = 5.0  # ratio of values from which an axis is logarithmic
NEAR = 4.0  # how far beyond the bound is seen at first, in distances from the bound to the best


@dataclass(frozen=True)
class _Side:
    """A metric on an axis. A loss comes to value sign * loss + plus, divided by scale."""

    name: str
    sign: float
    plus: float
    scale: float
    unit: str
    log: bool

    def values(self, losses: Floats) -> Floats:
        return (self.sign * losses + self.plus) / self.scale


def tradeoff_block(problem: ProblemStudy, part: Part) -> str:
    """Return a figure for each bound of the one objective; nothing where it has none."""
    placed = []
    for bound in problem.digest.bounds:
        found = _Found(problem, bound)
        if not len(found.pooled):
            continue
        heading = f"{found.y.name} against {found.x.name}"
        placed.append(part.place(_figure(found), heading, _note(found), wide=True))
    return figures(*placed) if placed else ""


class _Found:
    """What is drawn of a bound: losses by the objective and by the bounded metric, less of which is better, (n, 2)."""

    def __init__(self, problem: ProblemStudy, bound: Bound) -> None:
        self.problem, self.bound = problem, bound
        self.clouds, sample = _clouds(problem, bound)
        self.fronts = {
            label: np.unique(found.losses, axis=0)
            for label, kept in problem.digest.bounded[bound.text].items()
            if (found := kept.trials()) is not None
        }
        self.pooled = np.concatenate([np.zeros((0, 2)), *self.fronts.values()])
        other = counterpart(bound.metric, sample, problem.logged.metrics) if sample else None
        self.shown, plus = other if other is not None else (bound.metric, 0.0)
        sign = -bound.sign if other is not None else bound.sign
        everything = np.concatenate([self.pooled, *self.clouds.values()])
        self.x = self._side(0, problem.objectives[0], float(problem.signs[0]), 0.0, everything)
        self.y = self._side(1, self.shown, sign, plus, everything)
        self.true_front = self._true_front()

    def _side(self, k: int, name: str, sign: float, plus: float, everything: Floats) -> _Side:
        values = sign * everything[:, k] + plus
        middle = float(np.median(np.abs(values))) if len(values) else 0.0
        scale, unit = scaled_unit(middle, metric_unit(self.problem, name))
        positive = bool(len(values)) and values.min() > 0 and values.max() > SPAN * values.min()
        # Shares are read as they are.
        return _Side(name, sign, plus, scale, unit, positive and (k == 0 or values.max() > 1.0))

    def _true_front(self) -> Floats:
        """Return the front of the whole space by both metrics, none where it is not known or was beaten."""
        cost, metric = self.problem.objectives[0], self.bound.metric
        for optimum in self.problem.known_fronts:
            if len(optimum.objectives) > 2 or cost not in optimum.objectives:
                continue
            if not {metric, self.shown} & set(optimum.objectives):
                continue
            rows = [(own[cost], own[metric]) for own in optimum.all_metrics]
            front = np.unique(np.array(rows) * [self.problem.signs[0], self.bound.sign], axis=0)
            if not _beaten(front, self.pooled):
                return front
        return np.zeros((0, 2))

    @property
    def limit(self) -> float:
        """The bound, as a value of the axis."""
        return float(self.y.values(np.array([self.bound.sign * self.bound.limit]))[0])

    @property
    def optimum(self) -> Floats:
        """The true optimum under the bound, (1, 2); none where it is not known."""
        known = self.problem.truth.metrics
        if self.bound.metric not in known:
            return np.zeros((0, 2))
        return np.array([[self.problem.truth.loss, self.bound.sign * known[self.bound.metric]]])


def _beaten(front: Floats, points: Floats) -> bool:
    """Return whether a point is better than all of a front, by more than rounding."""
    room = ROUNDING * (1.0 + np.abs(front))
    return not all(bool((front - room <= point).all(axis=1).any()) for point in points)


def _clouds(problem: ProblemStudy, bound: Bound) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return some designs of each agent, drawn uniformly, and their metrics, all agents together."""
    sample = problem.digest.sample.trials()
    if sample is None:
        return {}, {}
    losses, there = bound_losses(problem.logged, bound, sample)
    labels = np.array([problem.digest.labels[place] for place in sample.run[there].tolist()], object)
    rng, clouds = np.random.default_rng(0), {}
    for label in dict.fromkeys(labels.tolist()):
        rows = there[labels == label]
        if len(rows) > MOST_OF_AN_AGENT:
            rows = np.sort(rng.choice(rows, MOST_OF_AN_AGENT, replace=False))
        clouds[label] = losses[rows]
    return clouds, {name: column[there] for name, column in sample.metrics.items()}


# -- words ------------------------------------------------------------------------------------------------------------


def _note(found: _Found) -> str:
    problem, bound = found.problem, found.bound
    text = (
        "Designs priced, those that break the bound too; a line joins those of an agent of which none other of its "
        f"own is better by both. Dashed: {code(bound.text)}."
    )
    if found.shown != bound.metric:
        meaning = problem.metrics[bound.metric].meaning
        text += f" {code(bound.metric)} is {escape(meaning)}." if meaning else ""
    if len(found.true_front):
        text += " The line without points is the true front, known from pricing the whole space."
    most = max(map(len, found.clouds.values()), default=0)
    if problem.priced > sum(map(len, found.clouds.values())) and most >= MOST_OF_AN_AGENT:
        text += f" Of other designs {MOST_OF_AN_AGENT} an agent are drawn, chosen at random."
    return text


# -- the figure -------------------------------------------------------------------------------------------------------


def _figure(found: _Found) -> Figure:
    traces = _others(found)
    for agent in found.problem.shown:
        traces += _of_agent(found, agent)
    if len(found.true_front):
        line = {"color": "@ink", "width": 1.6, "shape": "hv"}
        traces.append(_trace(found, found.true_front, "true front", "lines", line=line))
    if len(found.optimum):
        star = {"color": "@ink", "size": 12, "symbol": "star-open", "line": {"width": 1.6}}
        traces.append(_trace(found, found.optimum, "true optimum", "markers", marker=star))
    return with_legend({"data": traces, "layout": _views(found)}, wide=True)


def _others(found: _Found) -> list[dict[str, Any]]:
    """Return the designs of agents that have no colour of their own."""
    shown = {agent.label for agent in found.problem.shown}
    rest = [cloud for label, cloud in found.clouds.items() if label not in shown]
    if not rest:
        return []
    marker = {"color": "@muted/0.3", "size": 3.5}
    return [_trace(found, np.concatenate(rest)[:MOST_OF_AN_AGENT], "other agents", "markers", marker=marker)]


def _of_agent(found: _Found, agent: AgentStudy) -> list[dict[str, Any]]:
    colour, name = f"@{colour_of(agent.slot)}", short_label(agent.label)
    cloud = found.clouds.get(agent.label, np.zeros((0, 2)))
    front = found.fronts.get(agent.label, np.zeros((0, 2)))[:MOST_ON_FRONT]
    together = {"legendgroup": plain_text(agent.label)}
    faint = {"color": f"{colour}/0.35", "size": 4, "symbol": symbol_of(agent.slot)}
    stroke = {"color": colour, "width": 1.6, "dash": dash_of(agent.slot), "shape": "hv"}
    marker = {"color": colour, "size": 6, "symbol": symbol_of(agent.slot)}
    return [
        _trace(found, cloud, name, "markers", marker=faint, showlegend=False, **together),
        _trace(found, front, name, "lines+markers", line=stroke, marker=marker, **together),
    ]


def _trace(found: _Found, losses: Floats, name: str, mode: str, **more: Any) -> dict[str, Any]:
    x, y = found.x.values(losses[:, 0]), found.y.values(losses[:, 1])
    told = [
        f"{plain_text(side.name)} %{{{letter}:.4g}} {plain_text(side.unit)}"
        for side, letter in ((found.x, "x"), (found.y, "y"))
    ]
    label = plain_text(name)
    shown = {"type": "scatter", "mode": mode, "name": label, "x": rounded(x), "y": rounded(y)}
    return shown | {"hovertemplate": f"{'<br>'.join(told)}<extra>{label}</extra>"} | more


def _views(found: _Found) -> dict[str, Any]:
    """Return a layout around the bound, with a button for all designs, where those lie much further."""
    everything = np.concatenate([found.pooled, found.true_front, found.optimum, *found.clouds.values()])
    far = [_limits(side, side.values(everything[:, k])) for k, side in enumerate((found.x, found.y))]
    far[1] = _limits(found.y, np.append(found.y.values(everything[:, 1]), found.limit))
    near = _near(found)
    parts = [(n[1] - n[0]) / (f[1] - f[0]) for n, f in zip(near, far, strict=True)]
    narrow = min(parts) < 0.6
    x, y = (_axis(side, view) for side, view in zip((found.x, found.y), near if narrow else far, strict=True))
    shape = layout(x, y, hovermode="closest", height=460, shapes=[level(found.limit, found.bound.text)])
    if not narrow:
        return shape
    buttons = [
        {"label": label, "method": "relayout", "args": [_ranges(found, view)]}
        for label, view in (("around the bound", near), ("all designs", far))
    ]
    menu = {
        "type": "buttons", "direction": "right", "active": 0, "buttons": buttons, "showactive": True,
        "x": 1, "xanchor": "right", "y": -0.16, "yanchor": "top",
        "font": {"size": 11, "color": "@ink"}, "bgcolor": "@paper", "bordercolor": "@rule", "borderwidth": 1,
    }  # fmt: skip
    return shape | {"updatemenus": [menu], "margin": {"l": 62, "r": 26, "t": 10, "b": 92}}


def _near(found: _Found) -> list[tuple[float, float]]:
    """Return ranges around where the bound cuts what was found: a few times as far below it as the best is above."""
    known = np.concatenate([found.pooled, found.true_front, found.optimum])
    limit = found.bound.sign * found.bound.limit
    best = float(known[:, 1].min())
    room = abs(limit - best) or 0.1 * float(np.ptp(known[:, 1])) or 0.1 * max(abs(limit), ROUNDING)
    inside = known[known[:, 1] <= limit + NEAR * room]
    inside = known if len(np.unique(inside[:, 0])) < 2 else inside
    worst = max(float(own[:, 1].max(initial=limit)) for own in (known, *found.clouds.values()))
    ends = np.array([min(limit + NEAR * room, worst), min(best, limit)])
    return [_limits(found.x, found.x.values(inside[:, 0])), _limits(found.y, found.y.values(ends))]


def _limits(side: _Side, values: Floats) -> tuple[float, float]:
    """Return an axis's range around values, in the logarithm where the axis is logarithmic."""
    ends = np.log10(values[values > 0]) if side.log else values
    low, high = float(ends.min()), float(ends.max())
    room = 0.06 * (high - low) or 0.1 * max(abs(high), ROUNDING)
    return low - room, high + room


def _axis(side: _Side, view: tuple[float, float]) -> dict[str, Any]:
    title = with_unit(side.name, side.unit)
    if not side.log:
        return axis(title, range=rounded(view), tickformat="~g")
    ticks, names = log_ticks(*view)
    return axis(f"{title} (log scale)", type="log", range=rounded(view), tickvals=ticks, ticktext=names)


def _ranges(found: _Found, view: list[tuple[float, float]]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for side, letter, limits in ((found.x, "x", view[0]), (found.y, "y", view[1])):
        shown = _axis(side, limits)
        changes |= {f"{letter}axis.{key}": shown[key] for key in ("range", "tickvals", "ticktext") if key in shown}
    return changes
