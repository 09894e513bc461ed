"""The tables of a surrogate's page, as HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from designgym.cost_models.learned.scoring import Scored
from designgym.cost_models.learned.surrogate import Surrogate
from designgym.experiments.quantities import quantity
from designgym.experiments.report.tables import table
from designgym.experiments.report.text import NBSP, breakable, number, pretty

KEPT = {True: "yes", False: "<b>no</b>", None: "–"}
TIED = "yes<small>more, as errors are equal</small>"


def per_cent(value: float, digits: int = 3) -> str:
    """Return a figure that is in per cent already: 2.8 %."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.{digits}g}{NBSP}%" if value < 1000 else f"{value:,.0f}{NBSP}%"


def share(value: float) -> str:
    """Return a share as per cent with one digit after the point: 90.3 %."""
    return f"{100 * value:.1f}{NBSP}%" if math.isfinite(value) else "–"


def errors_table(scored: Scored) -> str:
    """Return errors, rank correlations and what a search on the model would lose, a row a metric."""
    tops = list(next(iter(scored.metrics.values())).regret)
    head = [
        "metric", "relative RMSE", "RMSE / mean", "RMSE / range", "R²", "Spearman", "Kendall",
        *(f"regret<small>best of {k}</small>" for k in tops),
    ]  # fmt: skip
    rows = []
    for name, one in scored.metrics.items():
        left_out = f"<small> ({one.zeros:,} at 0 left out)</small>" if one.zeros else ""
        rows.append([
            breakable(name), f"<b>{per_cent(one.relative_rmse)}</b>{left_out}", per_cent(one.rmse_over_mean),
            per_cent(one.rmse_over_range), _near_one(one.r2), _near_one(one.spearman), _near_one(one.kendall),
            *(number(one.regret[k], 2) for k in tops),
        ])  # fmt: skip
    return table(head, rows, css="dense")


def intervals_table(surrogate: Surrogate, scored: Scored) -> str:
    """Return coverage of the 90 % intervals, over all and in each fifth by predicted value, and their widths."""
    head = [
        "metric", "coverage", "where it is to lie" if scored.promised else "in training's own kind",
        *(f"fifth {i + 1}<small>{words}</small>" for i, words in enumerate(("lowest", "", "", "", "highest"))),
        "mean width", "of the value", "as promised",
    ]  # fmt: skip
    rows = []
    for metric in surrogate.learned:
        one, (low, high) = scored.metrics[metric.name], scored.bands[metric.name]
        exact = metric.name in scored.exact
        fifths = [share(fifth.coverage) for fifth in one.fifths]
        rows.append([
            breakable(metric.name), f"<b>{share(one.coverage)}</b>", f"{share(low)} to {share(high)}",
            *fifths, *["–"] * (5 - len(fifths)), quantity(one.width, pretty(metric.unit), 3).replace(" ", NBSP),
            per_cent(one.relative_width),
            "exact fit" if exact else TIED if scored.tied(metric.name) else KEPT[scored.kept(metric.name)],
        ])  # fmt: skip
    return table(head, rows, css="dense")


def feasibility_table(scored: Scored) -> str:
    """Return how well it is told which designs can be built."""
    one = scored.feasibility
    assert one is not None
    head = ["designs", "can be built", "precision", "recall", "Brier score", "of always saying the share"]
    cells = [f"{one.n:,}", share(one.share), share(one.precision), share(one.recall)]
    return table(head, [[*cells, number(one.brier), number(one.baseline)]], left=())


def splits_table(scored: Sequence[Scored]) -> str:
    """Return the main figures under each split, side by side, a row a metric and split."""
    head = ["metric", "held out", "learned from", "scored on", "relative RMSE", "Spearman", "coverage", "in domain"]
    rows = []
    for name in scored[0].metrics:
        for i, one in enumerate(scored):
            scores = one.metrics[name]
            rows.append([
                breakable(name) if i == 0 else "", escape(one.meaning), f"{one.trained:,}", f"{one.n:,}",
                f"<b>{per_cent(scores.relative_rmse)}</b>", _near_one(scores.spearman), share(scores.coverage),
                share(one.inside),
            ])  # fmt: skip
    return table(head, rows, left=(0, 1), css="dense prose")


def decided_table(card: Mapping[str, Any]) -> str:
    """Return what was decided by data, a row a metric."""
    rows = []
    for name, one in card["fit"]["decided"].items():
        models = ", ".join(
            escape(model) if weight > 0.999 else f"{escape(model)}{NBSP}{weight:.2f}"
            for model, weight in one["models"].items()
        )
        kind = f"{escape(one['learned_as'])}<small>: {escape(one['because'].partition(': ')[2])}</small>"
        rows.append([breakable(name), kind, models, escape(one["interval"])])
    return table(
        ["metric", "learned as", "models and their weights", "interval as"], rows, left=(0, 1, 2, 3), css="prose"
    )


def domain_table(card: Mapping[str, Any]) -> str:
    """Return the range of every column in training, beside that of the space."""
    parameters = {column: one for one in card["space"]["parameters"] for column in one.get("columns", [one["name"]])}
    rows = []
    for column in card["space"]["columns"]:
        name = column["name"]
        unit = str(parameters.get(name, {}).get("unit") or "")
        if name in card["domain"]["categories"]:
            choices = parameters.get(name, {}).get("choices", [])
            known = card["domain"]["categories"][name]
            seen = ", ".join(escape(str(choices[i])) if i < len(choices) else str(i) for i in known)
            rows.append([breakable(name), seen, f"{column['choices']} choices"])
        elif name in card["domain"]["low"]:
            told = [_range(card["domain"]["low"][name], card["domain"]["high"][name], unit)]
            rows.append([breakable(name), *told, _range(column["low"], column["high"], unit)])
        else:
            rows.append([breakable(name), "by distance alone", f"{column['choices']:,} orders"])
    return table(["column", "in training", "in the space"], rows, left=(0, 1, 2))


def _range(low: float, high: float, unit: str) -> str:
    ends = (quantity(float(end), pretty(unit)).replace(" ", NBSP) for end in (low, high))
    return " to ".join(ends)


def _near_one(value: float) -> str:
    """Return a figure whose distance from 1 matters: 0.9987."""
    return f"{value:.4f}" if math.isfinite(value) else "–"
