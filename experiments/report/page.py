"""One self-contained page on a sweep: words, tables and figures that open without a network."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.quantities import duration
from designgym.experiments.report.palette import DARK, LIGHT, css_variables
from designgym.experiments.report.section import Part, problem_section
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.tables import UNFINISHED
from designgym.experiments.report.text import NBSP, listed, several

if TYPE_CHECKING:
    from designgym.experiments.log import Sweep

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="designgym">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{css}</style>
</head>
<body>
{body}
<output id="figures-status" hidden></output>
<script type="application/json" id="palettes">{palettes}</script>
<script type="application/json" id="figures">{figures}</script>
<script type="text/plain" id="plotly">{plotly}</script>
<script>
{script}</script>
</body>
</html>
"""


def write_report(directory: Path | str, out: Path | str | None = None) -> Path:
    """Write the report of a sweep, finished or not, and return where: DIR/report.html unless `out` says otherwise.

    The same log gives the same bytes. LogError where DIR holds no sweep or no trials.
    """
    from designgym.experiments.log import load_sweep, load_trials
    from designgym.experiments.report.gather import study_sweep

    directory = Path(directory)
    sweep = load_sweep(directory)
    problems = study_sweep(sweep, load_trials(directory))
    path = Path(out) if out is not None else directory / "report.html"
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_text(page(sweep, problems), encoding="utf-8")
    scratch.replace(path)
    return path


def page(sweep: Sweep, problems: list[ProblemStudy]) -> str:
    """Return the page's HTML."""
    part = Part()
    sections = [problem_section(problem, i, part) for i, problem in enumerate(problems)]
    body = [_top(sweep, problems), _navigation(problems), "<main>", *sections, _reproduce(sweep), _terms(), "</main>"]
    css = f":root {{ color-scheme: light dark; {css_variables(LIGHT)} }}\n"
    css += f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {css_variables(DARK)} }} }}\n"
    return PAGE.format(
        title=escape(f"{sweep.name}: designgym report"),
        css=css + _data("page.css"),
        body="\n".join(text for text in body if text),
        palettes=json_in_html({"light": LIGHT, "dark": DARK}),
        figures=json_in_html(part.figures),
        plotly=packed_plotly(),
        script=_data("page.js"),
    )


def packed_plotly() -> str:
    """Return plotly.js, compressed and in base64: 4.8 MB become 2 MB, and the browser inflates them."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


def json_in_html(value: Any) -> str:
    """Return JSON that cannot end the script element that holds it, whatever names it contains."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(name: str) -> str:
    return files("designgym.experiments.report").joinpath("data", name).read_text(encoding="utf-8")


# -- the frame --------------------------------------------------------------------------------------------------------


def _top(sweep: Sweep, problems: list[ProblemStudy]) -> str:
    agents = {run.label for run in sweep.runs}
    seeds = {run.seed for run in sweep.runs}
    priced = sum(len(problem.trials) for problem in problems)
    spent = duration(sum(run.elapsed_s for run in sweep.runs))
    facts = [several(len(sweep.problems), "problem"), several(len(agents), "agent"), several(len(seeds), "seed")]
    facts.append(f"{several(priced, 'design')} priced in {spent} of searching")
    return (
        f'<header class="top"><h1><b>{escape(sweep.name)}</b> · designgym report</h1>'
        f'<p class="facts">{" · ".join(facts)}</p>{_banner(sweep)}'
        '<p class="banner" id="problems-with-script">The figures could not be drawn: this browser lacks what they '
        "need (any from 2023 on will do). Words and tables are complete.</p>"
        '<noscript><p class="banner">The figures need JavaScript. Words and tables are complete.</p></noscript>'
        "</header>"
    )


def _banner(sweep: Sweep) -> str:
    """Say plainly what is missing: runs that failed, are going on, or have not begun."""
    states = Counter(run.state for run in sweep.runs)
    missing = [f"{states[state]} {words}" for state, words in UNFINISHED.items() if states[state]]
    if not missing:
        return ""
    return (
        f'<p class="banner"><strong>This sweep is not complete:</strong> {states["finished"]} of '
        f"{several(len(sweep.runs), 'run')} finished; {listed(missing)}. Agents are compared by their finished runs; "
        "one without any is shown as far as it came, and marked. The same command again goes on where it was.</p>"
    )


def _navigation(problems: list[ProblemStudy]) -> str:
    if len(problems) < 2:
        return ""
    names = [escape(problem.logged.label) for problem in problems]
    links = "".join(f'<li><a href="#problem-{i}">{name}</a></li>' for i, name in enumerate(names))
    return f'<nav aria-label="Problems"><ul>{links}<li><a href="#reproduce">Reproduce</a></li></ul></nav>'


def _reproduce(sweep: Sweep) -> str:
    path = sweep.directory / "sweep.yaml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    versions = " · ".join(f"{escape(name)}&nbsp;{escape(version)}" for name, version in sweep.versions.items())
    return (
        '<section id="reproduce" class="card"><h3>Reproduce</h3>'
        f"<p>The command:</p><pre><code>{escape(sweep.command)}</code></pre>"
        f"<p>with this <code>sweep.yaml</code>:</p><pre><code>{escape(text)}</code></pre>"
        f"<p>and these versions: {versions}.</p>"
        '<p class="note">All trials are in <code>runs/</code> of the sweep\'s directory, one Parquet file a finished '
        "run; <code>designgym.experiments.load_trials(DIR)</code> gives them as one Arrow table.</p></section>"
    )


TERMS = {
    "designs priced": "distinct designs evaluated in a run, infeasible ones included; a repeated design costs nothing.",
    "regret": "(best feasible loss so far − optimum) / (median feasible loss − optimum): 0 at the optimum, about 1 "
    "for a random feasible design, 1 while nothing feasible is found. With several objectives, 1 − the share of the "
    "true or best known front's hypervolume.",
    f"within 1{NBSP}%": "the best feasible loss so far is at most 1 % of the optimum's size above the optimum. With "
    "several objectives, at least 99 % of the hypervolume.",
    f"IQM, 95{NBSP}% interval": "interquartile mean over runs (seeds): the mean of the middle half. The interval is "
    "from a percentile bootstrap over 2,000 resamples of the runs (Agarwal et al., NeurIPS 2021, arXiv:2108.13264).",
    "medians over runs": "count a run that never got there as needing infinitely many designs: “never” means that half "
    "of the runs did not.",
    "runs that ended early": "carry their last value on in the figures.",
}


def _terms() -> str:
    rows = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in TERMS.items())
    return f'<section id="terms" class="card"><h3>How to read this page</h3><dl class="terms">{rows}</dl></section>'
