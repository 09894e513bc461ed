"""The metrics that are others when verified, design by design, and by how much search overfitted."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from designgym.experiments.report.frame import card
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.tables import agent_name, metric_head, table
from designgym.experiments.report.text import NBSP, code, figure_only, metric_unit, number, percent
from designgym.experiments.verified import Comparison
from designgym.experiments.verified_changes import Change, in_words, worth_saying

MOST_DESIGNS = 10


def in_the_headline(problem: ProblemStudy) -> str:
    """Return in short, as HTML, what does not hold of the best designs where search did not look; "" if it does."""
    verified, texts = problem.verified, []
    for one, changes in zip(verified.comparisons, verified.changes, strict=True) if verified else ():
        if one.agent:
            continue
        best = f"the {len(one.rows)} best in search" + ("" if problem.single else f" by {code(one.objective)}")
        told = []
        if one.infeasible:
            told.append(f"{one.infeasible} of {best} {'is' if one.infeasible == 1 else 'are'} not feasible")
        over = next((change for change in changes if change.base is not None and change.overfitted > 0), None)
        if over is not None:
            lost = figure_only(float(f"{over.overfitted:.3g}"), over.metric.unit)
            of = "" if told else f" of {best}"
            whose = "their" if told else "the"
            told.append(
                f"{whose} {code(over.metric.name)}{of} is overfitted by <strong>{escape(lost)}</strong> on average"
            )
        if told:
            texts.append(f"Under {escape(one.options)} {' and '.join(told)}.")
    return " ".join(texts)


def overfitting(together: Comparison, changes: tuple[Change, ...]) -> str:
    """Return the sentences, as HTML, on the changes that are worth one."""

    def strong(text: str) -> str:
        return f"<strong>{escape(text)}</strong>"

    return " ".join(in_words(one, escape(together.options), code, strong) for one in worth_saying(changes))


def agents_table(problem: ProblemStudy, told: list[tuple[Comparison, tuple[Change, ...]]]) -> str:
    """Return by how much each agent's search overfitted, by the first metric with a base; nothing where none has one.

    told: of all agents together, then of each.
    """
    name = next((change.metric.name for change in told[0][1] if change.base is not None), None)
    if name is None:
        return ""
    studies = {agent.label: agent for agent in problem.agents}
    head = [
        "agent",
        metric_head(problem, name, "search"),
        metric_head(problem, name, "verified"),
        "overfit",
    ]
    rows = []
    for one, changes in [*told[1:], told[0]]:
        change = next(change for change in changes if change.metric.name == name)
        there, unit = np.isfinite(change.worse), metric_unit(problem, name)
        means = [figure_only(float(x[there].mean()), unit) for x in (change.searched, change.verified) if there.any()]
        lost = _moved(0.0, change.overfitted, unit).lstrip("+±") if there.any() else "–"
        who = agent_name(studies[one.agent]) if one.agent in studies else escape(one.agent or "all together")
        rows.append([who, *(map(escape, means or ("–", "–"))), f"<b>{lost}</b>"])
    return f'<p class="note">On average over the {len(told[0][0].rows)} best of each:</p>{table(head, rows)}'


def changes_card(problem: ProblemStudy, together: Comparison, changes: tuple[Change, ...]) -> str:
    """Return a table of the best designs in search by every metric that changes; nothing where none does but theirs."""
    others = [change for change in changes if change.metric.name != together.objective]
    if not others:
        return ""
    assert problem.verified is not None
    head = ["#", "found by"]
    for change in others:
        name = change.metric.name
        head += [metric_head(problem, name, when) for when in ("in search", "verified")] + ["change"]
    rows = []
    for i, row in enumerate(together.rows[:MOST_DESIGNS].tolist()):
        agent, seed, _ = problem.verified.designs[row].first
        cells = [str(i + 1), f'<span class="agent">{escape(agent)}, seed{NBSP}{seed}</span>']
        for change in others:
            cells += _cells(problem, change, float(change.searched[i]), float(change.verified[i]))
        rows.append(cells)
    means = ["", "on average"]
    for change in others:
        there = np.isfinite(change.worse)
        pair = (float(x[there].mean()) if there.any() else np.nan for x in (change.searched, change.verified))
        means += _cells(problem, change, *pair)
    if len(rows) > 1:
        rows.append([f"<b>{cell}</b>" if cell else "" for cell in means])
    heading = f"The same designs by the metrics that {escape(together.options)} changes"
    return card(heading, "", table(head, rows, left=(1,), css="dense"))


def agreement_card(problem: ProblemStudy, together: Comparison) -> str:
    """Return how another cost model agrees with the sweep's on the best designs; nothing where none priced them."""
    assert problem.verified is not None
    pairs = zip(problem.verified.comparisons, problem.verified.agreements, strict=True)
    found = next(agreements for one, agreements in pairs if one is together)
    if not found:
        return ""
    head = ["metric", "designs", "Kendall’s τ", "Spearman’s ρ", "verified / search <small>median</small>",
            "error in search <small>root mean square, relative</small>"]  # fmt: skip
    rows = [
        [
            metric_head(problem, one.metric.name), f"{one.n}", number(one.kendall, 2), number(one.spearman, 2),
            number(one.ratio, 3), percent(one.error),
        ]
        for one in found
    ]  # fmt: skip
    note = (
        f"The {len(together.rows)} best designs in search by both cost models. These are the hardest to tell apart: "
        "over the whole space models agree more."
    )
    return card(f"How the cost models agree: {escape(together.options)}", note, table(head, rows))


def _cells(problem: ProblemStudy, change: Change, searched: float, verified: float) -> list[str]:
    unit = metric_unit(problem, change.metric.name)
    texts = [escape(figure_only(value, unit)) if np.isfinite(value) else "–" for value in (searched, verified)]
    return [*texts, f"<b>{_moved(searched, verified, unit)}</b>"]


def _moved(searched: float, verified: float, unit: str) -> str:
    """Return a difference with its sign, at the precision at which the values are written."""
    if not (np.isfinite(searched) and np.isfinite(verified)):
        return "–"
    largest = max(abs(searched), abs(verified))
    moved = round(verified - searched, 3 - math.floor(math.log10(largest))) if largest else 0.0
    sign = "+" if moved > 0 else "−" if moved < 0 else "±"
    return sign + escape(figure_only(float(f"{abs(moved):.3g}"), unit))
