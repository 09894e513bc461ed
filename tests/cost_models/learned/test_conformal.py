"""Intervals cover what they promise, whatever the model and however its errors are spread."""

import numpy as np
import pytest

from designgym.cost_models.base import Metric
from designgym.cost_models.learned.conformal import FEWEST, calibrate, coverage_band, rank_in
from designgym.cost_models.learned.scores import score_metric

METRIC = Metric("latency_s", "s", "lower", "time")


def heteroscedastic(n: int, seed: int, sign: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions over three decades with relative errors from 1 to 40 %, heavy tails, and a bias that grows."""
    rng = np.random.default_rng(seed)
    place = rng.random(n)
    predicted = 10.0 ** (3 * place)
    error = (0.01 + 0.4 * place**3) * rng.standard_t(3, n)
    return sign * predicted, sign * predicted * np.exp(error + 0.1 * place)


@pytest.mark.parametrize("sign", [1.0, -1.0])  # ratios above 0, else differences
def test_coverage_over_all_and_in_each_fifth(sign: float) -> None:
    intervals = calibrate(*heteroscedastic(5000, 1, sign))
    predicted, true = heteroscedastic(5000, 2, sign)
    scores = score_metric(METRIC, predicted, true, intervals.ends(predicted))
    assert intervals.multiplicative == (sign > 0)
    assert 0.88 <= scores.coverage <= 0.92
    assert all(0.85 <= fifth.coverage <= 0.95 for fifth in scores.fifths)
    widths = [fifth.width / (abs(fifth.low) + abs(fifth.high)) for fifth in scores.fifths]
    assert max(widths) > 4 * min(widths)  # where errors are small intervals are narrow


def test_few_designs_stay_inside_the_beta_binomial_band() -> None:
    outside = 0
    for seed in range(200):
        intervals = calibrate(*heteroscedastic(60, seed))
        predicted, true = heteroscedastic(80, 1000 + seed)
        low, high = intervals.ends(predicted)
        band = coverage_band(intervals.counts, [80])
        outside += not band[0] <= np.mean((low <= true) & (true <= high)) <= band[1]
    assert outside <= 7  # 2 expected at 99 %; more than 7 of 200 has a chance of 1 in 1,000


def test_reach_is_the_smallest_error_that_promises_enough() -> None:
    # With 9 errors the largest, with 19 the 18th: ceil((n + 1) 0.9).
    assert [rank_in(n) for n in (9, 19, 99)] == [9, 18, 90]
    assert FEWEST == 9
    true = np.zeros(19)
    intervals = calibrate(np.arange(1.0, 20.0), true)
    assert intervals.reach == (18.0,)
    assert not intervals.multiplicative
    with pytest.raises(ValueError, match="need 9 designs to calibrate on, got 8"):
        calibrate(np.ones(8), np.ones(8))


def test_band_against_the_law_itself() -> None:
    from scipy.stats import betabinom

    k = rank_in(300)
    low, high = betabinom(200, k, 301 - k).ppf([0.005, 0.995]) / 200
    assert coverage_band([300], [200]) == pytest.approx((low, high), abs=0.006)
    wide, narrow = coverage_band([50], [50]), coverage_band([5000], [5000])
    assert wide[0] < narrow[0] < 0.9 < narrow[1] < wide[1]


def test_exact_targets_are_told_from_others() -> None:
    predicted = np.linspace(1.0, 50.0, 400)
    assert calibrate(predicted, predicted * (1 + 1e-9)).exact
    true = predicted.copy()
    true[7] *= 1.001
    assert not calibrate(predicted, true).exact


def test_equal_predictions_make_no_part_too_small_to_calibrate() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.choice([1.0, 2.0, 3.0], 3000, p=[0.98, 0.015, 0.005])
    intervals = calibrate(predicted, predicted * rng.lognormal(0, 0.1, 3000))
    assert sum(intervals.counts) == 3000
    assert min(intervals.counts) >= 20
