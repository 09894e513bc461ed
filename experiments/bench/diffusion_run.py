"""`designgym bench diffusion` from its options to what it prints and writes."""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from designgym.agents.registry import agent_class
from designgym.cost_models.solver_schedule.diffusion_sampling import LEAST, MOST
from designgym.experiments.bench.agents import write_figures
from designgym.experiments.bench.core import Row
from designgym.experiments.bench.diffusion import (
    AGENTS,
    EVALUATIONS,
    FURTHER,
    MODELS,
    STOCK,
    TUNED,
    Cell,
    Outcome,
    compare,
)
from designgym.experiments.bench.diffusion_boss import FINE, STEPS, BossCell, boss_cell
from designgym.experiments.bench.diffusion_page import TITLES, answers, write_study
from designgym.experiments.bench.diffusion_speed import speeds
from designgym.experiments.cli.console import console, print_json, table

PAGE, FIGURES = "diffusion.html", "figures.parquet"
SEEDS, BUDGET = 3, 1000
QUICK = {"seeds": 1, "budget": 300, "agents": ("random", "evolution"), "evaluations": (5,), "steps": (2, 5)}


def run(
    agents: Sequence[str],
    evaluations: Sequence[int],
    seeds: int | None,
    budget: int | None,
    out: Path | None,
    workers: int | None,
    quick: bool,
    silent: bool,
    json: bool,
) -> None:
    """Compare, print, and write DIR/diffusion.html and DIR/figures.parquet."""
    from designgym.experiments.index import command_line

    wanted: Any = QUICK if quick else {"seeds": SEEDS, "budget": BUDGET, "agents": AGENTS, "evaluations": EVALUATIONS,
                                       "steps": STEPS}  # fmt: skip
    names = list(dict.fromkeys(agents or wanted["agents"]))
    for name in names:
        agent_class(name)  # an unknown one is refused at once
    counts: list[int] = list(dict.fromkeys(evaluations or wanted["evaluations"]))
    for count in counts:
        if not LEAST <= count <= MOST:
            raise ValueError(f"evaluations must be in [{LEAST}, {MOST}], got {count}. Choose others.")
    for what, value in (("seeds", seeds), ("budget", budget)):
        if value is not None and value < 1:
            raise ValueError(f"{what} must be at least 1, got {value}.")
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="designgym-diffusion-"))
    out.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        if not silent:
            print(line, file=sys.stderr, flush=True)

    cells = [Cell(model, count) for model in MODELS for count in counts]
    outcome = compare(names, cells, seeds or wanted["seeds"], budget or wanted["budget"], out, workers, silent, say)
    boss = []
    for model in MODELS:
        for fine in FINE:
            say(f"local costs: {model}, {fine} fine steps")
            boss += [boss_cell(model, fine, steps) for steps in wanted["steps"]]
    say("speed")
    measured = speeds()
    rows = figure_rows(outcome)
    write_figures(rows, out / FIGURES, list(rows[0]))
    write_study(outcome, boss, measured, out / PAGE, command_line())
    _print(outcome, boss, measured, out, json)


def figure_rows(outcome: Outcome) -> list[dict[str, Any]]:
    """Return what every method chose, and what it came to, as rows of plain values."""
    rows = []
    for one in outcome.scored:
        sets = {"training": one.training} | dict(zip((f"seed{seed}" for seed in FURTHER), one.further, strict=True))
        row: dict[str, Any] = {
            "study": one.study, "model": one.cell.model, "evaluations": one.cell.evaluations, "arm": one.arm,
            "seed": one.seed, "solver": one.solver, "grid": one.grid, "priced": one.priced,
            "times": " ".join(repr(t) for t in one.schedule.times.tolist()),
        }  # fmt: skip
        for name, found in sets.items():
            row |= {f"{name}.{what}": value for what, value in vars(found).items()}
        rows.append(row)
    return rows


def _print(outcome: Outcome, boss: Sequence[BossCell], measured: Sequence[Row], out: Path, json: bool) -> None:
    if json:
        columns = ("what", "figure", "unit", "ratio", "to")
        print_json({
            "page": str(out / PAGE), "figures": str(out / FIGURES), "rows": figure_rows(outcome),
            "won": {study: {arm: outcome.won(study, arm) for arm in outcome.agents} for study in TITLES},
            "boss": [vars(one) for one in boss],
            "speed": [dict(zip(columns, row, strict=True)) for row in measured],
        })  # fmt: skip
        return
    shown = console()
    for study, title in TITLES.items():
        heads, rows = table_rows(outcome, study)
        shown.print(table(f"{title}: RMS on noise of seeds {FURTHER[0]} and {FURTHER[1]}", heads, rows, heads[2:]))
        for line in answers(outcome, study):
            shown.print(line, markup=False, soft_wrap=True)
    worse = sum(one.boss > one.uniform for one in boss)
    shown.print(
        f"dynamic_programming over local costs ends further off than uniform steps in {worse} of {len(boss)} cells",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    for what, figure, unit, ratio, to in measured:
        shown.print(f"{what}: {figure:,.3g} {unit}, {ratio:.2f} times {to}", markup=False, soft_wrap=True)
    shown.print(f"\nThe page: {out / PAGE}. All figures: {out / FIGURES}.", markup=False, soft_wrap=True)


def table_rows(outcome: Outcome, study: str) -> tuple[list[str], list[list[str]]]:
    """Return the table of a terminal: stock, tuned, and each agent's mean, over both further sets."""
    heads = ["model", "evaluations", STOCK, TUNED, *outcome.agents]
    rows = []
    for cell in outcome.cells:
        row = [cell.model, str(cell.evaluations)]
        for arm in heads[2:4]:
            found = outcome.of(cell, study, arm)
            row.append(" ".join(f"{one.rms:.4f}" for one in found[0].further) if found else "none")
        for arm in outcome.agents:
            gains = outcome.gain(cell, study, arm)
            row.append("none" if math.isnan(gains[0]) else " ".join(f"{gain:.2f}×" for gain in gains))
        rows.append(row)
    return heads, rows
