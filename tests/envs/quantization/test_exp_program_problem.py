"""Programs for 2^x as problems: their sizes, true optima of short chains, and searches from scratch."""

from math import factorial

import numpy as np
import pytest

from designgym.agents import search
from designgym.cost_models.quantization.exp_program import ExpProgram
from designgym.cost_models.quantization.exp_straight_line import ExpStraightLine
from designgym.envs import make_problem
from designgym.envs.optimum import find_optimum, known_optimum
from designgym.envs.reasons import reason_of

ID, GENERAL = "ExpProgram-v0", "ExpStraightLine-v0"
# Somebody else's.
BEST_CHAINS = {2: 3.003e-02, 3: 1.504e-02, 4: 8.687e-04, 5: 2.515e-05, 6: 4.419e-06, 7: 2.783e-07, 8: 1.742e-08}


@pytest.mark.parametrize("operations", [1, 8, 10, 14])
def test_a_chain_has_seven_choices_an_operation(operations: int) -> None:
    space = make_problem(ID, operations=operations).space
    assert space.size == 7**operations
    assert space.columns == tuple(f"op_{i}" for i in range(operations))


@pytest.mark.parametrize("operations", [1, 2, 3, 8, 10, 14])
def test_general_programs_are_as_many_as_stated(operations: int) -> None:
    space = make_problem(GENERAL, operations=operations).space
    assert space.size == 4**operations * factorial(operations + 1) ** 2
    last = space.describe(space.unrank(np.array([space.size - 1], dtype=object)))
    assert last[f"right_{operations - 1}"][0] == (f"r{operations - 1}" if operations > 1 else "c")


def test_the_statement_of_sizes() -> None:
    assert [make_problem(GENERAL, operations=k).space.size for k in (1, 2, 3, 4, 5)] == [
        16, 576, 36_864, 3_686_400, 530_841_600,
    ]  # fmt: skip
    assert float(make_problem(GENERAL).space.size) == pytest.approx(8.63e15, rel=1e-3)
    assert float(make_problem(GENERAL, operations=10).space.size) == pytest.approx(1.67e21, rel=1e-3)


def test_the_optima_of_short_chains_are_no_worse_than_the_best_known() -> None:
    for operations, known in BEST_CHAINS.items():
        optimum = known_optimum(ID, {"operations": operations}, make_problem(ID, operations=operations))
        assert optimum is not None
        assert optimum.valid == 7**operations
        assert optimum.loss < 1.001 * known


def test_an_optimum_found_again() -> None:
    problem = make_problem(ID, operations=3)
    assert find_optimum(problem) == known_optimum(ID, {"operations": 3}, problem)


def test_general_programs_of_three_instructions_are_no_worse_than_chains() -> None:
    general = known_optimum(GENERAL, {"operations": 3}, make_problem(GENERAL, operations=3))
    chains = known_optimum(ID, {"operations": 3}, make_problem(ID, operations=3))
    assert general is not None
    assert chains is not None
    assert general.loss <= chains.loss


def test_searches_from_scratch_find_good_chains() -> None:
    problem = make_problem(ID, operations=6)
    ends = [search(problem, agent="genetic", budget=1500, seed=seed).best.metrics for seed in range(3)]
    assert np.median([end["max_relative_error"] for end in ends]) < 1e-5


def test_a_pole_has_a_reason() -> None:
    problem = make_problem(ID, operations=2)
    design = problem.space.parse({"op_0": "x/", "op_1": "sq"})
    assert "divides by 0" in reason_of(problem, design, problem.evaluate(design))


@pytest.mark.parametrize("name", [ID, GENERAL])
def test_wrong_options_are_one_line(name: str) -> None:
    with pytest.raises(ValueError, match="operations must be an integer from 1 to 14, got 0"):
        make_problem(name, operations=0)


def test_a_cost_model_of_another_length_is_refused() -> None:
    for name, other in ((ID, ExpProgram(6)), (GENERAL, ExpStraightLine(6))):
        with pytest.raises(ValueError, match=r"must be of 8 operations, got one of 6. Make both alike"):
            make_problem(name, operations=8, cost_model=other)
