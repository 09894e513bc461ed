"""The figures of a lottery's page: best-of-k by settings, by designs spent and by budget, and settings' spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.lottery.best_of import Floats
from designgym.experiments.lottery.intervals import Bounds, mean_of
from designgym.experiments.lottery.results import OVERALL, Study
from designgym.experiments.report.drawing import (
    Figure,
    axis,
    designs_axis,
    layout,
    log_ticks,
    plain_text,
    rounded,
    with_legend,
)
from designgym.experiments.report.palette import DASHES, SLOTS
from designgym.experiments.report.text import short_label

LEAST = 1e-4  # regrets below are drawn as 0


def by_k_figure(study: Study, scope: str) -> Figure:
    """Return expected regret against k, all drawn; a ring at k = 1 marks the default."""
    curves = _curves(study, scope)
    k = np.arange(1.0, study.lottery.spec.settings + 1)
    ticks = [float(one) for one in study.ks]
    x = axis("settings k (log scale)", type="log", tickvals=ticks, ticktext=[f"{one:g}" for one in ticks])
    return _figure(study, [(k, *curve) for curve in curves], x, _untuned(study, scope, [1.0] * len(curves)))


def by_spent_figure(study: Study, scope: str) -> Figure:
    """Return expected regret against all designs spent: those of tuning, and of the run that is then made."""
    curves, spent = _curves(study, scope), []
    for e in range(len(study.entrants)):
        found = [row[e].curves["drawn", "here"].spent for row in _rows(study, scope)]
        spent.append(np.mean(found, axis=0))
    x = designs_axis(int(max(one[-1] for one in spent))) | {"dtick": "D2"}
    x["title"] |= {"text": "all designs spent (log scale)"}
    lines = [(at, *curve) for at, curve in zip(spent, curves, strict=True)]
    return _figure(study, lines, x, _untuned(study, scope, [float(one[0]) for one in spent]))


def trend_figure(study: Study, scope: str) -> Figure:
    """Return the best of `top` drawn settings against the designs of a run."""
    budgets = np.array(study.arenas[0].budgets, np.float64)
    lines = []
    for e in range(len(study.entrants)):
        values = [mean_of([row[e].trend[b] for row in _rows(study, scope)]) for b in range(len(budgets))]
        ends = [value.interval() for value in values]
        middle = np.array([float(value.low + value.high) / 2.0 for value in values])
        low, high = (np.array([float(end[i]) for end in ends]) for i in (0, 1))
        lines.append((budgets, middle, low, high, np.ones(len(budgets), bool)))
    ticks = budgets.tolist()
    x = axis("designs a run (log scale)", type="log", tickvals=ticks, ticktext=[f"{one:,.0f}" for one in ticks])
    return _figure(study, lines, x, [], wide=True)


def spread_figure(study: Study, p: int) -> Figure:
    """Return every setting's mean regret on one problem: a box and a point each, a diamond for the default."""
    traces: list[dict[str, Any]] = []
    values = np.concatenate([result.spread.means for result in study.results[p]])
    y, least = _regret_axis(values)
    for e, result in enumerate(study.results[p]):
        label, colour = plain_text(short_label(result.entrant.label)), f"@agent-{e % SLOTS}"
        means = np.maximum(result.spread.means, least)
        drawn = result.entrant.drawn
        names = [f"#{result.entrant.settings[i].number}" for i in drawn]
        if result.entrant.tunable:
            traces.append({
                "type": "box", "name": label, "x": [label] * len(drawn), "y": rounded(means[drawn]), "text": names,
                "boxpoints": "all", "jitter": 0.5, "pointpos": 0, "line": {"color": colour, "width": 1.4},
                "marker": {"color": f"{colour}/0.6", "size": 5}, "fillcolor": f"{colour}/0.12", "showlegend": False,
                "hoveron": "points", "hovertemplate": "%{text}: %{y:.3g}<extra></extra>",
            })  # fmt: skip
        traces.append({
            "type": "scatter", "mode": "markers", "name": "default setting", "x": [label], "y": rounded(means[:1]),
            "marker": {"symbol": "diamond", "size": 11, "color": "@ink", "line": {"color": "@paper", "width": 1.5}},
            "showlegend": e == 0, "hovertemplate": "default: %{y:.3g}<extra></extra>",
        })  # fmt: skip
    made = layout(axis("", type="category"), y, hovermode="closest")
    return {"data": traces, "layout": made}


# -- what they share --------------------------------------------------------------------------------------------------

Line = tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]]  # x, middle, low, high, where the band is dependable


def _rows(study: Study, scope: str) -> list[Any]:
    labels = [arena.label for arena in study.arenas]
    return list(study.results) if scope == OVERALL and len(labels) > 1 else [study.results[labels.index(scope)]]


def _curves(study: Study, scope: str) -> list[tuple[Floats, Floats, Floats, NDArray[np.bool_]]]:
    found = []
    for e in range(len(study.entrants)):
        curves = [row[e].curves["drawn", "here"] for row in _rows(study, scope)]
        value: Bounds = mean_of([curve.value for curve in curves])
        low, high = value.interval()
        found.append(((value.low + value.high) / 2.0, low, high, curves[0].dependable))
    return found


def _untuned(study: Study, scope: str, at: list[float]) -> list[tuple[float, float]]:
    """Return where the default settings lie, (x, y) by entrant; none for an agent without settings."""
    answer = study.answers_on(scope, "default")[0]
    middle = [float(value.low + value.high) / 2.0 for value in answer.values]
    return [(x, y) if e.tunable else (np.nan, np.nan) for x, y, e in zip(at, middle, study.entrants, strict=True)]


def _figure(
    study: Study, lines: list[Line], x: dict[str, Any], rings: list[tuple[float, float]], wide: bool = False
) -> Figure:
    drawn = np.concatenate([np.concatenate([middle, high[sure]]) for _, middle, _, high, sure in lines])
    y, least = _regret_axis(np.concatenate([drawn, [ring[1] for ring in rings if not math.isnan(ring[1])]]))
    traces: list[dict[str, Any]] = []
    for e, (at, middle, low, high, sure) in enumerate(lines):
        label, colour = plain_text(short_label(study.entrants[e].label)), f"@agent-{e % SLOTS}"
        if sure.sum() > 1:
            around = np.concatenate([at[sure], at[sure][::-1]])
            band = np.maximum(np.concatenate([high[sure], low[sure][::-1]]), least)
            traces.append({
                "type": "scatter", "mode": "lines", "x": rounded(around), "y": rounded(band), "fill": "toself",
                "fillcolor": f"{colour}/0.14", "line": {"width": 0, "color": f"{colour}/0"}, "hoverinfo": "skip",
                "showlegend": False, "legendgroup": label,
            })  # fmt: skip
        told = [[f"{m:.3g}", f"[{max(0.0, lo):.3g}, {h:.3g}]" if s else ""] for m, lo, h, s in
                zip(middle, low, high, sure, strict=True)]  # fmt: skip
        hover = f"%{{customdata[0]}} %{{customdata[1]}}<extra>{label}</extra>"
        for part, width, shown in ((sure, 2.2, True), (~sure | _last(sure), 1.1, False)):
            if part.sum() > (0 if shown else 1):
                stroke = {"color": colour, "width": width, "dash": DASHES[e % SLOTS]}
                mode = "lines+markers" if part.sum() < 12 and shown else "lines"
                traces.append({
                    "type": "scatter", "mode": mode, "name": label, "legendgroup": label, "showlegend": shown,
                    "x": rounded(at[part]), "y": rounded(np.maximum(middle[part], least)), "line": stroke,
                    "marker": {"size": 5}, "customdata": [one for one, p in zip(told, part, strict=True) if p],
                    "hovertemplate": hover,
                })  # fmt: skip
    for e, (ring_x, ring_y) in enumerate(rings):
        if not math.isnan(ring_y):
            mark = {"symbol": "diamond-open", "size": 11, "color": f"@agent-{e % SLOTS}", "line": {"width": 2}}
            label = plain_text(short_label(study.entrants[e].label))
            traces.append({
                "type": "scatter", "mode": "markers", "x": [ring_x], "y": rounded([max(ring_y, least)]),
                "marker": mark, "showlegend": False, "legendgroup": label,
                "hovertemplate": f"default: {ring_y:.3g}<extra>{label}</extra>",
            })  # fmt: skip
    return with_legend({"data": traces, "layout": layout(x, y)}, wide)


def _last(sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the last dependable place, from which the thin rest goes on."""
    last = np.zeros(len(sure), bool)
    if sure.any():
        last[np.flatnonzero(sure)[-1]] = True
    return last


def _regret_axis(values: Floats) -> tuple[dict[str, Any], float]:
    """Return a log axis of regret and where 0 is drawn on it."""
    positive = values[(values > LEAST) & np.isfinite(values)]
    low, high = (math.log10(positive.min()), math.log10(positive.max())) if len(positive) else (-1.0, 0.0)
    ticks, texts = log_ticks(low, high)
    if (values <= LEAST).any():
        low = math.floor(low) - 1.0
        ticks, texts = [10.0**low, *[t for t in ticks if t > 10.0**low]], ["0", *texts[-len(ticks) :]]
    y = axis("regret (log scale)", type="log", range=[low - 0.1, high + 0.1], tickvals=ticks, ticktext=texts)
    return y, 10.0**low if (values <= LEAST).any() else LEAST
