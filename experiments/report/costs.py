"""What searching cost, and what went wrong: time per proposal, designs asked twice, runs that failed and their logs."""

from __future__ import annotations

from html import escape

from designgym.experiments.quantities import quantity
from designgym.experiments.report.study import AgentStudy, ProblemStudy
from designgym.experiments.report.tables import agent_name, table
from designgym.experiments.report.text import percent

UNKNOWN = "unknown"
MOST_ERRORS = 20


def costs_table(problem: ProblemStudy) -> str:
    """Return one row an agent: designs asked, asked twice, time per proposal and its share of the runs' time."""
    head = [
        "agent", "designs asked", "asked again <small>answered from memory</small>",
        "time a proposal <small>the agent's own</small>", "agents' share <small>of the runs' time</small>",
    ]  # fmt: skip
    if not any(run.asked for run in problem.runs):
        return "<p>The log of these runs does not tell.</p>"
    agents = [*problem.ranked, *(agent for agent in problem.agents if not agent.counted)]
    rows = [[agent_name(agent), *_costs(agent)] for agent in agents]
    if any(run.cheap for run in problem.runs):
        head.append("priced by the cheap model <small>besides, and counted apart</small>")
        for row, agent in zip(rows, agents, strict=True):
            row.append(f"{sum(run.cheap for run in agent.runs):,}")
    return table(head, rows)


def _costs(agent: AgentStudy) -> list[str]:
    runs = [run for run in agent.runs if run.state == "finished" and run.asked]
    asked, repeats = sum(run.asked for run in runs), sum(run.repeats for run in runs)
    timed, own = sum(run.timed for run in runs), sum(run.agent_s for run in runs)
    elapsed = sum(run.elapsed_s for run in runs)
    twice = f"{repeats:,} ({percent(repeats / asked)})" if asked else UNKNOWN
    proposal = escape(quantity(own / timed, "s", 3)) if timed else UNKNOWN
    # A told agent that was continued is timed over a part of its run only.
    share = percent(min(own / elapsed, 1.0)) if timed == asked and elapsed > 0 and asked else UNKNOWN
    return [f"{asked:,}" if asked else UNKNOWN, twice, proposal, share]


def failures(problem: ProblemStudy) -> str:
    """Return what failed and damaged runs left, each to be unfolded; nothing where there are none."""
    wrong = [run for run in problem.runs if run.key in problem.errors]
    items = []
    for run in wrong[:MOST_ERRORS]:
        text = problem.errors[run.key]
        first, _, rest = text.partition("\n")
        head = f"{escape(run.label)}, seed {run.seed}: {escape(first)}"
        if run.damage:
            items.append(f"<li>{head}</li>")
            continue
        path = f'<p class="note">All of it: <code>runs/{escape(run.key)}.error.txt</code></p>'
        log = f"<pre><code>{escape(rest.strip())}</code></pre>" if rest.strip() else ""
        items.append(f"<li><details><summary>{head}</summary>{log}{path}</details></li>")
    if len(wrong) > MOST_ERRORS:
        items.append(f"<li>and {len(wrong) - MOST_ERRORS:,} more: see <code>runs/*.error.txt</code></li>")
    return f'<ul class="errors">{"".join(items)}</ul>' if items else ""
