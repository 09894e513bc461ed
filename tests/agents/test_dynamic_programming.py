"""Paths in the order of their sums, and BOSS's own paths and costs."""

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.agents import make_agent, search
from designgym.agents.base import run
from designgym.agents.shortest_paths import ShortestPaths
from designgym.agents.testing import problems
from designgym.envs import MeteredProblem, make_problem

TABLE = Path(__file__).parents[1] / "reference" / "solver_schedule" / "solver_boss_flow.csv"
ROWS = [row for row in csv.DictReader(TABLE.open()) if row["method"] == "boss_dp"]


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_paths_come_in_the_order_of_their_sums_each_once(steps: int) -> None:
    rng = np.random.default_rng(steps)
    costs = np.where(np.triu(np.ones((8, 8)), 1) > 0, rng.integers(1, 6, (8, 8)).astype(float), np.inf)
    costs[2, 5] = np.inf  # a step that nothing may take
    paths = [(0, *inner, 7) for inner in itertools.combinations(range(1, 7), steps - 1)]
    sums = {path: sum(costs[i, j] for i, j in itertools.pairwise(path)) for path in paths}
    possible = {path: total for path, total in sums.items() if np.isfinite(total)}
    found = [(total, tuple(points.tolist())) for total, points in ShortestPaths(costs, steps)]
    assert {path: total for total, path in found} == possible
    assert len(found) == len(possible)
    assert [total for total, _ in found] == sorted(possible.values())


def test_a_path_of_a_thousand_steps_is_found() -> None:
    m = 1100
    here, there = np.ogrid[: m + 1, : m + 1]
    costs = np.where(here < there, (there - here) ** 2.0, np.inf)
    totals = [total for total, _ in itertools.islice(ShortestPaths(costs, 1050), 20)]
    assert totals[0] == 1000 + 50 * 4
    assert totals == sorted(totals)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['problem']}-{row['k_max']}-{row['nfe']}")
def test_paths_and_costs_are_those_of_boss(row: dict[str, str]) -> None:
    options: dict[str, Any] = {"model": row["problem"], "fine": int(row["k_max"]), "evaluations": int(row["nfe"])}
    trials = search(make_problem("FlowStepSizes-v0", **options), "dynamic_programming", budget=3)
    first = trials[0]
    inner = [int(i) - 1 for i in row["path"].split()[1:-1]]
    assert [first.design[f"step_{i}"] for i in range(len(inner))] == inner
    assert first.metrics["local_cost"] == pytest.approx(float(row["sum_local_cost_train"]), rel=1e-4)
    assert first.metrics["rms"] == pytest.approx(float(row["endpoint_rms_train"]), rel=1e-4)
    assert np.all(np.diff(trials.evaluations.metrics["local_cost"]) >= 0)


def test_local_costs_count_as_one_design_however_often_they_are_asked_for() -> None:
    metered = MeteredProblem(make_problem("FlowStepSizes-v0"), budget=20)
    agent = make_agent("dynamic_programming", metered, 0)
    assert metered.spent() == 1
    metered.local_costs()
    assert run(agent) == "budget"
    assert metered.spent() == 20
    assert metered.asked == 19


def test_a_budget_of_one_is_spent_on_the_local_costs() -> None:
    assert len(search(make_problem("FlowStepSizes-v0"), "dynamic_programming", budget=1)) == 0


@pytest.mark.parametrize("kind", ["flat", "conditional", "continuous"])
def test_other_problems_are_refused_by_name(kind: str) -> None:
    with pytest.raises(ValueError, match=r"dynamic_programming searches paths.*FlowStepSizes-v0"):
        make_agent("dynamic_programming", MeteredProblem(problems()[kind], 10), 0)
