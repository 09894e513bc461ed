"""The figures of a surrogate's page: predicted against true values, and the learning curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from designgym.cost_models.base import Metric
from designgym.cost_models.learned.curve import Curve
from designgym.cost_models.learned.scoring import Held
from designgym.experiments.report.drawing import (
    Figure,
    axis,
    layout,
    log_ticks,
    plain_text,
    rounded,
    scaled_unit,
    value_axis,
    with_legend,
    with_unit,
)
from designgym.experiments.report.palette import colour_of, dash_of

POINTS = 1000  # designs drawn
ALONG = 48  # points of a line, which is a curve where one axis alone is logarithmic


def true_figure(metric: Metric, held: Held) -> Figure:
    """Return predicted against true values of designs held out, those outside their 90 % intervals marked."""
    rows = np.random.default_rng(0).permutation(len(held.true))[:POINTS]
    scale, unit = scaled_unit(float(np.median(np.abs(held.true))), metric.unit)
    true, predicted, low, high = (one[rows] / scale for one in (held.true, held.predicted, held.low, held.high))
    inside = (low <= true) & (true <= high)
    both = np.concatenate([true, predicted])
    least, most = float(both.min()), float(both.max())
    along = np.geomspace(least, most, ALONG) if 0 < 5 * least < most else np.linspace(least, most, ALONG)
    traces: list[dict[str, Any]] = [{
        "type": "scatter", "mode": "lines", "name": "no error", "x": rounded(along), "y": rounded(along),
        "line": {"color": "@muted", "width": 1.4, "dash": "dash"}, "hoverinfo": "skip",
    }]  # fmt: skip
    for name, which, colour, symbol in (
        ("inside its interval", inside, "@agent-0/0.55", "circle"),
        ("outside", ~inside, "@agent-1", "diamond-open"),
    ):
        told = f"true %{{x:.4g}}, predicted %{{y:.4g}} {plain_text(unit)}<extra></extra>"
        if which.any():
            traces.append({
                "type": "scatter", "mode": "markers", "name": name, "x": rounded(true[which]),
                "y": rounded(predicted[which]), "marker": {"color": colour, "size": 5, "symbol": symbol},
                "hovertemplate": told,
            })  # fmt: skip
    title = with_unit(metric.name, unit)
    shape = layout(value_axis(f"{title}, true", both), value_axis(f"{title}, predicted", both), hovermode="closest")
    return with_legend({"data": traces, "layout": shape})


def curve_figure(curve: Curve) -> Figure:
    """Return each metric's error on the same designs held out against the number of designs learned from."""
    traces: list[dict[str, Any]] = []
    designs = np.array(curve.designs, np.float64)
    shown = [name for name, errors in curve.errors.items() if _drawable(errors)]
    for slot, name in enumerate(shown):
        colour = f"@{colour_of(slot)}"
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": plain_text(name), "x": rounded(designs),
            "y": rounded(curve.errors[name]), "line": {"color": colour, "width": 2, "dash": dash_of(slot)},
            "marker": {"color": colour, "size": 6},
            "hovertemplate": f"%{{y:.3g}} %<extra>{plain_text(name)}</extra>",
        })  # fmt: skip
    values = np.concatenate([np.array(curve.errors[name], np.float64) for name in shown] or [np.ones(1)])
    low, high = float(np.log10(values.min())) - 0.08, float(np.log10(values.max())) + 0.08
    ticks, names = log_ticks(low, high)
    y = axis("relative RMSE, % (log scale)", type="log", tickvals=ticks, ticktext=names, range=rounded([low, high]))
    x = axis(
        "designs learned from (log scale)", type="log", tickvals=designs.tolist(),
        ticktext=[f"{n:,}" for n in curve.designs],
    )  # fmt: skip
    return with_legend({"data": traces, "layout": layout(x, y)}, wide=True)


def drawable(curve: Curve | None) -> bool:
    """Whether a learning curve has something to draw: two points, and errors above 0."""
    return curve is not None and len(curve.designs) > 1 and any(map(_drawable, curve.errors.values()))


def _drawable(errors: Any) -> bool:
    values = np.array(errors, np.float64)
    return bool(np.isfinite(values).all() and (values > 0).all())
