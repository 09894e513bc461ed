"""Agents against each other, pair by pair: how likely a run of one ends better than a run of the other, with intervals.

The statistics are those of `designgym.experiments.comparison`.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.comparison import probability_of_improvement, stratified_iqm
from designgym.experiments.report.frame import card
from designgym.experiments.report.study import AgentStudy, ProblemStudy
from designgym.experiments.report.tables import agent_name
from designgym.experiments.report.text import NBSP, breakable, number, shortened

MOST_AGENTS = 10
Scores = NDArray[np.float64]  # (runs, problems)
Named = tuple[AgentStudy, Scores]
NOTE = (
    "How often a run of the agent on the left ends with less regret than a run of the agent above (ties count half): "
    f"the probability of improvement, with its 95{NBSP}% interval over resampled runs. Bold where the interval leaves "
    f"out 50{NBSP}%."
)


def versus_card(problem: ProblemStudy) -> str:
    """Return the agents of one problem in pairs, the one that found the best designs soonest first.

    Nothing for one agent, nor where all have a single run: that says nothing of how often.
    """
    agents = [(agent, agent.final_regret[:, None]) for agent in problem.ranked]
    tell = len(agents) > 1 and max(len(scores) for _, scores in agents) > 1
    return _card("Agents in pairs", "", agents) if tell else ""


def overall_card(problems: Sequence[ProblemStudy]) -> str:
    """Return the agents in pairs over all problems on which all have runs, the least regret first; "" for none."""
    solved = [problem for problem in problems if problem.best]
    everywhere = [{agent.label: agent for agent in problem.agents if agent.counted} for problem in solved]
    labels = [label for label in (everywhere[0] if everywhere else {}) if all(label in one for one in everywhere)]
    if len(solved) < 2 or len(labels) < 2:
        return ""
    found: list[tuple[float, str, Named]] = []
    for label in labels:
        finals = [one[label].final_regret for one in everywhere]
        # A table has as many runs of each problem: the first ones, where some have not finished.
        runs = min(map(len, finals))
        scores = np.stack([final[:runs] for final in finals], axis=1)
        middle, low, high = stratified_iqm(scores)
        text = f"{number(middle)} <small>[{number(low)}, {number(high)}]</small>"
        found.append((middle, text, (everywhere[0][label], scores)))
    found.sort(key=lambda item: item[0])
    note = (
        f"Over the {len(solved)} problems with feasible designs. The regret is the interquartile mean of all runs of "
        "all problems, its interval from runs drawn anew within each problem. "
    )
    return _card("All problems together", note, [item[2] for item in found], [item[1] for item in found])


def _card(heading: str, note: str, agents: list[Named], regrets: Sequence[str] = ()) -> str:
    few = f" The first {MOST_AGENTS} of {len(agents)} agents." if len(agents) > MOST_AGENTS else ""
    return card(heading, note + NOTE + few, _table(agents[:MOST_AGENTS], regrets))


def _table(agents: list[Named], regrets: Sequence[str]) -> str:
    """Return each agent (rows) against each other one (columns). regrets: a cell an agent before these, if any."""
    heads = ["<th>final regret</th>"] if regrets else []
    for i, (agent, _) in enumerate(agents, start=1):
        name = breakable(shortened(agent.label.partition("(")[0], 20))
        heads.append(f'<th title="{escape(agent.label)}">{i}<small>{name}</small></th>')
    cells: dict[tuple[int, int], str] = {}
    for i, (_, ours) in enumerate(agents):
        for j, (_, theirs) in enumerate(agents[i + 1 :], start=i + 1):
            resampled = min(len(ours), len(theirs)) > 1
            middle, low, high = (round(100.0 * share) for share in probability_of_improvement(ours, theirs))
            cells[i, j] = _cell(middle, low, high, resampled)
            cells[j, i] = _cell(100 - middle, 100 - high, 100 - low, resampled)
    rows = []
    for i, (agent, _) in enumerate(agents):
        regret = f"<td>{regrets[i]}</td>" if regrets else ""
        line = "".join(cells.get((i, j), "<td>–</td>") for j in range(len(agents)))
        rows.append(f'<tr><td class="text">{agent_name(agent, before=str(i + 1))}</td>{regret}{line}</tr>')
    head = f'<thead><tr><th class="text">ends better than</th>{"".join(heads)}</tr></thead>'
    return f'<div class="scroll"><table class="versus">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _cell(middle: int, low: int, high: int, resampled: bool) -> str:
    """Return a chance, in per cent, as a cell, tinted the stronger the further it is from even.

    Bold where the interval is clear. resampled: whether both agents have several runs; one run has no interval.
    """
    tint = f"--tint: var(--{'accent' if middle >= 50 else 'warn'}); --share: {round(0.6 * abs(middle - 50))}%"
    text = f"{middle}{NBSP}%"
    if resampled and (low > 50 or high < 50):
        text = f"<b>{text}</b>"
    interval = f"[{low},{NBSP}{high}]" if resampled else "one run"
    return f'<td style="{tint}">{text}<small>{interval}</small></td>'
