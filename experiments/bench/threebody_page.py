"""What a terminal and the page show of learned time steps: the claim, the Pareto plot, orbits with their steps."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.three_body import steps_taken
from designgym.cost_models.solver_schedule.three_body_starts import of_seeds
from designgym.experiments.bench.threebody_study import FIRST_UNSEEN, MARGIN, REQUIRED, Arm, Claim, Study, ninth
from designgym.experiments.cli.console import console
from designgym.experiments.cli.console import table as console_table
from designgym.experiments.quantities import duration
from designgym.experiments.report.drawing import Figure, axis, layout, log_ticks, plain_text, rounded, with_legend
from designgym.experiments.report.frame import Entry, Part, card, figures, header, render, write_page
from designgym.experiments.report.palette import DASHES, SYMBOLS
from designgym.experiments.report.tables import table

Floats = NDArray[np.float64]

HEADS = ("bound", "best single eta", "its evaluations", "learned", "difference", "kept by the eta", "by the policy",
         "both keep", "eta there", "learned there")  # fmt: skip
MOST_DRAWN = 1500  # points of a line
MOST_DECADES = 4.0  # of errors that are drawn
NAMES = ("fixed eta", "Hermite, fixed dt", "leapfrog, fixed dt", "learned", "oracle")  # by colour


def print_study(study: Study, page: Path, parquet: Path) -> None:
    """Print the answers to a terminal."""
    out = console()
    for name, value in study.settings.items():
        out.print(f"{name}: {value}", markup=False, soft_wrap=True)
    title = "Mean force evaluations on unseen states, with 95 % intervals of the paired difference"
    out.print(console_table(title, HEADS, [_cells(claim) for claim in study.claims], HEADS))
    for claim in study.claims:
        out.print(sentence(claim), markup=False, soft_wrap=True)
    title = "In hindsight, on fewer of the states"
    out.print(console_table(title, HINDSIGHT_HEADS, _hindsight_rows(study), HINDSIGHT_HEADS))
    out.print(f"\nThe page: {page}. All figures: {parquet}.", markup=False, soft_wrap=True)


def sentence(claim: Claim) -> str:
    """Say in words what a policy is worth at its bound."""
    difference, (both, learned, single) = claim.difference, claim.where_both_keep()
    share = claim.learned.evaluations.mean() / claim.single.evaluations.mean()
    verdict = "better by the rule" if claim.holds else "not better by the rule"
    required = "" if claim.bound in REQUIRED else ", told but not required"
    return (
        f"At a bound of {claim.bound:g}{required} the policy takes {share:.2f} of the best single eta's evaluations "
        f"({difference.middle:+,.0f} [{difference.low:+,.0f}, {difference.high:+,.0f}]) and keeps the bound on "
        f"{100 * claim.learned.kept(claim.bound):.1f} % of the states where the eta keeps it on "
        f"{100 * claim.single.kept(claim.bound):.1f} %: {verdict} (interval below zero, share at most "
        f"{100 * MARGIN:.0f} points lower). On the {both:,} states where both keep it, it takes {learned / single:.2f}."
    )


def _cells(claim: Claim) -> list[str]:
    difference, (both, learned, single) = claim.difference, claim.where_both_keep()
    return [
        f"{claim.bound:.0e}", f"{claim.eta:.3g}", f"{claim.single.evaluations.mean():,.0f}",
        f"{claim.learned.evaluations.mean():,.0f}",
        f"{difference.middle:+,.0f} [{difference.low:+,.0f}, {difference.high:+,.0f}]",
        f"{100 * claim.single.kept(claim.bound):.1f} %", f"{100 * claim.learned.kept(claim.bound):.1f} %",
        f"{both:,}", f"{single:,.0f}", f"{learned:,.0f}",
    ]  # fmt: skip


HINDSIGHT_HEADS = ("bound", "states", "all keep it", "best single eta there", "learned there", "oracle there",
                   "kept by the eta", "by the policy", "by the oracle")  # fmt: skip


def _hindsight_rows(study: Study) -> list[list[str]]:
    rows = []
    for told in study.hindsights:
        count, spent = told.where_all_keep()
        kept = [f"{100 * one.kept(told.claim.bound):.0f} %" for one in told.arms]
        rows.append([f"{told.claim.bound:.0e}", f"{len(told.oracle.error):,}", f"{count:,}"]
                    + ["–" if np.isnan(mean) else f"{mean:,.0f}" for mean in spent] + kept)  # fmt: skip
    return rows


def write_study(study: Study, path: Path, command: str) -> None:
    """Write the page. command: what made it."""
    part = Part()
    told = "".join(f"<p>{escape(sentence(claim))}</p>" for claim in study.claims)
    note = (
        "Force evaluations, means over unseen initial states played to ten years; more than 30,000 count as spent and "
        "as a broken bound. Each arm is the cheapest that keeps the bound on nine in ten training states. The last "
        "three columns leave out states on which either breaks it: there nothing is won by giving up."
    )
    rows = [[escape(cell) for cell in _cells(claim)] for claim in study.claims]
    sections = [
        f'<section id="claim">{card("Learned against the best single eta", note, table(HEADS, rows, css="dense"))}'
        f"{told}</section>",
        f'<section id="pareto">{figures(part.place(pareto(study), *PARETO, wide=True))}'
        f"{card(*HINDSIGHT, table(HINDSIGHT_HEADS, _hindsight_rows(study), css='dense'))}</section>",
        f'<section id="orbits"><h2>Orbits and steps</h2>{_orbits(study, part)}</section>',
        _method(study, command),
    ]
    contents = [
        Entry("claim", "The claim"), Entry("pareto", "Error against evaluations"), Entry("orbits", "Orbits and steps"),
        Entry("method", "How it was measured"),
    ]  # fmt: skip
    facts = f"unseen states: {escape(study.settings['unseen states'])}"
    top = header("Time steps of three bodies", facts, kind="designgym bench threebody")
    write_page(path, render("Time steps of three bodies", "".join(sections), part, top, contents))


PARETO = (
    "Error of the energy against force evaluations",
    "Mean evaluations, and the error at the end that nine in ten initial states do not exceed. Lower and further left "
    "is better. A learned policy is one point for each bound that it was trained for; the oracle plans every state by "
    "itself, its trajectory known.",
)
HINDSIGHT = (
    "Against hindsight",
    "Plans of one eta for each interval, chosen with the whole trajectory known: a reference, no lower bound, and "
    "chosen state by state, where the others are one rule for all. Mean evaluations where all three keep the bound.",
)


def pareto(study: Study) -> Figure:
    """Return the figure of error against evaluations."""
    lines = {name: ([p.evaluations for p in points], [p.error for p in points], [p.setting for p in points])
             for name, points in study.curves.items()}  # fmt: skip
    lines["learned"] = _arms(study, [claim.learned for claim in study.claims])
    lines["oracle"] = _arms(study, [told.oracle for told in study.hindsights])
    traces = []
    for name, (spent, error, texts) in lines.items():
        slot = NAMES.index(name)
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": plain_text(name), "x": rounded(spent),
            "y": rounded(error), "text": texts, "line": {"color": f"@agent-{slot}", "width": 2, "dash": DASHES[slot]},
            "marker": {"symbol": SYMBOLS[slot], "size": 10 if name == "learned" else 7},
            "hovertemplate": f"%{{text}}: %{{x:,.0f}} evaluations, error %{{y:.2e}}<extra>{plain_text(name)}</extra>",
        })  # fmt: skip
    shown = np.log10([value for _, error, _ in lines.values() for value in error])
    low, high = shown.min() - 0.3, min(shown.max() + 0.3, MOST_DECADES)
    ticks, names = log_ticks(low, high)
    x = axis("force evaluations (log scale)", type="log", dtick="D2", tickformat=",d")
    y = axis("error (log scale)", type="log", tickvals=ticks, ticktext=names, range=rounded([low, high]))
    return with_legend({"data": traces, "layout": layout(x, y, hovermode="closest", height=440)}, wide=True)


def _arms(study: Study, arms: list[Arm]) -> tuple[list[float], list[float], list[str]]:
    spent = [float(one.evaluations.mean()) for one in arms]
    return spent, [ninth(one.error) for one in arms], [f"bound {claim.bound:.0e}" for claim in study.claims]


def _orbits(study: Study, part: Part) -> str:
    """Return the cards of one unseen state at the second bound: orbits, and the length of steps along them."""
    claim = study.claims[min(1, len(study.claims) - 1)]
    state = of_seeds(FIRST_UNSEEN, 1)[0]
    plans = {"fixed eta": np.array([claim.eta]), "learned": study.policies[claim.bound].plan(state)}
    taken = {name: steps_taken(0, plan, state) for name, plan in plans.items()}
    note = (
        f"The first unseen state, bound {claim.bound:g}. Colours are bodies; the policy's orbits are solid, those of "
        "the single eta dotted."
    )
    steps = (
        f"Lengths of steps as time goes on: {len(taken['learned'][0]):,} steps learned, {len(taken['fixed eta'][0]):,} "
        "of one eta."
    )
    return figures(part.place(orbits(taken), "Orbits", note), part.place(step_sizes(taken), "Step size", steps))


def orbits(taken: dict[str, tuple[Floats, Floats]]) -> Figure:
    """Return the three bodies' orbits. taken: by name, what `steps_taken` returns."""
    traces: list[dict[str, Any]] = []
    for name, (_, states) in taken.items():
        rows = _few(len(states))
        for body in range(3):
            x, y = states[rows, 2 * body], states[rows, 2 * body + 1]
            traces.append({
                "type": "scatter", "mode": "lines", "name": plain_text(f"body {body}"), "showlegend": name == "learned",
                "x": rounded(x), "y": rounded(y), "hoverinfo": "skip",
                "line": {"color": f"@agent-{body}", "width": 1.5 if name == "learned" else 1,
                         "dash": "solid" if name == "learned" else "dot"},
            })  # fmt: skip
    x = axis("x / AU")
    y = axis("y / AU", scaleanchor="x", scaleratio=1)
    return with_legend({"data": traces, "layout": layout(x, y, hovermode="closest", height=400)})


def step_sizes(taken: dict[str, tuple[Floats, Floats]]) -> Figure:
    """Return the lengths of steps over time."""
    traces = []
    for name, (lengths, _) in taken.items():
        rows, slot = _few(len(lengths)), NAMES.index(name)
        traces.append({
            "type": "scatter", "mode": "lines", "name": plain_text(name), "x": rounded(np.cumsum(lengths)[rows]),
            "y": rounded(lengths[rows]), "line": {"color": f"@agent-{slot}", "width": 1.2, "shape": "vh"},
            "hovertemplate": f"%{{x:.2f}} yr: %{{y:.2e}} yr<extra>{plain_text(name)}</extra>",
        })  # fmt: skip
    least = min(float(np.quantile(lengths, 0.02)) for lengths, _ in taken.values())
    low, high = np.log10(least) - 0.3, -0.9
    ticks, names = log_ticks(low, high)
    y = axis("step / yr (log scale)", type="log", tickvals=ticks, ticktext=names, range=rounded([low, high]))
    return with_legend({"data": traces, "layout": layout(axis("time / yr"), y, hovermode="closest", height=400)})


def _few(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, MOST_DRAWN)).astype(np.int64))


def _method(study: Study, command: str) -> str:
    settings = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in study.settings.items())
    content = (
        f"<ul>{settings}</ul><p>The policies come with the package, trained by <code>python -m "
        "designgym.experiments.weights.three_body_policies</code> on the training states; nothing was chosen on the "
        f"unseen ones. Intervals are percentile bootstraps over states.</p><pre>{escape(command)}</pre>"
    )
    seconds = f'<p class="note">All in {duration(study.seconds)}.</p>'
    return f'<section id="method">{card("How it was measured", "", content)}{seconds}</section>'
