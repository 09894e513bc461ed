"""One problem's section of the page: headline, agents, progress, designs, what matters, how runs ended."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from designgym.experiments.report import designs, progress, tables
from designgym.experiments.report.costs import costs_table, failures
from designgym.experiments.report.frame import Entry, Part, card, figures
from designgym.experiments.report.headline import goal, headline, name_of, title
from designgym.experiments.report.parallel import axes_of, parallel_figure
from designgym.experiments.report.pictures import pictures_block
from designgym.experiments.report.stand_ins import stand_in
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.text import NBSP, WITHIN_1, code, listed, percent
from designgym.experiments.report.tradeoff import tradeoff_block
from designgym.experiments.report.values import values_figure
from designgym.experiments.report.verified import verified_block
from designgym.experiments.report.verified_changes import in_the_headline
from designgym.experiments.report.versus import versus_card

POOR = 0.5  # explained variance below which importances are a hint at most


@dataclass(frozen=True)
class Block:
    """A part of a problem's section. anchor: its id, within the problem. text: its line in the contents, if any."""

    anchor: str
    text: str
    html: str


def problem_section(problem: ProblemStudy, place: int, part: Part) -> tuple[str, Entry]:
    """Return the section's HTML and its lines in the contents, and leave its figures in `part`."""
    name = f"problem-{place}"
    blocks = [block for block in _blocks(problem, part) if block.html]
    divisions = [f'<div id="{name}-{block.anchor}">{block.html}</div>' for block in blocks]
    lines = tuple(Entry(f"{name}-{block.anchor}", block.text) for block in blocks if block.text)
    head = f'<h2>{title(problem)}</h2><p class="goal">{goal(problem)}</p>'
    section = f'<section class="problem" id="{name}">{head}{"".join(divisions)}</section>'
    return section, Entry(name, name_of(problem), lines)


def _blocks(problem: ProblemStudy, part: Part) -> list[Block]:
    texts = [stand_in(problem), *headline(problem), in_the_headline(problem)]
    sentences = "".join(f"<p>{text}</p>" for text in texts if text)
    ended = card("How runs ended", "", tables.endings_table(problem) + failures(problem))
    last = Block("ended", "How runs ended", ended)
    if not problem.best:
        said = Block("headline", "Headline", f'<div class="card headline">{sentences}</div>')
        return [said, _bound(problem, part), last]
    words = f'<div class="card headline">{sentences}{tables.ranking_table(problem)}</div>'
    return [
        Block("headline", "Headline", f'<div class="hero">{words}{_best(problem)}</div>'),
        Block("agents", "Agents", _agents(problem)),
        Block("versus", "Agents in pairs", versus_card(problem)),
        Block("progress", "Progress", _progress(problem, part)),
        Block("best", "Best designs" if problem.single else "Designs on the front", _best_designs(problem)),
        _bound(problem, part),
        Block("pictures", "Pictures", pictures_block(problem, part)),
        Block("verified", "Verified", verified_block(problem, part)),
        Block("parallel", "Parallel coordinates", _parallel(problem, part)),
        Block("pareto", "Pareto front", "" if problem.single else _pareto(problem, part)),
        Block("matters", "What matters", _matters(problem, part)),
        Block("costs", "Time and repeats", _costs(problem)),
        last,
    ]


def _bound(problem: ProblemStudy, part: Part) -> Block:
    return Block("bound", "What the bound costs", tradeoff_block(problem, part))


def _best(problem: ProblemStudy) -> str:
    heading = "The best design" if problem.single else f"The best design by {code(problem.objectives[0])}"
    return card(heading, "", tables.best_card(problem))


def _agents(problem: ProblemStudy) -> str:
    seeds = max(len(agent.counted) for agent in problem.agents)
    few = " Fewer than ten runs an agent: read small differences with care." if seeds < 10 else ""
    note = f"Up to {problem.budget:,} designs a run; the agent that found the best designs soonest comes first.{few}"
    return card("Agents", note, tables.agents_table(problem))


def _costs(problem: ProblemStudy) -> str:
    note = (
        "Of finished runs. A design that an agent asks again is answered from memory and costs nothing. The time a "
        "proposal takes is what the agent spends in its own asking and being told, pricing left out."
    )
    return card("Time and repeats", note, costs_table(problem))


def _progress(problem: ProblemStudy, part: Part) -> str:
    alone = max(len(agent.counted) for agent in problem.ranked) == 1
    over = "One run an agent" if alone else f"Interquartile mean over runs, with its 95{NBSP}% interval"
    if problem.others:
        over += f"; the first {len(problem.shown)} agents in colour"
    timed = f"{over}; agents' own time counts."
    if problem.single:
        draw, what = progress.best_figure, "Best so far"
        scale = (
            f"Distance from the {problem.yardstick}, over the gap to the median of {escape(problem.truth.median_of)}."
        )
    else:
        draw, what = progress.hypervolume_figure, "Hypervolume"
        scale = f"One minus the share of the {problem.yardstick}."
    tolerance = progress.tolerance_reached(problem)
    within = f"within {percent(tolerance)}"
    nobody = "" if within == WITHIN_1 else f" None came {WITHIN_1}."
    reached = f"Share of an agent's runs that are {within} of the {problem.yardstick}.{nobody}"
    placed = [
        part.place(draw(problem, False), f"{what}, by designs priced", f"{over}."),
        part.place(draw(problem, True), f"{what}, by time", timed),
        part.place(progress.regret_figure(problem), "Regret, by designs priced", scale),
        part.place(progress.reached_figure(problem, tolerance), f"Who gets {within}, and how soon", reached),
    ]
    return figures(*placed)


def _best_designs(problem: ProblemStudy) -> str:
    n = len(problem.best)
    if problem.single:
        heading = f"The {n} best designs" if n > 1 else "The best design"
        note = "Distinct designs, best first; equal ones by how soon a run found them."
    else:
        heading, found = "Designs on the front", problem.front_designs
        note = f"{n} of the {found:,} designs" if n < found else f"All {n} designs"
        note += f" found that no other found dominates, along {code(problem.objectives[0])}."
    return card(heading, note, tables.best_table(problem) + tables.glossary(problem))


def _parallel(problem: ProblemStudy, part: Part) -> str:
    figure = parallel_figure(problem)
    if figure is None:
        return ""
    n, shown = len(problem.lines), len(axes_of(problem))
    what = f"The {n} best distinct designs" if problem.single else f"{n} designs on the front"
    left_out = f" The {shown} parameters that matter most are shown." if shown < len(problem.columns) else ""
    note = (
        f"{what}, each a line through its values. An axis has all the values that its parameter may take; lines "
        f"through the same value lie side by side. Point at a line to read it; the table has the first ones.{left_out}"
    )
    return figures(part.place(figure, "Parallel coordinates of the best designs", note, wide=True))


def _pareto(problem: ProblemStudy, part: Part) -> str:
    note = "Each agent's front over all its runs. The hypervolume is measured from the reference point."
    made = designs.pareto_figures(problem)
    placed = []
    for names, figure in zip(designs.pairs_of(problem), made, strict=True):
        heading = "Pareto front" if len(made) == 1 else f"Pareto front: {names[0]} and {names[1]}"
        placed.append(part.place(figure, heading, note, wide=len(made) == 1))
    return figures(*placed)


# -- what matters -----------------------------------------------------------------------------------------------------


def _matters(problem: ProblemStudy, part: Part) -> str:
    learned = problem.importances
    figure = designs.importance_figure(problem)
    if figure is None:
        return card("What each parameter matters", "Too few different designs were priced to learn it.", "")
    fits = []
    for name, found in learned.items():
        logarithm = "log " if found.logarithm else ""
        fits.append(f"{percent(max(found.explained, 0.0))} of the variance of {logarithm}{code(name)}")
    priced = next(iter(learned.values())).designs
    poor = max(found.explained for found in learned.values()) < POOR
    note = (
        f"Permutation importance of a random forest on {priced:,} of the designs priced, infeasible ones included. On "
        f"a third of them, held out, it explains {listed(fits)} (R²)"
        f"{', too little to read more than a hint here' if poor else ''}. Agents look more closely where designs are "
        "good, so this figure does too."
    )
    placed = part.place(figure, "What each parameter matters", note, wide=True)
    return figures(placed, _values(problem, part) if problem.single else "")


def _values(problem: ProblemStudy, part: Part) -> str:
    figure = values_figure(problem)
    if figure is None:
        return ""
    note = (
        f"The best that any run found with a parameter held at a value, as a distance from the {problem.yardstick}: "
        "what that value costs at most, once all others are tuned. A value hardly tried may be better than it looks."
    )
    return part.place(figure, "What each value costs", note, wide=True)
