"""The page of a comparison of diffusion samplers: the answers first, then every cell, pictures, BOSS and speed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from designgym.experiments.bench.core import Row
from designgym.experiments.bench.diffusion import (
    BOUNDED,
    FURTHER,
    GAIN,
    PLAIN,
    POINTS,
    STOCK,
    TUNED,
    Cell,
    Errors,
    Outcome,
    Scored,
)
from designgym.experiments.bench.diffusion_boss import BossCell
from designgym.experiments.bench.diffusion_figures import best_searched, gains_figure, pictures, work_figure
from designgym.experiments.quantities import duration
from designgym.experiments.report.frame import Entry, Part, card, figures, header, render, write_page
from designgym.experiments.report.pictures import picture_figure
from designgym.experiments.report.tables import table

TITLES = {PLAIN: "Least RMS", BOUNDED: "Least RMS, median no worse than the best stock pair’s"}
PICTURED = 5  # evaluations


def write_study(outcome: Outcome, boss: Sequence[BossCell], speeds: Sequence[Row], path: Path, command: str) -> None:
    """Write the page. command: what made it."""
    part, sections, contents = Part(), [], []
    for study, title in TITLES.items():
        sections.append(
            f'<section class="problem" id="{study}"><h2>{title}</h2>{_section(outcome, part, study)}</section>'
        )
        contents.append(Entry(study, title))
    sections.append(f'<section class="problem" id="pictures"><h2>Schedules</h2>{_pictures(outcome, part)}</section>')
    contents.append(Entry("pictures", "Schedules"))
    if boss:
        sections.append(f'<section class="problem" id="boss"><h2>Local costs</h2>{_boss(boss)}</section>')
        contents.append(Entry("boss", "Local costs"))
    sections.append(_method(outcome, speeds, command))
    contents.append(Entry("method", "How it was measured"))
    facts = (
        f"{len(outcome.cells)} comparisons at equal numbers of evaluations; every method prices at most "
        f"{outcome.budget:,} designs in each"
    )
    top = header("Diffusion samplers compared", facts, (), "designgym bench diffusion")
    write_page(path, render("Diffusion samplers compared", "".join(sections), part, top, contents))


def answers(outcome: Outcome, study: str) -> list[str]:
    """Return what came out, in plain lines."""
    cells = len(outcome.cells)
    lines = []
    for arm in outcome.agents:
        worst = [min(outcome.gain(cell, study, arm)) for cell in outcome.cells]
        known = [gain for gain in worst if math.isfinite(gain)]
        middle = math.exp(sum(map(math.log, known)) / len(known)) if known else math.nan
        runs = sum(len(outcome.of(cell, study, arm)) for cell in outcome.cells)
        nothing = cells * outcome.seeds - runs
        left_out = f", without {nothing} of {cells * outcome.seeds} runs that found nothing feasible" if nothing else ""
        lines.append(
            f"{arm}: {GAIN:g} times better than the tuned grid on {len(FURTHER)} further sets of noise in "
            f"{outcome.won(study, arm)} of {cells} comparisons (in the geometric mean {middle:.2f} times{left_out})"
        )
    return lines


def _section(outcome: Outcome, part: Part, study: str) -> str:
    said = "".join(f"<p>{escape(line)}.</p>" for line in answers(outcome, study))
    models = dict.fromkeys(cell.model for cell in outcome.cells)
    placed = [
        part.place(
            gains_figure(outcome, study, model), f"Gain on the tuned grid, {model}",
            "RMS of the best grid with one parameter over that of the searched schedule: the lower of both further "
            f"sets, and up to the higher. Dashed: {GAIN:g}. Of several runs the geometric mean.",
        )
        for model in models
    ] + [
        part.place(
            work_figure(outcome, study, model), f"Error for evaluations, {model}",
            f"RMS over {POINTS:,} noises of seed {FURTHER[0]}, on which nothing was chosen.",
        )
        for model in models
    ]  # fmt: skip
    return f'<div class="card headline">{said}</div>{_cells(outcome, study)}{figures(*placed)}'


def _cells(outcome: Outcome, study: str) -> str:
    heads = ["comparison", "method", "training RMS", *(
        f"{what}<small>seed {seed}</small>" for seed in FURTHER for what in ("RMS", "median", "flips")
    ), "gain", "solvers"]  # fmt: skip
    rows = []
    for cell in outcome.cells:
        shown = [*outcome.of(cell, study, STOCK), *outcome.of(cell, study, TUNED), *_leaders(outcome, study, cell)]
        rows += [_row(outcome, study, cell, one) for one in shown]
    note = (
        "Stock: the best of all solvers on four grids. Tuned: the best with grids of one parameter among them. Of each "
        "agent the run with the least training RMS. Flips: noises that end in another mode, error above .5. Gain: the "
        "lower of both further sets."
    )
    return card("Every comparison", note, table(heads, rows, css="dense"))


def _leaders(outcome: Outcome, study: str, cell: Cell) -> list[Scored]:
    runs = [outcome.of(cell, study, arm) for arm in outcome.agents]
    return [min(own, key=lambda one: one.training.rms) for own in runs if own]


def _row(outcome: Outcome, study: str, cell: Cell, one: Scored) -> list[str]:
    what = f"{one.solver} on {one.grid}" if one.seed < 0 else one.solver
    (tuned,) = outcome.of(cell, study, TUNED)
    gain = min(t.rms / o.rms for t, o in zip(tuned.further, one.further, strict=True))
    further = [text for found in one.further for text in _errors(found)]
    return [
        f"{cell.model}, {cell.evaluations}", escape(one.arm), f"{one.training.rms:.4f}", *further, f"{gain:.2f}",
        f"<small>{escape(what)}</small>",
    ]  # fmt: skip


def _errors(found: Errors) -> tuple[str, str, str]:
    return f"{found.rms:.4f}", f"{found.median:.4f}", f"{found.flip_fraction:.2%}"


def _pictures(outcome: Outcome, part: Part) -> str:
    placed = []
    for cell in outcome.cells:
        if cell.evaluations != PICTURED:
            continue
        best = best_searched(outcome, PLAIN, cell)
        slots = {} if best is None else {best.arm: _Slot(outcome.agents.index(best.arm))}
        for picture in pictures(outcome, cell):
            title = f"{picture.title}: {cell.model}, {cell.evaluations} evaluations"
            placed.append(part.place(picture_figure(picture, slots), title, escape(picture.meaning), wide=True))
    return figures(*placed) if placed else f'<p class="note">Nothing was compared at {PICTURED} evaluations.</p>'


class _Slot:
    """The place of an agent's colour."""

    def __init__(self, slot: int) -> None:
        self.slot = slot


def _boss(boss: Sequence[BossCell]) -> str:
    worse = sum(one.boss > one.uniform for one in boss)
    heads = ["model, fine steps", "steps", "uniform", "Bellman", "searched", "local costs: uniform", "Bellman",
             "searched", "training RMS: Bellman", "true optimum"]  # fmt: skip
    rows = [
        [f"{one.model}, {one.fine}", f"{one.steps}", *(f"{v:.4f}" for v in (one.uniform, one.boss, one.searched)),
         *(f"{v:.4f}" for v in one.sums), f"{one.chosen:.4f}", "–" if math.isnan(one.optimum) else f"{one.optimum:.4f}"]
        for one in boss
    ]  # fmt: skip
    note = (
        f"Euler steps of a rectified flow. In {worse} of {len(boss)} cells the path of least local costs ends further "
        "from the fine grid's end than uniform steps do: the sum stands in for the error, and its optimum is not the "
        "error's. RMS on further noise; local costs and the true optimum on the noise of search."
    )
    return card("Bellman's recursion over local costs (BOSS)", note, table(heads, rows, css="dense"))


def _method(outcome: Outcome, speeds: Sequence[Row], command: str) -> str:
    text = (
        f"<p>{outcome.seeds} run{'s' if outcome.seeds > 1 else ''} of each agent, with its defaults. Solvers, grids "
        "and schedules are chosen on the 1,000 noises of seed 2 alone, and scored on "
        f"{POINTS:,} noises of seeds {' and '.join(map(str, FURTHER))} against 1,000 steps of a fourth-order method. "
        "The variance-preserving path, exact scores: all error is the solvers’. The trials lie in the folders beside "
        f"this page. Worked out in {duration(outcome.seconds)}.</p><pre>{escape(command)}</pre>"
    )
    content = card("How it was measured", "", text)
    if speeds:
        rows = [
            [escape(what), f"{figure:,.3g}", unit, f"{ratio:.2f}" if ratio else "", to]
            for what, figure, unit, ratio, to in speeds
        ]
        content += card("Speed", "On all cores.", table(["what", "figure", "unit", "ratio", "to"], rows))
    return f'<section id="method">{content}</section>'
