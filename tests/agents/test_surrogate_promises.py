"""What surrogate_search believes of its models: how far what they promise is kept, by distance from the best."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from designgym.agents import surrogate_search
from designgym.agents.differences import Differences
from designgym.agents.places import Places
from designgym.agents.surrogate_promises import FAITH, Promises
from designgym.agents.testing import problems
from designgym.cost_models.base import Columns, Metric
from designgym.envs import Categorical, DesignProblem, DesignSpace, Float, Objective


class Sphere:
    """Squares of real numbers, added up."""

    metrics = (Metric("loss", "1", "lower", "of a design"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        loss = sum(np.square(column) for column in designs.values())
        return {"loss": np.asarray(loss), "violation": np.zeros(len(designs["y"]))}


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


def searching(name: str, seed: int = 0, trials: int = 24, **settings: Any) -> Any:
    """Return an agent that knows so many trials of one of the problems that all agents are tested on."""
    problem = problems()[name]
    agent: Any = surrogate_search.SurrogateSearch(
        problem, np.random.default_rng(seed), **{"first": 16, "candidates": 4096} | settings
    )
    while agent._archive.count < trials:
        agent.tell(designs := agent.ask(agent.batch), problem.evaluate(designs))
    return agent


def test_the_search_turns_away_from_where_promises_were_broken() -> None:
    def farthest(seed: int, broken: bool) -> float:
        agent = searching("flat", seed)
        agent._promises._promised[1:] = 1e4 if broken else 0.0
        agent._promises._kept[1:] = agent._idle = 0
        found = []
        for _ in range(8):
            incumbents = agent._where(agent._usual.starts)
            designs = agent.ask(1)
            found.append(float(agent._promises._differences.nearest(agent._places.of(designs), incumbents)[0]))
            agent.tell(designs, problems()["flat"].evaluate(designs))
        return max(found)

    seeds = range(8)
    assert max(farthest(seed, broken=True) for seed in seeds) <= 1.0
    assert sum(farthest(seed, broken=False) > 1.0 for seed in seeds) >= 2


def test_weights_decide_which_candidates_are_looked_at_exactly() -> None:
    agent = searching("flat")
    drawn = agent._places.of(agent.space.sample(2000, np.random.default_rng(1)))
    bad = float(np.quantile(agent.models.predict(drawn)[0].mean, 0.97))

    def bad_ones(places: Any) -> Any:
        return np.where(agent.models.predict(places)[0].mean > bad, 0.0, -1e9)

    aim = replace(agent._usual, local=False, weights=bad_ones)
    _, where, _ = agent._choice.choose(aim, np.empty((0, drawn.shape[1])), 2)
    assert len(where) == 2
    assert (agent.models.predict(where)[0].mean > bad).all()


def test_a_promise_is_to_be_as_good_as_the_last_incumbent() -> None:
    agent = searching("flat", trials=40)
    agent._promises._open.clear()
    designs = agent.ask(1)
    ((_, chance, bar),) = agent._promises._open.values()
    assert bar == np.sort(agent._losses[agent._feasible, 0])[surrogate_search.INCUMBENTS - 1]
    (foretold,) = [agent._foretold[place.tobytes()] for place in agent._places.of(designs)]
    assert chance == agent.models.chance(foretold, bar)


def test_a_chance_is_of_a_loss_below_the_bar_and_of_every_bound_with_variances_as_errors_were() -> None:
    agent = searching("flat")
    models = agent.models
    _, bound = models.learnt
    for errors, target in ((16.0, 0), (4.0, bound)):
        models._models[target].drift._all.extend([errors] * 24)
    first, second = models.inflations()
    assert first > second > 1.5
    bar = float(np.median(agent._losses[agent._feasible, 0]))
    edge = models.mapped(0, np.array([bar]))[0]
    expected = norm.cdf((edge + 0.3) / np.sqrt(0.5 * first)) * norm.cdf(-0.2 / np.sqrt(0.7 * second))
    assert models.chance({0: (-0.3, 0.5), bound: (0.2, 0.7)}, bar) == pytest.approx(expected)


def test_promises_are_weighed_elsewhere_too_and_not_with_several_objectives() -> None:
    agent = searching("flat")
    agent._idle = 2 * agent.settings["patience"]
    aim = agent._aim()
    assert aim.within is not None
    assert aim.weights.keywords["incumbents"].tolist() == agent._where(aim.starts).tolist()
    assert searching("two objectives")._usual.weights is None


@pytest.mark.parametrize("name", list(problems()))
def test_nothing_stays_open_once_all_is_told(name: str) -> None:
    agent = searching(name, trials=60, candidates=1024)
    assert not agent._pending
    assert not agent._foretold
    assert not agent._promises._open


def test_designs_of_real_numbers_are_told_as_they_were_asked() -> None:
    space = DesignSpace(*(Float(f"x{i}", -5.0, 10.0) for i in range(4)), Float("y", 1e-3, 10.0, log=True))
    problem = DesignProblem(space, Sphere(), Objective(("loss",)))
    agent: Any = surrogate_search.SurrogateSearch(problem, np.random.default_rng(0), candidates=1024)
    for _ in range(50):
        agent.tell(designs := agent.ask(agent.batch), problem.evaluate(designs))
    assert agent._promises._promised.sum() > 0
    assert not agent._pending
    assert not agent._foretold
    assert not agent._promises._open
