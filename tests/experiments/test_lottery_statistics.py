"""Best-of-k against enumeration, cross-fitting against planted lotteries, intervals against simulated truth."""

from itertools import combinations

import numpy as np
import pytest

from designgym.experiments.lottery.best_of import best_of, rank_weights
from designgym.experiments.lottery.crossfit import Tried, cross_fitted, draws, halves, resampled, resampled_means
from designgym.experiments.lottery.intervals import Bounds, best_and_ties, interval, verdict, wilson
from designgym.experiments.lottery.study import variance_between


def mean_over_subsets(picked_by, scores, k) -> float:
    """The expected score of the best of k by looking at every subset; ties are picked at random."""
    found = []
    for subset in combinations(range(len(scores)), k):
        least = min(picked_by[i] for i in subset)
        found.append(np.mean([scores[i] for i in subset if picked_by[i] == least]))
    return float(np.mean(found))


@pytest.mark.parametrize("tied", [False, True])
def test_best_of_k_is_the_mean_over_all_subsets(tied) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        picked_by = rng.integers(0, 3, 7).astype(float) if tied else rng.random(7)
        scores = rng.random(7)
        expected = [mean_over_subsets(picked_by, scores, k) for k in range(1, 8)]
        np.testing.assert_allclose(best_of(picked_by, scores), expected, rtol=1e-12)


def test_weights_sum_to_one_and_refuse_a_k_that_is_out_of_range() -> None:
    for k in (1, 7, 300):
        assert rank_weights(300, k).sum() == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(ValueError, match=r"k must be in \[1, 5\], got 6"):
        rank_weights(5, 6)


def test_cross_fitting_equals_its_definition() -> None:
    """Every half of the seeds picks, the other scores, and every subset of settings is looked at."""
    regrets = np.random.default_rng(1).random((5, 4))
    for k in range(1, 6):
        found = []
        for half in combinations(range(4), 2):
            other = [j for j in range(4) if j not in half]
            found.append(mean_over_subsets(regrets[:, half].mean(1), regrets[:, other].mean(1), k))
        assert cross_fitted(Tried(regrets, regrets), halves(4))[k - 1] == pytest.approx(np.mean(found), rel=1e-12)


def test_with_the_default_among_them_it_is_left_only_for_something_better() -> None:
    rng = np.random.default_rng(2)
    regrets, default = rng.random((4, 4)), rng.random(4)
    curve = cross_fitted(Tried(regrets, regrets, (default, default)), halves(4))
    assert curve[0] == pytest.approx(default.mean())
    for k in range(2, 6):
        found = []
        for half in combinations(range(4), 2):
            other = [j for j in range(4) if j not in half]
            for subset in combinations(range(4), k - 1):
                by = [default[list(half)].mean(), *regrets[np.ix_(subset, half)].mean(1)]
                of = [default[other].mean(), *regrets[np.ix_(subset, other)].mean(1)]
                found.append(of[int(np.argmin(by))])
        assert curve[k - 1] == pytest.approx(np.mean(found), rel=1e-12)


def test_splits_are_all_halves_or_that_many_different_ones() -> None:
    assert halves(10).shape == (252, 10)
    assert (halves(7).sum(axis=1) == 3).all()
    many = halves(30, most=50)
    assert len({row.tobytes() for row in many}) == 50
    with pytest.raises(ValueError, match="at least 4 seeds, got 3"):
        halves(3)


def lottery(settings, seeds, rng, noise=1.0):
    """Settings of different quality, each run at its quality times luck of mean 1."""
    quality = rng.beta(1, 3, settings)
    return quality, quality[:, None] * ((1 - noise) + noise * rng.gamma(4, 0.25, (settings, seeds)))


def test_cross_fitted_best_of_k_is_unbiased() -> None:
    """Its mean over many lotteries is what a tuner gets, who picks on three seeds and whose pick runs for ever."""
    rng, picks = np.random.default_rng(3), halves(6)
    truth, estimates = [], []
    for _ in range(1500):
        quality, regrets = lottery(8, 6, rng)
        truth.append(best_of(regrets[:, :3].mean(axis=1), quality))
        _, regrets = lottery(8, 6, rng)
        estimates.append(cross_fitted(Tried(regrets, regrets), picks))
    error = np.mean(estimates, axis=0) - np.mean(truth, axis=0)
    spread = np.sqrt((np.var(estimates, axis=0) + np.var(truth, axis=0)) / 1500)
    assert (np.abs(error) < 4 * spread).all()


def test_settings_that_differ_by_luck_alone_gain_nothing_from_picking() -> None:
    """The planted lottery: picking and scoring on the same seeds would show a gain, cross-fitting shows none."""
    rng, picks = np.random.default_rng(4), halves(10)
    honest, naive = [], []
    for _ in range(300):
        regrets = rng.gamma(4, 0.05, (16, 10))
        curve = cross_fitted(Tried(regrets, regrets), picks)
        honest.append(curve - curve[0])
        flattered = best_of(regrets.mean(axis=1), regrets.mean(axis=1))
        naive.append(flattered - flattered[0])
    spread = np.std(honest, axis=0) / np.sqrt(300)
    assert (np.abs(np.mean(honest, axis=0)[1:]) < 4 * spread[1:]).all()
    assert np.mean(naive, axis=0)[-1] < -0.04, "the same lotteries would fool a study that scores where it picks"


def test_no_resample_scores_on_a_seed_that_it_picked_on() -> None:
    """Planted noise again, resampled: the mean over resamples shows no gain either."""
    rng, picks = np.random.default_rng(5), halves(8)
    gains = []
    for _ in range(40):
        regrets = rng.gamma(4, 0.05, (8, 8))
        found = resampled(Tried(regrets, regrets), picks, draws(8, 8, len(picks), rng, resamples=200))
        gains.append((found[:, -1] - found[:, 0]).mean())
    assert abs(np.mean(gains)) < 4 * np.std(gains) / np.sqrt(len(gains))


def test_intervals_cover_the_truth_nearly_as_often_as_they_say() -> None:
    """95 % intervals, 120 lotteries: at least 86 % cover, three standard errors below; none is trivially wide."""
    rng, picks, settings, most = np.random.default_rng(6), halves(8), 16, 8
    truth = np.mean(
        [best_of(r[:, :4].mean(axis=1), q) for q, r in (lottery(settings, 8, rng) for _ in range(4000))], axis=0
    )[:most]
    covered, widths = [], []
    for _ in range(120):
        _, regrets = lottery(settings, 8, rng)
        tried = Tried(regrets, regrets)
        found = resampled(tried, picks, draws(settings, 8, len(picks), rng, resamples=200))[:, :most]
        low, high = interval(cross_fitted(tried, picks)[:most], found)
        covered.append((low <= truth) & (truth <= high))
        widths.append(high - low)
    assert (np.mean(covered, axis=0) >= 0.86).all(), np.mean(covered, axis=0)
    assert (np.mean(widths, axis=0) < 4 * truth).all()


def test_all_settings_there_are_are_not_resampled() -> None:
    regrets = np.repeat(np.random.default_rng(7).random((6, 1)), 6, axis=1)
    fixed = draws(6, 6, 20, np.random.default_rng(0), fixed=True, resamples=50)
    found = resampled(Tried(regrets, regrets), halves(6), fixed)
    assert np.ptp(found, axis=0).max() < 1e-12, "seeds that agree leave nothing uncertain"
    assert resampled_means(regrets[0], fixed) == pytest.approx(regrets[0, 0])


def test_a_share_has_wilsons_interval() -> None:
    # The interval solves |share - p| = z sqrt(p (1 - p) / n); checked at its own ends.
    low, high = wilson(7, 20)
    for end in (low, high):
        assert abs(0.35 - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / 20), rel=1e-6)
    assert wilson(0, 20)[0] == 0.0
    assert 0.1 < wilson(0, 20)[1] < 0.2


def normal(middle: float, spread: float, low: float | None = None) -> Bounds:
    drawn = np.random.default_rng(int(1e6 * middle) % 97).normal(0.0, spread, 2000)
    least = middle if low is None else low
    return Bounds(np.float64(least), np.float64(middle), least + drawn, middle + drawn)


def test_verdicts_need_evidence_both_ways() -> None:
    assert verdict(normal(0.001, 0.004), 0.02) == "tie"
    assert verdict(normal(0.2, 0.004), 0.02) == "apart"
    assert verdict(normal(-0.2, 0.004), 0.02) == "apart"
    assert verdict(normal(0.001, 0.05), 0.02) == "open", "no difference found is no proof of a tie"
    assert verdict(normal(0.2, 0.001, low=0.0), 0.02) == "open", "unfinished runs leave it open"


def test_ties_with_the_best_are_named() -> None:
    best, ties = best_and_ties([normal(0.30, 0.01), normal(0.10, 0.01), normal(0.11, 0.01)])
    assert (best, ties) == (1, [False, True, True])


def test_variance_between_settings_is_found() -> None:
    rng = np.random.default_rng(8)
    quality = rng.normal(0, 2, (400, 1))
    assert variance_between(quality + rng.normal(0, 1, (400, 10))) == pytest.approx(0.8, abs=0.05)
    assert variance_between(rng.normal(0, 1, (400, 10))) < 0.03
    assert np.isnan(variance_between(np.ones((3, 4))))
