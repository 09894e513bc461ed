"""The figures of a comparison of diffusion samplers, as the page's frame takes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from designgym.cost_models.pictures import Picture
from designgym.cost_models.solver_schedule.paths import path_of
from designgym.cost_models.solver_schedule.pictures import Samplers, samples_picture, times_picture
from designgym.cost_models.solver_schedule.sampler import reference
from designgym.experiments.bench.diffusion import (
    FURTHER,
    GAIN,
    PATH,
    PLAIN,
    POINTS,
    STOCK,
    TUNED,
    Cell,
    Outcome,
    Scored,
)
from designgym.experiments.report.drawing import Figure, axis, layout, log_ticks, plain_text, rounded, with_legend
from designgym.experiments.report.palette import dash_of, symbol_of

GREYS = {STOCK: ("@muted", "dot", "square-open"), TUNED: ("@ink", "dash", "diamond-open")}


def style_of(outcome: Outcome, arm: str) -> tuple[str, str, str]:
    """Return a method's colour, dash and symbol."""
    if arm in GREYS:
        return GREYS[arm]
    place = outcome.agents.index(arm)
    return f"@agent-{place % 8}", dash_of(place), symbol_of(place)


def gains_figure(outcome: Outcome, study: str, model: str) -> Figure:
    """Return by what factor each agent's RMS is below the tuned grid's: the lower of the further sets' gains."""
    cells = [cell for cell in outcome.cells if cell.model == model]
    x = [f"{cell.evaluations}" for cell in cells]
    traces, lowest, highest = [], 0.9, 1.2
    for arm in outcome.agents:
        colour, dash, symbol = style_of(outcome, arm)
        gains = np.array([outcome.gain(cell, study, arm) for cell in cells])
        low, high = gains.min(axis=1), gains.max(axis=1)
        if np.isfinite(low).any():
            lowest, highest = min(lowest, float(np.nanmin(low))), max(highest, float(np.nanmax(high)))
        spread = {"type": "data", "symmetric": False, "array": rounded(high - low), "arrayminus": [0.0] * len(x),
                  "thickness": 1.2, "width": 3, "color": colour}  # fmt: skip
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": plain_text(arm), "x": x, "y": rounded(low),
            "error_y": spread, "line": {"color": colour, "width": 1.6, "dash": dash},
            "marker": {"color": colour, "symbol": symbol, "size": 8},
            "hovertemplate": f"%{{x}} evaluations: %{{y:.2f}} times<extra>{plain_text(arm)}</extra>",
        })  # fmt: skip
    y = axis("gain on the tuned grid", tickformat=".1f", range=rounded([lowest - 0.05, highest + 0.1]))
    shape = layout(axis("evaluations", type="category"), y, hovermode="closest")
    shape["shapes"] = [_level(1.0, "solid"), _level(GAIN, "dash")]
    return with_legend({"data": traces, "layout": shape})


def _level(at: float, dash: str) -> dict[str, Any]:
    line = {"color": "@muted", "width": 1, "dash": dash}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y", "y0": at, "y1": at, "line": line}


def work_figure(outcome: Outcome, study: str, model: str) -> Figure:
    """Return RMS over the first further set by evaluations: stock, tuned, and each agent's geometric mean of runs."""
    cells = [cell for cell in outcome.cells if cell.model == model]
    traces, values = [], []
    for arm in (STOCK, TUNED, *outcome.agents):
        found = [outcome.of(cell, study, arm) for cell in cells]
        y = [math.exp(np.mean([math.log(one.further[0].rms) for one in own])) if own else math.nan for own in found]
        values += [value for value in y if math.isfinite(value)]
        colour, dash, symbol = style_of(outcome, arm)
        traces.append({
            "type": "scatter", "mode": "lines+markers", "name": plain_text(arm), "y": rounded(y),
            "x": [cell.evaluations for cell in cells], "line": {"color": colour, "width": 1.6, "dash": dash},
            "marker": {"color": colour, "symbol": symbol, "size": 8},
            "hovertemplate": f"%{{x}} evaluations: %{{y:.4f}}<extra>{plain_text(arm)}</extra>",
        })  # fmt: skip
    low, high = math.log10(min(values)) - 0.05, math.log10(max(values)) + 0.05
    ticks, names = log_ticks(low, high)
    y_axis = axis("RMS (log scale)", type="log", tickvals=ticks, ticktext=names, range=rounded([low, high]))
    x_axis = axis("evaluations", tickvals=[cell.evaluations for cell in cells])
    return with_legend({"data": traces, "layout": layout(x_axis, y_axis, hovermode="closest")})


def best_searched(outcome: Outcome, study: str, cell: Cell) -> Scored | None:
    """Return what has the least RMS on training noise of all that agents found in a cell."""
    found = [one for arm in outcome.agents for one in outcome.of(cell, study, arm)]
    return min(found, key=lambda one: one.training.rms) if found else None


def pictures(outcome: Outcome, cell: Cell) -> tuple[Picture, ...]:
    """Return times and solvers, and samples, of the best stock pair, the tuned grid and the best searched schedule."""
    path = path_of(PATH)
    chosen = {arm: outcome.of(cell, PLAIN, arm)[0] for arm in (STOCK, TUNED)}
    stock = chosen[STOCK]
    named = {f"tuned: {chosen[TUNED].solver} on {chosen[TUNED].grid}": chosen[TUNED].schedule}
    best = best_searched(outcome, PLAIN, cell)
    if best is not None:
        named[best.arm] = best.schedule
    noise = FURTHER[0]
    samplers = Samplers(
        cell.model, path, tuple(named), tuple(named.values()), cell.evaluations, (cell.evaluations,), False,
        lambda evaluations: {f"{stock.solver} on {stock.grid}": stock.schedule},
        lambda count: reference(path, cell.model, POINTS, noise)[:, :count], "the exact path", POINTS, noise,
    )  # fmt: skip
    return times_picture(samplers), samples_picture(samplers)
