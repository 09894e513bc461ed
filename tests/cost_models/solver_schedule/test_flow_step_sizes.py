"""Euler steps of a flow on a fine grid's times: see tests/reference/solver_schedule/README.md."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.flow_step_sizes import FlowStepSizes
from designgym.envs import make_problem
from designgym.envs.optimum import find_optimum

TABLE = Path(__file__).parents[2] / "reference" / "solver_schedule" / "solver_boss_flow.csv"
with TABLE.open(newline="") as file:
    ROWS = [row for row in csv.DictReader(file) if row["path"]]


def path_of(row: dict[str, str]) -> np.ndarray:
    return np.array([int(part) for part in row["path"].split()])


def design_of(path: np.ndarray) -> dict[str, np.ndarray]:
    return {f"step_{i}": np.array([index - 1]) for i, index in enumerate(path[1:-1])}


def test_every_path_of_the_table_has_its_error_on_all_four_noises() -> None:
    assert len(ROWS) == 82
    for column, seed, points in (
        ("endpoint_rms_train", 2, 512), ("endpoint_rms_test", 1, 2048), ("endpoint_rms_s11", 11, 2048),
        ("endpoint_rms_s12", 12, 2048),
    ):  # fmt: skip
        for row in ROWS:
            path = path_of(row)
            model = FlowStepSizes(row["problem"], int(row["k_max"]), len(path) - 1, points, seed)
            found = model.evaluate(design_of(path))["rms"][0]
            assert found == pytest.approx(float(row[column]), rel=5e-6), (row["path"], column)


def test_local_costs_add_up_to_those_of_the_table() -> None:
    costs = {key: FlowStepSizes(*key, 2).local_costs() for key in {(r["problem"], int(r["k_max"])) for r in ROWS}}
    for row in ROWS:
        path, own = path_of(row), costs[row["problem"], int(row["k_max"])]
        assert own[path[:-1], path[1:]].sum() == pytest.approx(float(row["sum_local_cost_train"]), rel=5e-6)
    for own in costs.values():
        assert np.isinf(own[np.tril_indices(len(own))]).all()
        assert np.diagonal(own, 1) == pytest.approx(0.0, abs=1e-20), "a step of the fine grid costs nothing"


@pytest.mark.parametrize("model", ["ring2d", "gmm8d"])
def test_the_exhaustive_paths_of_the_table_are_found(model: str) -> None:
    rows = [r for r in ROWS if (r["problem"], r["k_max"], r["method"]) == (model, "20", "exhaustive")]
    assert len(rows) == 4
    for row in rows:
        path = path_of(row)
        problem = make_problem("FlowStepSizes-v0", model=model, evaluations=len(path) - 1)
        assert problem.space.size == math.comb(19, len(path) - 2)
        optimum = find_optimum(problem)
        assert list(optimum.design.values()) == (path[1:-1] - 1).tolist()


def test_wrong_options_are_refused_in_one_line() -> None:
    for options, message in (
        ({"evaluations": 20}, "evaluations must be at least 2 and below fine"),
        ({"fine": 2000}, "fine at most 1000"),
        ({"points": 0}, "points must be at least 2, got 0. Raise it."),
        ({"model": "moons"}, "a mixture must be one of ring2d"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            FlowStepSizes(**options)
        assert "\n" not in str(caught.value)
