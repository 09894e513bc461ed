"""`designgym bench agents` from its options to what it prints and writes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from designgym.experiments.bench.agents import (
    QUICK,
    Outcome,
    agents_named,
    compare,
    problems_named,
)
from designgym.experiments.bench.agents_answers import against_yardstick, best, worse_than_chance
from designgym.experiments.bench.agents_page import table_rows, write_comparison
from designgym.experiments.bench.agents_study import YARDSTICK, Study
from designgym.experiments.cli.console import console, print_json, table
from designgym.experiments.comparison import Interval

PAGE = "agents.html"


def run(
    agents: Sequence[str],
    problems: Sequence[str],
    seeds: int | None,
    budget: int | None,
    peers: bool,
    out: Path | None,
    workers: int | None,
    quick: bool,
    silent: bool,
    json: bool,
) -> None:
    """Compare, print, and write DIR/agents.html and DIR/figures.parquet."""
    from designgym.experiments.index import command_line

    for what, value in (("seeds", seeds), ("budget", budget)):
        if value is not None and value < 1:
            raise ValueError(f"{what} must be at least 1, got {value}.")
    entries = problems_named(problems, quick)
    names, left_out = agents_named(agents, peers, quick)
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="designgym-agents-"))
    out.mkdir(parents=True, exist_ok=True)
    default = QUICK if quick else {"seeds": 10, "budget": 1000}
    outcome = compare(
        names, entries, seeds or default["seeds"], budget or default["budget"], out, workers, silent, left_out,
        say=lambda line: None if silent else print(line, file=sys.stderr, flush=True),
    )  # fmt: skip
    write_comparison(outcome, out / PAGE, command_line())
    if json:
        print_json(as_json(outcome, out))
    else:
        _print(outcome, out)


def as_json(outcome: Outcome, out: Path) -> dict[str, Any]:
    """Return the answers and every figure as JSON values."""
    return {
        "page": str(out / PAGE),
        "figures": str(out / "figures.parquet"),
        "left_out": outcome.left_out,
        "studies": [_answers(study) for study in outcome.studies],
        "rows": outcome.rows,
    }


def _answers(study: Study) -> dict[str, Any]:
    found: dict[str, Any] = {"several": study.several, "agents": study.agents, "missing": study.missing, "best": []}
    for designs in study.checkpoints:
        for family in ("all", *study.family_names):
            one, ratio = best(study, designs, family), against_yardstick(study, designs, family)
            if one is None:
                continue
            answer = {"designs": designs, "problem": family, "agent": one.agent, "regret": list(one.regret)}
            if ratio is not None:
                answer |= {"best_of_ours": ratio.agent, f"over_{YARDSTICK}": list(ratio.ratio)}
            found["best"].append(answer)
    found["worse_than_random"] = [
        {"agent": agent, "designs": designs, "problem": family} for agent, designs, family in worse_than_chance(study)
    ]
    return found


def _print(outcome: Outcome, out: Path) -> None:
    shown = console()
    for name, why in outcome.left_out.items():
        shown.print(f"left out: {name}: {why}", markup=False)
    for study in outcome.studies:
        for name, why in study.missing.items():
            shown.print(f"left out: {name}: {why}", markup=False)
        title = "hypervolume missing, mean" if study.several else "mean regret"
        heads, rows = table_rows(study)
        title = f"{title} over {len(study.seeds)} seeds of {', '.join(study.family_names)}, with 95 % intervals"
        shown.print(table(title, heads, rows, heads[1:]))
        for line in lines_of(study):
            shown.print(line, markup=False, soft_wrap=True)
    shown.print(f"\nThe page: {out / PAGE}. All figures: {out / 'figures.parquet'}.", markup=False, soft_wrap=True)


def lines_of(study: Study) -> list[str]:
    """Return the answers as plain lines."""
    lines = []
    for designs in study.checkpoints:
        found, ratio = best(study, designs), against_yardstick(study, designs)
        if found is None:
            continue
        line = f"at {designs:,} designs the best is {found.agent} ({_plain(found.regret)})"
        if ratio is not None:
            line += f"; best of ours over {YARDSTICK}: {_plain(ratio.ratio)} ({ratio.agent})"
        lines.append(line)
    worse = worse_than_chance(study)
    for agent, designs, family in worse:
        lines.append(f"interval wholly above random's: {agent} at {designs:,} on {family}")
    if not worse and "random" in study.curves:
        lines.append("no agent but the space-filling ones has its interval wholly above random's")
    return lines


def _plain(interval: Interval) -> str:
    return f"{interval.middle:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
