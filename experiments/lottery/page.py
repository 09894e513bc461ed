"""A lottery's page: whom to use for k settings, whether all agents tie once tuned, and what that rests on."""

from __future__ import annotations

from html import escape
from pathlib import Path

from designgym.experiments.index import command_line
from designgym.experiments.lottery import drawing, tables, words
from designgym.experiments.lottery.results import OVERALL, Study
from designgym.experiments.report.frame import Entry, Part, card, figures, header, render, write_page
from designgym.experiments.report.text import NBSP, number, percent, several
from designgym.experiments.versions import versions

ARCHGYM = "Krishnan et al., ISCA 2023, doi:10.1145/3579371.3589049"


def write_lottery_page(study: Study, path: Path) -> Path:
    """Write the page, and return where."""
    write_page(path, page(study))
    return path


def page(study: Study) -> str:
    """Return the page's HTML."""
    part, scopes = Part(), study.scopes
    body = [_answer(study), _claim(study, part)]
    body += [_scope(study, scope, part, i) for i, scope in enumerate(scopes)]
    if len(study.arenas) > 1:
        body.append(_transfer(study))
    body += [_settings(study), _reproduce(study), _terms(study)]
    contents = [Entry("answer", "Whom to use"), Entry("claim", "Do all agents tie?")]
    contents += [Entry(f"scope-{i}", _title(scope)) for i, scope in enumerate(scopes)]
    contents += [Entry("transfer", "Tuned elsewhere")] if len(study.arenas) > 1 else []
    contents += [Entry("settings", "The settings"), Entry("reproduce", "Reproduce"), Entry("terms", "How to read this")]
    name = study.lottery.spec.name
    return render(f"{name}: hyperparameter lottery", "\n".join(body), part, _top(study), contents)


def _title(scope: str) -> str:
    return "All problems" if scope == OVERALL else scope


def _top(study: Study) -> str:
    spec = study.lottery.spec
    priced = sum(int(result.outcomes.designs.sum()) for row in study.results for result in row)
    facts = [
        several(len(study.arenas), "problem"), several(len(study.entrants), "agent"),
        f"{spec.settings} settings drawn of each", several(len(spec.seeds), "seed"), f"{spec.budget:,} designs a run",
        f"{priced:,} designs priced",
    ]  # fmt: skip
    return header(spec.name, " · ".join(facts), words.unfinished(study), "hyperparameter lottery")


def _answer(study: Study) -> str:
    texts = "".join(f"<p>{text}</p>" for text in words.whom_to_use(study))
    scope = study.scopes[0]
    half = len(study.lottery.spec.seeds) // 2
    note = (
        f"Expected regret {words.where(study, scope)}. Settings are picked on {half} seeds and scored on the others, "
        f"over all such splits. Tied: cannot be told from the best at 95{NBSP}%, all comparisons together. Tuning "
        f"costs k × {half} runs; above k = {study.top} too few subsets are left for an interval."
    )
    return (
        f'<section class="problem" id="answer"><h2>Who can afford k settings should use which agent?</h2>'
        f'<div class="card headline">{texts}</div>{card("By k", note, tables.answers_table(study, scope))}</section>'
    )


def _claim(study: Study, part: Part) -> str:
    texts = "".join(f"<p>{text}</p>" for text in words.the_claim(study))
    margin = number(study.margin(study.scopes[0]), 2)
    body = [
        '<section class="problem" id="claim"><h2>Do all agents tie once tuned?</h2>',
        f'<div class="card headline">{texts}</div>',
    ]
    if len(study.entrants) > 1:
        note = (
            f"Best of {study.top} drawn settings each, after {study.lottery.spec.budget:,} designs, "
            f"{words.where(study, study.scopes[0])}. Equal: the 90{NBSP}% interval of the difference lies within "
            f"±{margin}. No: it lies outside. Open: neither; not to find a difference is not to have found a tie."
        )
        body.append(card("Pair by pair", note, tables.pairs_table(study, study.scopes[0])))
        over = f"Best of {study.top} drawn settings, picked at that budget, with its 95{NBSP}% interval."
        placed = part.place(drawing.trend_figure(study, study.scopes[0]), "With more designs a run", over, wide=True)
        body.append(figures(placed))
    return "".join(body) + "</section>"


def _scope(study: Study, scope: str, part: Part, i: int) -> str:
    by_k = (
        f"All k drawn at random; bands are 95{NBSP}% intervals, thin lines where none can be given. Open diamonds: the "
        "default settings."
    )
    spent = "The same against what it costs: k settings on half of the seeds, then one run."
    placed = [
        part.place(drawing.by_k_figure(study, scope), "Best of k settings", by_k),
        part.place(drawing.by_spent_figure(study, scope), "By all designs spent", spent),
    ]
    note = "Expected regret; bold: the best, and those that cannot be told from it."
    body = [figures(*placed), card("Best of k, agent by agent", note, tables.by_k_table(study, scope))]
    if scope != OVERALL:
        p = [arena.label for arena in study.arenas].index(scope)
        body += _lottery(study, p, part)
    return f'<section class="problem" id="scope-{i}"><h2>{escape(_title(scope))}</h2>{"".join(body)}</section>'


def _lottery(study: Study, p: int, part: Part) -> list[str]:
    arena = study.arenas[p]
    figure = part.place(
        drawing.spread_figure(study, p), "The lottery: one point a setting", "Mean regret over seeds.", wide=True
    )
    measured = "" if arena.yardstick.known else (
        " The true optimum is not known: regret is measured from the best that any run found."
    )  # fmt: skip
    note = (
        "Mean final regret over seeds, of the drawn settings. The best in hindsight flatters: it is picked on the runs "
        "that it is scored on. Variance by settings: the share of the variance between single runs that settings make; "
        "the rest is luck of the seed. Within: settings at least half of whose seeds end there, of the optimum's loss, "
        f"with Wilson's 95{NBSP}% interval.{measured}"
    )
    body = [figures(figure), card("Spread over settings", note, tables.spread_table(study, p))]
    if len(study.arenas) > 1:
        body.append(card("Whom to use here", "", tables.answers_table(study, arena.label)))
        if len(study.entrants) > 1:
            margin = number(study.margin(arena.label), 2)
            note = (
                f"Equal: within {percent(study.lottery.spec.margin)} of the optimum's loss, ±{margin} of regret here."
            )
            body.append(card("Do they tie here?", note, tables.pairs_table(study, arena.label)))
    return body


def _transfer(study: Study) -> str:
    note = (
        "Settings picked by their mean regret on the other problems, on half of the seeds, and scored here on the "
        "other half: what tuning is worth that never saw the problem."
    )
    made = card("Tuned on other problems", note, tables.transfer_table(study))
    return f'<section class="problem" id="transfer">{made}</section>'


def _settings(study: Study) -> str:
    body = []
    for e, entrant in enumerate(study.entrants):
        if entrant.tunable:
            every = " (all there are)" if entrant.all_there_are else ""
            summary = f"{escape(entrant.label)}: {several(len(entrant.settings), 'setting')}{every}"
            body.append(f"<details><summary>{summary}</summary>{tables.settings_table(study, e)}</details>")
        else:
            body.append(f"<p>{escape(entrant.label)} has nothing to tune.</p>")
    note = "Every setting by its number, the least mean regret over the problems first; means are over all seeds."
    return f'<section class="problem" id="settings">{card("The settings", note, "".join(body))}</section>'


def _reproduce(study: Study) -> str:
    with_versions = " · ".join(f"{escape(name)}&nbsp;{escape(version)}" for name, version in versions().items())
    return (
        '<section id="reproduce" class="card"><h3>Reproduce</h3>'
        f"<p>The command:</p><pre><code>{escape(command_line())}</code></pre>"
        f"<p>with this file:</p><pre><code>{escape(study.lottery.text)}</code></pre>"
        f"<p>and these versions: {with_versions}.</p>"
        '<p class="note">All figures are in <code>lottery.parquet</code> beside this page, one row a figure; all '
        "trials are in <code>runs/</code>.</p></section>"
    )


def _terms(study: Study) -> str:
    terms = {
        "regret": "(best feasible loss − optimum) / (median feasible loss − optimum) at the end of a run: 0 at the "
        "optimum, about 1 for a random design, 1 while nothing feasible is found.",
        "best of k": "k settings are run on half of the seeds, the one of least mean regret is kept and scored on the "
        "other half; the mean over all splits of the seeds and over all subsets of k of the drawn settings, which is "
        "exact by order statistics (the unbiased estimator of Tang et al., ACL 2020, arXiv:2004.13705, of what Dodge "
        "et al., EMNLP 2019, arXiv:1909.03004, proposed). No setting is scored on a seed that it was picked on.",
        "intervals": "settings and seeds are resampled together, 1,000 times (Owen and Eckles, 2012, "
        "doi:10.1214/12-AOAS547). On simulated lotteries 95 % intervals covered 88 to 100 %. Problems are taken as "
        "they are: “all problems” means these.",
        "all problems": "the mean regret over the problems, each tuned by itself; so is the margin of a tie.",
        "unfinished runs": "count as an interval from 0 to where they stand, since a run's best only improves "
        "(worst-case bounds: Horowitz and Manski, 2000, doi:10.1080/01621459.2000.10473902); settings are picked by "
        "what was seen of them.",
        "the question": f"whether hyperparameters are a lottery and all agents tie once tuned: {ARCHGYM}.",
    }
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in terms.items())
    return f'<section id="terms" class="card"><h3>How to read this page</h3><dl class="terms">{rows}</dl></section>'
