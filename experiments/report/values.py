"""The figure of what each value of each parameter costs: the best loss that was found with it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from designgym.experiments.report.drawing import Figure, Floats, axis, layout, plain_text, rounded, with_unit
from designgym.experiments.report.keep import BestByValue
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.text import apart, figure_only, parameter_unit, shortened

MOST_PANELS = 12
PANELS_A_ROW = 4
PANELS_NARROW = 2
MOST_VALUES = 64
BINS = 24
MOST_MARKERS = 24
PIXELS = {PANELS_A_ROW: 860, PANELS_NARROW: 250}  # of a row of panels, without its labels on the left
GAPS = {PANELS_A_ROW: 0.1, PANELS_NARROW: 0.17}  # share of a panel's room that stands empty beside it
TICK, TITLE, UPRIGHT = 6.7, 7.3, 6.2  # pixels of a letter
PANEL, LINE = 98, 14  # pixels: the height of a panel on paper, and of a line of names that stand in it
LEAST = 0.1  # per cent; anything closer to the optimum is drawn here, since a log axis has no 0


def values_figure(problem: ProblemStudy) -> Figure | None:
    """One panel a parameter: the best loss at each value, above the optimum in per cent; None where nothing varies."""
    panels: dict[str, tuple[list[Any], Floats]] = {}
    for column, kept in problem.digest.by_value.items():
        found = best_by_value(kept)
        if found is not None and len(panels) < MOST_PANELS:
            panels[column] = found[0], np.where(np.isfinite(found[1]), 100.0 * problem.distance(found[1]), np.inf)
    if not panels:
        return None
    highest = max(float(best[np.isfinite(best)].max(initial=LEAST)) for _, best in panels.values())
    traces = [_trace(problem, i, column, *found) for i, (column, found) in enumerate(panels.items())]
    names = {column: _names(problem, column, values) for column, (values, _) in panels.items()}
    upright = {column: best for column, (values, best) in panels.items() if isinstance(values[0], str)}
    wide, narrow = (_layout(problem, names, upright, highest, most) for most in (PANELS_A_ROW, PANELS_NARROW))
    return {"data": traces, "layout": wide, "narrow": narrow}


def best_by_value(kept: BestByValue) -> tuple[list[Any], Floats] | None:
    """Return a column's values in order and the least loss at each, inf where nothing is feasible.

    Numbers of more than 64 values go into 24 bins, each called by its middle. None for a single value, or for more
    than 64 names.
    """
    values = sorted(kept.least)
    least = np.array([kept.least[value] for value in values], np.float64)
    names = bool(values) and isinstance(values[0], str)
    if len(values) < 2 or (names and len(values) > MOST_VALUES):
        return None
    if len(values) <= MOST_VALUES:
        return values, least
    numbers = np.array(values, np.float64)
    scaled = np.log(numbers) if kept.logarithm else numbers
    edges = np.linspace(scaled[0], scaled[-1], BINS + 1)
    best = np.full(BINS, np.inf)
    np.minimum.at(best, np.clip(np.searchsorted(edges, scaled, side="right") - 1, 0, BINS - 1), least)
    middles = (edges[:-1] + edges[1:]) / 2.0
    return [float(f"{middle:.2g}") for middle in (np.exp(middles) if kept.logarithm else middles)], best


def _trace(problem: ProblemStudy, i: int, column: str, values: list[Any], best: Floats) -> dict[str, Any]:
    names = _names(problem, column, values)
    mode = "markers" if isinstance(values[0], str) else "lines+markers" if len(names) <= MOST_MARKERS else "lines"
    # On plain places: values stand apart evenly, and two that are written alike stay two.
    return {
        "type": "scatter", "mode": mode, "name": plain_text(column), "showlegend": False,
        "x": list(range(len(names))), "y": rounded(np.where(np.isfinite(best), np.maximum(best, LEAST), np.nan)),
        "text": [plain_text(name) for name in names], "customdata": rounded(best),
        "xaxis": f"x{_suffix(i)}", "yaxis": f"y{_suffix(i)}",
        "line": {"color": "@accent", "width": 1.8}, "marker": {"color": "@accent", "size": 6},
        "hovertemplate": f"{plain_text(column)} = %{{text}}: %{{customdata:.3g}} %<extra></extra>",
    }  # fmt: skip


def _names(problem: ProblemStudy, column: str, values: list[Any]) -> list[str]:
    unit = parameter_unit(problem, column)
    return [value if isinstance(value, str) else figure_only(value, unit) for value in values]


def _suffix(i: int) -> str:
    return "" if i == 0 else str(i + 1)


def _layout(
    problem: ProblemStudy, names: dict[str, list[str]], upright: dict[str, Floats], highest: float, most: int
) -> dict[str, Any]:
    """Return a grid of panels. names: what stands at each place of each column's panel; most: panels a row.

    upright: the points of columns whose names may stand in the panel where they have no room below it.
    """
    decades = [10.0**d for d in range(-1, max(1, math.ceil(math.log10(highest))) + 1)]
    ticks = {"tickvals": decades, "ticktext": ["≤ 0.1 %", *(f"{d:,.0f} %" for d in decades[1:])]}
    limits = [math.log10(LEAST) - 0.2, math.log10(max(highest, 10.0)) + 0.15]
    across, rows = min(most, len(names)), math.ceil(len(names) / most)
    gap = GAPS[most] / most / 2
    pixels = PIXELS[most] / most
    axes: dict[str, Any] = {}
    notes: list[dict[str, Any]] = []
    for i, (column, values) in enumerate(names.items()):
        left, bottom = (i % across) / across, 1.0 - (i // across + 1) / rows
        inside, beside = pixels * (1 - GAPS[most]), pixels * GAPS[most]
        labels = _labels(values, inside, beside) | {"range": [-0.4, len(values) - 0.6], "tickangle": 0}
        if column in upright and len(labels["tickvals"]) < len(values):
            notes += _upright(values, upright[column], limits, inside / len(values), _suffix(i))
            labels |= {"ticktext": [""] * len(labels["tickvals"])}
        labels |= {"tickfont": {"size": 11.5}}
        wide, high = [left + gap, left + 1.0 / across - gap], [bottom + 0.3 / rows, bottom + 1.0 / rows - 0.02]
        unit = apart(parameter_unit(problem, column)) if most > PANELS_NARROW else ""
        x = axis("", anchor=f"y{_suffix(i)}", domain=wide, automargin=False, **labels)
        x["title"] |= {"text": _title(column, unit, int(pixels / TITLE) - 1), "font": {"size": 12.5}}
        y = axis("", type="log", anchor=f"x{_suffix(i)}", domain=high, range=limits, **ticks)
        axes |= {f"xaxis{_suffix(i)}": x, f"yaxis{_suffix(i)}": y | {"showticklabels": i % across == 0}}
    margin = {"l": 70, "r": 10, "t": 4, "b": 6}
    shape = layout(axes["xaxis"], axes["yaxis"], hovermode="closest", height=40 + 190 * rows, margin=margin)
    return shape | axes | {"annotations": notes}


def _upright(names: list[str], best: Floats, limits: list[float], a_place: float, suffix: str) -> list[dict[str, Any]]:
    """Return names that have no room side by side as annotations that stand in the panel, above or below the points.

    best: the points, in per cent. limits: of the panel, log10 of per cent. a_place: pixels from one name to the next.
    """
    step = max(1, math.ceil(LINE / a_place))
    notes = []
    for place in range(0, len(names), step):
        at = math.log10(max(float(best[place]), LEAST)) if math.isfinite(best[place]) else limits[0]
        height = (at - limits[0]) / (limits[1] - limits[0])
        above = height < 0.5
        letters = int((PANEL * max(height, 1 - height) - 12) / UPRIGHT)
        notes.append({
            "text": plain_text(shortened(names[place], letters)), "textangle": -90, "showarrow": False, "x": place,
            "y": 1.0 if above else 0.0, "xref": f"x{suffix}", "yref": f"y{suffix} domain",
            "yanchor": "top" if above else "bottom", "font": {"size": 10.5, "color": "@muted"},
        })  # fmt: skip
    return notes


def _title(column: str, unit: str, letters: int) -> str:
    """Return a panel's title, its unit on a second line where both together have no room."""
    whole = with_unit(column, unit)
    lines = [whole] if len(whole) <= letters else [column, f"({unit})"] if unit else [column]
    return "<br>".join(plain_text(shortened(line, letters)) for line in lines)


def _labels(names: list[str], inside: float, beside: float) -> dict[str, Any]:
    """Return which of the values to write below a panel: evenly spread from the first, as many as have room.

    inside, beside: pixels of the panel, and to the next one.
    """
    short = [shortened(name, 12) for name in names]
    a_place, widest = inside / len(names), TICK * max(len(name) for name in short)
    step = max(1, math.ceil((widest + 8) / a_place))
    places = list(range(0, len(names), step))
    # Half of the last name may hang over the end of its panel, and half of the next panel's first one towards it.
    if len(places) > 1 and (len(short[places[-1]]) * TICK / 2 - (len(names) - places[-1] - 0.6) * a_place) > beside / 2:
        places.pop()
    return {"tickvals": places, "ticktext": [plain_text(short[place]) for place in places]}
