"""`designgym bench surrogate-search` from its options to what it prints and writes."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from designgym.experiments.bench.agents import write_figures
from designgym.experiments.bench.surrogate_search import (
    AGENT,
    BESIDE,
    QUICK,
    RIVALS,
    SLOW_RIVAL,
    Outcome,
    Plan,
    compare,
    lowest,
    overall,
)
from designgym.experiments.cli.console import console, print_json, table
from designgym.experiments.comparison import Interval

FIGURES = "figures.parquet"
COLUMNS = ("problem", "designs", "rival", "ours", "theirs", "difference", "low", "high", "lost")


def run(
    seeds: int | None,
    fits: int | None,
    out: Path | None,
    workers: int | None,
    quick: bool,
    silent: bool,
    json: bool,
) -> None:
    """Compare, print, and write DIR/figures.parquet. ValueError for a number that is too small."""
    plan = QUICK if quick else Plan()
    for what, value, least in (("seeds", seeds, 1), ("fits", fits, 0)):
        if value is not None and value < least:
            raise ValueError(f"{what} must be at least {least}, got {value}. Choose more.")
    if seeds is not None:
        plan = replace(plan, seeds=seeds, slow_seeds=min(seeds, plan.slow_seeds))
    if fits is not None:
        plan = replace(plan, fits=fits)
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="designgym-surrogate-search-"))
    out.mkdir(parents=True, exist_ok=True)
    say = (lambda _: None) if silent else (lambda line: print(line, file=sys.stderr, flush=True))
    outcome = compare(plan, out, workers, silent, say)
    rows = figure_rows(outcome)
    write_figures(rows, out / FIGURES, COLUMNS)
    if json:
        answers = lines_of(outcome)
        print_json({"figures": str(out / FIGURES), "left_out": outcome.left_out, "answers": answers, "rows": rows})
    else:
        _print(outcome, out)


def figure_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return every cell as a row of COLUMNS."""
    return [
        dict(
            zip(
                COLUMNS,
                (c.problem, c.designs, c.rival, c.ours.middle, c.theirs.middle, *c.difference, c.lost),
                strict=True,
            )
        )
        for c in outcome.cells
    ]


def _print(outcome: Outcome, out: Path) -> None:
    shown = console()
    for name, why in {**outcome.left_out, **{n: w for s in outcome.studies for n, w in s.missing.items()}}.items():
        shown.print(f"left out: {name}: {why}", markup=False)
    heads = ["problem", "designs", "rival", AGENT, "its regret", "difference", ""]
    cells = [
        [c.problem, f"{c.designs:,}", c.rival, f"{c.ours.middle:.4f}", f"{c.theirs.middle:.4f}", _plain(c.difference),
         "LOST" if c.lost else "won" if c.difference.high < 0.0 else "even"]
        for c in outcome.cells
    ]  # fmt: skip
    shown.print(table("mean regret; the difference is below 0 where it wins, 95 % intervals", heads, cells, heads[3:6]))
    heads = ["agent", "mean over its cells", f"{AGENT} over the same", "ms per proposal"]
    rows = [
        [agent, _plain(theirs), _plain(own), f"{outcome.ms[agent]:.3g}"]
        for agent, (theirs, own) in overall(outcome).items()
    ]
    shown.print(table("mean regret over all cells", heads, rows, heads[1:]))
    for line in lines_of(outcome):
        shown.print(line, markup=False, soft_wrap=True)
    shown.print(f"\nAll figures: {out / FIGURES}.", markup=False, soft_wrap=True)


def lines_of(outcome: Outcome) -> list[str]:
    """Return the answers as plain lines."""
    scored = [c for c in outcome.cells if c.rival in (*RIVALS, SLOW_RIVAL)]
    lost = [f"{c.problem} at {c.designs:,} to {c.rival}" for c in scored if c.lost]
    lines = []
    if scored:
        told = "as wanted" if not lost else f"LOST: {'; '.join(lost)}"
        lines.append(f"of {len(scored)} cells and rivals no interval is to lie wholly on the losing side: {told}")
        held = "as wanted" if lowest(outcome) else "NOT as wanted"
        lines.append(f"its mean over all cells is to be the lowest: {held}")
    beside = [c for c in outcome.cells if c.rival in BESIDE]
    if beside:
        won, beaten = sum(c.difference.high < 0.0 for c in beside), sum(c.lost for c in beside)
        ms = outcome.ms
        lines.append(
            f"beside {BESIDE[0]}, which is not scored: wins {won} and loses {beaten} of {len(beside)} cells, at "
            f"{ms[AGENT]:.3g} ms a proposal against {ms[BESIDE[0]]:.3g}"
        )
    for one in outcome.fits:
        held = "equal" if one.equal else "NOT equal"
        lines.append(
            f"{one.problem}, {one.designs} designs, {one.runs} runs: {one.by_drift.middle:.1f} models fitted where "
            f"errors drift, {one.by_always.middle:.1f} where always; final regret {_plain(one.regret)} and "
            f"{_plain(one.regret_always)}, difference {_plain(one.difference)}: {held}; "
            f"{one.agent_s:.1f} s and {one.agent_s_always:.1f} s of the agent's own"
        )
    return lines


def _plain(interval: Interval) -> str:
    return f"{interval.middle:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
