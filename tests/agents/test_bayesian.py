"""The model-guided search around its Gaussian process: places, archive, candidates, and what it finds."""

import numpy as np
import pytest

from designgym.agents import agent_class, search
from designgym.agents.archive import KEPT, Archive
from designgym.agents.candidates import Candidates
from designgym.agents.gaussian_process import RankProcess
from designgym.agents.places import Places, PlaceSet
from designgym.agents.scalarising import chebyshev_rewards, scales
from designgym.agents.testing import CONDITIONAL, CONTINUOUS, FLAT, problems
from designgym.envs import DesignSpace, Objective, make_problem

RNG = np.random.default_rng(0)
SPACES = (FLAT, CONDITIONAL, CONTINUOUS)


@pytest.mark.parametrize("space", SPACES)
def test_different_designs_have_different_places(space: DesignSpace) -> None:
    designs = space.sample(300, RNG)
    places = Places(space).of(designs)
    rows = set(zip(*(designs[name].tolist() for name in space.columns), strict=True))
    assert len({row.tobytes() for row in places}) == len(rows)
    assert ((places >= 0) & (places < 20)).all()


@pytest.mark.parametrize("space", [FLAT, CONTINUOUS])
def test_places_of_digits_are_those_of_columns(space: DesignSpace) -> None:
    designs, places = space.sample(100, RNG), Places(space)
    digits = np.stack([digit.astype(float) for digit in space.digits(designs)], axis=1)
    assert places.flat
    assert (places.of_digits(digits) == places.of(designs)).all()


def test_a_set_of_places_knows_what_it_was_given() -> None:
    places = RNG.integers(0, 4, (5000, 6)) / 3.0
    seen, truth = PlaceSet(), set()
    for first in range(0, 5000, 250):
        batch = places[first : first + 250]
        keys = [row.tobytes() for row in batch]
        new = [i for i, key in enumerate(keys) if key not in truth and key not in keys[:i]]
        assert seen.new(batch).tolist() == new
        seen.add(batch)
        truth.update(keys)
    assert len(truth) > 2048, "its table has grown"


def test_an_archive_forgets_poor_old_trials_alone() -> None:
    archive = Archive(FLAT, places := Places(FLAT))
    designs, rewards = FLAT.sample(4 * KEPT, RNG), RNG.normal(size=4 * KEPT)
    where = places.of(designs)
    for rows in np.split(np.arange(4 * KEPT), [1, 60, 300]):
        archive.add(archive.own(designs)[rows], where[rows], rewards[rows])
    row = archive.compact(7)
    assert archive.count < 2.1 * KEPT
    assert (archive.places[row] == where[7]).all()
    best = archive.rewards[archive.best(16)].tolist()
    assert best == sorted(rewards.tolist(), reverse=True)[:16]
    assert {name: column[0] for name, column in archive.columns(archive.take(np.array([row]))).items()} == {
        name: column[7] for name, column in designs.items()
    }


def test_an_archive_ranks_rewards_as_a_stable_sort_does() -> None:
    archive, places = Archive(FLAT, Places(FLAT), objectives=2), Places(FLAT)
    designs = FLAT.sample(700, RNG)
    where, rewards = places.of(designs), RNG.integers(0, 40, 700).astype(float)
    own = archive.own(designs)
    for i in range(700):
        one = slice(i, i + 1)
        archive.add(own[one], where[one], rewards[one], RNG.random((1, 2)) if i % 5 else np.full((1, 2), np.nan))
        if i % 7 == 0:
            assert archive.ranked().tolist() == np.argsort(-rewards[: i + 1], kind="stable").tolist()
    best = archive.best(16)
    before = best.tolist()
    archive.add(own[:1], where[:1], np.array([99.0]), np.zeros((1, 2)))
    assert archive.ranked()[0] == 700
    assert best.tolist() == before, "the best are not changed any more"
    for weights in ((0.2, 0.8), (0.8, 0.2)):
        archive.reweigh(np.array(weights))
        assert archive.ranked().tolist() == np.argsort(-archive.rewards, kind="stable").tolist()


def test_infinite_losses_are_the_worst_and_leave_the_others_in_order() -> None:
    losses = np.array([[1.0, 5.0], [2.0, 2.0], [np.inf, 1.0], [3.0, np.inf], [np.inf, np.inf]])
    for some in (losses, losses[2:], losses - 4.0, losses[4:]):  # the third takes no logarithms
        rewards = chebyshev_rewards(some, np.array([0.5, 0.5]), scales(some))
        assert np.isfinite(rewards).all()
        finite = np.isfinite(some).all(axis=1)
        assert rewards[finite].min(initial=np.inf) > rewards[~finite].max(initial=-np.inf)


def test_infeasible_designs_stay_below_infinite_losses_and_in_their_own_order() -> None:
    archive, places = Archive(FLAT, Places(FLAT), objectives=2), Places(FLAT)
    designs = FLAT.sample(6, RNG)
    where = places.of(designs)
    losses = np.array([[0.0, 5.0], [2.0, 2.0], [np.inf, 1.0], *[[np.nan, np.nan]] * 3])
    archive.add(archive.own(designs), where, np.array([1.0, 1.0, 1.0, -1.0, -2.0, -3.0]), losses)
    archive.reweigh(np.array([0.5, 0.5]))
    rewards = archive.rewards.tolist()
    assert min(rewards[:2]) > rewards[2] > rewards[3] > rewards[4] > rewards[5]


def test_it_comes_closer_than_random_search() -> None:
    problem = make_problem("NKLandscape-v0", letters=3, n=9, k=2, instance=77)
    found = {
        agent: np.mean([search(problem, agent, 150, seed=seed).best.metrics["fitness"] for seed in range(4)])  # type: ignore[union-attr]
        for agent in ("bayesian", "random")
    }
    assert found["bayesian"] > found["random"] + 0.03


def test_under_a_bound_it_comes_closer_than_by_the_reward_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem("SystolicGemms-v0", objective=Objective(("latency_s",), subject_to=("area_mm2 <= 10",)))

    def mean() -> float:
        found = [search(problem, "bayesian", 60, seed=seed).best.metrics["latency_s"] for seed in range(6)]  # type: ignore[union-attr]
        return float(np.mean(found))

    apart = mean()
    monkeypatch.setattr(agent_class("bayesian"), "_set_apart", lambda self: None)
    assert apart < 0.9 * mean()


def test_a_bound_that_all_designs_keep_changes_nothing() -> None:
    found = []
    for bounds in ((), ("area_mm2 <= 1e9",)):
        problem = make_problem("SystolicGemms-v0", objective=Objective(("latency_s",), subject_to=bounds))
        found.append(problem.space.rank(search(problem, "bayesian", 60, seed=3).designs).tolist())
    assert found[0] == found[1]


def test_losses_that_are_no_numbers_under_a_bound_are_the_worst() -> None:
    archive, places = Archive(FLAT, Places(FLAT), bounded=True), Places(FLAT)
    designs = FLAT.sample(3, RNG)
    losses = np.array([[np.nan], [2.0], [np.inf]])
    archive.add(archive.own(designs), places.of(designs), np.zeros(3), losses, np.array([np.inf, 0.0, 1.0]))
    assert archive.losses.tolist() == [np.inf, 2.0, np.inf]
    assert archive.violations.tolist() == [np.inf, 0.0, 1.0]


def test_several_objectives_are_covered_by_more_than_one_compromise() -> None:
    problem = make_problem("SystolicGemms-v0", tokens=64, objective="latency_s,area_mm2")
    front = search(problem, "bayesian", 150, seed=1).front
    areas = front.evaluations.losses[:, 1]
    assert len(front) >= 8
    assert areas.max() > 2 * areas.min()


def test_what_is_told_is_not_asked_any_more() -> None:
    problem = make_problem("NKLandscape-v0", letters=3, n=6, k=2)
    agent = agent_class("bayesian")(problem, np.random.default_rng(0))
    for _ in range(12):
        agent.tell(design := agent.ask(1), problem.evaluate(design))
    known = problem.space.sample(400, np.random.default_rng(1))
    agent.tell(known, problem.evaluate(known))
    rows = {tuple(row) for row in np.stack(problem.space.digits(known), axis=1).tolist()}
    asked = np.stack(problem.space.digits(agent.ask(10)), axis=1).tolist()
    assert not rows & {tuple(row) for row in asked}


def test_it_asks_what_is_two_moves_from_anything_told() -> None:
    problem = make_problem("NKLandscape-v0", letters=4, n=9, k=2)
    # Of one move each, so that what is farther is a move of a candidate.
    found = search(problem, "bayesian", 120, seed=0, crossed=0.0, further=0.0, patience=4096)
    digits = np.stack(problem.space.digits(found.designs), axis=1)
    away = [(digits[:i] != digits[i]).sum(axis=1).min() for i in range(8, 120)]
    assert set(away) == {1, 2}


def test_both_halves_of_a_pool_are_predicted_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem("NKLandscape-v0", letters=4, n=9, k=2)
    agent = agent_class("bayesian")(problem, np.random.default_rng(0))
    agent._candidates.plain = False  # step by step
    pools = []

    def kept(pool: np.ndarray, mean: np.ndarray, nearest: np.ndarray, target: float, count: int) -> np.ndarray:
        direct = agent._process.predict(pool, pool, np.arange(len(pool)))
        pools.append((pool, mean - direct[0], nearest - direct[1]))
        return RankProcess.promising(agent._process, pool, mean, nearest, target, count)

    monkeypatch.setattr(agent._process, "promising", kept)
    for _ in range(100):
        designs = agent.ask(1)
        agent.tell(designs, problem.evaluate(designs))
    assert len(pools) > 8
    for pool, mean, nearest in pools:
        assert len(np.unique(pool, axis=0)) == len(pool), "no candidate of the second half is one of the first"
        assert mean == pytest.approx(0, abs=5e-3)
        assert nearest == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("name", ["flat", "continuous"])  # of a real number the process keeps 24 values
def test_one_call_picks_what_step_by_step_is_picked(name: str) -> None:
    problem = problems()[name]
    agent = agent_class("bayesian")(problem, np.random.default_rng(0))
    for _ in range(150):
        agent.tell(designs := agent.ask(1), problem.evaluate(designs))
    candidates, starts = agent._candidates, agent._archive.best(17)
    for target in (0.0, 1.0, 2.0):
        state = candidates.state.copy()
        candidates.plain = True
        digits, places = agent._picker.pick(starts, target, 12)
        candidates.state[:], candidates.plain = state, False
        others = agent._picker.pick(starts, target, 12)
        assert (digits == others[0]).all()
        assert (places == others[1]).all()
        assert len(agent._seen.new(places)) == 12, "none was asked before"


def test_a_place_has_nothing_left_where_all_was_asked() -> None:
    problem = make_problem("NKLandscape-v0", letters=2, n=3, k=1)
    agent = agent_class("bayesian")(problem, np.random.default_rng(0))
    every = problem.space.unrank(np.arange(8))
    agent.tell(every, problem.evaluate(every))
    agent._hold(agent._archive.best(16))
    for plain in (True, False):
        agent._candidates.plain = plain
        digits, places = agent._picker.pick(np.arange(8), 0.0, 6)
        assert digits.shape == places.shape == (0, 3)


@pytest.mark.parametrize("space", [FLAT, CONTINUOUS, CONDITIONAL])
def test_random_designs_are_of_the_space_and_lie_where_they_say(space: DesignSpace) -> None:
    places = Places(space)
    archive = Archive(space, places)
    shares = {"elite": 0.5, "crossed": 0.0, "further": 0.0, "reach": 0.5}
    candidates = Candidates(space, places, archive, np.random.default_rng(3), **shares)
    drawn = []
    for _ in range(200):
        own, where = candidates.anywhere()
        design = archive.columns(own)
        assert space.contains(design).all()
        assert places.of(design) == pytest.approx(where, abs=1e-12)
        drawn.append(where[0])
    wanted = places.of(space.sample(2000, RNG)).mean(axis=0)
    assert np.mean(drawn, axis=0) == pytest.approx(wanted, abs=0.1 * places.of(space.sample(2000, RNG)).max())


def test_a_process_that_is_full_begins_anew_near_the_incumbent() -> None:
    problem = make_problem("NKLandscape-v0", letters=4, n=9, k=2)
    agent = agent_class("bayesian")(problem, np.random.default_rng(0), trials=64)
    while agent._archive.count < 400:
        agent.tell(designs := agent.ask(agent.batch), problem.evaluate(designs))
        assert agent._process.held <= 64
    assert set(agent._archive.best(16)) <= set(agent._rows_to_hold(agent._archive.best(16), 64))
    assert len(agent._held) == agent._process.held > 32


def test_asked_one_by_one_or_a_queue_at_a_time_it_asks_the_same() -> None:
    problem = make_problem("NKLandscape-v0", letters=4, n=9, k=2)
    asked = []
    for at_once in (False, True):
        agent = agent_class("bayesian")(problem, np.random.default_rng(0))
        rows: list[list[int]] = []
        sizes = []
        while len(rows) < 300:
            agent.tell(designs := agent.ask(agent.batch if at_once else 1), problem.evaluate(designs))
            sizes.append(len(designs[problem.space.columns[0]]))
            rows += np.stack(problem.space.digits(designs), axis=1).tolist()
        assert max(sizes) == (17 if at_once else 1)
        assert 1 in sizes[20:], "a restart is told before anything else is asked"
        asked.append(rows[:300])
    assert asked[0] == asked[1]


def test_designs_asked_at_once_are_all_different() -> None:
    problem = make_problem("NKLandscape-v0", letters=2, n=8, k=2)
    agent = agent_class("bayesian")(problem, np.random.default_rng(0))
    first = agent.ask(12)
    agent.tell(first, problem.evaluate(first))
    ranks = problem.space.rank(agent.ask(40))
    assert len(np.unique(np.concatenate([ranks, problem.space.rank(first)]))) == 52
