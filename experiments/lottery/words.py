"""What a lottery says, in sentences: whom to use for k settings, and whether all agents tie once tuned. All is HTML."""

from __future__ import annotations

from collections import Counter
from html import escape

import numpy as np

from designgym.experiments.lottery.intervals import Bounds
from designgym.experiments.lottery.results import OVERALL, Answer, Policy, Study
from designgym.experiments.report.text import NBSP, listed, number, percent, several

HOLDS = {"tie": "holds", "apart": "does not hold", "open": "is neither confirmed nor refuted"}


def where(study: Study, scope: str) -> str:
    """Return a scope in words."""
    return f"over all {len(study.arenas)} problems" if scope == OVERALL else f"on {escape(scope)}"


def regret(value: Bounds, with_interval: bool = True) -> str:
    """Return a regret with its 95 % interval; a range where unfinished runs leave it open."""
    low, high = float(value.low), float(value.high)
    text = number(high) if np.isclose(low, high) else f"{number(low)} … {number(high)}"
    if not with_interval:
        return text
    ends = value.interval()
    shown = f"{text} <small>[{number(max(0.0, float(ends[0])))}, {number(float(ends[1]))}]</small>"
    return shown.replace(", ", f",{NBSP}").replace(" <", f"{NBSP}<")


def names(study: Study, answer: Answer) -> str:
    """Return the best agent and those that cannot be told from it."""
    best = f"<strong>{escape(study.entrants[answer.best].label)}</strong>"
    others = [escape(e.label) for e, tie in zip(study.entrants, answer.ties, strict=True) if tie]
    others.remove(escape(study.entrants[answer.best].label))
    return f"{best}, tied with {listed(others)}" if others else best


def verdict_on(study: Study, scope: str, budget: int | None = None) -> str:
    """Return "tie" where all pairs of agents tie, "apart" where any differ by more than the margin, else "open"."""
    found = {pair.verdict for pair in study.pairs_on(scope, budget)}
    return "apart" if "apart" in found else "open" if "open" in found else "tie"


def whom_to_use(study: Study) -> list[str]:
    """Answer whom to use who can afford k settings, on the widest scope."""
    scope = study.scopes[0]
    untuned = study.answers_on(scope, "default")[0]
    texts = [
        f"Who tunes nothing, {where(study, scope)}, should use {names(study, untuned)}, as it comes: regret "
        f"{regret(untuned.values[untuned.best])} after {study.lottery.spec.budget:,} designs."
    ]
    policies: tuple[tuple[Policy, str], ...] = (
        ("default", "Who can afford k settings, the default among them:"),
        ("drawn", "Who can afford k settings, all drawn at random (the lottery itself):"),
    )
    for policy, lead in policies:
        texts.append(f"{lead} {_by_k(study, scope, policy)}.")
    return texts


def _by_k(study: Study, scope: str, policy: Policy) -> str:
    """Return the answers for k, neighbours that agree put together."""
    answers = [a for a in study.answers_on(scope, policy) if a.dependable and (policy == "drawn" or a.k > 1)]
    groups: list[list[Answer]] = []
    for answer in answers:
        same = groups and (groups[-1][-1].best, groups[-1][-1].ties) == (answer.best, answer.ties)
        if same:
            groups[-1].append(answer)
        else:
            groups.append([answer])
    if not groups:
        return "too few settings were drawn to say"
    said = []
    for group in groups:
        first, last = group[0], group[-1]
        ks = f"{first.k}" if first.k == last.k else f"{first.k} to {last.k}"
        ends = dict.fromkeys(regret(one.values[one.best]) for one in (first, last))
        said.append(f"for k = {ks}, {names(study, first)} (regret {' to '.join(ends)})")
    return "; ".join(said)


def the_claim(study: Study) -> list[str]:
    """Answer whether all agents tie once tuned."""
    if len(study.entrants) < 2:
        return ["One agent alone ties with nobody: name two or more."]
    spec, scope = study.lottery.spec, study.scopes[0]
    counts = Counter(pair.verdict for pair in study.pairs_on(scope))
    total = sum(counts.values())
    overlap = sum(pair.overlap for pair in study.pairs_on(scope))
    judged = verdict_on(study, scope)
    yes = {"tie": "Yes", "apart": "No", "open": "Open"}[judged]
    texts = [
        f"<strong>{yes}.</strong> ArchGym found that all agents tie, given tuning and enough samples. With the best of "
        f"{study.top} drawn settings each and {spec.budget:,} designs a run, {where(study, scope)}, this "
        f"<strong>{HOLDS[judged]}</strong>: of {several(total, 'pair')} of agents, {counts['tie']} equal within "
        f"{percent(spec.margin)} of the optimum's loss, which is {number(study.margin(scope), 2)} of regret here, "
        f"{counts['apart']} differing by more, {counts['open']} open (two one-sided tests at 5{NBSP}%). The "
        f"95{NBSP}% intervals overlap in {overlap} of {several(total, 'pair')}."
    ]
    if len(study.arenas) > 1:
        by_problem = [f"{escape(arena.label)}: {_yes(verdict_on(study, arena.label))}" for arena in study.arenas]
        texts.append(f"Do all agents tie, problem by problem? {'; '.join(by_problem)}.")
    return [*texts, _with_more_designs(study, scope)]


def _yes(judged: str) -> str:
    return {"tie": "yes", "apart": "no", "open": "open"}[judged]


def _with_more_designs(study: Study, scope: str) -> str:
    """Say how the gap between the best and the worst agent goes with the designs of a run."""
    gaps = []
    for budget in study.arenas[0].budgets:
        pairs = study.pairs_on(scope, budget)
        gap = max(max(abs(float(p.difference.low)), abs(float(p.difference.high))) for p in pairs)
        gaps.append((budget, gap, sum(pair.verdict == "tie" for pair in pairs), len(pairs)))
    told = [f"{number(gap, 2)} at {budget:,} designs ({ties} of {of} tie)" for budget, gap, ties, of in gaps]
    return f"The gap of regret between the best and the worst agent, each tuned so: {listed(told)}."


def unfinished(study: Study) -> list[str]:
    """Say plainly what is missing."""
    if not study.unfinished:
        return []
    total = sum(result.outcomes.complete.size for row in study.results for result in row)
    return [
        f"<strong>{study.unfinished:,} of {total:,} runs did not have their whole budget.</strong> What they would "
        "have come to is known only as a bound: no worse than where they stand. Figures that they bear on are ranges, "
        "and intervals hold both ends. The same command again goes on where it was."
    ]
