"""Scores against numbers worked by hand."""

import math

import numpy as np
import pytest

from designgym.cost_models.base import Metric
from designgym.cost_models.learned.scores import score_feasibility, score_metric, top_k_regret

LOWER, HIGHER = Metric("latency_s", "s", "lower", "time"), Metric("accuracy", "1", "higher", "share")
TRUE = np.array([1.0, 2.0, 4.0, 5.0])
PREDICTED = np.array([1.1, 1.8, 5.0, 4.0])


def test_errors_by_hand() -> None:
    scores = score_metric(LOWER, PREDICTED, TRUE)
    # Relative errors .1, -.1, .25, -.2; errors .1, -.2, 1, -1 with squares .01, .04, 1, 1.
    assert scores.relative_rmse == pytest.approx(100 * math.sqrt((0.01 + 0.01 + 0.0625 + 0.04) / 4))
    rmse = math.sqrt(2.05 / 4)
    assert scores.rmse_over_mean == pytest.approx(100 * rmse / 3.0)
    assert scores.rmse_over_range == pytest.approx(100 * rmse / 4.0)
    assert scores.r2 == pytest.approx(1 - 2.05 / 10.0)  # squared deviations 4, 1, 1, 4
    assert scores.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))  # one swap of neighbours
    assert scores.kendall == pytest.approx((5 - 1) / 6)
    assert (scores.n, scores.zeros) == (4, 0)


def test_a_true_value_of_zero_is_left_out_of_the_relative_error_and_counted() -> None:
    scores = score_metric(LOWER, np.array([0.5, 1.1, 2.0]), np.array([0.0, 1.0, 2.0]))
    assert scores.relative_rmse == pytest.approx(100 * math.sqrt(0.01 / 2))
    assert scores.zeros == 1
    assert scores.rmse_over_mean == pytest.approx(100 * math.sqrt(0.26 / 3))
    assert math.isnan(score_metric(LOWER, np.ones(2), np.zeros(2)).relative_rmse)


def test_regret_of_what_looks_best() -> None:
    true = np.array([10.0, 1.0, 3.0, 5.0, 9.0])  # best 1, median 5
    predicted = np.array([0.0, 4.0, 1.0, 2.0, 3.0])
    assert [top_k_regret(LOWER, predicted, true, k) for k in (1, 2, 5)] == pytest.approx([9 / 4, 2 / 4, 0.0])
    # The same of a metric of which more is better: it takes the largest predictions first.
    assert top_k_regret(HIGHER, -predicted, -true, 2) == pytest.approx(2 / 4)
    assert top_k_regret(LOWER, predicted, np.full(5, 2.0), 1) == 0.0


def test_coverage_width_and_fifths() -> None:
    predicted = np.arange(1.0, 11.0)
    true = predicted + np.array([0, 0, 0, 9, 0, 0, 0, 0, 9, 9])
    scores = score_metric(LOWER, predicted, true, (predicted - 1.0, predicted + 1.0))
    assert scores.coverage == pytest.approx(0.7)
    assert scores.width == pytest.approx(2.0)
    assert scores.relative_width == pytest.approx(100 * float(np.mean(2.0 / predicted)))
    assert [fifth.coverage for fifth in scores.fifths] == [1.0, 0.5, 1.0, 1.0, 0.0]
    assert [(fifth.low, fifth.high) for fifth in scores.fifths][:2] == [(1.0, 2.0), (3.0, 4.0)]


def test_values_on_an_interval_s_end_are_counted() -> None:
    predicted = np.arange(1.0, 11.0)
    true = predicted + np.array([0, 0, 0, 2, 0, 0.5, 0, 0, 9, 0])
    scores = score_metric(LOWER, predicted, true, (predicted, predicted + 2.0))
    assert (scores.coverage, scores.on_end) == pytest.approx((0.9, 0.8))
    assert [fifth.on_end for fifth in scores.fifths] == [1.0, 1.0, 0.5, 1.0, 0.5]


def test_ranks_of_equal_values_have_no_meaning() -> None:
    scores = score_metric(LOWER, np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    assert all(math.isnan(value) for value in (scores.spearman, scores.kendall, scores.r2, scores.coverage))


def test_feasibility_by_hand() -> None:
    feasible = np.array([True, True, True, False])
    scores = score_feasibility(np.array([0.9, 0.5, 0.2, 0.6]), feasible)
    assert (scores.n, scores.share) == (4, 0.75)
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(2 / 3)
    assert scores.brier == pytest.approx((0.01 + 0.25 + 0.64 + 0.36) / 4)
    assert scores.baseline == pytest.approx(0.1875)
    assert math.isnan(score_feasibility(np.zeros(2), np.array([True, False])).precision)
