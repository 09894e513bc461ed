"""What was verified: the best designs in search, priced again under options that search did not see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.experiments.files import LogError
from designgym.experiments.report.drawing import (
    Figure,
    axis,
    layout,
    plain_text,
    rounded,
    scaled_unit,
    value_axis,
    with_legend,
    with_unit,
)
from designgym.experiments.report.frame import Part, card, figures
from designgym.experiments.report.palette import colour_of, symbol_of
from designgym.experiments.report.study import AgentStudy, BestDesign, ProblemStudy, Verified
from designgym.experiments.report.tables import agent_name, metric_head, parameter_head, table
from designgym.experiments.report.text import (
    NBSP,
    code,
    figure_only,
    metric_html,
    metric_unit,
    number,
    parameter_html,
    percent,
    short_label,
)
from designgym.experiments.verified import Comparison, comparisons, ratio, read_verified

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DESIGNS = 10
ALONG = 48  # points of the diagonal, which is a curve where one axis alone is logarithmic
SMALLER = {"size": 12.5}


@dataclass(frozen=True)
class _Metric:
    """An objective of a problem, and its place among them."""

    problem: ProblemStudy
    name: str

    @property
    def sign(self) -> float:
        """1, or -1 where the metric is maximised."""
        return float(self.problem.signs[self.problem.objectives.index(self.name)])

    def html(self, loss: float) -> str:
        """Return a loss as the metric that it is of."""
        return metric_html(self.problem, self.name, self.sign * loss) if np.isfinite(loss) else "infeasible"

    def cell(self, loss: float) -> str:
        """Return the same without a unit that stands in the column's head."""
        text = figure_only(self.sign * loss, metric_unit(self.problem, self.name))
        return escape(text) if np.isfinite(loss) else "infeasible"


def read(directory: Path) -> tuple[pa.Table | None, str]:
    """Return what was verified of a sweep, None where nothing was; and why it cannot be read, "" where it can."""
    try:
        return read_verified(directory), ""
    except LogError as error:
        return None, str(error)


def verified_of(found: pa.Table, label: str, name: Callable[[dict[str, Any]], dict[str, Any]]) -> Verified | None:
    """Return what was verified of one problem, None where nothing was. name: what `gather.named` does."""
    ours = tuple(one for one in comparisons(found) if one.problem == label)
    if not ours:
        return None
    wanted = [row for one in ours if not one.agent for row in one.rows[:MOST_DESIGNS].tolist()]
    designs = {}
    for row, values in zip(wanted, found.take(wanted).to_pylist(), strict=True):
        design = {key.removeprefix("design."): value for key, value in values.items() if key.startswith("design.")}
        design = name({column: value for column, value in design.items() if value is not None})
        place = (values["agent"], values["seed"], values["number"])
        designs[row] = BestDesign(np.array([values["loss.searched"]]), design, {}, {}, place)
    return Verified(ours, designs)


# -- the section ------------------------------------------------------------------------------------------------------


def verified_block(problem: ProblemStudy, part: Part) -> str:
    """Return figures and tables of every set of options, nothing where there are none."""
    verified = problem.verified
    if verified is None:
        return ""
    if verified.damage:
        return card("Verified", "", f'<p class="banner">{escape(verified.damage)}</p>')
    parts = []
    sets = list(dict.fromkeys((one.options, one.objective) for one in verified.comparisons))
    for options, objective in (one for one in sets if one[1] in problem.objectives):
        ours = [one for one in verified.comparisons if (one.options, one.objective) == (options, objective)]
        metric = _Metric(problem, objective)
        beside = card("What is lost", _lost_note(ours[0]), _lost_table(metric, ours[1:], ours[0]))
        heading = f"Verified under {options}" + ("" if problem.single else f": {objective}")
        parts.append(figures(part.place(_figure(metric, ours), heading, _note(metric, ours[0])), beside))
        parts.append(card(f"The best in search, under {escape(options)}", "", _designs_table(metric, ours[0])))
    return "".join(parts)


def _note(metric: _Metric, together: Comparison) -> str:
    searched, verified, n = float(together.searched[0]), float(together.verified[0]), len(together.rows)
    share = "" if np.isnan(ratio(searched, verified)) else f": {_share(searched, verified)}"
    place = f" It takes place {together.place} of the {n} best." if n > 1 else ""
    text = (
        f"The best design in search, with {code(metric.name)} {metric.html(searched)}, comes to "
        f"{metric.html(verified)}{share}.{place}"
    )
    if together.infeasible:
        text += f" {together.infeasible} of them {'is' if together.infeasible == 1 else 'are'} not feasible there."
    problem, k = metric.problem, metric.problem.objectives.index(metric.name)
    if problem.good is not None and problem.good.losses[:, k].min() < searched:
        text += " <strong>The sweep has found better designs since: verify again.</strong>"
    return text


def _share(searched: float, verified: float) -> str:
    share = (verified - searched) / abs(searched)
    return f"{percent(abs(share))} {'more' if share >= 0 else 'less'} loss"


def _lost_note(together: Comparison) -> str:
    return (
        "Of each agent’s best design in search: how much larger its loss is where search did not look, and the place "
        f"it takes there among the agent’s {len(together.rows)} best. Kendall’s τ is 1 where these keep their order, "
        "and about 0 where search told them apart by luck alone."
    )


def _lost(searched: float, verified: float) -> str:
    """Return by what share of the loss in search it is larger when verified, a dash where that says nothing."""
    if not np.isfinite(verified):
        return "all"
    if np.isnan(ratio(searched, verified)):
        return "–"
    return percent((verified - searched) / abs(searched))


def _lost_table(metric: _Metric, agents: list[Comparison], together: Comparison) -> str:
    studies = {agent.label: agent for agent in metric.problem.agents}
    head = ["agent", f"{escape(metric.name)} <small>in search</small>", "verified", "lost", "place", "τ"]
    rows = []
    for one in [*sorted(agents, key=lambda one: one.searched[0]), together]:
        searched, verified = float(one.searched[0]), float(one.verified[0])
        lost = _lost(searched, verified)
        rows.append([
            agent_name(studies[one.agent]) if one.agent in studies else escape(one.agent or "all together"),
            metric.html(searched), metric.html(verified),
            f"<b>{lost}</b>", f"{one.place} of {len(one.rows)}", number(one.correlation, 2),
        ])  # fmt: skip
    return table(head, rows)


def _designs_table(metric: _Metric, together: Comparison) -> str:
    """Return the best designs in search over all agents: the objective twice, what is lost, who found it, values."""
    problem = metric.problem
    head = [
        "#", metric_head(problem, metric.name, "in search"), metric_head(problem, metric.name, "verified"), "lost",
        "found by", *(parameter_head(problem, column) for column in problem.columns),
    ]  # fmt: skip
    assert problem.verified is not None
    rows = []
    for i, row in enumerate(together.rows[:MOST_DESIGNS].tolist()):
        best = problem.verified.designs[row]
        searched, verified = float(together.searched[i]), float(together.verified[i])
        rows.append([
            str(i + 1), metric.cell(searched), f"<b>{metric.cell(verified)}</b>", _lost(searched, verified),
            f'<span class="agent">{escape(best.first[0])}, seed{NBSP}{best.first[1]}</span>',
            *(parameter_html(problem, column, best) for column in problem.columns),
        ])  # fmt: skip
    return table(head, rows, left=(4,), css="dense")


# -- the figure -------------------------------------------------------------------------------------------------------


def _figure(metric: _Metric, ours: list[Comparison]) -> Figure:
    """Return the agents' designs, the metric verified against the metric in search, with the line of no loss."""
    together = ours[0]
    scale, unit = scaled_unit(float(together.searched[0]), metric_unit(metric.problem, metric.name))
    studies: Mapping[str, AgentStudy] = {agent.label: agent for agent in metric.problem.agents}
    shown = {agent.label for agent in metric.problem.shown}
    traces: list[dict[str, Any]] = []
    xs, ys = [], []
    for one in ours[1:]:
        finite = np.isfinite(one.verified) & np.isfinite(one.searched)
        x, y = metric.sign * one.searched[finite] / scale, metric.sign * one.verified[finite] / scale
        if not len(x):
            continue
        xs.append(x)
        ys.append(y)
        label = plain_text(short_label(one.agent))
        colour, symbol = "@muted", "circle-open"
        if one.agent in shown:
            colour, symbol = f"@{colour_of(studies[one.agent].slot)}", symbol_of(studies[one.agent].slot)
        told = f"{plain_text(metric.name)} %{{x:.4g}} in search, %{{y:.4g}} verified<extra>{label}</extra>"
        marker = {"color": colour, "size": 8, "symbol": symbol}
        traces.append({
            "type": "scatter", "mode": "markers", "name": label, "x": rounded(x), "y": rounded(y), "marker": marker,
            "hovertemplate": told,
        })  # fmt: skip
    if not xs:
        return {"data": [], "layout": layout(axis("in search"), axis("verified"))}
    x, y = np.concatenate(xs), np.concatenate(ys)
    along = np.linspace(x.min(), x.max(), ALONG)
    line = {"color": "@muted", "width": 1.4, "dash": "dash"}
    traces.insert(0, {
        "type": "scatter", "mode": "lines", "name": "nothing lost", "x": rounded(along), "y": rounded(along),
        "line": line, "hoverinfo": "skip",
    })  # fmt: skip
    title = with_unit(metric.name, unit)
    shape = layout(
        value_axis(f"{title} in search", x), value_axis(f"{title} verified", np.concatenate([x, y])),
        hovermode="closest",
    )  # fmt: skip
    return with_legend({"data": traces, "layout": shape})
