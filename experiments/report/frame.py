"""The frame of a page of ours: words, tables and figures in one HTML file that opens without a network.

    part = Part()
    cards = [card("Agents", "Who was compared.", "<p>...</p>", anchor="agents")]
    cards.append(figures(part.place(figure, "Regret", "Interquartile mean over runs.", anchor="regret")))
    html = render("agents compared", "".join(cards), part, top=header("agents", "4 agents"), contents=[...])

A figure is what plotly.js takes, {"data": [...], "layout": {...}}; its colours are names of the palette, "@ink" or
"@agent-2/0.2" (mostly transparent), which the page paints light or dark. Headings, notes and contents are HTML where
the docstrings say so; `html.escape` whatever comes from outside.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from designgym.experiments.report.palette import DARK, LIGHT, css_variables

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
<script type="text/plain" id="figures">{figures}</script>
<script type="text/plain" id="plotly">{plotly}</script>
<script>
{script}</script>
</body>
</html>
"""
MOST_LINES = 24  # of contents; where there are more, what belongs to an entry is shown while it is read
NO_FIGURES = (
    '<p class="banner" id="problems-with-script">The figures could not be drawn: this browser lacks what they '
    "need (any from 2023 on will do). Words and tables are complete.</p>"
    '<noscript><p class="banner">The figures need JavaScript. Words and tables are complete.</p></noscript>'
)


@dataclass(frozen=True)
class Entry:
    """A line of a page's contents. anchor: the id that it leads to. text: plain. under: what belongs to it."""

    anchor: str
    text: str
    under: tuple[Entry, ...] = ()


@dataclass
class Part:
    """The figures of a page as its sections are written, by the id of the element that each is drawn in."""

    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    def place(
        self, figure: dict[str, Any], heading: str, note: str, wide: bool = False, anchor: str = "", after: str = ""
    ) -> str:
        """Keep a figure and return the card it will be drawn in, with buttons that save it as PNG and as SVG.

        figure: with layout.height; "narrow" and "narrowData", where given, are its layout and data on a narrow screen
        and on paper, "paper" its layout on paper alone. heading: plain. note: HTML
        above the figure. after: HTML below it. wide: across both columns of `figures`. anchor: the id of the card.
        """
        name = f"figure-{len(self.figures)}"
        self.figures[name] = figure
        css = ' class="wide"' if wide else ""
        height = f'style="min-height: {figure["layout"]["height"]}px"'
        saved = escape(re.sub(r"[^\w.+-]+", "-", heading).strip("-").lower())
        buttons = "".join(
            f'<button type="button" data-save="{kind}" data-figure="{name}" data-name="{saved}" '
            f'aria-label="Save “{escape(heading)}” as {kind.upper()}">{kind.upper()}</button>'
            for kind in ("png", "svg")
        )
        return (
            f'<figure{css}{_id(anchor)}><div class="card">'
            f"<figcaption><h3>{escape(heading)}</h3><p>{note}</p></figcaption>"
            f'<div class="plot" id="{name}" {height} role="img" aria-label="{escape(heading)}"></div>{after}'
            f'<p class="save" hidden>Save as {buttons}</p></div></figure>'
        )


def card(heading: str, note: str, content: str, anchor: str = "") -> str:
    """Return a box with a heading, a grey note and what it holds, all HTML."""
    paragraph = f'<p class="note">{note}</p>' if note else ""
    return f'<div class="card"{_id(anchor)}><h3>{heading}</h3>{paragraph}{content}</div>'


def figures(*placed: str) -> str:
    """Return what `Part.place` returned as a grid of two columns, of one on a narrow screen."""
    return f'<div class="figures">{"".join(placed)}</div>'


def header(name: str, facts: str, banners: Sequence[str] = (), kind: str = "designgym report") -> str:
    """Return the top of a page. name: plain, what it is about. facts: HTML, one line. banners: HTML, each a warning."""
    warnings = "".join(f'<p class="banner">{banner}</p>' for banner in banners)
    return (
        f'<header class="top"><h1><b>{escape(name)}</b> · {escape(kind)}</h1>'
        f'<p class="facts">{facts}</p>{warnings}{NO_FIGURES}</header>'
    )


def render(title: str, body: str, part: Part, top: str = "", contents: Sequence[Entry] = ()) -> str:
    """Return the whole page. body: the HTML of its sections. top: from `header`; one with the title alone if empty.

    contents: what the table of contents lists, beside the page on a wide screen and folded above it on a narrow one.
    The same arguments give the same bytes.
    """
    css = f":root {{ color-scheme: light dark; {css_variables(LIGHT)} }}\n"
    css += f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {css_variables(DARK)} }} }}\n"
    parts = [top or header(title, ""), _contents(contents), f"<main>\n{body}\n</main>"]
    inside = "\n".join(text for text in parts if text)
    return PAGE.format(
        title=escape(title),
        css=css + _data("page.css"),
        body=f'<div class="{"page with-contents" if contents else "page"}">\n{inside}\n</div>',
        palettes=json_in_html({"light": LIGHT, "dark": DARK}),
        figures=packed(json_in_html(part.figures)),
        plotly=packed_plotly(),
        script=_data("page.js"),
    )


def write_page(path: Path, html: str) -> None:
    """Write a page so that the file is there whole or as it was."""
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_text(html, encoding="utf-8")
    scratch.replace(path)


@cache
def packed_plotly() -> str:
    """Return plotly.js, packed: 4.8 MB become 2 MB."""
    from plotly.offline import get_plotlyjs

    return packed(get_plotlyjs())


def packed(text: str) -> str:
    """Return a text compressed and in base64; the browser inflates it."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def json_in_html(value: Any) -> str:
    """Return JSON that cannot end the script element that holds it, whatever names it contains."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _contents(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    many = " many" if sum(len(entry.under) for entry in entries) > MOST_LINES else ""
    return (
        f'<nav class="contents{many}" aria-label="Contents"><details open><summary>Contents</summary>'
        f"{_list(entries)}</details></nav>"
    )


def _list(entries: Sequence[Entry]) -> str:
    items = []
    for entry in entries:
        link = f'<a href="#{escape(entry.anchor)}">{escape(entry.text)}</a>'
        items.append(f"<li>{link}{_list(entry.under) if entry.under else ''}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _id(anchor: str) -> str:
    return f' id="{escape(anchor)}"' if anchor else ""


def _data(name: str) -> str:
    return files("designgym.experiments.report").joinpath("data", name).read_text(encoding="utf-8")
