"""All figures of a lottery as one Arrow table, a row a figure, so that a script needs no page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.experiments.lottery.results import Result, Study
from designgym.experiments.plain import plain

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {
    "what": "string", "problem": "string", "agent": "string", "other": "string", "setting": "int64", "seed": "int64",
    "hyperparameters": "string", "policy": "string", "picked": "string", "k": "int64", "budget": "int64",
    "tuning_designs": "double", "spent_designs": "double", "low": "double", "high": "double", "interval_low": "double",
    "interval_high": "double", "verdict": "string",
}  # fmt: skip
WHAT = """What the rows hold. low and high are one figure, and differ only where runs are unfinished.
run: final regret of a run. setting: its mean over seeds. share_1, share_5: of settings within 1, 5 % of the optimum.
best_of_k: expected regret of the best of k settings. best_of_k_at: the same at smaller budgets. answer: verdict is
"best" or "tie" for whom to use at k. pair: the first agent's regret less the second's, with its verdict."""


def figures(study: Study) -> pa.Table:
    """Return all figures; columns that do not belong to a figure are null."""
    import pyarrow as pa

    rows = list(_rows(study))
    types = {name: getattr(pa, kind.replace("double", "float64"))() for name, kind in COLUMNS.items()}
    columns = {name: pa.array([row.get(name) for row in rows], types[name]) for name in COLUMNS}
    described = {"designgym.figures": WHAT, "designgym.lottery": study.lottery.text}
    return pa.table(columns).replace_schema_metadata(described)


def write_figures(study: Study, path: Path) -> Path:
    """Write `figures` as Parquet, whole or not at all."""
    import pyarrow.parquet as pq

    scratch = path.with_name(path.name + ".tmp")
    pq.write_table(figures(study), scratch)
    scratch.replace(path)
    return path


def _rows(study: Study) -> Iterator[dict[str, Any]]:
    for arena, results in zip(study.arenas, study.results, strict=True):
        for result in results:
            head = {"problem": arena.label, "agent": result.entrant.label}
            yield from (head | row for row in _of_settings(study, result))
            yield from (head | row for row in _of_curves(study, result))
    yield from _of_answers(study)


def _of_settings(study: Study, result: Result) -> Iterator[dict[str, Any]]:
    outcomes, budget = result.outcomes, study.lottery.spec.budget
    for i, setting in enumerate(result.entrant.settings):
        tried = json.dumps(plain(setting.hyperparameters), sort_keys=True)
        head: dict[str, Any] = {"setting": setting.number, "budget": budget, "hyperparameters": tried}
        low, high = outcomes.low[i, :, -1], outcomes.high[i, :, -1]
        yield head | {"what": "setting", "low": float(low.mean()), "high": float(high.mean())}
        for j, seed in enumerate(study.lottery.spec.seeds):
            spent = float(outcomes.designs[i, j])
            yield head | {
                "what": "run", "seed": seed, "low": float(low[j]), "high": float(high[j]), "spent_designs": spent,
            }  # fmt: skip
    for tolerance, share in result.shares.items():
        ends = {"interval_low": share.interval[0], "interval_high": share.interval[1]}
        yield {
            "what": f"share_{100 * tolerance:g}", "low": share.least / share.of, "high": share.most / share.of, **ends,
        }  # fmt: skip


def _of_curves(study: Study, result: Result) -> Iterator[dict[str, Any]]:
    for (policy, picked), curve in result.curves.items():
        low, high = curve.value.interval()
        for i in range(len(low)):
            row = {
                "what": "best_of_k", "policy": policy, "picked": picked, "k": i + 1,
                "budget": study.lottery.spec.budget, "tuning_designs": float(curve.tuning[i]),
                "spent_designs": float(curve.spent[i]), "low": float(curve.value.low[i]),
                "high": float(curve.value.high[i]),
            }  # fmt: skip
            if curve.dependable[i]:
                row |= {"interval_low": max(0.0, float(low[i])), "interval_high": float(high[i])}
            yield row
    for budget, value in zip(study.arenas[0].budgets, result.trend, strict=True):
        low, high = value.interval()
        yield {
            "what": "best_of_k_at", "policy": "drawn", "picked": "here", "k": study.top, "budget": budget,
            "low": float(value.low), "high": float(value.high), "interval_low": max(0.0, float(low)),
            "interval_high": float(high),
        }  # fmt: skip


def _of_answers(study: Study) -> Iterator[dict[str, Any]]:
    labels = [entrant.label for entrant in study.entrants]
    for answer in study.answers:
        for e in np.flatnonzero(answer.ties).tolist():
            value = answer.values[e]
            low, high = value.interval()
            ends = {"interval_low": max(0.0, float(low)), "interval_high": float(high)} if answer.dependable else {}
            yield {
                "what": "answer", "problem": answer.scope, "agent": labels[e], "policy": answer.policy, "k": answer.k,
                "picked": "here", "verdict": "best" if e == answer.best else "tie", "low": float(value.low),
                "high": float(value.high), "tuning_designs": answer.tuning[e], "budget": study.lottery.spec.budget,
                **ends,
            }  # fmt: skip
    for pair in study.pairs:
        low, high = pair.difference.interval()
        yield {
            "what": "pair", "problem": pair.scope, "agent": labels[pair.first], "other": labels[pair.second],
            "k": study.top, "policy": "drawn", "picked": "here", "budget": pair.budget,
            "low": float(pair.difference.low), "high": float(pair.difference.high), "interval_low": float(low),
            "interval_high": float(high), "verdict": pair.verdict,
        }  # fmt: skip
