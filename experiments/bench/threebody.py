"""`designgym bench threebody`: learned time steps of three bodies beside fixed ones, and beside plans in hindsight."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from designgym.experiments.bench.threebody_study import (
    FIRST_UNSEEN,
    REQUIRED,
    Claim,
    Say,
    Study,
    claims,
    curves,
    hindsights,
    ninth,
    policies_of_package,
)
from designgym.experiments.weights.three_body_policies import ETAS, FIRST_TRAINING, TRAINING

DEFAULT = {"states": 2000, "hindsight": 100, "training": TRAINING, "curve_states": 300}
QUICK = {"states": 200, "hindsight": 5, "training": 200, "curve_states": 40}
PAGE = "threebody.html"


def run(states: int | None, hindsight: int | None, out: Path | None, quick: bool, silent: bool, as_json: bool) -> None:
    """Judge, print, and write DIR/threebody.html and DIR/figures.parquet."""
    from designgym.experiments.bench.ode import write_figures
    from designgym.experiments.bench.threebody_page import print_study, write_study
    from designgym.experiments.cli.console import print_json
    from designgym.experiments.index import command_line

    settings = dict(QUICK if quick else DEFAULT)
    for what, value in (("states", states), ("hindsight", hindsight)):
        if value is not None and value < 2:
            raise ValueError(f"{what} must be at least 2, got {value}. Raise it.")
        settings[what] = value or settings[what]
    settings["hindsight"] = min(settings["hindsight"], settings["states"])
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="designgym-threebody-"))
    out.mkdir(parents=True, exist_ok=True)
    study = studied(**settings, say=lambda line: None if silent else print(line, file=sys.stderr, flush=True))
    rows = figures(study)
    write_figures(rows, out / "figures.parquet")
    write_study(study, out / PAGE, command_line())
    if as_json:
        print_json({"page": str(out / PAGE), "figures": str(out / "figures.parquet"), "rows": rows})
    else:
        print_study(study, out / PAGE, out / "figures.parquet")


def studied(states: int, hindsight: int, training: int, curve_states: int, say: Say) -> Study:
    """Choose the single etas, judge all arms. states: unseen ones; hindsight, curve_states: how many of these."""
    begun = time.perf_counter()
    policies = policies_of_package()
    made = claims(training, states, policies, say)
    told = {
        "single etas": f"{len(ETAS)} from {ETAS[0]:g} to {ETAS[-1]:g}, chosen on {training:,} training states, seeds "
        f"from {FIRST_TRAINING:,} on",
        "unseen states": f"{states:,}, seeds from {FIRST_UNSEEN:,} on",
        "in hindsight": f"the first {hindsight} of them",
        "curves of fixed steps": f"the first {min(curve_states, states)} of them",
    }
    return Study(
        made, hindsights(made, hindsight, say), curves(min(curve_states, states), say), policies, told,
        time.perf_counter() - begun,
    )  # fmt: skip


def figures(study: Study) -> list[dict[str, Any]]:
    """Return every figure as a row."""
    rows: list[dict[str, Any]] = []
    for claim in study.claims:
        rows += _claim_rows(claim)
    for told in study.hindsights:
        count, spent = told.where_all_keep()
        for one, mean in zip(told.arms, spent, strict=True):
            own = {"bound": told.claim.bound, "arm": one.name, "kept": one.kept(told.claim.bound)}
            rows.append({
                "figure": "hindsight", **own, "states": len(one.error), "evaluations": float(one.evaluations.mean()),
                "error_q90": ninth(one.error),
            })  # fmt: skip
            rows.append({
                "figure": "hindsight_where_all_keep", **own, "states": count,
                "evaluations": None if np.isnan(mean) else mean,
            })  # fmt: skip
    for name, points in study.curves.items():
        for point in points:
            rows.append({
                "figure": "curve", "arm": f"{name}: {point.setting}", "evaluations": point.evaluations,
                "error_q90": point.error,
            })  # fmt: skip
    keys = dict.fromkeys(key for row in rows for key in row)
    return [dict.fromkeys(keys) | row for row in rows]


def _claim_rows(claim: Claim) -> list[dict[str, Any]]:
    difference, (both, learned, single) = claim.difference, claim.where_both_keep()
    rows: list[dict[str, Any]] = [
        {
            "figure": "unseen", "bound": claim.bound, "arm": one.name, "states": len(one.error),
            "evaluations": float(one.evaluations.mean()), "kept": one.kept(claim.bound), "error_q90": ninth(one.error),
        }
        for one in (claim.single, claim.learned)
    ]  # fmt: skip
    rows.append({
        "figure": "learned_less_single", "bound": claim.bound, "arm": "learned", "states": len(claim.learned.error),
        "evaluations": difference.middle, "low": difference.low, "high": difference.high,
        "lower_share": claim.lower_share, "holds": claim.holds, "required": claim.bound in REQUIRED,
    })  # fmt: skip
    rows += [
        {"figure": "where_both_keep", "bound": claim.bound, "arm": name, "states": both, "evaluations": spent}
        for name, spent in (("learned", learned), (claim.single.name, single))
    ]
    return rows
