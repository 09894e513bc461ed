"""What a terminal and the page show of searched integrators: answers, tables, work-precision figures, the designs."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from designgym.envs.solver_schedule.ode_tolerance import SPACE
from designgym.experiments.bench.ode_study import TOLERANCES, Group, Judged, Study, label
from designgym.experiments.cli.console import console
from designgym.experiments.cli.console import table as console_table
from designgym.experiments.quantities import duration
from designgym.experiments.report.drawing import Figure, axis, layout, log_ticks, plain_text, rounded, with_legend
from designgym.experiments.report.frame import Entry, Part, card, figures, header, render, write_page
from designgym.experiments.report.tables import table
from designgym.experiments.report.text import number

HEADS = tuple(f"rtol {rtol:.0e}".replace("e-0", "e-") for rtol in TOLERANCES)
DASHES, SYMBOLS = ("solid", "dash", "dot", "dashdot"), ("circle", "square", "diamond", "triangle-up")
TITLE = "work over RK45's at equal error"


def print_study(study: Study, page: Path, parquet: Path) -> None:
    """Print the answers to a terminal."""
    out = console()
    for name, value in study.settings.items():
        out.print(f"{name}: {value}", markup=False, soft_wrap=True)
    for group in study.groups:
        rows = [[arm.name, *(_plain(group, arm, t) for t in range(len(TOLERANCES)))] for arm in group.arms]
        title = f"{TITLE}, with 95 % intervals; {group.name}: {'; '.join(map(label, group.equations))}"
        out.print(console_table(title, ("", *HEADS), rows, HEADS))
        out.print(sentence(group), markup=False, soft_wrap=True)
    cells = [[what, f"{value:,.4g}", unit, f"{ratio:,.4g}" if ratio else "", to if ratio else ""]
             for what, value, unit, ratio, to in study.speeds]  # fmt: skip
    out.print(console_table("", ("what", "figure", "unit", "ratio", "to"), cells, ("figure", "ratio")))
    out.print(f"\nThe page: {page}. All figures: {parquet}.", markup=False, soft_wrap=True)


def write_study(study: Study, path: Path, command: str) -> None:
    """Write the page. command: what made it."""
    part, sections, contents = Part(), [], []
    for place, group in enumerate(study.groups):
        anchor = f"group-{place}"
        placed = figures(*(
            part.place(work_precision(group, e), f"Work and precision: {label(equation)}",
                       f"Geometric means over {len(group.starts)} initial states. Lower and further left is better.")
            for e, equation in enumerate(group.equations)
        ))  # fmt: skip
        title = group.name.capitalize()
        sections.append(
            f'<section class="problem" id="{anchor}"><h2>{escape(title)}</h2>'
            f"{card('Evaluations at equal error', _ratio_note(group), _ratios(group))}{placed}</section>"
        )
        contents.append(Entry(anchor, title))
    sections += [f'<section id="designs">{_designs(study)}</section>', _method(study, command)]
    contents += [Entry("designs", "The designs"), Entry("method", "How it was measured")]
    facts = f"searched in {escape(study.settings['search saw'])}; judged on {escape(study.settings['judged on'])}"
    top = header("Integrators searched", facts, kind="designgym bench ode")
    write_page(path, render("Integrators searched", "".join(sections), part, top, contents))


def work_precision(group: Group, equation: int) -> Figure:
    """Return the work-precision figure of one equation: RK45's line, what is compared at its six tolerances."""
    own = slice(equation, equation + 1)
    shown: list[Judged] = [group.line, *group.arms]
    traces: list[dict[str, Any]] = []
    ends: list[float] = []
    for place, one in enumerate(shown):
        error, work = (np.exp(values[own].mean(axis=(0, 1))) for values in (one.error, one.work))
        there = np.isfinite(error) & (error < 1.0)
        ends += np.log10(error[there]).tolist() if place else []
        traces.append({
            "type": "scatter", "mode": "lines+markers" if place else "lines", "name": plain_text(one.name),
            "x": rounded(error[there]), "y": rounded(work[there]),
            "line": {"color": f"@agent-{place}", "width": 2, "dash": DASHES[place]},
            "marker": {"symbol": SYMBOLS[place], "size": 7},
            "hovertemplate": f"error %{{x:.2e}}, work %{{y:,.0f}}<extra>{plain_text(one.name)}</extra>",
        })  # fmt: skip
    low, high = (min(ends) - 0.3, max(ends) + 0.3) if ends else (-8.0, 0.0)
    ticks, names = log_ticks(low, high)
    x = axis("error at the end (log scale)", type="log", tickvals=ticks, ticktext=names, range=rounded([low, high]))
    y = axis("evaluations (log scale)", type="log", dtick="D2", tickformat=",d")
    return with_legend({"data": traces, "layout": layout(x, y, hovermode="closest")})


def _ratios(group: Group) -> str:
    rows = []
    for arm in group.arms:
        for equation in (None, *range(len(group.equations))):
            name = (
                f"<strong>{escape(arm.name)}</strong>" if equation is None else escape(label(group.equations[equation]))
            )
            rows.append([name, *(_html(group, arm, t, equation) for t in range(len(TOLERANCES)))])
    return table(["", *HEADS], rows, css="dense")


def _ratio_note(group: Group) -> str:
    return (
        "Evaluations over those that scipy's RK45 needs for the same error, by the tolerance of RK45 that a design was "
        f"chosen to match; 95&nbsp;% bootstrap intervals over initial states. {escape(sentence(group))}"
    )


def sentence(group: Group) -> str:
    """Say in words what a search was worth there."""
    every = [group.interval(group.arms[0], t) for t in range(len(TOLERANCES))]
    found = [one for one in every if not np.isnan(one.middle)]
    if not found:
        return f"On {group.name} no searched design comes to an error that RK45 comes to."
    fewer, more = sum(one.high < 1.0 for one in found), sum(one.low > 1.0 for one in found)
    mean = float(np.exp(np.mean([np.log(one.middle) for one in found])))
    failed = sum(group.gave_up(group.arms[0], t)[0] > 0 for t in range(len(TOLERANCES)))
    failing = f" {failed} more gave up on some initial state and are left out." if failed else ""
    return (
        f"On {group.name} the searched designs take {mean:.2f} times RK45's evaluations, geometric mean over the "
        f"tolerances: fewer with their whole interval at {fewer} of {len(found)}, more at {more}.{failing}"
    )


def _designs(study: Study) -> str:
    names = SPACE.describe(study.chosen)
    rows = [[escape(name), *(_cell(value) for value in column)] for name, column in names.items()]
    rows.append(["work over RK45's where it was chosen", *(f"{ratio:.2f}" for ratio in study.at_choice)])
    note = "One for each tolerance of RK45: the least work that comes to its error. An empty cell does not matter."
    return card("The designs that search found", note, table(["parameter", *HEADS], rows, css="dense"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return escape(value) if isinstance(value, str) else number(float(value))


def _method(study: Study, command: str) -> str:
    speeds = [
        [escape(what), f"{value:,.0f}", f"{ratio:,.1f}" if ratio else ""] for what, value, _, ratio, _ in study.speeds
    ]
    settings = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in study.settings.items())
    content = (
        f"<ul>{settings}</ul><p>RK45 is scipy's solve_ivp step for step, atol = rtol / 1000. No equation is stiff. "
        "Errors are at the end, against a reference of rounding's accuracy. What RK45 needs at errors between those of "
        "its tolerances is read off its own line, a quarter of a decade of tolerance apart.</p>"
        f"<pre>{escape(command)}</pre>"
    )
    heads = ["integrations a second", "", "over scipy's solve_ivp"]
    return (
        f'<section id="method">{card("Speed", "Best of several repeats, in this run.", table(heads, speeds))}'
        f'{card("How it was measured", "", content)}<p class="note">All in {duration(study.seconds)}.</p></section>'
    )


def _plain(group: Group, arm: Judged, tolerance: int, equation: int | None = None) -> str:
    """Return a ratio with its interval as text, or why there is none."""
    failed, of = group.gave_up(arm, tolerance, equation)
    ratio = group.interval(arm, tolerance, equation)
    if failed:
        return f"gave up on {failed} of {of}"
    return "–" if np.isnan(ratio.middle) else f"{ratio.middle:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def _html(group: Group, arm: Judged, tolerance: int, equation: int | None) -> str:
    middle, _, rest = _plain(group, arm, tolerance, equation).partition(" [")
    return f"{middle} <small>[{rest.replace(' ', '&nbsp;')}</small>" if rest else middle
