"""local_search with several designs under way: what it left behind does not call it back."""

from collections import deque

import numpy as np
import pytest

from designgym.agents.local_search import LocalSearch
from designgym.agents.testing import FLAT, problems
from designgym.cost_models.base import Columns
from designgym.envs import Evaluations

KICK, PATIENCE = 3, 6


def came_to(reward: float) -> Evaluations:
    return Evaluations({}, np.array([[-reward]]), np.zeros(1), np.ones(1, bool), np.array([reward]))


def apart(one: Columns, other: Columns) -> int:
    return sum(int(one[name][0] != other[name][0]) for name in one)


def stuck_at(best: Columns, seed: int) -> LocalSearch:
    """Return a search whose moves change one parameter each."""
    rng = np.random.default_rng(seed)
    agent = LocalSearch(problems()["flat"], rng, rate=0.0, patience=PATIENCE, kick=KICK, anew=0.0)
    agent.note(best, came_to(10.0))
    return agent


@pytest.mark.parametrize("under_way", [1, 2, 8])
@pytest.mark.parametrize("seed", range(5))
def test_a_start_elsewhere_outlives_what_was_asked_before_it(under_way: int, seed: int) -> None:
    best = FLAT.sample(1, np.random.default_rng(seed))
    agent = stuck_at(best, seed)
    waiting: deque[Columns] = deque()
    start, moves_told = None, 0
    while moves_told < PATIENCE:
        waiting.append(agent.ask(1))
        if start is None and apart(waiting[-1], best) == KICK:
            start = waiting[-1]
        elif start is not None:
            assert apart(waiting[-1], start) == 1, f"a move of where it started again, {moves_told} of them told"
        if len(waiting) == under_way:
            design = waiting.popleft()
            before = start is None or (design is not start and apart(design, start) > 1)
            moves_told += not before and design is not start
            # Moves of the best are better than where it starts again, and that is better than its moves.
            agent.tell(design, came_to(9.0 if before else 5.0 if design is start else 1.0))


@pytest.mark.parametrize("seed", range(5))
def test_one_asked_before_a_start_that_is_better_than_the_best_calls_it_back(seed: int) -> None:
    best = FLAT.sample(1, np.random.default_rng(seed))
    agent = stuck_at(best, seed)
    asked = [agent.ask(1) for _ in range(PATIENCE + 1)]
    for design in asked[:PATIENCE]:
        agent.tell(design, came_to(1.0))
    start = agent.ask(1)
    assert apart(start, best) == KICK
    agent.tell(asked[-1], came_to(20.0))
    agent.tell(start, came_to(5.0))
    moves = [agent.ask(1) for _ in range(PATIENCE)]
    assert [apart(move, asked[-1]) for move in moves] == [1] * PATIENCE


@pytest.mark.parametrize("name", ["flat", "conditional"])
def test_no_design_is_asked_twice_and_no_start_is_undone_in_small_spaces(name: str) -> None:
    problem = problems()[name]
    agent = LocalSearch(problem, np.random.default_rng(0), patience=PATIENCE)
    waiting: deque[tuple[Columns, int]] = deque()
    asked: set[int] = set()
    for _ in range(400):
        design = agent.ask(1)
        rank = int(problem.space.rank(design)[0])
        assert rank not in asked
        asked.add(rank)
        waiting.append((design, agent._starts))
        if len(waiting) == 16:
            design, starts = waiting.popleft()
            begun, best = agent._incumbent_reward > -np.inf, agent._best_reward
            evaluations = problem.evaluate(design)
            agent.tell(design, evaluations)
            if not begun and evaluations.reward[0] <= best:
                assert (agent._incumbent_reward > -np.inf) == (starts == agent._starts)
    assert agent._starts > 10
