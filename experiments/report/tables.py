"""The page's tables, as HTML: agents, best designs, how runs ended. Every text from outside is escaped."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape, unescape
from typing import Protocol

import numpy as np

from designgym.experiments import statistics as stats
from designgym.experiments.quantities import duration, quantity
from designgym.experiments.report.headline import ranking
from designgym.experiments.report.palette import colour_of, dash_of
from designgym.experiments.report.study import AgentStudy, BestDesign, ProblemStudy
from designgym.experiments.report.text import (
    NBSP,
    WITHIN_1,
    apart,
    breakable,
    code,
    count,
    figure_only,
    metric_meaning,
    metric_unit,
    number,
    parameter_html,
    parameter_meaning,
    parameter_unit,
    percent,
    pretty,
)

MOST_RANKED = 10  # agents under the headline
ENDED = {
    "budget": "spent the budget",
    "complete": "priced every valid design",
    "repeats": "stopped: the agent only repeated itself",
    "done": "the agent had nothing left to ask",
    "seconds": "cut by the time limit",
    "regret": "stopped: close enough to the optimum",
}
MOST_ON_PAPER = 10  # columns that print in letters of a common size
LONG_ON_PAPER = 18  # letters of a line of a long value
UNFINISHED = {
    "failed": "failed",
    "damaged": "damaged, left out",
    "started": "not finished",
    "waiting": "not started",
}
SVG_DASHES = {
    "solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4", "longdashdot": "11 3 2 3",
}  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = (0,), css: str = "") -> str:
    """Return a table that scrolls sideways by itself. Cells are HTML; columns in `left` are texts."""
    kinds = [' class="text"' if i in left else "" for i in range(len(head))]
    rows = list(rows)
    style = f' style="--letters: {_letters([head, *rows], left):.0f}"' if "dense" in css else ""
    css += " crowded" if len(head) > MOST_ON_PAPER else ""
    top = "".join(f"<th{kind}>{cell}</th>" for kind, cell in zip(kinds, head, strict=True))
    lines = []
    for row in rows:
        cells = "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True))
        lines.append(f"<tr>{cells}</tr>")
    body = "\n".join(lines)
    top = f"<thead><tr>{top}</tr></thead>"
    return f'<div class="scroll"><table class="{css}"{style}>{top}\n<tbody>{body}</tbody></table></div>'


def _letters(lines: Sequence[Sequence[str]], left: Sequence[int]) -> float:
    """Return about how many letters wide a table is on paper, whose letters get as small as it needs.

    Heads, texts and long values break; between two columns there is room for a letter.
    """
    crowded, total = len(lines[0]) > MOST_ON_PAPER, 0.0
    for i, cells in enumerate(zip(*lines, strict=True)):
        widest = 0
        for row, cell in enumerate(cells):
            text = cell if row == 0 or i in left or not crowded else cell.replace("<small>", "\n")
            text = re.sub(r"<wbr\b[^>]*>|</?small>" if row == 0 or i in left else r"<wbr\b[^>]*>", "\n", text)
            text = unescape(re.sub(r"<[^>]+>", "", text))
            words = re.split(r"[ \n]" if row == 0 or i in left else r"\n", text)
            widest = max(widest, *map(len, words))
            if 'class="long"' in cell:
                widest = max(widest, min(LONG_ON_PAPER, len(text)))
        total += widest + 1
    return total


class Named(Protocol):
    """What has a name and a line of its own in figures."""

    @property
    def label(self) -> str:
        """The name."""

    @property
    def slot(self) -> int:
        """The place of its colour and dash."""


def agent_name(agent: Named, before: str = "", after: str = "") -> str:
    """Return an agent's label behind a short stroke in its colour and dash, as in the figures.

    before, after: HTML on the same line, a number or a remark.
    """
    dash = dash_of(agent.slot)
    dashes = SVG_DASHES.get(dash, dash.replace("px", "").replace(",", " "))
    style = f'style="stroke: var(--{colour_of(agent.slot)})" stroke-dasharray="{dashes}"'
    stroke = f'<line x1="0" y1="6" x2="28" y2="6" {style}/>'
    swatch = f'<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">{stroke}</svg>'
    return f'<span class="who">{before}{swatch}<span class="agent">{breaking(agent.label)}</span>{after}</span>'


def breaking(label: str) -> str:
    """Return an agent's label as HTML that breaks before its settings, and in its name where there is little room."""
    return re.sub("_", '_<wbr class="tight">', escape(label)).replace("(", "(<wbr>")


# -- agents -----------------------------------------------------------------------------------------------------------


def ranking_table(problem: ProblemStudy) -> str:
    """Return the agents' distances from the optimum, the least first: the figures under the headline."""
    what, agents = ranking(problem)
    rows = [[agent_name(agent), f"<b>{middle}</b>", interval] for agent, middle, interval in agents[:MOST_RANKED]]
    more = len(agents) - len(rows)
    note = f'<p class="note">{more} more in the table of agents below.</p>' if more else ""
    return table([what, "IQM", f"95{NBSP}% interval"], rows) + note


def agents_table(problem: ProblemStudy) -> str:
    """Return one row an agent, the one that found the best designs soonest first."""
    head = [
        "agent", "runs", f"final regret <small>IQM [95{NBSP}% interval]</small>",
        f"runs {WITHIN_1}", f"runs within 5{NBSP}%",
        f"designs to 1{NBSP}% <small>median</small>", f"designs to 5{NBSP}% <small>median</small>",
        f"time to 1{NBSP}% <small>median</small>", "time of a run <small>median</small>", "designs/s",
    ]  # fmt: skip
    rows = [_agent_row(agent) for agent in problem.ranked]
    for agent in (a for a in problem.agents if not a.counted):
        rows.append([agent_name(agent), f"0 of {len(agent.runs)}", *["–"] * (len(head) - 2)])
    return table(head, rows)


def _agent_row(agent: AgentStudy) -> list[str]:
    middle, low, high = stats.iqm_interval(agent.final_regret[:, None])[0]
    first, second = agent.reach[0.01], agent.reach[0.05]
    part = len(agent.counted) < len(agent.runs)
    return [
        agent_name(agent, after="" if agent.whole else "<small>(unfinished)</small>"),
        f"{len(agent.counted)} of {len(agent.runs)}" if part else str(len(agent.runs)),
        f"{number(middle)} <small>[{number(low)}, {number(high)}]</small>"
        if len(agent.counted) > 1
        else number(middle),
        percent(stats.share_reached(first)),
        percent(stats.share_reached(second)),
        count(stats.median_reached(first)),
        count(stats.median_reached(second)),
        "never" if math.isinf(soon := stats.median_reached(agent.reach_s[0.01])) else duration(soon),
        duration(agent.seconds),
        quantity(float(f"{agent.designs_per_second:.3g}")),
    ]


# -- designs ----------------------------------------------------------------------------------------------------------


def best_table(problem: ProblemStudy) -> str:
    """Return the best distinct designs: what was wanted, who found it, every parameter, every other metric."""
    wanted = list(problem.objectives)
    others = [metric.name for metric in problem.logged.metrics if metric.name not in wanted]
    columns = list(problem.columns)
    distance = ["from the optimum" if problem.truth.known else "from the best"] if problem.single else []
    seeds = max(len(agent.runs) for agent in problem.agents)
    head = [
        "#", *(metric_head(problem, name) for name in wanted), *distance, f"found by <small>runs of {seeds}</small>",
        *(parameter_head(problem, column) for column in columns),
        *(metric_head(problem, name) for name in others),
    ]  # fmt: skip
    rows = []
    for i, best in enumerate(problem.best):
        rows.append([
            str(i + 1),
            *(f"<b>{_metric_cell(problem, name, best)}</b>" for name in wanted),
            *([percent(float(problem.distance(best.losses[0])))] if problem.single else []),
            _found_by(best),
            *(parameter_html(problem, column, best) for column in columns),
            *(_metric_cell(problem, name, best) for name in others),
        ])  # fmt: skip
    return table(head, rows, left=(len(wanted) + len(distance) + 1,), css="dense")


def _metric_cell(problem: ProblemStudy, name: str, best: BestDesign) -> str:
    return escape(figure_only(best.metrics[name], metric_unit(problem, name)))


def metric_head(problem: ProblemStudy, name: str, remark: str = "") -> str:
    """Return the head of a metric's column, with its unit, its meaning where one points at it, and a remark below."""
    return _head(name, metric_unit(problem, name), metric_meaning(problem, name), remark)


def parameter_head(problem: ProblemStudy, column: str) -> str:
    """Return the head of a parameter's column, as `metric_head` does."""
    return _head(column, parameter_unit(problem, column), parameter_meaning(problem, column))


def _head(name: str, unit: str, meaning: str, remark: str = "") -> str:
    said = ", ".join(text for text in (remark, apart(unit)) if text)
    small = f"<small>{escape(said)}</small>" if said else ""
    return f'<span title="{escape(meaning)}">{breakable(name)}{small}</span>'


def _found_by(best: BestDesign) -> str:
    """Return in how many runs of which agent a design was found: local_search 8, genetic 1."""
    agents = sorted(best.found_by.items(), key=lambda item: -item[1])
    label, seed, place = best.first
    first = escape(f"first: design {place:,} of {label}, seed {seed}")
    found = [f"{breaking(label)}{NBSP}{runs}" for label, runs in agents]
    return f'<span class="agent" title="{first}">{", ".join(found)}</span>'


def best_card(problem: ProblemStudy) -> str:
    """Return the best design's parameters and metrics as a grid of terms and values."""
    best, wanted = problem.best[0], problem.objectives
    parameters = [
        _term(
            name,
            parameter_html(problem, name, best),
            parameter_unit(problem, name) if best.design[name] is not None else "",
            parameter_meaning(problem, name),
        )
        for name in problem.columns
    ]
    metrics = [
        _term(name, _metric_cell(problem, name, best), metric_unit(problem, name), metric_meaning(problem, name), css)
        for names, css in ((wanted, ' class="wanted"'), ([n for n in best.metrics if n not in wanted], ""))
        for name in names
    ]
    return (
        f'<h4>Parameters</h4><dl class="best">{"".join(parameters)}</dl>'
        f'<h4>Metrics</h4><dl class="best">{"".join(metrics)}</dl>'
    )


def _term(name: str, value: str, unit: str, meaning: str, css: str = "") -> str:
    small = f" <small>{escape(apart(unit))}</small>" if apart(unit) else ""
    return f'<div{css} title="{escape(meaning)}"><dt>{breakable(name)}</dt><dd>{value}{small}</dd></div>'


def glossary(problem: ProblemStudy) -> str:
    """Return what each parameter and metric means, folded away."""
    rows = []
    for parameter in problem.logged.parameters:
        unit, meaning = pretty(str(parameter.get("unit") or "")), str(parameter.get("meaning") or "")
        rows.append([code(str(parameter["name"])), escape(unit), escape(meaning)])
    for metric in problem.logged.metrics:
        meaning = f"{metric.meaning} ({metric.better} is better)" if metric.meaning else f"{metric.better} is better"
        rows.append([code(metric.name), escape(pretty(metric.unit)), escape(meaning)])
    inside = table(["name", "unit", "meaning"], rows, left=(0, 1, 2), css="prose")
    return f'<details class="printed"><summary>What the columns mean</summary>{inside}</details>'


# -- how runs ended ---------------------------------------------------------------------------------------------------


def endings_table(problem: ProblemStudy) -> str:
    """Return one row an agent: how many of its runs ended in which way, and what its designs came to."""
    rows = []
    for agent in problem.agents:
        endings = Counter(
            ENDED.get(r.ended, r.ended) if r.state == "finished" else UNFINISHED[r.state] for r in agent.runs
        )
        text = "; ".join(f"{n} {ending}" for ending, n in endings.most_common())
        counts = [problem.digest.status[run.key] for run in agent.runs if run.key in problem.digest.status]
        ok, infeasible, failed = np.sum(counts, axis=0).tolist() if counts else (0, 0, 0)
        priced = ok + infeasible + failed
        share = f" ({percent(infeasible / priced)})" if priced else ""
        cells = [f"{priced:,}", f"{infeasible:,}{share}", f"{failed:,}"]
        rows.append([agent_name(agent), escape(text), *cells])
    return table(["agent", "runs", "designs priced", "infeasible", "failed to evaluate"], rows, left=(0, 1))
