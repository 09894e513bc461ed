"""One self-contained page on a sweep: words, tables and figures that open without a network."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.experiments.quantities import duration
from designgym.experiments.report.across import across_block
from designgym.experiments.report.frame import Entry, Part, header, render, write_page
from designgym.experiments.report.played import Played, played_section
from designgym.experiments.report.scores import scores_section
from designgym.experiments.report.section import problem_section
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.tables import UNFINISHED
from designgym.experiments.report.text import NBSP, listed, several
from designgym.experiments.report.versus import overall_card

if TYPE_CHECKING:
    from designgym.experiments.log import Sweep


def write_report(directory: Path | str, out: Path | str | None = None) -> Path:
    """Write the report of a sweep, finished or not, and return where: DIR/report.html unless `out` says otherwise.

    The same log gives the same bytes. LogError where DIR holds no sweep or no trials.
    """
    from designgym.experiments.report.gather import study_all

    directory = Path(directory)
    sweep, problems, played = study_all(directory)
    path = Path(out) if out is not None else directory / "report.html"
    write_page(path, page(sweep, problems, played))
    return path


def page(sweep: Sweep, problems: list[ProblemStudy], played: list[Played]) -> str:
    """Return the page's HTML."""
    part = Part()
    sections = scores_section(sweep.directory, part)
    sections += [played_section(environment, i, part) for i, environment in enumerate(played)]
    sections += [problem_section(problem, i, part) for i, problem in enumerate(problems)]
    overall = overall_card(problems) + across_block(problems, part)
    together = f'<section id="together" class="problem">{overall}</section>' if overall else ""
    terms = _terms(bool(problems), bool(played))
    body = "\n".join([together, *(html for html, _ in sections), _reproduce(sweep), terms])
    first = [Entry("together", "All problems together")] if overall else []
    contents = [*first, *(entry for _, entry in sections), Entry("reproduce", "Reproduce"), Entry("terms", "Terms")]
    return render(f"{sweep.name}: designgym report", body, part, _top(sweep, problems, played), contents)


# -- around the problems ----------------------------------------------------------------------------------------------


def _top(sweep: Sweep, problems: list[ProblemStudy], played: list[Played]) -> str:
    agents = {run.label for run in sweep.runs}
    seeds = {run.seed for run in sweep.runs}
    priced = sum(problem.priced for problem in problems)
    spent = duration(sum(run.elapsed_s for run in sweep.runs))
    facts = [several(len(sweep.problems), "problem"), several(len(agents), "agent"), several(len(seeds), "seed")]
    done = [f"{several(priced, 'design')} priced"] if priced else []
    if trials := sum(environment.trials for environment in played):
        done.append(f"{several(trials, 'trial')} played")
    what = "training" if sweep.spec.get("kind") == "training" else "searching" if priced else "playing"
    facts.append(f"{' and '.join(done)} in {spent} of {what}")
    return header(sweep.name, " · ".join(facts), _banners(sweep))


def _banners(sweep: Sweep) -> list[str]:
    """Say plainly what is missing: runs that failed, are going on, or have not begun."""
    states = Counter(run.state for run in sweep.runs)
    missing = [f"{states[state]} {words}" for state, words in UNFINISHED.items() if states[state]]
    if not missing:
        return []
    return [
        f"<strong>This sweep is not complete:</strong> {states['finished']} of "
        f"{several(len(sweep.runs), 'run')} finished; {listed(missing)}. Agents are compared by their finished runs; "
        "one without any is shown as far as it came, and marked. The same command again goes on where it was."
    ]


def _reproduce(sweep: Sweep) -> str:
    path = sweep.directory / "sweep.yaml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    versions = " · ".join(f"{escape(name)}&nbsp;{escape(version)}" for name, version in sweep.versions.items())
    return (
        '<section id="reproduce" class="card"><h3>Reproduce</h3>'
        f"<p>The command:</p><pre><code>{escape(sweep.command)}</code></pre>"
        f"<p>with this <code>sweep.yaml</code>:</p><pre><code>{escape(text)}</code></pre>"
        f"<p>and these versions: {versions}.</p>{_not_replayed(sweep)}"
        '<p class="note">All trials are in <code>runs/</code> of the sweep\'s directory, one Parquet file a finished '
        "run; <code>designgym.experiments.load_trials(DIR)</code> gives them as one Arrow table.</p></section>"
    )


def _not_replayed(sweep: Sweep) -> str:
    """Say so where another run of the same sweep cannot come to the same trials."""
    if not any(run.definition.get("order") == "completion" for run in sweep.runs):
        return ""
    return (
        "<p>Runs of slow cost models were told results in the order of their completion (<code>order: completion"
        "</code>): the same command may come to other trials.</p>"
    )


OF_TRIALS = {
    "trial": "one episode of a sequential environment, or one instance where it plays a sequence of them; each costs, "
    "the same actions again too.",
    "feasible trial": "one that came to something and kept the constraints of the environment's objective.",
    "return": "the sum of the environment's rewards over a trial: what agents learn from, higher is better.",
}
OF_DESIGNS = {
    "designs priced": "distinct designs evaluated in a run, infeasible ones included; a repeated design costs nothing.",
    "regret": "(best feasible loss so far − optimum) / (median feasible loss − optimum): 0 at the optimum, about 1 "
    "for a random feasible design, 1 while nothing feasible is found. With several objectives, 1 − the share of the "
    "true or best known front's hypervolume.",
    f"within 1{NBSP}%": "the best feasible loss so far is at most 1 % of the optimum's size above the optimum. With "
    "several objectives, at least 99 % of the hypervolume.",
    "medians over runs": "count a run that never got there as needing infinitely many designs: “never” means that half "
    "of the runs did not.",
    "runs that ended early": "carry their last value on in the figures.",
}
OF_BOTH = {
    f"IQM, 95{NBSP}% interval": "interquartile mean over runs (seeds): the mean of the middle half. The interval is "
    "from a percentile bootstrap over 2,000 resamples of the runs (Agarwal et al., NeurIPS 2021, arXiv:2108.13264).",
}


def _terms(searched: bool, played: bool) -> str:
    """Explain the words of the page: those of searches, of what was played, and of both."""
    terms = (OF_TRIALS if played else {}) | (OF_DESIGNS if searched else {}) | OF_BOTH
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in terms.items())
    return f'<section id="terms" class="card"><h3>How to read this page</h3><dl class="terms">{rows}</dl></section>'
