"""MixedPrecision-v0: accuracy learned from a twentieth of the space, beside the grain that it is measured in."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from designgym.cost_models.learned.mixing import relative_rmse
from designgym.cost_models.learned.regression import fit_metrics
from designgym.cost_models.quantization.mixed_precision import MixedPrecision
from designgym.envs import make_problem
from designgym.experiments.bench.core import Row
from designgym.experiments.bench.surrogate_prices import CALLS, prices

ID, METRIC = "MixedPrecision-v0", "accuracy"
SHARES, QUICK = (0.005, 0.01, 0.02, 0.05), (0.002, 0.005)  # of the space, to learn from
TEST, TEST_QUICK = 20_000, 2_000
MODEL = "ensemble"


def parts(quick: bool) -> dict[str, Any]:
    """Return what is measured, by the name of its file; each a function of one that prints progress."""
    shares, test = (QUICK, TEST_QUICK) if quick else (SHARES, TEST)
    return {f"accuracy-{1000 * share:g}": partial(_fitted, share, test, share == shares[-1]) for share in shares}


def _fitted(share: float, test: int, timed: bool, say: Any) -> dict[str, Any]:
    problem = make_problem(ID)
    true, space = problem.cost_model, problem.space
    assert isinstance(true, MixedPrecision)
    size = int(share * space.size)
    ranks = np.random.default_rng(0).permutation(int(space.size))[: size + test]
    train, others = space.unrank(ranks[:size]), space.unrank(ranks[size:])
    values, truth = true.evaluate(train)[METRIC], true.evaluate(others)[METRIC]
    begun = time.perf_counter()
    fitted = fit_metrics(space.specs(), train, {METRIC: values}, model=MODEL, progress=say)
    seconds = time.perf_counter() - begun
    predicted = fitted.predict(others)[METRIC]
    off = predicted - truth
    found: dict[str, Any] = {
        "share": share, "size": size, "tested": test, "seconds": seconds, "left_out": fitted.errors,
        "members": {member.key: dict(zip(member.metrics, member.weights, strict=True)) for member in fitted.members},
        "error": relative_rmse(predicted, truth), "rmse": float(np.sqrt(np.mean(off**2))),
        "mean_alone": float(np.std(truth)), "grain": _grain(truth), "best": float(truth.max()),
    }  # fmt: skip
    say(f"RMSE {found['rmse']:.4f}, {found['error']:.3g} %")
    if timed:
        drawn = space.sample(CALLS[-1], np.random.default_rng(2))
        found["price_s"] = prices(fitted.predict, drawn, CALLS)
        found["true_price_s"] = prices(true.evaluate, drawn, CALLS)
    return found


def _grain(truth: Any) -> float:
    """Return the smallest difference between two accuracies: one example of those that they are measured on."""
    return float(np.diff(np.unique(truth.round(9))).min())


def rows(found: dict[str, dict[str, Any]]) -> list[Row]:
    """Return the table: the error beside the metric's grain, by the share of the space, and prices."""
    made: list[Row] = []
    for part in found.values():
        what = f"{ID}, {100 * part['share']:g} % of the space, {part['size']:,} designs"
        made += [
            (f"{what}: {METRIC}, RMSE", part["rmse"], "1", part["rmse"] / part["grain"],
             f"grain of the metric, {part['grain']:.4f}"),
            (f"{what}: {METRIC}, relative RMSE", part["error"], "%", part["rmse"] / part["mean_alone"],
             f"RMSE of the mean alone, {part['mean_alone']:.4f}"),
            (f"{what}: time to fit", part["seconds"], "s", None, ""),
        ]  # fmt: skip
        made += [
            (f"{ID}: a design at {int(size):,} a call", 1e6 * price, "us", price / part["true_price_s"][size],
             f"the true model, {1e6 * part['true_price_s'][size]:.3g} us")
            for size, price in part.get("price_s", {}).items()
        ]  # fmt: skip
    return made


def notes(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return what the table leaves out."""
    tested = max(part["tested"] for part in found.values())
    return [f"{ID}: judged on {tested:,} further designs; its mixtures are picked inside the training designs"]
