"""Quasi-random search: spread evenly, each design once, small spaces to their end."""

import re

import numpy as np
import pytest
from scipy.stats import qmc

from designgym.agents import agent_class, search
from designgym.agents.testing import CONDITIONAL, ONE, Bowl
from designgym.envs import Categorical, DesignProblem, DesignSpace, Float, Integer, Ordinal, Subset


def bowl(space: DesignSpace) -> DesignProblem:
    return DesignProblem(space, Bowl(space), ONE)


def test_points_are_spread_more_evenly_than_random_ones() -> None:
    space = DesignSpace(*(Float(f"x{i}", -1.0, 3.0) for i in range(5)))

    def discrepancy(agent: str, seed: int) -> float:
        return float(qmc.discrepancy(space.encode(search(bowl(space), agent, 256, seed).designs)))

    quasi, random = ([discrepancy(agent, seed) for seed in range(5)] for agent in ("quasi_random", "random"))
    assert max(quasi) < 0.25 * min(random)


@pytest.mark.parametrize("points", ["scrambled", "plain"])
def test_each_block_of_a_power_of_two_is_balanced(points: str) -> None:
    space = DesignSpace(Ordinal("kb", (1, 2, 4, 8, 16, 32, 64, 128)), Integer("rows", 0, 15), Float("x", 0.0, 1.0))
    trials = search(bowl(space), "quasi_random", 512, seed=3, points=points)
    digits = space.digits(trials.designs)
    for block in np.split(digits[0], 512 // 8):
        assert sorted(block) == list(range(8))
    for block in np.split(digits[1], 512 // 16):
        assert sorted(block) == list(range(16))


def test_seeds_differ_only_where_points_are_scrambled() -> None:
    space = DesignSpace(Integer("a", 0, 999), Integer("b", 0, 999))
    for points, same in (("scrambled", False), ("plain", True)):
        one, other = (search(bowl(space), "quasi_random", 64, seed, points=points).designs for seed in (0, 1))
        assert np.array_equal(one["a"], other["a"]) == same


def test_every_value_of_a_large_parameter_can_be_reached() -> None:
    space = DesignSpace(Integer("a", 0, 2**50 - 1))
    digits = search(bowl(space), "quasi_random", 4096).designs["a"]
    assert np.bincount(digits % 64, minlength=64).min() > 0  # the lowest bits take part, not the highest 30 alone


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_designs_do_not_depend_on_how_many_are_asked_at_a_time(n: int) -> None:
    def asked(n: int) -> np.ndarray:
        agent = agent_class("quasi_random")(bowl(CONDITIONAL), np.random.default_rng(0))
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < 700:
            parts.append(CONDITIONAL.rank(agent.ask(n)))
        return np.concatenate(parts)[:700]

    ranks = asked(n)
    assert len(set(ranks.tolist())) == 700
    assert ranks.tolist() == asked(256).tolist()


def test_a_space_that_is_mostly_invalid_is_searched_to_its_end() -> None:
    space = DesignSpace(
        Integer("a", 0, 99), Integer("b", 0, 99), Categorical("c", ("x", "y")), constraints=("a + b <= 9",)
    )
    trials = search(bowl(space), "quasi_random", 1000)
    assert (len(trials), trials.ended) == (space.count_valid(), "complete")


def test_more_digits_than_sobol_points_have_are_refused_by_name() -> None:
    space = DesignSpace(Subset("s", 30_000, 21_202))
    with pytest.raises(ValueError, match=re.escape("quasi_random needs a space of at most 21,201 digits")):
        agent_class("quasi_random")(DesignProblem(space, Bowl(space), ONE), np.random.default_rng(0))
