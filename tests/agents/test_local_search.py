"""local_search with several designs under way: what it left behind does not call it back."""

from collections import deque

import numpy as np
import pytest

from designgym.agents.local_search import LocalSearch
from designgym.agents.testing import FLAT, problems
from designgym.cost_models.base import Columns
from designgym.envs import Evaluations

KICK = 3


def came_to(reward: float) -> Evaluations:
    return Evaluations({}, np.array([[-reward]]), np.zeros(1), np.ones(1, bool), np.array([reward]))


def apart(one: Columns, other: Columns) -> int:
    return sum(int(one[name][0] != other[name][0]) for name in one)


@pytest.mark.parametrize("under_way", [1, 2, 8])
@pytest.mark.parametrize("seed", range(5))
def test_a_start_elsewhere_outlives_what_was_asked_before_it(under_way: int, seed: int) -> None:
    agent = LocalSearch(problems()["flat"], np.random.default_rng(seed), rate=0.0, patience=6, kick=KICK, anew=0.0)
    best = FLAT.sample(1, np.random.default_rng(seed))
    agent.note(best, came_to(10.0))
    waiting: deque[Columns] = deque()
    start, after = None, 0
    while after < 6:  # before it is stuck a second time
        waiting.append(agent.ask(1))
        if start is None and apart(waiting[-1], best) == KICK:
            start = waiting[-1]
        if start is not None and waiting[-1] is not start:
            assert apart(waiting[-1], start) == 1, f"a move of where it started again, {after} told since"
        if len(waiting) == under_way:
            design = waiting.popleft()
            after += start is not None
            # Moves of the best are better than where it starts again, and that is better than its moves.
            agent.tell(design, came_to(9.0 if apart(design, best) == 1 else 5.0 if design is start else 1.0))


def test_the_best_may_be_one_that_was_asked_before_a_start() -> None:
    agent = LocalSearch(problems()["flat"], np.random.default_rng(0), rate=0.0, patience=6, kick=KICK, anew=0.0)
    best = FLAT.sample(1, np.random.default_rng(0))
    agent.note(best, came_to(10.0))
    asked = [agent.ask(1) for _ in range(8)]
    for design in asked[:6]:
        agent.tell(design, came_to(1.0))
    agent.ask(1)  # the start
    agent.tell(asked[7], came_to(20.0))
    for _ in range(12):
        design = agent.ask(1)
        agent.tell(design, came_to(1.0))
        if apart(design, asked[7]) == KICK:
            break
    assert apart(design, asked[7]) == KICK, "the next start is a kick of the better one"
