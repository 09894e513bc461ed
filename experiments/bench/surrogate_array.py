"""SystolicArray-v0 learned from its parameters alone, and from features and residuals on a bound.

From parameters alone: by way of counts, see `surrogate_chain`, and, for comparison, each metric directly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.base import Columns, ColumnSpec
from designgym.cost_models.learned.mixing import relative_rmse
from designgym.cost_models.learned.regression import fit_metrics
from designgym.envs import make_problem
from designgym.experiments.bench.core import Row
from designgym.experiments.bench.surrogate_chain import COUNTS, fit_chain, told
from designgym.experiments.bench.surrogate_prices import CALLS, prices

ID, METRICS = "SystolicArray-v0", ("latency_s", "energy_j")
SIZES, QUICK = (50_000, 25_000, 10_000, 3_000, 1_000), (1_000, 300)  # training designs
TEST, TEST_QUICK = 20_000, 5_000
CHAIN = "chain"
WAYS = {"features": "linear_boosting+boosting", "parameters": CHAIN}  # and what they are learned by
REQUIRED = {("parameters", "latency_s"): 3.0, ("parameters", "energy_j"): 1.5,
            ("features", "latency_s"): 1.0, ("features", "energy_j"): 1.0}  # fmt: skip
STRETCH = 0.61
BASELINES = ("ridge", "linear_boosting+additive")  # of the largest size, each metric directly


def parts(quick: bool) -> dict[str, Any]:
    """Return what is measured, by the name of its file, the largest first; each a function of one that prints."""
    sizes, test = (QUICK, TEST_QUICK) if quick else (SIZES, TEST)
    found = {
        f"array-{way}-{size}": partial(_fitted, way, model, size, test, size == sizes[0])
        for size in sizes for way, model in WAYS.items()
    }  # fmt: skip
    return found | {
        f"array-{way}-{sizes[0]}-{model}": partial(_fitted, way, model, sizes[0], test, False)
        for way in WAYS for model in BASELINES if way == "parameters" or model == BASELINES[0]
    }  # fmt: skip


@cache
def _drawn(size: int, test: int) -> tuple[Columns, Columns]:
    """Return designs to learn from, and others to be judged on, drawn uniformly; no design is in both.

    Of those to learn from every second has rows and columns drawn evenly in their logarithms, since small arrays are
    few among uniform designs and the hardest to predict.
    """
    space, rng = make_problem(ID).space, np.random.default_rng(0)
    train = space.sample(size, rng)
    for name in ("rows", "cols"):
        spec = next(spec for spec in space.specs() if spec.name == name)
        even = np.exp(rng.uniform(np.log(spec.low), np.log(spec.high), size))
        step = (spec.high - spec.low) / (spec.choices - 1)
        near = spec.low + step * np.rint((even - spec.low) / step)
        train[name] = np.where(np.arange(size) % 2 == 0, near.astype(train[name].dtype), train[name])
    drawn = space.sample(test + test // 20, np.random.default_rng(20_261_130))  # models were tried on other designs
    new = np.flatnonzero(~np.isin(space.rank(drawn), space.rank(train)))[:test]
    return train, {name: column[new] for name, column in drawn.items()}


def _fitted(way: str, model: str, size: int, test: int, timed: bool, say: Any) -> dict[str, Any]:
    """Learn both metrics and judge them. timed: with prices a design of the surrogate and of the true model."""
    problem = make_problem(ID)
    true = problem.cost_model
    assert isinstance(true, SystolicArray)
    train, others = _drawn(size, test)
    values, truth = true.evaluate(train), true.evaluate(others)
    begun, busy = time.perf_counter(), time.process_time()
    predict = _learned(way, model, problem.space.specs(), train, values, true, say)
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    predicted = predict(others)
    found: dict[str, Any] = {
        "way": way, "model": model, "size": size, "tested": len(truth["latency_s"]), "seconds": seconds,
        "cpu_seconds": busy, "error": {name: relative_rmse(predicted[name], truth[name]) for name in METRICS},
    }  # fmt: skip
    if model == CHAIN:
        counted = told(true, others, truth)
        parts = (*COUNTS, "onchip_j", "idle_w")
        found["error_of_parts"] = {name: relative_rmse(predicted[name], counted[name]) for name in parts}
    if way == "features":
        bound = true.bounds(others)
        found["bound_alone"] = {name: relative_rmse(bound[name], truth[name]) for name in METRICS}
        found["bound_equal"] = {name: float(np.mean(truth[name] / bound[name] < 1 + 1e-12)) for name in METRICS}
    say(", ".join(f"{name} {error:.3g} %" for name, error in found["error"].items()))
    if timed:
        drawn = problem.space.sample(CALLS[-1], np.random.default_rng(2))
        found["price_s"] = prices(predict, drawn, CALLS)
        found["true_price_s"] = prices(true.evaluate, drawn, CALLS)
    return found


def _learned(
    way: str, model: str, specs: Sequence[ColumnSpec], train: Columns, values: Columns, true: SystolicArray, say: Any
) -> Callable[[Columns], Columns]:  # fmt: skip
    """Return what predicts the metrics of designs. values: the metrics of those learned from."""
    if model == CHAIN:
        return fit_chain(specs, train, told(true, train, values), say).predict

    def beside(designs: Columns) -> dict[str, Any]:
        known = way == "features"
        return {"features": true.features(designs), "bounds": true.bounds(designs)} if known else {}

    wanted = {name: values[name] for name in METRICS}
    fitted = fit_metrics(specs, train, wanted, model=model, progress=say, **beside(train))
    return lambda designs: fitted.predict(designs, **beside(designs))


def rows(found: dict[str, dict[str, Any]]) -> list[Row]:
    """Return the table: errors at the largest size against what is required, the curve, times and prices."""
    made: list[Row] = []
    largest = max(part["size"] for part in found.values())
    for way in WAYS:
        ours = sorted((p for p in found.values() if p["way"] == way), key=lambda p: (-p["size"], p["model"]))
        for part in ours:
            final = part["size"] == largest and part["model"] == WAYS[way]
            label = f"{ID}, {way}, {part['size']:,} designs, {part['model']}"
            for name, error in part["error"].items():
                required = REQUIRED[way, name]
                to = (error / required, f"required, {required:g} %") if final else (None, "")
                made.append((f"{label}: {name}", error, "%", *to))
                if final and "bound_alone" in part:
                    alone = part["bound_alone"][name]
                    made.append((f"{ID}: {name}, bound alone", alone, "%", error / alone, "learned over bound alone"))
            made.append((f"{label}: time to fit", part["seconds"], "s", None, ""))
        made += [row for part in ours if "price_s" in part for row in _price_rows(way, part)]
    return made


def _price_rows(way: str, part: dict[str, Any]) -> list[Row]:
    return [
        (f"{ID}, {way}: a design at {int(size):,} a call", 1e6 * price, "us", price / part["true_price_s"][size],
         f"the true model, {1e6 * part['true_price_s'][size]:.3g} us")
        for size, price in part["price_s"].items()
    ]  # fmt: skip


def notes(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return what the table leaves out."""
    made = [f"{ID}: half of the training designs have rows and cols drawn evenly in logarithms; tests are uniform"]
    for part in found.values():
        if "bound_equal" in part and "price_s" in part:
            shares = ", ".join(f"{name} on {100 * share:.0f} %" for name, share in part["bound_equal"].items())
            made.append(f"the bound equals its metric for {shares} of the designs; stretch: {STRETCH} % each")
        if "error_of_parts" in part and "price_s" in part:
            off = ", ".join(f"{name} {error:.2g} %" for name, error in part["error_of_parts"].items())
            made.append(f"'{CHAIN}': by way of what the cost model tells besides its metrics, learned too: {off}")
            made.append("its energy is added up from on-chip energy, DRAM words, and idle power times latency")
    return made
