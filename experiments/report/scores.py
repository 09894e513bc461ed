"""Trained policies on instances that no training saw: a section of a training's page, from what `evaluate` found."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from designgym.experiments.evaluation_file import NAME, EvaluationError, read_entries
from designgym.experiments.evaluation_words import heading, interval, rule, signed, verdicts
from designgym.experiments.quantities import quantity
from designgym.experiments.report.frame import Entry, Part, card, figures
from designgym.experiments.report.scores_figures import means_figure, pairs_figure
from designgym.experiments.report.tables import breaking, table
from designgym.experiments.report.text import NBSP, code, pretty

Told = dict[str, Any]


def scores_section(directory: Path, part: Part) -> list[tuple[str, Entry]]:
    """Return the section's HTML and its lines in the contents, in a list; none where nothing was evaluated."""
    try:
        entries = read_entries(directory / NAME)
    except EvaluationError as error:
        banner = f'<h2>Scores</h2><p class="banner">{escape(str(error))}</p>'
        return [(f'<section class="problem" id="scores">{banner}</section>', Entry("scores", "Scores"))]
    if not entries:
        return []
    blocks, lines = [], []
    for i, entry in enumerate(entries):
        anchor = f"scores-{i}"
        blocks.append(f'<div id="{anchor}">{_block(entry, part)}</div>')
        lines.append(Entry(anchor, _title(entry)))
    goal = (
        "<p class='goal'>The policies that training ended with, playing without learning or chance, beside the best "
        "fixed policy and the best in hindsight.</p>"
    )
    html = f'<section class="problem" id="scores"><h2>Scores</h2>{goal}{"".join(blocks)}</section>'
    return [(html, Entry("scores", "Scores", tuple(lines)))]


def _title(entry: Told) -> str:
    options = "".join(f" {name}={value}" for name, value in entry["options"].items())
    return f"{entry['env']}{options}, {entry['instances']}"


def _block(entry: Told, part: Part) -> str:
    words = "".join(f"<p>{escape(line)}</p>" for line in verdicts(entry))
    html = f'<div class="card headline">{words}</div>' if words else ""
    names = [*entry["objective"]["minimize"], *entry["objective"]["maximize"]]
    tables = "".join(_table(entry, name) for name in names)
    html += card(escape(heading(entry)), _note(entry), tables)
    placed = []
    for name in names:
        metric = next(metric for metric in entry["metrics"] if metric["name"] == name)
        means = means_figure(entry, metric)
        if means is None:
            continue
        note = f"Means over {entry['count']:,} instances with 95{NBSP}% intervals; small points are single policies."
        placed.append(part.place(means, f"Mean {name} of each arm", note))
        pairs = pairs_figure(entry, metric)
        if pairs is not None:
            what = "An episode" if entry["trial"] == "episode" else "A part of a sequence, its mean,"
            note = f"{what} a point, means over an arm's policies; below the line the policy comes to less."
            placed.append(part.place(pairs, f"{name} beside the best fixed policy's", note))
    return html + (figures(*placed) if placed else "")


def _note(entry: Told) -> str:
    wanted = entry["objective"]
    told = f"Intervals are over policies and instances together (bootstrap, 95{NBSP}%)"
    if any(arm["kind"] == "fixed" for arm in entry["arms"]):
        names = [*wanted["minimize"], *wanted["maximize"]]
        by = code(names[0]) if len(names) == 1 else "return"
        told += (
            "; differences are to the best fixed policy on the same instance. It is the best of "
            f"{entry['actions_tried']} on as many other instances, by the mean {by}"
        )
        kept = " and ".join(code(text) for text in wanted["subject_to"])
        told += f" where {kept} holds in the mean. " if kept else ". "
        told += escape(rule(entry))
    else:
        told += "."
    return " ".join([told, *(f"{escape(note[0].upper() + note[1:])}." for note in entry["notes"])])


def _table(entry: Told, name: str) -> str:
    unit = next(metric["unit"] for metric in entry["metrics"] if metric["name"] == name)
    wanted = entry["objective"]["subject_to"]
    interval = f"<small>[95{NBSP}% interval]</small>"
    head = ["arm", "policies", f"mean {code(name)} {interval}", "feasible", "return", f"less fixed {interval}",
            "over fixed"]  # fmt: skip
    if wanted:
        kept = ", ".join(code(text) for text in wanted)
        head.insert(4, f"with {kept}")
    rows = []
    for arm in entry["arms"]:
        cells = _cells(arm, name, unit)
        if wanted:
            cells.insert(4, "" if arm["meets"] is None else f"{arm['meets']} of {arm['policies']}")
        rows.append(cells)
    return table(head, rows, css="dense")


def _cells(arm: Told, name: str, unit: str) -> list[str]:
    less = arm["less_fixed"] and arm["less_fixed"]["metrics"].get(name)
    compared = ["", ""]
    if less is not None:
        compared[0] = _three([signed(value, pretty(unit)) for value in less["difference"]])
        compared[1] = "" if less["ratio"] is None else f"{less['ratio'][0]:.3g}"
    return [
        f"<b>{breaking(arm['label'])}</b>" if arm["kind"] == "policy" else breaking(arm["label"]),
        str(arm["policies"]) if arm["kind"] == "policy" else "",
        _three([quantity(value, pretty(unit)) for value in arm["metrics"][name]]),
        "" if arm["feasible"] is None else f"{100 * arm['feasible'][0]:.1f}{NBSP}%",
        "" if arm["returns"] is None else f"{arm['returns'][0]:.4g}", *compared,
    ]  # fmt: skip


def _three(texts: list[str]) -> str:
    """Return a mean and its interval."""
    middle, low, high = (escape(text.replace(" ", NBSP)) for text in texts)
    ends = interval(low, high)
    return f"{middle}<br><small>{ends}</small>" if ends else middle
