"""What surrogate_search believes of its models: how far what they promise is kept, by distance from the best."""

from typing import Any

import numpy as np
import pytest

from designgym.agents import surrogate_promises, surrogate_search
from designgym.agents.differences import Differences
from designgym.agents.places import Places
from designgym.agents.surrogate_promises import FAITH, Promises
from designgym.agents.testing import problems
from designgym.envs import Categorical, DesignSpace, Float

LETTERS = DesignSpace(*(Categorical(f"p{i}", tuple("abcde")) for i in range(6)))
BEST = np.zeros((1, 6))


def away(count: int) -> Any:
    """Return the place of a design that differs from the best in so many letters, (1, 6)."""
    return np.where(np.arange(6) < count, 2.0, 0.0)[None]


def promises_of(space: DesignSpace) -> Promises:
    return Promises(Differences(space, Places(space)))


def test_a_weight_is_the_logarithm_of_what_was_kept_over_what_was_promised() -> None:
    promises = promises_of(LETTERS)
    assert not promises.weights(np.concatenate([away(n) for n in range(1, 7)]), BEST).any(), "all are believed at first"
    for _ in range(10):
        promises.make(away(4), BEST, [0.3], bar=1.0)
        promises.hear(away(4)[0], 1.5, feasible=True)
    for loss, feasible in [(0.5, True), (0.5, True), (0.5, False), (1.0, True)]:
        promises.make(away(1), BEST, [0.5], bar=1.0)
        promises.hear(away(1)[0], loss, feasible)
    weights = promises.weights(np.concatenate([away(n) for n in (1, 2, 4)]), BEST)
    # Of four at a distance of one letter that promised two, two were good: a bound broken, or as good as, is not.
    np.testing.assert_allclose(weights, [0.0, 0.0, np.log(FAITH / (3.0 + FAITH))])


def test_what_was_promised_counts_once_it_is_told_and_only_then() -> None:
    promises = promises_of(LETTERS)
    promises.make(away(2), BEST, [0.9], bar=1.0)
    promises.hear(away(3)[0], 0.1, feasible=True)
    assert not promises.weights(away(2), BEST).any()
    assert not promises.weights(away(3), BEST).any(), "nothing was promised of it"
    promises.hear(away(2)[0], 2.0, feasible=True)
    assert promises.weights(away(2), BEST)[0] == pytest.approx(np.log(FAITH / (0.9 + FAITH)))
    promises.hear(away(2)[0], 2.0, feasible=True)
    assert promises.weights(away(2), BEST)[0] == pytest.approx(np.log(FAITH / (0.9 + FAITH)))


def test_small_steps_along_lines_are_within_one_parameter() -> None:
    space = DesignSpace(Float("x", 0.0, 1.0), Float("y", 0.0, 1.0), Float("z", 0.0, 1.0))
    promises = promises_of(space)
    best = np.full((1, 3), 0.5)
    near, far = best + 0.05, best + np.array([0.4, 0.0, 0.4])
    promises.make(far, best, [1.0], bar=0.0)
    promises.hear(far[0], 1.0, feasible=True)
    assert promises.weights(near, best).tolist() == [0.0]
    assert promises.weights(far, best)[0] < 0


def test_the_search_turns_away_from_where_promises_were_broken() -> None:
    def distances(broken: bool) -> list[float]:
        agent: Any = surrogate_search.SurrogateSearch(problem, np.random.default_rng(3), first=16, candidates=4096)
        while agent._archive.count < 24:
            agent.tell(designs := agent.ask(agent.batch), problem.evaluate(designs))
        agent._promises._promised[1:] = 1e4 if broken else 0.0
        agent._promises._kept[1:] = 0.0
        agent._idle = 0
        found = []
        for _ in range(8):
            best = agent._where(agent._usual.starts)
            designs = agent.ask(1)
            found.append(float(agent._promises._differences.nearest(agent._places.of(designs), best)[0]))
            agent.tell(designs, problem.evaluate(designs))
        return found

    problem = problems()["flat"]
    assert max(distances(broken=True)) <= 1.0 < max(distances(broken=False))
    assert surrogate_promises.FAITH > 0
