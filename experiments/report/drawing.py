"""Parts of figures as plotly.js takes them: axes, layouts, numbers and names that are safe in its texts.

Colours are names such as "@ink" or "@agent-2/0.2": the page paints them light or dark.
"""

from __future__ import annotations

import math
import re
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.quantities import PREFIXES, SCALED, quantity
from designgym.experiments.report.text import pretty, shortened

Figure = dict[str, Any]
Floats = NDArray[np.float64]
HEIGHT = 350
ENTRY, LETTER, LEGEND_ROW = 48, 6.9, 19  # pixels: of a legend's entry beside its name, of a letter, of a row
HALF, WIDE, NARROW = 360, 960, 250  # pixels that a plot has for its legend


def plain_text(text: str) -> str:
    """Escape a name for plotly.js, which reads tags in any text and %{...} in hover texts."""
    return escape(str(text)).replace("%{", "%&#123;")


def rounded(values: Any) -> list[float | None]:
    """Return numbers at six significant digits for JSON; None where they are not finite."""
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in np.asarray(values, np.float64).tolist()]


def title_text(title: str, most: int = 32) -> str:
    """Return a title for plotly.js in at most two lines, broken after a space or an underscore."""
    if len(title) <= most:
        return plain_text(title)
    first, *rest = re.findall(r"[^ _]*[ _]?", title)[:-1]
    while rest and len(first) + len(rest[0].rstrip()) <= most:
        first += rest.pop(0)
    return "<br>".join(plain_text(shortened(line.rstrip(), most)) for line in (first, "".join(rest)) if line)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis with its title, in the page's colours."""
    colours = {"gridcolor": "@grid", "linecolor": "@rule", "zeroline": False, "color": "@muted"}
    ticks = {"ticks": "outside", "tickcolor": "@rule", "ticklen": 4, "automargin": True, "showline": True}
    return {"title": {"text": title_text(title), "standoff": 8}} | colours | ticks | more


def layout(x: dict[str, Any], y: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the layout that all figures share: the legend above, no room for anything that is not read."""
    return {
        "xaxis": x,
        "yaxis": y,
        "height": HEIGHT,
        "margin": {"l": 62, "r": 26, "t": 10, "b": 48},
        "paper_bgcolor": "@paper",
        "plot_bgcolor": "@paper",
        "font": {"size": 12.5, "color": "@ink"},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "@paper", "bordercolor": "@rule", "font": {"color": "@ink"}},
        "legend": {
            "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": "@ink"}, "tracegroupgap": 0,
        },
        **more,
    }  # fmt: skip


def with_legend(figure: Figure, wide: bool = False) -> Figure:
    """Return a figure high enough for its legend above it, also on a narrow screen; the plot keeps its height.

    "narrow", where the figure has it, is its layout there without the legend.
    """
    named = [trace["name"] for trace in figure["data"] if "name" in trace and trace.get("showlegend", True)]
    grouped = any("legendgroup" in trace for trace in figure["data"])

    def heightened(plain: dict[str, Any], room: int) -> dict[str, Any]:
        rows = _legend_rows([ENTRY + LETTER * len(name) for name in named], room, grouped)
        more = LEGEND_ROW * (rows - 1)
        if len(named) < 2:
            return plain | {"showlegend": False}
        legend = plain["legend"] | {"maxheight": 1000}
        margin = plain["margin"] | {"t": plain["margin"]["t"] + LEGEND_ROW * rows}
        return plain | {"height": plain["height"] + more, "legend": legend, "margin": margin}

    shape: dict[str, Any] = figure["layout"]
    narrow: dict[str, Any] = figure.get("narrow") or shape
    return figure | {"layout": heightened(shape, WIDE if wide else HALF), "narrow": heightened(narrow, NARROW)}


def _legend_rows(widths: list[float], room: float, grouped: bool) -> int:
    """Return how many rows plotly.js lays entries in: all as wide as the widest, or each as it is where grouped."""
    if not grouped:
        return (
            1 if len(widths) < 2 or sum(widths) <= room else math.ceil(len(widths) / max(1, int(room // max(widths))))
        )
    rows, used = 1, 0.0
    for width in widths:
        rows, used = (rows, used + width) if used + width <= room or not used else (rows + 1, width)
    return rows


def value_axis(title: str, values: Floats) -> dict[str, Any]:
    """Return an axis around finite values, with room below for a name; on a log scale where they span much."""
    finite = values[np.isfinite(values)]
    wide = finite.min() > 0 and finite.max() > 5 * finite.min()
    ends = np.log10(finite) if wide else finite
    low, high = float(ends.min()), float(ends.max())
    room = (high - low) or 0.1 * max(abs(high), 1e-12)
    limits = rounded([low - 0.12 * room, high + 0.04 * room])
    if not wide:
        return axis(title, tickformat="~g", range=limits)
    ticks, names = log_ticks(low - 0.12 * room, high + 0.04 * room)
    return axis(title, type="log", range=limits, tickvals=ticks, ticktext=names)


def seconds_axis(grid: Floats) -> dict[str, Any]:
    """Return the axis of time within a run, on a log scale, with units in its ticks."""
    title = "time within a run (log scale)"
    if not len(grid):
        return axis(title)
    ends = [math.log10(grid[0]), math.log10(grid[-1])]
    first, last = math.floor(ends[0]), math.ceil(ends[1])
    steps = (1,) if last - first > 2 else (1, 2, 5) if last - first > 1 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [step * 10.0**decade for decade in range(first, last + 1) for step in steps]
    return axis(title, type="log", tickvals=ticks, ticktext=[quantity(tick, "s") for tick in ticks], range=ends)


def designs_axis(longest: int) -> dict[str, Any]:
    """Return the axis of designs priced, on a log scale."""
    dtick = 1 if longest >= 100 else "D2"
    return axis("designs priced (log scale)", type="log", tickformat=",d", hoverformat=",d", dtick=dtick)


def power_of_ten(exponent: int) -> str:
    """Return a power of ten as text: 0.01, 10⁻⁵."""
    if -4 <= exponent <= 4:
        return f"{10.0**exponent:,g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Return the ticks of a log axis from 10**low to 10**high, whole decades unless they are few, and their names."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    if high - low > 2.2:
        return [10.0**d for d in decades], [power_of_ten(d) for d in decades]
    if 0.0 < high - low < 0.4:
        span = 10.0**high - 10.0**low
        size = 10.0 ** math.floor(math.log10(span))
        step = next(size * part for part in (1.0, 0.5, 0.2) if span >= 2.5 * size * part)
        # Some lie beyond both ends, where an axis has room.
        first, last = max(1, math.floor(10.0**low / step) - 2), math.ceil(10.0**high / step) + 2
        ticks = [step * place for place in range(first, last + 1)]
        return ticks, [f"{tick:,.6g}" for tick in ticks]
    # Over a decade or two, and below one, more steps: at least three ticks are in sight.
    steps = (1, 2, 5) if high - low > 0.9 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [step * 10.0**d for d in decades for step in steps]
    return ticks, [f"{tick:,g}" if tick < 1e5 else f"{tick:g}" for tick in ticks]


def level(y: float, text: str) -> dict[str, Any]:
    """Return a horizontal line with its name, as a shape of a layout."""
    place = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": y, "y1": y, "layer": "below"}
    label = {"text": plain_text(text), "textposition": "start", "yanchor": "top", "padding": 4}
    label |= {"font": {"color": "@muted", "size": 11.5}}
    return place | {"line": {"color": "@muted", "width": 1.2, "dash": "dash"}, "label": label}


def scaled_unit(value: float, unit: str) -> tuple[float, str]:
    """Return by what to divide values of about this size, and the unit they then have: 0.004 s is 4 of 1e-3, "ms"."""
    if unit not in SCALED or not value or not math.isfinite(value):
        return 1.0, pretty(unit)
    exponent = min(max(3 * math.floor(math.log10(abs(value)) / 3), -15), 15)
    return float(10.0**exponent), f"{PREFIXES[exponent]}{unit}"


def with_unit(name: str, unit: str) -> str:
    """Return an axis title: latency_s (ms)."""
    return f"{name} ({pretty(unit)})" if pretty(unit) else name
