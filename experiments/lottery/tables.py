"""The tables of a lottery's page, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from designgym.experiments.lottery.results import Answer, Share, Study
from designgym.experiments.lottery.words import names, regret
from designgym.experiments.report.palette import DASHES, SLOTS
from designgym.experiments.report.tables import SVG_DASHES, breaking, table
from designgym.experiments.report.text import NBSP, breakable, number, percent

VERDICTS = {"tie": "yes", "apart": "no", "open": "open"}


def agent(study: Study, e: int) -> str:
    """Return an agent's label behind a stroke in its colour and dash, as in the figures."""
    slot = e % SLOTS
    dashes = SVG_DASHES.get(DASHES[slot], DASHES[slot].replace("px", "").replace(",", " "))
    stroke = f'<line x1="0" y1="6" x2="28" y2="6" style="stroke: var(--agent-{slot})" stroke-dasharray="{dashes}"/>'
    label = breaking(study.entrants[e].label)
    swatch = f'<svg class="swatch" viewBox="0 0 28 12" aria-hidden="true">{stroke}</svg>'
    return f'<span class="who">{swatch}<span class="agent">{label}</span></span>'


def answers_table(study: Study, scope: str) -> str:
    """Return whom to use, by k: with the default among the k, and with all k drawn."""
    rows = []
    drawn = {one.k: one for one in study.answers_on(scope, "drawn")}
    for first in study.answers_on(scope, "default"):
        rows.append([_k(first), *_answer(study, first), *_answer(study, drawn[first.k])])
    head = [
        "settings k", "the default and k − 1 drawn: use", f"regret <small>[95{NBSP}%]</small>",
        "designs to tune", "k drawn at random: use", f"regret <small>[95{NBSP}%]</small>", "designs to tune",
    ]  # fmt: skip
    return table(head, rows, left=(0, 1, 4), css="dense prose")


def _k(answer: Answer) -> str:
    return f"<b>{answer.k}</b>" + (" <small>(no tuning)</small>" if answer.k == 1 else "")


def _answer(study: Study, answer: Answer) -> list[str]:
    best = answer.values[answer.best]
    return [
        names(study, answer) if answer.dependable else f"{_best(study, answer)} <small>(no interval)</small>",
        regret(best, answer.dependable), f"{answer.tuning[answer.best]:,.0f}",
    ]  # fmt: skip


def _best(study: Study, answer: Answer) -> str:
    return escape(study.entrants[answer.best].label)


def by_k_table(study: Study, scope: str, policy_title: str = "drawn") -> str:
    """Return every agent's expected regret by k, drawn at random, and its default's."""
    answers = study.answers_on(scope, "drawn")
    untuned = study.answers_on(scope, "default")[0]
    rows = []
    for e in range(len(study.entrants)):
        cells = [regret(untuned.values[e])]
        for answer in answers:
            text = regret(answer.values[e], answer.dependable)
            cells.append(f"<b>{text}</b>" if answer.ties[e] and answer.dependable else text)
        rows.append([agent(study, e), *cells])
    head = ["agent", "default", *[f"best of {answer.k}" for answer in answers]]
    return table(head, rows, css="dense")


def pairs_table(study: Study, scope: str) -> str:
    """Return every pair of agents: whether they tie, and the difference."""
    rows = []
    for pair in study.pairs_on(scope):
        low, high = (float(end) for end in pair.difference.interval())
        middle = (float(pair.difference.low) + float(pair.difference.high)) / 2.0
        shown = f"{_signed(middle)}{NBSP}<small>[{_signed(low)},{NBSP}{_signed(high)}]</small>"
        overlap = "yes" if pair.overlap else "no"
        first, second = agent(study, pair.first), agent(study, pair.second)
        rows.append([first, second, shown, overlap, f"<b>{VERDICTS[pair.verdict]}</b>"])
    head = ["agent", "other", f"regret less the other's <small>[95{NBSP}%]</small>", "intervals overlap"]
    return table([*head, f"equal within {number(study.margin(scope), 2)}"], rows, left=(0, 1), css="dense")


def _signed(value: float) -> str:
    return number(value).replace("-", "−")


def spread_table(study: Study, p: int) -> str:
    """Return how each agent's settings are spread on one problem, and how many end close to the optimum."""
    rows = []
    for e, result in enumerate(study.results[p]):
        spread, drawn = result.spread, len(result.entrant.drawn)
        low, middle, high = spread.quartiles
        lone = not result.entrant.tunable
        between = "–" if lone or spread.between != spread.between else percent(spread.between)
        place = "–" if lone else f"{number(spread.default)} <small>({spread.better} of {drawn} are better)</small>"
        rows.append([
            agent(study, e), str(drawn), number(spread.best), number(low), number(middle), number(high),
            number(spread.worst), number(high - low), place, between,
            *[_share(result.shares[t]) for t in result.shares],
        ])  # fmt: skip
    known = "the optimum" if study.arenas[p].yardstick.known else "the best known"
    head = [
        "agent", "settings", "best <small>in hindsight</small>", f"25{NBSP}%", "median", f"75{NBSP}%", "worst", "IQR",
        "default", "variance by settings", f"within 1{NBSP}% of {known}", f"within 5{NBSP}%",
    ]  # fmt: skip
    return table(head, rows, css="dense")


def _share(share: Share) -> str:
    hits = percent(share.most / share.of)
    if share.least < share.most:
        hits = f"{percent(share.least / share.of)} … {hits}"
    return f"{hits} <small>[{percent(share.interval[0])},{NBSP}{percent(share.interval[1])}]</small>"


def transfer_table(study: Study) -> str:
    """Return best of `top` drawn settings, picked on other seeds of the same problem, and on the other problems."""
    rows = []
    for arena, results in zip(study.arenas, study.results, strict=True):
        for e, result in enumerate(results):
            if not result.entrant.tunable:
                continue
            here, there = (result.curves["drawn", picked] for picked in ("here", "elsewhere"))
            place = study.top - 1
            rows.append([
                _problem(arena.label), agent(study, e), regret(result.curves["drawn", "here"].value.at(0)),
                regret(here.value.at(place)), regret(there.value.at(place)),
                regret(result.curves["default", "here"].value.at(0)),
            ])  # fmt: skip
    head = ["problem", "agent", "a drawn setting", f"best of {study.top}, picked here"]
    return table([*head, f"best of {study.top}, picked elsewhere", "default"], rows, left=(0, 1), css="dense")


def _problem(label: str) -> str:
    return f'<span class="who"><span class="agent">{breakable(label)}</span></span>'


def settings_table(study: Study, e: int) -> str:
    """Return an agent's settings by number, with each one's mean regret by problem; the best over all first."""
    entrant = study.entrants[e]
    parameters = list(entrant.settings[0].hyperparameters)
    means = [results[e].spread.means for results in study.results]
    order = sorted(range(len(entrant.settings)), key=lambda i: sum(float(one[i]) for one in means))
    rows = []
    for i in order:
        setting = entrant.settings[i]
        name = "default" if setting.default else f"#{setting.number}"
        values = [_value(setting.hyperparameters[key]) for key in parameters]
        rows.append([name, *values, *[number(float(one[i])) for one in means]])
    return table(["setting", *map(breakable, parameters), *_labels(study)], rows, css="dense")


def _labels(study: Study) -> Sequence[str]:
    return [f"regret on {escape(arena.label)}" for arena in study.arenas]


def _value(value: object) -> str:
    if value is None:
        return "–"
    return number(value) if isinstance(value, float) else escape(str(value))
