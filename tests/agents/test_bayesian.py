"""The model-guided search: its process against NumPy, its kernels' slopes, and what it finds."""

import numpy as np
import pytest

from designgym.agents import _gaussian_process_kernel as kernel
from designgym.agents import _improvement_kernel as improvement
from designgym.agents import _prediction_kernel as prediction
from designgym.agents import agent_class, search
from designgym.agents.archive import KEPT, Archive
from designgym.agents.candidates import Candidates
from designgym.agents.gaussian_process import RankProcess, normal_scores
from designgym.agents.places import Places, PlaceSet
from designgym.agents.scalarising import chebyshev_rewards, scales
from designgym.agents.testing import CONDITIONAL, CONTINUOUS, FLAT, problems
from designgym.envs import DesignSpace, make_problem

RNG = np.random.default_rng(0)
SPACES = (FLAT, CONDITIONAL, CONTINUOUS)


def covariance(one: np.ndarray, other: np.ndarray, rates: np.ndarray) -> np.ndarray:
    return np.exp(-(rates * np.minimum(np.abs(one[:, None] - other[None]), 1.0)).sum(axis=2))


def log_likelihood(places: np.ndarray, rates: np.ndarray, scores: np.ndarray, noise: float) -> float:
    matrix = covariance(places, places, rates) + noise * np.eye(len(scores))
    return float(-0.5 * scores @ np.linalg.solve(matrix, scores) - 0.5 * np.linalg.slogdet(matrix)[1])


def held(places: np.ndarray, rates: np.ndarray, scores: np.ndarray, noise: float) -> tuple[RankProcess, np.ndarray]:
    process = RankProcess(np.arange(places.shape[1]), rates.sum(), noise, len(places))
    process._set_rates(rates)
    process.hold(places[:25], -scores[:25])  # scores change as trials are added
    process.add(places[25:26], scores[:26] + 1.0)
    process.add(places[26:], scores)
    return process, covariance(places, places, rates) + noise * np.eye(len(places))


def predicted(process: RankProcess, pool: np.ndarray, starts=None, start=None) -> tuple[np.ndarray, np.ndarray]:
    """What it expects of a pool, by default as its own starts."""
    starts, start = (pool, np.arange(len(pool))) if starts is None else (starts, start)
    return process.predict(pool, starts, start)


def test_the_process_predicts_as_the_textbook_does() -> None:
    places, pool, rates = RNG.random((43, 5)), RNG.random((20, 5)), RNG.random(5) * 2
    scores, noise = RNG.normal(size=43), 0.1
    process, matrix = held(places, rates, scores, noise)
    mean, nearest = predicted(process, pool)
    cross = covariance(pool, places, rates)
    assert mean == pytest.approx(cross @ np.linalg.solve(matrix, scores), abs=0.02)
    assert nearest == pytest.approx(cross.max(axis=1), abs=1e-3)
    deviation = np.sqrt(1 - nearest**2 / (1 + noise))
    draws = mean + deviation * np.random.default_rng(1).normal(size=(400_000, 1))
    got = [improvement.expected_improvement(*one, noise, 0.5) for one in zip(mean, nearest, strict=True)]
    assert got == pytest.approx(np.maximum(draws - 0.5, 0).mean(axis=0), abs=0.004)
    assert (deviation**2 >= 1 - np.einsum("ij,ij->i", cross, np.linalg.solve(matrix, cross.T).T) - 1e-3).all()


def test_trials_added_one_by_one_are_those_held_at_once() -> None:
    places, rates, scores = RNG.random((60, 4)), RNG.random(4), RNG.normal(size=60)
    one, _ = held(places, rates, scores, 0.03)
    other, _ = held(places, rates, scores, 0.03)
    other.hold(places, scores)
    assert other._weights == pytest.approx(one._weights, abs=1e-3)


def test_trials_of_known_values_are_held_as_others() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(4) / 3.0] * 3), axis=-1).reshape(-1, 3)
    places, rates, scores = RNG.permutation(grid), RNG.random(3) * 3, RNG.normal(size=64)
    one, other = (RankProcess(np.arange(3), rates.sum(), 0.1, 64) for _ in range(2))
    for process, known in ((one, True), (other, False)):
        process._set_rates(rates)
        process.hold(places[:40], scores[:40])
        for last in (50, 64):
            if known:
                predicted(process, grid)
                out = np.empty(process.held, np.float32)
                place = places[process.held].astype(np.float32)
                assert prediction.correlate_known(
                    place, len(out), process._values, process._marks, process._factors[0], out
                )
                away = np.abs(places[: len(out)] - place) @ rates
                assert out == pytest.approx(np.exp(-away), abs=2e-3)
            process.add(places[process.held : last], scores[:last])
    assert one._weights == pytest.approx(other._weights, abs=1e-2)


def test_trials_added_under_little_noise_are_those_of_the_textbook() -> None:
    rng = np.random.default_rng(3)
    places = rng.permutation(np.array([[i >> k & 1 for k in range(10)] for i in range(1024)], float))[:260]
    rates, scores, noise = np.full(10, 0.05), rng.normal(size=260), 1e-3
    process = RankProcess(np.arange(10), rates.sum(), noise, 320)
    process._set_rates(rates)
    process.hold(places[:20], scores[:20])
    for last in range(40, 261, 20):
        predicted(process, places[:40])
        process.add(places[last - 20 : last], scores[:last])
    matrix = covariance(places, places, rates) + noise * np.eye(260)
    wanted = covariance(places[:30], places, rates) @ np.linalg.solve(matrix, scores)
    got, _ = predicted(process, places[:30])
    assert got == pytest.approx(wanted, abs=0.1 * np.abs(wanted).max())


def test_correlations_are_the_exponential_of_distance_to_three_digits() -> None:
    places, rates, out = RNG.random((6, 1000)), np.array([0.001, 0.1, 1.0, 2.0, 5.0, 10.0]), np.empty(999)
    kernel.correlate(places, 1, rates, places[:, 0].copy(), out)
    assert out == pytest.approx(covariance(places.T[1:], places.T[:1], rates)[:, 0], abs=1e-3)


def test_a_prediction_does_not_depend_on_where_a_candidate_starts() -> None:
    places, pool, rates, scores = RNG.random((70, 5)), RNG.random((40, 5)), RNG.random(5) * 4, RNG.normal(size=70)
    pool[::2] = places[:20]
    pool[::2, 1] = 0.25
    process, _ = held(places, rates, scores, 0.1)
    directly = predicted(process, pool)
    for starts in (pool, places[:3]):
        found = predicted(process, pool, starts, RNG.integers(0, len(starts), len(pool)))
        assert found[0] == pytest.approx(directly[0], abs=2e-3)
        assert found[1] == pytest.approx(directly[1], abs=2e-4)


def test_a_prediction_survives_more_values_than_are_kept() -> None:
    places, rates, scores = RNG.random((50, 2)), np.array([3.0, 2.0]), RNG.normal(size=50)
    process, _ = held(places, rates, scores, 0.1)
    values = np.linspace(0.0, 1.0, 60)
    starts = np.column_stack([values[:40], np.full(40, 0.5)])
    # Among all orders is the one in which a value is found in the very row that its start's would take.
    start = RNG.integers(0, 40, 3000)
    pool = np.column_stack([RNG.choice(values, 3000), np.full(3000, 0.5)])
    found = predicted(process, pool, starts, start)
    truth = predicted(process, pool, pool[:1], np.zeros(3000, np.int64))
    one_by_one = [predicted(process, row[None]) for row in pool[:200]]
    assert found[0][:200] == pytest.approx([mean[0] for mean, _ in one_by_one], abs=2e-3)
    assert found[0] == pytest.approx(truth[0], abs=2e-3)
    assert found[1] == pytest.approx(truth[1], abs=2e-4)


def test_what_is_kept_of_values_is_forgotten_with_the_trials() -> None:
    places, pool, rates, scores = RNG.random((60, 3)), RNG.random((20, 3)), RNG.random(3) * 3, RNG.normal(size=60)
    pool[:, 1:] = 0.5
    starts, start = np.full((1, 3), 0.5), np.zeros(20, np.int64)
    process, _ = held(places[::-1], rates, scores[::-1], 0.1)
    predicted(process, pool, starts, start)
    process.hold(places[:40], scores[:40])
    predicted(process, pool, starts, start)
    process.add(places[40:], scores)
    other, _ = held(places, rates, scores, 0.1)
    for got, wanted in zip(predicted(process, pool, starts, start), predicted(other, pool, starts, start), strict=True):
        assert got == pytest.approx(wanted, abs=1e-3)


def test_of_two_candidates_alike_one_is_picked_and_then_another() -> None:
    process, _ = held(
        np.array([[0.0, 0.0], [0.2, 0.0]] + [[1.0, 1.0]] * 28), np.array([2.0, 2.0]), RNG.normal(size=30), 0.1
    )
    pool = np.array([[0.5, 0.1], [0.5, 0.1001], [0.1, 0.6], [0.0, 0.0]])
    process._weights[:] = 0.0
    process._weights[1] = 0.5
    starts, start = np.zeros((1, 2)), np.zeros(4, np.int64)
    guess = process.predict(pool, starts, start)
    assert process.most_improving(*guess, 0.0, 2).tolist() == [1, 0], "the best last, each for itself"
    assert process.promising(pool, *guess, 0.0, 2).tolist() == [0, 2]
    assert sorted(process.promising(pool, *guess, 0.0, 9).tolist()) == [0, 1, 2, 3]


def test_slopes_are_those_of_the_likelihood() -> None:
    places, scores, noise = RNG.random((30, 4)), RNG.normal(size=30), 0.2
    group, rates = np.array([0, 1, 2, 2]), np.array([0.5, 1.5, 0.7, 0.7])
    got = kernel.slopes(np.ascontiguousarray(places.T), rates, group, 3, scores, noise)
    for g in range(3):
        up, down = (rates * np.where(group == g, np.exp(step), 1.0) for step in (1e-5, -1e-5))
        difference = log_likelihood(places, up, scores, noise) - log_likelihood(places, down, scores, noise)
        assert got[g] == pytest.approx(difference / 2e-5, rel=2e-3), "correlations are the exponential's within 1e-3"


def test_rates_find_the_parameters_that_matter() -> None:
    places = RNG.random((64, 3))
    process = RankProcess(np.arange(3), 2.0, 0.03, 64)
    for _ in range(10):
        process.fit(np.ascontiguousarray(places.T), normal_scores(np.sin(7 * places[:, 1])))
    assert process.rates[1] > 5 * process.rates[[0, 2]].max()


def test_scores_depend_on_the_order_alone_and_have_unit_variance() -> None:
    rewards = RNG.normal(size=1000)
    scores = normal_scores(rewards)
    assert (scores == normal_scores(np.exp(rewards))).all()
    assert scores.mean() == pytest.approx(0, abs=1e-9)
    assert scores.std() == pytest.approx(1, abs=0.02)
    assert len(set(normal_scores(np.array([1.0, 2.0, 2.0, 3.0])).tolist())) == 3
    tied = RNG.integers(0, 50, 1000).astype(float)
    either = np.argsort(tied, kind="stable")[::-1]
    assert (normal_scores(tied, either) == normal_scores(tied)).all(), "in whatever order equal ones come"
    assert (normal_scores(tied, np.arange(1000)) != normal_scores(tied)).any(), "the order is used where it is given"
    assert (np.argsort(scores) == np.argsort(rewards)).all(), "the highest reward has the highest score"


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
