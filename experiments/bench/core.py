"""Speeds of the parts between a cost model and an agent, each the best of several repeats.

Rows are (what, figure, unit, ratio or None, what the ratio is to).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, MeteredProblem, Objective, Ordinal

REPEATS = 5
PROBLEM = "SystolicArray-v0"
Row = tuple[str, float, str, float | None, str]


@dataclass(frozen=True)
class Constant:
    """Nine metrics that cost nothing to price, so that what is measured is everything else."""

    metrics = tuple(Metric(f"part{i}_s", "s", "lower", "always 1") for i in range(9))
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: any columns, each (n,)."""
        ones = np.ones(len(next(iter(designs.values()))))
        return {metric.name: ones for metric in self.metrics} | {"violation": np.zeros(len(ones))}


SPACE = DesignSpace(
    Integer("rows", 4, 256, 4),
    Integer("cols", 4, 256, 4),
    Categorical("dataflow", ("os", "ws", "is")),
    *(Ordinal(f"sram_{i}_kb", tuple(2**j for j in range(3, 12))) for i in range(3)),
    Ordinal("words", (1, 2, 4, 8, 16, 32, 64)),
)


def best_seconds(work: Callable[[], Any], prepare: Callable[[], Any] | None = None) -> float:
    """Return the shortest of several times, after one call to warm up."""
    shortest = float("inf")
    for _ in range(REPEATS + 1):
        if prepare is not None:
            prepare()
        start = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def core() -> dict[str, Any]:
    """Measure sampling, metering, both Gymnasium faces and one generation of the genetic agent."""
    rows = [*_sampling(), *_metering(), *_faces(), *_generation()]
    return {"notes": [f"best of {REPEATS} repeats each"], "rows": rows}


def _sampling() -> list[Row]:
    n, rng = 10**6, np.random.default_rng(0)
    unit = rng.random((n, len(SPACE.cardinalities)))
    sample = best_seconds(lambda: SPACE.sample(n, rng))
    decode = best_seconds(lambda: SPACE.decode(unit))
    return [
        ("sample 10⁶ designs of 7 parameters", sample, "s", None, ""),
        ("decode 10⁶ designs of 7 parameters", decode, "s", None, ""),
        ("sample and decode", sample + decode, "s", None, ""),
    ]


def _metering() -> list[Row]:
    problem = DesignProblem(SPACE, Constant(), Objective(minimize=("part0_s",), subject_to=("part1_s <= 2",)))
    batches = [SPACE.sample(100_000, np.random.default_rng(i)) for i in range(5)]
    metered: list[MeteredProblem] = []

    def renew() -> None:
        metered[:] = [MeteredProblem(problem, 10**7, patience=10**9)]

    def price() -> None:
        for batch in batches:
            metered[0].evaluate(batch)

    fresh = 500_000 / best_seconds(price, renew)
    again = 500_000 / best_seconds(price)
    return [
        ("meter new designs, batches of 100,000", fresh, "designs/s", None, ""),
        ("recall known designs, batches of 100,000", again, "designs/s", again / fresh, "new ones"),
    ]


def _faces() -> list[Row]:
    import gymnasium

    scalar = gymnasium.make(f"designgym/{PROBLEM}")
    scalar.reset(seed=0)
    actions = [scalar.action_space.sample() for _ in range(1000)]

    def steps() -> None:
        for action in actions:
            scalar.step(action)
            scalar.reset()

    def resets() -> None:
        for _ in actions:
            scalar.reset()

    one = (best_seconds(steps) - best_seconds(resets)) / len(actions)
    vector = gymnasium.make_vec(f"designgym/{PROBLEM}", num_envs=1024, vectorization_mode="vector_entry_point")
    vector.reset(seed=0)
    batch = vector.action_space.sample()
    many = 1024 / best_seconds(lambda: vector.step(batch))
    return [
        (f"step {PROBLEM} through gymnasium.make", 1e6 * one, "µs", None, ""),
        (f"step 1,024 of {PROBLEM} at once", many, "steps/s", many * one, "one at a time"),
    ]


def _generation() -> list[Row]:
    from designgym.agents import make_agent
    from designgym.envs.registry import make_problem

    rows: list[Row] = []
    for objective in ("latency_s", "latency_s,energy_j"):
        problem = make_problem(PROBLEM, objective=objective)
        metered = MeteredProblem(problem, 10**8)
        agent = make_agent("genetic", metered, 0, population=10_000)
        agent.tell(designs := agent.ask(10_000), problem.evaluate(designs))
        spent: list[float] = []
        for _ in range(REPEATS + 1):
            start = time.perf_counter()
            designs = agent.ask(10_000)
            asked = time.perf_counter()
            evaluations = problem.evaluate(designs)
            priced = time.perf_counter()
            agent.tell(designs, evaluations)
            spent.append(asked - start + time.perf_counter() - priced)
        rows.append((f"genetic: a generation of 10,000, {objective}", 1e3 * min(spent), "ms", None, ""))
    return rows
