"""What was verified: the best designs in search, priced again under options that search did not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.experiments.agreement import agreements_of
from designgym.experiments.files import LogError
from designgym.experiments.report.frame import Part, card, figures
from designgym.experiments.report.study import BestDesign, ProblemStudy, Verified
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
)
from designgym.experiments.report.verified_changes import agents_table, agreement_card, changes_card, overfitting
from designgym.experiments.report.verified_figure import Pairs, verified_figure
from designgym.experiments.verified import Comparison, comparisons, ratio, read_verified
from designgym.experiments.verified_changes import Change, changes_of

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.experiments.log import LoggedProblem

MOST_DESIGNS = 10


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


def verified_of(
    found: pa.Table, logged: LoggedProblem, name: Callable[[dict[str, Any]], dict[str, Any]]
) -> Verified | None:
    """Return what was verified of one problem, None where nothing was. name: what `gather.named` does."""
    ours = tuple(one for one in comparisons(found) if one.problem == logged.label)
    if not ours:
        return None
    wanted = [row for one in ours if not one.agent for row in one.rows[:MOST_DESIGNS].tolist()]
    designs = {}
    for row, values in zip(wanted, found.take(wanted).to_pylist(), strict=True):
        design = {key.removeprefix("design."): value for key, value in values.items() if key.startswith("design.")}
        design = name({column: value for column, value in design.items() if value is not None})
        place = (values["agent"], values["seed"], values["number"])
        designs[row] = BestDesign(np.array([values["loss.searched"]]), design, {}, {}, place)
    changes = tuple(changes_of(found, one, logged.metrics) for one in ours)
    return Verified(ours, designs, changes, tuple(agreements_of(found, one, logged.metrics) for one in ours))


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
        told = [
            (one, changes)
            for one, changes in zip(verified.comparisons, verified.changes, strict=True)
            if (one.options, one.objective) == (options, objective)
        ]
        parts.append(_of_a_set(_Metric(problem, objective), told, part))
    return "".join(parts)


def _of_a_set(metric: _Metric, told: list[tuple[Comparison, tuple[Change, ...]]], part: Part) -> str:
    """Return what was verified of one objective under one set of options. told: all agents together, then each."""
    ours, (together, changes) = [one for one, _ in told], told[0]
    lost = _lost_table(metric, ours[1:], together) + agents_table(metric.problem, told)
    beside = card("What is lost", _lost_note(together), lost)
    heading = f"Verified under {together.options}" + ("" if metric.problem.single else f": {metric.name}")
    note = f"{_note(metric, together)} {overfitting(together, changes)}".strip()
    drawn, pairs = _drawn(metric, told)
    figure = verified_figure(metric.problem, drawn, pairs)
    designs = card(f"The best in search, under {escape(together.options)}", "", _designs_table(metric, together))
    others = changes_card(metric.problem, together, changes) + agreement_card(metric.problem, together)
    return figures(part.place(figure, heading, note), beside) + designs + others


def _drawn(metric: _Metric, told: list[tuple[Comparison, tuple[Change, ...]]]) -> tuple[str, Pairs]:
    """Return the metric to draw and its values by agent: the objective, or the first that moves where that does not."""
    moved = [change.metric.name for change in told[0][1]]
    if moved and metric.name not in moved:
        return moved[0], {
            one.agent: (change.searched, change.verified)
            for one, changes in told[1:]
            for change in changes
            if change.metric.name == moved[0]
        }
    return metric.name, {one.agent: (metric.sign * one.searched, metric.sign * one.verified) for one, _ in told[1:]}


def _note(metric: _Metric, together: Comparison) -> str:
    searched, verified, n = float(together.searched[0]), float(together.verified[0]), len(together.rows)
    share = "" if np.isnan(ratio(searched, verified)) else f": {_share(searched, verified)}"
    comes = f"comes to {metric.html(verified)}{share}" if np.isfinite(verified) else "is not feasible there"
    text = f"The best design in search, with {code(metric.name)} {metric.html(searched)}, {comes}."
    if together.infeasible == n > 1:
        text += f" Nor is any other of the {n} best."
    elif n > 1:
        text += f" It takes place {together.place} of the {n} best." if np.isfinite(verified) else ""
        some = f"{together.infeasible} of the {n} best {'is' if together.infeasible == 1 else 'are'}"
        text += f" {some} not feasible there." if together.infeasible else ""
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
