"""What one evaluation by SCALE-Sim takes, and how near the closed form comes to it, on random designs.

Rows are (what, figure, unit, ratio or None, what the ratio is to).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns

PROBLEM = "SystolicArray-v0"
WORKLOAD = "conv:out=8,kernel=3,channels=32,filters=32"
DESIGNS, SEED = 100, 0
CHEAP = {"closed form": {}, "closed form, counted words": {"psum": "scalesim", "dram": "counted"}}

Row = tuple[str, float, str, float | None, str]


def scale_sim(
    designs: int = DESIGNS, workload: str = WORKLOAD, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Return {"notes", "rows"}: designs drawn evenly from the space, each simulated alone, one at a time.

    Errors are logarithms of SCALE-Sim's number over the closed form's; cycles are latency times clock, all waiting
    included. ValueError where scalesim is not installed, or a simulation failed.
    """
    from designgym.cost_models.accelerator.systolic_array import SystolicArray
    from designgym.envs.registry import make_problem

    problem = make_problem(PROBLEM, workload=workload, cost_model="ScaleSim")
    drawn = problem.space.sample(designs, np.random.default_rng(SEED))
    found, took_s = _simulated(problem.cost_model, drawn, say)
    waits = found["cycles"] / SystolicArray(workload).evaluate(drawn)["cycles"]
    rows: list[Row] = [
        ("an evaluation by SCALE-Sim, median", float(np.median(took_s)), "s", None, ""),
        ("the slowest of twenty", float(np.quantile(took_s, 0.95)), "s", None, ""),
        ("designs that stall", 100.0 * float((waits > 1).mean()), "%", None, ""),
        ("cycles with stalls over those without, the worst of twenty", float(np.quantile(waits, 0.95)), "1", None, ""),
    ]
    for name, options in CHEAP.items():
        rows += _compared(name, found, SystolicArray(workload, **options).evaluate(drawn))  # type: ignore[arg-type]
    return {"notes": [f"{designs} designs of {PROBLEM}, {workload}, seed {SEED}"], "rows": rows}


def _simulated(model: Any, drawn: Columns, say: Callable[[str], None]) -> tuple[Columns, NDArray[np.float64]]:
    each, took_s = [], []
    n = len(drawn["rows"])
    for i in range(n):
        began = time.perf_counter()
        columns, (failure,) = model.evaluate_reporting({name: column[i : i + 1] for name, column in drawn.items()})
        took_s.append(time.perf_counter() - began)
        if failure is not None:
            design = {name: column[i].item() for name, column in drawn.items()}
            raise ValueError(f"every design must be simulated, but {design} failed: {failure.reason}.")
        each.append(columns)
        if (i + 1) % 10 == 0:
            say(f"{i + 1} of {n} designs simulated")
    return {name: np.concatenate([columns[name] for columns in each]) for name in each[0]}, np.array(took_s)


def _compared(name: str, found: Columns, cheap: Columns) -> list[Row]:
    from scipy.stats import kendalltau, spearmanr

    rows: list[Row] = []
    for metric, what in (("latency_s", "cycles with stalls"), ("energy_j", "energy"), ("dram_words", "DRAM words")):
        logs = np.log(found[metric] / cheap[metric])
        rows.append((f"{name}: {what}, RMS of the log ratio", float(np.sqrt((logs**2).mean())), "1", None, ""))
        rows.append((f"{name}: {what}, median ratio", float(np.exp(np.median(logs))), "1", None, ""))
        if np.ptp(cheap[metric]) > 0:
            spearman, kendall = (f(found[metric], cheap[metric]).statistic for f in (spearmanr, kendalltau))
            rows.append((f"{name}: {what}, Spearman", float(spearman), "1", None, ""))
            rows.append((f"{name}: {what}, Kendall", float(kendall), "1", None, ""))
    return rows
