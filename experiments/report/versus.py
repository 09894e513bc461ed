"""Agents against each other, pair by pair: how likely a run of one ends better than a run of the other, with intervals.

Probability of improvement of Agarwal, Schwarzer, Castro, Courville and Bellemare, NeurIPS 2021, arXiv:2108.13264.
"""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.report.study import AgentStudy, ProblemStudy
from designgym.experiments.report.tables import agent_name
from designgym.experiments.report.text import NBSP, breakable, shortened

RESAMPLES = 2000
MOST_AGENTS = 10


def chance_of_improving(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return how often a run of ours ends below one of theirs, ties counting half, and its 95 % bootstrap interval.

    ours, theirs: (runs,), of what is minimised. Both agents' runs are drawn anew with replacement 2,000 times.
    """
    won = (ours[:, None] < theirs[None, :]) + 0.5 * (ours[:, None] == theirs[None, :])
    rng = np.random.default_rng(0)
    first, second = (_shares(rng, len(runs)) for runs in (ours, theirs))
    low, high = np.quantile(((first @ won) * second).sum(axis=1), [0.025, 0.975])
    return float(won.mean()), float(low), float(high)


def _shares(rng: np.random.Generator, runs: int) -> NDArray[np.float64]:
    """Return what share of each resample each run has, (resamples, runs)."""
    drawn = rng.integers(runs, size=(RESAMPLES, runs))
    shares = np.zeros((RESAMPLES, runs))
    np.add.at(shares, (np.arange(RESAMPLES)[:, None], drawn), 1.0 / runs)
    return shares


def compared(problem: ProblemStudy) -> list[AgentStudy]:
    """Return the agents of the table, the one that found the best designs soonest first."""
    return problem.ranked[:MOST_AGENTS]


def versus_table(problem: ProblemStudy) -> str:
    """Return a table of each agent (rows) against each other one (columns), by regret at the end of a run."""
    agents = compared(problem)
    heads = []
    for i, agent in enumerate(agents, start=1):
        name = breakable(shortened(agent.label.partition("(")[0], 20))
        heads.append(f'<th title="{escape(agent.label)}">{i}<small>{name}</small></th>')
    rows = []
    for i, ours in enumerate(agents):
        cells = "".join(_cell(ours, theirs) if ours is not theirs else "<td>–</td>" for theirs in agents)
        rows.append(f'<tr><td class="text">{i + 1} {agent_name(ours)}</td>{cells}</tr>')
    head = f'<thead><tr><th class="text">ends better than</th>{"".join(heads)}</tr></thead>'
    return f'<div class="scroll"><table class="versus">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _cell(ours: AgentStudy, theirs: AgentStudy) -> str:
    """Return a chance as a cell, tinted the stronger the further it is from even, bold where the interval is clear."""
    middle, low, high = chance_of_improving(ours.final_regret, theirs.final_regret)
    tint = f"--tint: var(--{'accent' if middle >= 0.5 else 'warn'}); --share: {round(60 * abs(middle - 0.5))}%"
    text = f"{100 * middle:.0f}{NBSP}%"
    if low > 0.5 or high < 0.5:
        text = f"<b>{text}</b>"
    interval = f"[{100 * low:.0f},{NBSP}{100 * high:.0f}]"
    return f'<td style="{tint}">{text}<small>{interval}</small></td>'
