"""The page of a comparison of agents: the answers first, then each figure with what it is and where it comes from."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from designgym.experiments.bench.agents import Outcome
from designgym.experiments.bench.agents_answers import (
    against_yardstick,
    best,
    mean_regret,
    ours,
    worse_than_chance,
)
from designgym.experiments.bench.agents_figures import (
    chances_figure,
    clock_figure,
    profile_figure,
    ranks_figure,
    reached_figure,
    regret_figure,
)
from designgym.experiments.bench.agents_study import CHANCE, OVERALL, SPACE_FILLING, YARDSTICK, Study, profile_ratios
from designgym.experiments.comparison import Interval, expected_running_time, pooled_iqm, profile_score
from designgym.experiments.comparison import stratified_interval as interval_of
from designgym.experiments.quantities import duration
from designgym.experiments.report.frame import Entry, Part, card, figures, header, render, write_page
from designgym.experiments.report.tables import table
from designgym.experiments.report.text import number

NBSP = "\u00a0"


def write_comparison(outcome: Outcome, path: Path, command: str) -> None:
    """Write the page. command: what made it."""
    part, sections, contents = Part(), [], []
    for study in outcome.studies:
        name = "several" if study.several else "one"
        title = "Two objectives" if study.several else "One objective"
        sections.append(f'<section class="problem" id="{name}"><h2>{title}</h2>{_section(study, part, name)}</section>')
        under = [("answers", "Answers"), ("table", "Every agent"), ("families", "Problem by problem")]
        under += [("regret", "Regret"), ("ranks", "Ranks"), ("reached", "Targets reached")]
        under = [(anchor, text) for anchor, text in under if f'id="{name}-{anchor}"' in sections[-1]]
        contents.append(Entry(name, title, tuple(Entry(f"{name}-{a}", text) for a, text in under)))
    sections.append(_method(outcome, command))
    contents.append(Entry("method", "How it was measured"))
    runs = sum(len(s.agents) * len(s.problems) * len(s.seeds) for s in outcome.studies)
    facts = f"{runs:,} runs, compared at equal numbers of distinct designs"
    banners = [_left_out(outcome)] if outcome.left_out or any(s.missing for s in outcome.studies) else []
    top = header("Agents compared", facts, banners, "designgym bench agents")
    write_page(path, render("Agents compared", "".join(sections), part, top, contents))


def _left_out(outcome: Outcome) -> str:
    lines = [f"<b>{escape(name)}</b>: {escape(why)}" for name, why in outcome.left_out.items()]
    for study in outcome.studies:
        lines += [f"<b>{escape(name)}</b>: {escape(why)}" for name, why in study.missing.items()]
    return "Left out. " + "; ".join(lines)


def _section(study: Study, part: Part, name: str) -> str:
    if not study.agents:
        return '<p class="banner">No agent finished all its runs here.</p>'
    at = study.budget
    placed = figures(
        part.place(
            regret_figure(study), "Regret by designs priced",
            f"Interquartile mean over {len(study.seeds)} seeds and {_several(study)}; {_explain(study)}",
            wide=True, anchor=f"{name}-regret",
        ),
        part.place(
            clock_figure(study), "Regret by the clock",
            "The same by each run's own clock, pricing included. These cost models price in microseconds: where "
            "pricing is dear, the figure above decides.",
        ),
        part.place(
            ranks_figure(study, at), f"Average rank after {at:,} designs",
            "Over problems, 1 is best. Bars are half the critical difference on either side: two agents whose bars do "
            f"not overlap differ at the 5{NBSP}% level "
            "(Friedman and Nemenyi, as in Demšar, JMLR 7, 2006).",
            anchor=f"{name}-ranks",
        ) if len(study.problems) > 1 and len(study.agents) > 2 else "",
        part.place(
            reached_figure(study, "designs"), "Targets reached by designs priced",
            "Share of runs and targets (regret 0.5 down to 0) reached: COCO's distribution, arXiv:1605.03560.",
            anchor=f"{name}-reached",
        ),
        part.place(
            reached_figure(study, "s"), "Targets reached by the clock", "The same in seconds of each run's own clock.",
        ),
        part.place(
            profile_figure(study, "designs"), "Performance profile",
            "Share of problems and targets (regret 0.2 down to 0) that an agent's expected number of designs comes to "
            "within a factor of the best agent's (Dolan and Moré, 2002).",
        ),
        part.place(
            chances_figure(study, at), f"Chance of ending below {study.agents[0]}",
            f"That a run of each agent has less regret after {at:,} designs than one of {escape(study.agents[0])} on "
            f"the same problem, with 95{NBSP}% intervals (rliable's protocol, arXiv:2108.13264).",
        ) if len(study.agents) > 1 else "",
    )  # fmt: skip
    return f"{_answers(study, name)}{_table(study, name)}{_families(study, name)}{placed}"


def _several(study: Study) -> str:
    return f"{len(study.problems)} problem{'' if len(study.problems) == 1 else 's'}"


def _explain(study: Study) -> str:
    if study.several:
        return "1 less the share of the true front's hypervolume that was found. 0 is the true front."
    return "0 is the true optimum, 1 the median design of the space."


def _answers(study: Study, name: str) -> str:
    lines = []
    for designs in study.checkpoints:
        found = best(study, designs)
        if found is None:
            continue
        text = (
            f"At {designs:,} designs, <strong>{escape(found.agent)}</strong> is best: mean regret {shown(found.regret)}"
        )
        if found.second and found.chance is not None:
            text += (
                f", before {escape(found.second)} with {shown(found.second_regret)}. A run of the first ends below one "
                f"of the second with probability {shown(found.chance)}"
            )
        lines.append(text + ".")
    lines += _ratios(study)
    lines.append(_chance(study))
    paragraphs = "".join(f"<p>{line}</p>" for line in lines if line)
    return f'<div class="card headline" id="{name}-answers">{paragraphs}</div>'


def _ratios(study: Study) -> list[str]:
    found = [against_yardstick(study, designs) for designs in study.checkpoints]
    texts = [f"{shown(one.ratio)} at {one.designs:,} ({escape(one.agent)})" for one in found if one is not None]
    if not texts:
        return []
    return [f"Regret of the best of ours over that of {YARDSTICK} in this run: {'; '.join(texts)}."]


def _chance(study: Study) -> str:
    if CHANCE not in study.curves:
        return ""
    found = worse_than_chance(study)
    if not found:
        return "No agent but the space-filling ones has its interval wholly above random's, on any kind of problem."
    overall = [item for item in found if item[2] == OVERALL]
    kinds = [item for item in found if item[2] != OVERALL]
    told = [f"{escape(agent)} at {designs:,} over all problems" for agent, designs, _ in overall]
    told += [f"{escape(agent)} at {designs:,} on {escape(family)}" for agent, designs, family in kinds]
    return f"Intervals wholly above random's: {'; '.join(told)}."


def _table(study: Study, name: str) -> str:
    heads = ["agent", *(f"regret at {c:,}" for c in study.checkpoints), "IQM at the end", "profile score",
             "designs to regret 0.05", "ms per proposal"]  # fmt: skip
    scores = {agent: profile_score(ratios) for agent, ratios in profile_ratios(study, "designs").items()}
    rows = []
    for agent in study.agents:
        reached, spent = study.reached(agent, 0.05, "designs")
        cells = [shown(mean_regret(study, agent, c)) for c in study.checkpoints]
        cells.append(shown(interval_of(pooled_iqm, study.at(agent, study.budget))))
        cells.append(f"{scores[agent]:.2f}" if agent in scores else "–")
        expected = expected_running_time(reached, spent)
        cells.append(f"{expected:,.0f}" if expected < 1e300 else "never")
        cells.append(number(study.ms[agent]))
        rows.append((_label(study, agent), cells))
    note = (
        "Mean regret with 95 % stratified bootstrap intervals over seeds; the best at the end first. Profile score: "
        "area under the performance profile up to a factor of 4 (AlgoPerf, arXiv:2306.07179), 1 where always best. "
        "Designs to regret 0.05: expected, with restarts of runs that failed. A proposal's time is the agent's own, "
        "ask and tell by the wall clock, without meter, pricing and log, the median over runs: busy cores lengthen it."
    )
    return card("Every agent", note, _html_table(heads, rows), anchor=f"{name}-table")


def _families(study: Study, name: str) -> str:
    heads = ["agent"]
    for family in study.family_names:
        heads += [f"{family}<small>at {c:,}</small>" for c in study.checkpoints]
    rows = [
        (_label(study, agent), [shown(mean_regret(study, agent, c, f)) for f in study.family_names
                                for c in study.checkpoints])
        for agent in study.agents
    ]  # fmt: skip
    answers = []
    for family in study.family_names:
        for c in study.checkpoints:
            found, ratio = best(study, c, family), against_yardstick(study, c, family)
            if found is not None:
                cells = [f"{c:,}", f"<strong>{escape(found.agent)}</strong>", shown(found.regret), escape(found.second)]
                cells.append(shown(found.chance) if found.chance is not None else "–")
                cells.append(f"{shown(ratio.ratio)} <small>{escape(ratio.agent)}</small>" if ratio is not None else "–")
                answers.append((escape(family), cells))
    top = [
        "problem",
        "designs",
        "best",
        "mean regret",
        "second",
        "chance of beating it",
        f"best of ours over {YARDSTICK}",
    ]
    note = "Who is best on each kind of problem, and the mean regret of every agent there; 95 % intervals over seeds."
    tables = _html_table(top, answers) + "<p></p>" + _html_table(heads, rows)
    return card("Problem by problem", note, tables, anchor=f"{name}-families")


def _label(study: Study, agent: str) -> str:
    kind = "peer" if agent in study.peers else "space-filling" if agent in SPACE_FILLING else ""
    kind = kind or ("" if agent in ours(study) else "Optuna's")
    return escape(agent) + (f' <small class="option">{kind}</small>' if kind else "")


def _html_table(heads: list[str], rows: list[tuple[str, list[str]]]) -> str:
    return table(heads, [[label, *cells] for label, cells in rows], css="dense")


def shown(interval: Interval) -> str:
    """Return an estimate with its interval as HTML: .085 [.079, .093]."""
    low, high = (_number(v) for v in (interval.low, interval.high))
    return f"{_number(interval.middle)} <small>[{low},{NBSP}{high}]</small>"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.3g}"


def _method(outcome: Outcome, command: str) -> str:
    study = outcome.studies[0] if outcome.studies else None
    seeds = f"{len(study.seeds)} seeds, {study.budget:,} distinct designs a run. " if study else ""
    terms = (
        "A design priced before is answered from memory and costs nothing, for peers too: all go through one meter. "
        "Nothing was tuned here: every agent has its defaults, and the best of several is picked after the fact. "
        "Intervals resample seeds within each problem: they tell what other seeds would have given on these problems, "
        "not what other problems would. "
    )
    content = f"<p>{seeds}{terms}</p><pre>{escape(command)}</pre>"
    return (
        f'<section id="method">{card("How it was measured", "", content)}'
        f'<p class="note">Figures worked out and runs made in {duration(outcome.seconds)}; all of them are in '
        "<code>figures.parquet</code>, the trials in the folders beside it.</p></section>"
    )


def table_rows(study: Study) -> tuple[list[str], list[list[Any]]]:
    """Return the table of a terminal: its columns and its rows, the best agent first."""
    heads = ["agent", *(f"regret at {c:,}" for c in study.checkpoints), "ms per proposal"]
    rows: list[list[Any]] = []
    for agent in study.agents:
        cells = [mean_regret(study, agent, c) for c in study.checkpoints]
        rows.append([agent, *(f"{c.middle:.3f} [{c.low:.3f}, {c.high:.3f}]" for c in cells), f"{study.ms[agent]:.3g}"])
    return heads, rows
