"""A surrogate's page: how good it is on designs held out, how far to trust its intervals, where it holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from designgym.cost_models.learned.fitting import FittedSurrogate
from designgym.cost_models.learned.scoring import MANY, Scored
from designgym.cost_models.learned.surrogate import Surrogate
from designgym.experiments.index import command_line
from designgym.experiments.report import surrogate_tables as tables
from designgym.experiments.report.frame import Entry, Part, card, figures, header, render, write_page
from designgym.experiments.report.surrogate_figures import curve_figure, drawable, true_figure
from designgym.experiments.report.text import NBSP, code, listed, several
from designgym.experiments.versions import versions

FITTED, OTHER = "designgym surrogate", "designgym surrogate, scored on other data"
TERMS = {
    "relative RMSE": "100 √mean(((predicted − true) / true)²), over designs whose true value is not 0. RMSE / mean and "
    "RMSE / range are the root mean square error over the mean size and over the range of the true values.",
    "regret, best of k": "what a search on the model alone would lose: it prices the k designs that look best and "
    "keeps the best of them. (Its true value − best) / (median − best), of the designs held out: 0 is the best, 1 the "
    "median.",
    "coverage": "the share of designs whose true value lies in their 90 % interval. Split conformal prediction, by "
    "parts of the predicted value (Lei et al., JASA 2018, doi:10.1080/01621459.2017.1307116; Angelopoulos and Bates, "
    "arXiv:2107.07511). It is promised for designs drawn as those in training were, and reported for all others.",
    "where it is to lie": f"90 ± 2 % with at least {MANY:,} designs in calibration and in test, else what the "
    "beta-binomial law of split conformal prediction gives with a probability of 99 % (Vovk, arXiv:1209.2673). Fifths "
    f"are judged, 85 to 95 %, from {MANY:,} designs on.",
    "in domain": "every number within its range in training, every category seen there, and a design of training as "
    "near as 99 % of them have to each other. Outside of it nothing is promised; the model marks that, and warns.",
}


def write_surrogate_page(path: Path, html: str) -> None:
    """Write the page, whole or not at all."""
    write_page(path, html)


def fitted_page(name: str, fitted: FittedSurrogate, surrogate: Surrogate) -> str:
    """Return the HTML of the page on a surrogate that was just fitted. name: of its directory."""
    part, scored, told = Part(), fitted.scored[0], surrogate.card
    body = [_how_good(surrogate, scored, part, "How good it is", fitted)]
    contents = [Entry("scores", "How good it is")]
    if len(fitted.scored) > 1:
        note = "Another model is fitted for each; the one that is kept was fitted for the first."
        made = card("Other splits", note, tables.splits_table(fitted.scored))
        body.append(f'<section class="problem" id="splits">{made}</section>')
        contents.append(Entry("splits", "Other splits"))
    body += [_decided(told), _domain(told, scored), _reproduce(told, surrogate.version), _terms()]
    contents += [Entry("decided", "What was decided"), Entry("domain", "Where it holds")]
    contents += [Entry("reproduce", "Reproduce"), Entry("terms", "How to read this")]
    top = header(name, _facts(surrogate, scored), _banners(scored), FITTED)
    return render(f"{name}: {FITTED}", "\n".join(body), part, top, contents)


def scored_page(name: str, surrogate: Surrogate, scored: Scored, sha256: str) -> str:
    """Return the HTML of the page on a surrogate that was scored on other data. sha256: of that data."""
    part = Part()
    body = [_how_good(surrogate, scored, part, "On other data", None)]
    body += [_domain(surrogate.card, scored), _reproduce(surrogate.card, surrogate.version, scored, sha256), _terms()]
    contents = [Entry("scores", "On other data"), Entry("domain", "Where it holds")]
    contents += [Entry("reproduce", "Reproduce"), Entry("terms", "How to read this")]
    top = header(name, _facts(surrogate, scored), _banners(scored), OTHER)
    return render(f"{name}: {OTHER}", "\n".join(body), part, top, contents)


def _facts(surrogate: Surrogate, scored: Scored) -> str:
    ids = dict.fromkeys(origin["label"] for origin in surrogate.card["origins"])
    facts = [
        escape(listed(list(ids))), several(len(surrogate.learned), "metric"),
        f"{scored.trained:,} designs learned from", f"{scored.calibrated:,} to calibrate", f"{scored.n:,} to score on",
    ]  # fmt: skip
    return " · ".join(facts)


def _banners(scored: Scored) -> list[str]:
    """Say plainly which intervals do not hold what they promise, and which are of no use."""
    banners = []
    broken = [code(name) for name in scored.metrics if scored.kept(name) is False]
    if broken:
        banners.append(
            f"<strong>Coverage is not as promised</strong> for {listed(broken)}: see the table of intervals."
        )
    return banners


def _how_good(surrogate: Surrogate, scored: Scored, part: Part, title: str, fitted: FittedSurrogate | None) -> str:
    texts = "".join(f"<p>{text}</p>" for text in _headline(scored, fitted is not None))
    body = [
        f'<section class="problem" id="scores"><h2>{title}</h2>',
        f'<div class="card headline">{texts}</div>',
        card("Errors and ranks", "", tables.errors_table(scored)),
        card("The 90 % intervals", "", tables.intervals_table(surrogate, scored)),
    ]
    if scored.feasibility is not None:
        note = "A design counts as buildable from a predicted probability of one half on."
        body.append(card("Which designs can be built", note, tables.feasibility_table(scored)))
    drawn = []
    if fitted is not None and fitted.curve is not None and drawable(fitted.curve):
        note = (
            "Relative RMSE on the same designs held out; each point learns from twice as many as the one before, by "
            "the models and weights that were picked with all of them."
        )
        drawn.append(part.place(curve_figure(fitted.curve), "Learning curve", note, wide=True, anchor="curve"))
    for metric in surrogate.learned:
        note = f"{escape(metric.meaning)}."
        drawn.append(part.place(true_figure(metric, scored.held[metric.name]), metric.name, note))
    return "".join(body) + figures(*drawn) + "</section>"


def _headline(scored: Scored, held_out: bool) -> list[str]:
    """Say in words how large errors are, and how often intervals hold the true value."""

    def said(name: str) -> str:
        return f"<strong>{tables.per_cent(scored.metrics[name].relative_rmse, 2)}</strong> for {code(name)}"

    texts = []
    errors = {name: one.relative_rmse for name, one in scored.metrics.items() if math.isfinite(one.relative_rmse)}
    if errors:
        best, worst = min(errors, key=lambda name: errors[name]), max(errors, key=lambda name: errors[name])
        error = said(best) if best == worst else f"from {said(best)} to {said(worst)}"
        where = f"On {escape(scored.meaning)}" + (", held out" if held_out else "")
        texts.append(f"{where}, the relative error is {error}.")
    coverage = [one.coverage for name, one in scored.metrics.items() if name not in scored.exact]
    if coverage:
        ends = dict.fromkeys((tables.share(min(coverage)), tables.share(max(coverage))))
        texts.append(f"The 90{NBSP}% intervals hold the true value for {' to '.join(ends)} of the designs.")
    if scored.exact:
        texts.append(f"Fitted exactly, and exempt: {listed([code(name) for name in scored.exact])}.")
    return texts


def _decided(told: Mapping[str, Any]) -> str:
    fit = told["fit"]
    uses = listed([escape(one) for one in fit["uses"]]) if fit["uses"] else "nothing"
    words = [f"model <code>{escape(fit['model'])}</code>", f"seed {fit['seed']}", f"beside the parameters: {uses}"]
    if fit["feasibility"]:
        words.append(f"which can be built: <code>{escape(fit['feasibility'])}</code>")
    made = card("What was decided", " · ".join(words), tables.decided_table(told))
    return f'<section class="problem" id="decided">{made}</section>'


def _domain(told: Mapping[str, Any], scored: Scored) -> str:
    note = f"{tables.share(scored.inside)} of the designs scored here lie within what the model was trained on."
    return f'<section class="problem" id="domain">{card("Where it holds", note, tables.domain_table(told))}</section>'


def _reproduce(told: Mapping[str, Any], version: str, scored: Scored | None = None, sha256: str = "") -> str:
    with_versions = " · ".join(f"{escape(name)}&nbsp;{escape(one)}" for name, one in versions().items())
    data = told["data"]
    sources = f" from {listed([code(one) for one in data['sources']])}" if data["sources"] else ""
    priced = "; ".join(
        f"{code(one['id'])} by {code(one['cost_model'])} {code(one['version'])}" for one in told["origins"]
    )
    other = f"<p>Scored on {code(scored.name)}, SHA-256 {code(sha256)}.</p>" if scored is not None else ""
    return (
        '<section id="reproduce" class="card"><h3>Reproduce</h3>'
        f"<p>The command:</p><pre><code>{escape(command_line())}</code></pre>{other}"
        f"<p>Learned from {data['designs']:,} designs, {data['could_be_built']:,} of which could be built{sources}, of "
        f"SHA-256 {code(data['sha256'])}; priced: {priced}.</p>"
        f"<p>Model {code(version)}, with these versions: {with_versions}.</p>"
        '<p class="note">All figures are in <code>model.json</code> beside this page.</p></section>'
    )


def _terms() -> str:
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in TERMS.items())
    return f'<section id="terms" class="card"><h3>How to read this page</h3><dl class="terms">{rows}</dl></section>'
