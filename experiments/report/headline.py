"""The headline in sentences: which design is best, what it gains, which agent found it soonest. All is HTML."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from designgym.experiments import statistics as stats
from designgym.experiments.quantities import duration
from designgym.experiments.report.study import AgentStudy, BestDesign, ProblemStudy
from designgym.experiments.report.text import WITHIN_1, code, count, listed, metric_html, number, percent, several

MOST_LETTERS = 80
CLEAR, OPEN = 0.8, 0.65  # shares of pairings of runs above which a lead is clear, and below which it is none


def title(problem: ProblemStudy) -> str:
    """Return the problem's id and the options it was given, as HTML."""
    texts = [f' <span class="option">{escape(text)}</span>' for text in _given(problem)]
    return escape(problem.logged.id) + "".join(texts)


def name_of(problem: ProblemStudy) -> str:
    """Return a name for the table of contents, plain."""
    return " · ".join([problem.logged.id, *_given(problem)])


def _given(problem: ProblemStudy) -> list[str]:
    texts = ["fixed policies"] if problem.logged.fixed else []
    for name, value in problem.logged.given.items():
        wanted = [
            f"{word} {', '.join(map(str, value[key]))}"
            for key, word in (("minimize", "least"), ("maximize", "most"), ("subject_to", "subject to"))
            if isinstance(value, dict) and value.get(key)
        ]
        text = ", ".join(wanted) if wanted else f"{name}={value}"
        texts.append(text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…")
    return texts


def goal(problem: ProblemStudy) -> str:
    """Return what was wanted: least latency_s (time of one inference), subject to area_mm2 <= 10."""
    parts = []
    for name, sign in zip(problem.objectives, problem.signs, strict=True):
        metric = problem.metrics.get(name)
        meaning = f" ({escape(metric.meaning)})" if metric and metric.meaning else ""
        parts.append(f"{'least' if sign > 0 else 'most'} {code(name)}{meaning}")
    bounds = [code(str(text)) for text in problem.logged.objective.get("subject_to") or ()]
    bound = f", subject to {listed(bounds)}" if bounds else ""
    size = problem.logged.size
    designs = "a continuum of designs" if math.isinf(size) else f"{size:,} designs"
    return (
        f"Wanted: {listed(parts)}{bound}. The space: {designs}, {several(len(problem.logged.parameters), 'parameter')}."
    )


def headline(problem: ProblemStudy) -> list[str]:
    """Return the headline's paragraphs."""
    if not problem.priced:
        return ["None of its runs has priced a design that can be read."]
    if not problem.best:
        what = "The one design" if problem.priced == 1 else f"None of the {problem.priced:,} designs"
        no = "is not" if problem.priced == 1 else "is"
        return [f"{what} priced {no} feasible: loosen the objective, or raise the budget."]
    first = _best(problem) if problem.single else _front(problem)
    return [text for text in (first, _gain(problem), _soonest(problem)) if text]


# -- the best design, or the front ------------------------------------------------------------------------------------


def _best(problem: ProblemStudy) -> str:
    best, truth, name = problem.best[0], problem.truth, problem.objectives[0]
    value = metric_html(problem, name, best.metrics[name])
    what = "The one design" if problem.priced == 1 else f"The best of {problem.priced:,} designs"
    text = f"{what} priced has {code(name)} <strong>{value}</strong>"
    found = _found(problem, best)
    if not truth.known:
        return f"{text}. {found} {_unknown(problem)}: distances are from this design, the best known."
    distance = float(problem.distance(best.losses[0]))
    if distance <= 1e-12:
        return f"{text}: the <strong>true optimum</strong>, known from pricing the whole space. {found}"
    optimum = metric_html(problem, name, float(problem.signs[0] * truth.loss))
    side = "above" if problem.signs[0] > 0 else "below"
    return f"{text}: {percent(distance)} {side} the true optimum, {optimum}, which no run found. {found}"


def _found(problem: ProblemStudy, best: BestDesign) -> str:
    """Say who found a design, and how soon."""
    runs = {agent.label: len(agent.runs) for agent in problem.agents}
    label, _, place = best.first
    if len(problem.runs) == 1:
        return f"It was found as design {place:,}." if problem.priced > 1 else ""
    agents = sorted(best.found_by.items(), key=lambda item: -item[1])
    names = [f"{n} of {several(runs[label], 'run')} of {escape(label)}" for label, n in agents]
    first = "first " if sum(best.found_by.values()) > 1 else ""
    by = f" of {escape(label)}" if len(agents) > 1 else ""
    return f"It was found in {listed(names)}, {first}as design {place:,}{by}."


def _unknown(problem: ProblemStudy) -> str:
    return f"The true optimum is not known here ({escape(problem.truth.why)})"


def _front(problem: ProblemStudy) -> str:
    names = listed([code(name) for name in problem.objectives])
    ends = []
    for name, sign, losses in zip(problem.objectives, problem.signs, problem.truth.front.T, strict=True):
        ends.append(f"{code(name)} {metric_html(problem, name, float(sign * losses.min()))}")
    reach = f"It reaches {listed(ends)}."
    others = "other" if len(problem.objectives) == 2 else "others"
    if problem.truth.known:
        found, points = _met(problem)
        return (
            f"The true front of {names}, known from pricing the whole space, has <strong>{points:,}</strong> points, "
            f"of which the runs found <strong>{found:,}</strong>. {reach}"
        )
    return (
        f"Of {problem.priced:,} designs priced, <strong>{len(problem.truth.front):,}</strong> are the best "
        f"compromises between {names}: nothing found is better in one and as good in the {others}. That front is the "
        f"best known. {reach} {_unknown(problem)}."
    )


def _met(problem: ProblemStudy) -> tuple[int, int]:
    """Return how many points of the true front the runs found, and how many there are."""
    front = np.unique(problem.truth.front, axis=0)
    found = np.unique(problem.good.losses, axis=0) if problem.good is not None else front[:0]
    met = [bool((np.abs(found - point) <= 1e-9 * np.abs(point)).all(axis=1).any()) for point in front]
    return sum(met), len(front)


# -- the gain over the user's designs ---------------------------------------------------------------------------------


def _gain(problem: ProblemStudy) -> str:
    """Say what was gained over the designs that the user has at present; nothing if the sweep names none."""
    if not problem.logged.start or not problem.digest.started:
        return ""
    start = problem.digest.start.trials()
    designs = len(next(iter(problem.logged.start.values())))
    if start is None or problem.good is None:
        return (
            "Your start design is not feasible."
            if designs == 1
            else f"None of your {designs} start designs is feasible."
        )
    gains = []
    for j, name in enumerate(problem.objectives):
        before = float(start.losses[:, j].min())
        after = float(problem.good.losses[:, j].min())
        gains.append(_gain_in(problem, name, before, after, float(problem.signs[j])))
    ours = "your start design" if designs == 1 else f"the best of your {designs} start designs"
    ends = "" if problem.single else ", at the ends of the front"
    return f"Over {ours}{ends}: {listed(gains)}."


def _gain_in(problem: ProblemStudy, name: str, before: float, after: float, sign: float) -> str:
    was, now = metric_html(problem, name, sign * before), metric_html(problem, name, sign * after)
    if after >= before:
        return f"no gain in {code(name)} ({was})"
    share = f"{percent((before - after) / abs(before))} " if before else ""
    return f"<strong>{share}{'less' if sign > 0 else 'more'}</strong> {code(name)} ({was} before, {now} now)"


# -- the agents -------------------------------------------------------------------------------------------------------


def _soonest(problem: ProblemStudy) -> str:
    """Say which agent came within 1 % soonest, or, where none does so in half of its runs, which came closest."""
    ranked = problem.ranked
    if not ranked:
        return ""
    first, name = ranked[0], f"<strong>{escape(ranked[0].label)}</strong>"
    what = f"{WITHIN_1} of the {problem.yardstick}"
    reached = np.isfinite(first.reach[0.01])
    runs = f"{reached.sum()} of {several(len(first.counted), 'run')}"
    needed = stats.median_reached(first.reach[0.01])
    if math.isfinite(needed):
        lead = f"{name} was {what}" if len(ranked) == 1 else f"{name} found the best designs soonest: it was {what}"
        text = f"{lead} after <strong>{several(int(needed), 'design')}</strong>"
        text += f" in the median run ({runs} got there)" if len(first.counted) > 1 else ""
        return f"{text}{_against(first, ranked[1])}.{_by_the_clock(ranked)}" if len(ranked) > 1 else f"{text}."
    if reached.any():
        soonest = count(float(first.reach[0.01].min()))
        most = "" if len(ranked) == 1 else " most often" if _share(first) > _share(ranked[1]) else " as often as any"
        came = f"{name} came {what}{most}, in {runs}, the soonest after {soonest} designs"
        return f"{came}. No agent came there in half of its runs."
    return f"{_closest(ranked)} No run came {what}."


def _share(agent: AgentStudy) -> float:
    return float(stats.share_reached(agent.reach[0.01]))


def _closest(ranked: list[AgentStudy]) -> str:
    """Say which agent ended closest to the optimum, and how clear that is against the next."""
    finals = {agent.label: float(stats.interquartile_mean(agent.final_regret)) for agent in ranked}
    first, *others = sorted(ranked, key=lambda agent: finals[agent.label])
    name, final = f"<strong>{escape(first.label)}</strong>", number(finals[first.label])
    if not others:
        return f"{name} ended at a regret of {final}."
    second = others[0]
    text = f"{name} came closest: it ended at a regret of {final}; "
    text += f"{escape(second.label)}, next, at {number(finals[second.label])}. The first ended lower in "
    return f"{text}{_pairs(first, second, stats.chance_of_beating(first.final_regret, second.final_regret))}."


def _against(first: AgentStudy, second: AgentStudy) -> str:
    """Say how clear the lead over the next agent is."""
    chance = stats.chance_of_beating(first.reach[0.01], second.reach[0.01])
    needed = stats.median_reached(second.reach[0.01])
    missed = "in half of its runs" if len(second.counted) > 1 else "at all"
    slower = f"needed {count(needed)}" if math.isfinite(needed) else f"did not get there {missed}"
    return f"; {escape(second.label)}, next, {slower}. The first was sooner in {_pairs(first, second, chance)}"


def _pairs(first: AgentStudy, second: AgentStudy, chance: float) -> str:
    """Say in how many pairs of two agents' runs the first was better, and how clear that is."""
    if len(first.counted) == len(second.counted) == 1:
        return "the one pair of runs there is, which may be luck"
    clear = "" if chance >= CLEAR else ", which is too close to call" if chance < OPEN else ", which is no clear lead"
    return f"{percent(chance)} of the pairs of their runs{clear}"


def _by_the_clock(ranked: list[AgentStudy]) -> str:
    """Name the agent that was soonest in seconds, if it is another than the one that was soonest in designs."""
    seconds = [stats.median_reached(agent.reach_s[0.01]) for agent in ranked]
    first = int(np.argmin(seconds))
    if first == 0:
        return ""
    return f" By the clock it was {escape(ranked[first].label)}, after {duration(seconds[first])}."


def ranking(problem: ProblemStudy) -> tuple[str, list[tuple[AgentStudy, str, str]]]:
    """Return what is measured, and each agent's interquartile mean of it with its interval, the least first."""
    agents = [agent for agent in problem.agents if agent.counted]
    when = f"after {problem.budget:,} designs" if all(agent.whole for agent in agents) else "so far"
    if problem.single:
        what = f"Distance {'above' if problem.signs[0] > 0 else 'below'} the {problem.yardstick} {when}"
        finals = [problem.distance(agent.final_best) for agent in agents]
    else:
        what, finals = f"Share of the {problem.yardstick} missing {when}", [agent.final_regret for agent in agents]
    rows = []
    for agent, final in zip(agents, finals, strict=True):
        estimate = stats.iqm_interval(final)
        interval = f"{percent(float(estimate.low))} to {percent(float(estimate.high))}" if len(final) > 1 else "one run"
        rows.append((float(estimate.middle), (agent, percent(float(estimate.middle)), interval)))
    return what, [row for _, row in sorted(rows, key=lambda pair: pair[0])]
