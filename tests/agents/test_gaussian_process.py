"""The Gaussian process of `bayesian`: it predicts as the textbook does, however its trials came to it."""

import numpy as np
import pytest

from designgym.agents import _gaussian_process_kernel as kernel
from designgym.agents import _improvement_kernel as improvement
from designgym.agents import _prediction_kernel as prediction
from designgym.agents.gaussian_process import RankProcess, normal_scores

RNG = np.random.default_rng(0)


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


def test_under_a_bound_improvement_counts_as_much_as_it_is_likely_to_be_kept() -> None:
    noise, target, bound, pool = 0.03, 0.2, -0.1, RNG.random((30, 3))
    mean, margin = RNG.normal(size=30), RNG.normal(size=30)
    nearest, other = RNG.uniform(0.1, 0.9, (2, 30))
    rates = np.full(3, 0.5, np.float32), np.full(3, 2.0, np.float32)
    deviation = np.sqrt(1 - np.stack([nearest, other]) ** 2 / (1 + noise))
    draws = np.random.default_rng(1).normal(size=(200_000, 2, 1))
    worth = np.maximum(mean + deviation[0] * draws[:, 0] - target, 0).mean(axis=0)
    worth *= (margin + deviation[1] * draws[:, 1] > bound).mean(axis=0)
    guesses = mean, nearest, margin, other
    picked = improvement.promising_within(*guesses, pool, *rates, noise, target, bound, 5)
    assert picked[0] == np.argmax(worth)
    assert len(set(picked.tolist())) == 5
    every = improvement.promising_within(*guesses, pool, *rates, noise, target, -np.inf, 30)
    alone = improvement.promising(mean, nearest, pool, rates[0], noise, target, 30)
    assert every[0] == alone[0], "a bound that all keep is none"
    never = np.where(np.arange(30) == picked[0], -50.0, margin)
    assert improvement.promising_within(mean, nearest, never, other, pool, *rates, noise, target, bound, 1) != picked[0]
