"""How busy a sweep keeps its workers while a slow model prices: seconds evaluated over seconds available.

Real Ray workers sleep for each design's time: 100 ms, or lognormal (sigma 1) of that mean. The clock runs from when the
last of the workers has begun its first evaluation to the end of the last evaluation. Left out is thus how long Python
takes to start, once a worker, some seconds in all: of a sweep of half a minute that is a large share, of one of hours
none. The end of the sweep, where fewer evaluations are left than there are workers, counts.

A run that is told in order has to wait for its slowest evaluation once it is in_flight designs ahead of it. Simulated
without any overhead, a run alone keeps 2 workers 99.6 % busy and 8 workers 93.1 % with lognormal times and 8 designs a
worker in flight; other runs of the sweep fill the gap, until the last of them: 8 workers with lognormal times told in
order were measured 91.9 % busy in a sweep of 30 s, 92.8 % in one of 60 s and 93.7 to 94.0 % in one of 90 s, which is
the length measured.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.envs import DesignProblem, DesignSpace, Integer, Objective
from designgym.envs.registry import problem_ids, register_problem

PROBLEM = "SleepingBench-v0"
MEAN_S = 0.1
SIGMA = 1.0
SIZE = 10**9
RUN_S = 90.0  # a study's evaluations fill its workers for this long


@dataclass(frozen=True)
class Sleeping:
    """Sleeps. The metric slept_s is for how long, drawn by the design. stamps: a file that gets them all."""

    mean_s: float = MEAN_S
    sigma: float = 0.0
    stamps: str = ""

    metrics = (Metric("slept_s", "s", "lower", "time of one evaluation"),)
    version = "1"
    slow = True

    def evaluate(self, designs: Columns) -> Columns:
        """designs: x, int (n,)."""
        draws = [np.random.default_rng(int(x)).standard_normal() for x in designs["x"]]
        # exp(mu + sigma z) has the mean exp(mu + sigma^2 / 2).
        slept_s = self.mean_s * np.exp(self.sigma * np.array(draws) - self.sigma**2 / 2)
        begun = time.time()
        for one in slept_s:
            time.sleep(one)
        if self.stamps:
            with open(self.stamps, "a", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {begun!r} {float(slept_s.sum())!r}\n")
        return {"slept_s": slept_s, "violation": np.zeros(len(slept_s))}


def sleeping(mean_s: float = MEAN_S, sigma: float = 0.0, stamps: str = "") -> DesignProblem:
    """A problem whose designs take their time and do nothing."""
    space = DesignSpace(Integer("x", 0, SIZE - 1, meaning="seed of the time it takes"))
    return DesignProblem(space, Sleeping(mean_s, sigma, stamps), Objective(minimize=("slept_s",)))


def slow_efficiency(workers: int, distribution: str, order: str, designs: int | None = None, runs: int = 8) -> float:
    """Return the share of its workers' time that a sweep of a sleeping model spends in evaluations, in [0, 1].

    The time until all workers have begun is left out. distribution: "constant" or "lognormal". order: "asked" or
    "completion". designs: priced in all, by default so many that the workers are busy for 90 s; runs: among which they
    are divided. Ray is used as it runs, or started.
    """
    from designgym.experiments.cluster import cluster

    if distribution not in ("constant", "lognormal"):
        raise ValueError(f"distribution must be constant or lognormal, got {distribution!r}.")
    sigma = SIGMA if distribution == "lognormal" else 0.0
    each = max(1, (designs or int(RUN_S * workers / MEAN_S)) // runs)
    if PROBLEM not in problem_ids():
        register_problem(PROBLEM, f"{__name__}:sleeping")
    with cluster(None, workers), tempfile.TemporaryDirectory() as folder:
        stamps = Path(folder) / "stamps"
        rows = _sweep(Path(folder) / "timed", {"sigma": sigma, "stamps": str(stamps)}, order, workers, runs, each)
        worker, begun, slept_s = np.loadtxt(stamps, ndmin=2).T
        if not rows.num_rows == len(begun) == runs * each:
            raise RuntimeError(f"{runs * each} designs must be priced once each, got {len(begun)} evaluations.")
        return busy_share(worker, begun, slept_s, workers)


def busy_share(worker: Any, begun: Any, slept_s: Any, workers: int) -> float:
    """Return the share of time spent in evaluations, from when all workers have begun. Columns of evaluations, (n,).

    worker: which one; begun: when, in seconds; slept_s: for how long it slept, what comes on top being overhead.
    """
    first = max(begun[worker == one].min() for one in np.unique(worker))
    ended = begun + slept_s
    return float((ended - np.maximum(begun, first)).clip(0).sum() / (workers * (ended.max() - first)))


def _sweep(folder: Path, options: dict[str, Any], order: str, workers: int, runs: int, budget: int) -> Any:
    from designgym.experiments import load_trials
    from designgym.experiments.driver import sweep
    from designgym.experiments.spec import make_spec

    given = {"name": "slow", "problems": [{"id": PROBLEM, "options": options}], "agents": ["random"], "seeds": runs}
    outcome = sweep(make_spec({**given, "budget": budget, "order": order}), folder, workers=workers, silent=True)
    if outcome.failed:
        raise RuntimeError(outcome.errors[0])
    return load_trials(folder)
