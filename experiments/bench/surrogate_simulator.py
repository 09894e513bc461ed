"""SCALE-Sim itself learned, as it runs in its own process: as many evaluations as two cores give in twenty minutes.

A small layer; runs are kept by the two minutes, so that a second call goes on. Learned from the parameters, and from
counts that `SystolicArray` makes without simulating, on its cycles without stalls, which are a bound.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from designgym.cost_models.accelerator.scale_sim import ScaleSim
from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.base import Columns
from designgym.cost_models.learned.mixing import relative_rmse
from designgym.cost_models.learned.regression import fit_metrics
from designgym.cost_models.simulators.installed import NotInstalled
from designgym.envs import make_problem
from designgym.experiments.bench.core import Row
from designgym.experiments.bench.surrogate_prices import CALLS, prices

ID, WORKLOAD, METRIC = "SystolicArray-v0", "conv:out=8,kernel=3,channels=32,filters=32", "latency_s"
PROCESSES, RUNS, RUN_S, QUICK_RUN_S = 2, 10, 120.0, 20.0  # ten runs of two minutes
TESTED = 0.25  # of the designs, never trained on
CURVE = (0.125, 0.25, 0.5, 1.0)  # shares of the rest
MODEL = "ridge+mlp"  # fast at one design a call and at many: hundreds of trees are not, nor is a Gaussian process
REQUIRED = {"1": 200.0, "10000": 20_000.0}  # times cheaper a design, by designs a call


def parts(quick: bool) -> dict[str, Any]:
    """Return the runs of the simulator by the names of their files, none where it is not installed."""
    if not installed():
        return {}
    return {
        f"simulator-{run}": partial(simulated, run, QUICK_RUN_S if quick else RUN_S)
        for run in range(1 if quick else RUNS)
    }


def installed() -> bool:
    """Whether SCALE-Sim can be run here."""
    try:
        ScaleSim(WORKLOAD).check_ready()
    except NotInstalled:
        return False
    return True


def simulated(run: int, seconds: float, say: Any) -> dict[str, Any]:
    """Simulate designs drawn uniformly for so long, on all PROCESSES; those begun are finished."""
    model, space = ScaleSim(WORKLOAD), make_problem(ID).space
    drawn = space.sample(20_000, np.random.default_rng([7, run]))
    begun = time.perf_counter()

    def one(i: int) -> tuple[int, float, float] | None:
        if time.perf_counter() - begun > seconds:
            return None
        started = time.perf_counter()
        found = model.evaluate({name: column[i : i + 1] for name, column in drawn.items()})
        return i, float(found[METRIC][0]), time.perf_counter() - started

    with ThreadPoolExecutor(PROCESSES) as pool:  # threads that wait for a process each
        done = [found for found in pool.map(one, range(len(drawn["rows"]))) if found is not None]
    say(f"{len(done):,} designs")
    rows = np.array([i for i, value, _ in done if np.isfinite(value)], np.int64)
    return {
        "designs": {name: column[rows].tolist() for name, column in drawn.items()},
        METRIC: [value for _, value, _ in done if np.isfinite(value)],
        "took_s": [took for _, _, took in done], "failed": len(done) - len(rows),
        "seconds": time.perf_counter() - begun,
    }  # fmt: skip


def learned(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what is learned from the runs, by the name of its file; nothing where there are none."""
    if not found:
        return {}
    return {f"simulator-learned-{len(found)}": partial(_learned, list(found.values()))}


def _learned(runs: list[dict[str, Any]], say: Any) -> dict[str, Any]:
    names = list(runs[0]["designs"])
    designs = {name: np.concatenate([np.asarray(run["designs"][name]) for run in runs]) for name in names}
    values = np.concatenate([np.asarray(run[METRIC]) for run in runs])
    order = np.random.default_rng(0).permutation(len(values))
    held = int(TESTED * len(values))
    test, rest = order[:held], order[held:]
    closed = SystolicArray(WORKLOAD, psum="scalesim")

    def beside(given: Columns) -> dict[str, Any]:
        compute_s = closed.evaluate(given)["cycles"] / given["clock_hz"]
        return {"features": closed.features(given), "bounds": {METRIC: compute_s}}

    def of(rows: Any) -> Columns:
        return {name: column[rows] for name, column in designs.items()}

    specs, curve, fitted = make_problem(ID).space.specs(), [], None
    for share in CURVE:
        train = rest[: int(share * len(rest))]
        point: dict[str, Any] = {"size": len(train)}
        for way, extra in (("parameters", lambda given: {}), ("features", beside)):
            begun = time.perf_counter()
            fitted = fit_metrics(
                specs, of(train), {METRIC: values[train]}, model=MODEL, progress=say, **extra(of(train))
            )
            predicted = fitted.predict(of(test), **extra(of(test)))[METRIC]
            logs = np.log(predicted / values[test])
            point[way] = {"error": relative_rmse(predicted, values[test]), "seconds": time.perf_counter() - begun,
                          "rms_log": float(np.sqrt(np.mean(logs**2)))}  # fmt: skip
            say(f"{way}, {len(train):,} designs: {point[way]['error']:.3g} %")
        curve.append(point)
    assert fitted is not None
    last = fitted
    drawn = make_problem(ID).space.sample(max(CALLS), np.random.default_rng(2))
    took = np.concatenate([np.asarray(run["took_s"]) for run in runs])
    return {
        "tested": len(test), "curve": curve, "simulated": len(values), "failed": sum(run["failed"] for run in runs),
        "bound_alone": relative_rmse(beside(of(test))["bounds"][METRIC], values[test]),
        "true_price_s": {"1": float(took.mean()), "10000": sum(run["seconds"] for run in runs) / len(took)},
        "price_s": prices(lambda given: last.predict(given, **beside(given)), drawn, CALLS),
        "run_s": sum(run["seconds"] for run in runs),
    }  # fmt: skip


def rows(found: dict[str, dict[str, Any]]) -> list[Row]:
    """Return the table: the learning curve, and how much cheaper a design is."""
    made: list[Row] = []
    for part in found.values():
        for point in part["curve"]:
            for way in ("parameters", "features"):
                error, alone = point[way]["error"], part["bound_alone"]
                made.append((f"SCALE-Sim, {way}, {point['size']:,} designs: {METRIC}, relative RMSE", error, "%",
                             error / alone, f"cycles without stalls alone, {alone:.3g} %"))  # fmt: skip
        for size, price in part["price_s"].items():
            true = part["true_price_s"][size]
            label = f"SCALE-Sim over its surrogate, a design at {int(size):,} a call"
            made.append((label, true / price, "times", true / price / REQUIRED[size],
                         f"required, {REQUIRED[size]:,.0f} times"))  # fmt: skip
    return made


def notes(found: dict[str, dict[str, Any]]) -> list[str]:
    """Return what the table leaves out, or why there is none."""
    if not found:
        return ["SCALE-Sim is left out: it is not installed. Run: designgym simulators install scalesim"]
    return [
        f"SCALE-Sim, {WORKLOAD}: {part['simulated']:,} designs ({part['failed']} more failed) in {part['run_s']:,.0f} "
        f"s on {PROCESSES} processes; judged on {part['tested']:,} of them, never trained on"
        for part in found.values()
    ]
