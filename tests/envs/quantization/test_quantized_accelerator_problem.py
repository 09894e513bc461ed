"""The joint problem: its size, bounds and front."""

import numpy as np
import pytest

from designgym.envs import make_problem

ID = "QuantizedAccelerator-v0"


def test_the_space_is_arrays_times_bits() -> None:
    assert make_problem(ID).space.size == 4_644_864 * 7**6
    assert make_problem(ID, network="cnn").space.size == 4_644_864 * 7**8


def test_bounds_are_of_accuracy_and_area() -> None:
    assert make_problem(ID).objective.subject_to == ("accuracy_drop <= 0.01", "area_mm2 <= 1.0")
    assert make_problem(ID, technology="eyeriss65").objective.subject_to[1] == "area_mm2 <= 2.0"
    assert make_problem(ID, area_bound_mm2=3, drop=0.02).objective.subject_to == (
        "accuracy_drop <= 0.02", "area_mm2 <= 3.0",
    )  # fmt: skip
    with pytest.raises(ValueError, match="area_bound_mm2 must be a number above 0, got -1"):
        make_problem(ID, area_bound_mm2=-1)


def test_on_a_front_both_objectives_move_the_reward() -> None:
    problem = make_problem(ID, front=True)
    assert problem.objective.names == ("edp_js", "accuracy")
    designs = problem.space.sample(200, np.random.default_rng(0))
    found = problem.evaluate(designs)
    kept = found.feasible
    product, accuracy = found.metrics["edp_js"][kept], found.metrics["accuracy"][kept]
    default = problem.evaluate(problem.space.parse({})).metrics["edp_js"][0]
    assert found.reward[kept] == pytest.approx(accuracy - product / default)
    assert (product / default).std() > 0.1 * accuracy.std()


def test_regressions_may_be_searched_too() -> None:
    problem = make_problem(ID, network="diabetes", front=True)
    assert problem.objective.names == ("edp_js", "r2")
    assert np.isfinite(problem.evaluate(problem.space.sample(50, np.random.default_rng(0))).reward).all()
