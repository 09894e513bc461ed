"""Comparing agents: against rliable, Demšar's published example, and figures worked by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from designgym.experiments.comparison import (
    expected_running_time,
    performance_profile,
    performance_ratios,
    pooled_mean,
    probability_of_improvement,
    profile_score,
    ranking,
    ratio_of_means,
    stratified_interval,
    stratified_iqm,
    targets_reached,
)

RLIABLE = json.loads((Path(__file__).parents[1] / "reference" / "comparison" / "rliable.json").read_text())
A, B = np.array(RLIABLE["a"]), np.array(RLIABLE["b"])


@pytest.mark.parametrize("name", ["a", "b"])
def test_interquartile_means_are_those_of_rliable(name: str) -> None:
    middle, low, high = RLIABLE["iqm"][name]
    got = stratified_iqm(np.array(RLIABLE[name]), resamples=10_000)
    assert got.middle == pytest.approx(middle, rel=1e-12)
    assert (got.low, got.high) == pytest.approx((low, high), rel=0.02)


def test_probability_of_improvement_is_that_of_rliable() -> None:
    middle, low, high = RLIABLE["improvement"]
    got = probability_of_improvement(A, B)
    assert got.middle == pytest.approx(middle, rel=1e-12)
    assert (got.low, got.high) == pytest.approx((low, high), abs=0.01)
    back = probability_of_improvement(B, A)
    assert back.middle == pytest.approx(1 - middle)
    assert probability_of_improvement(A, A).middle == 0.5
    assert probability_of_improvement(np.zeros(4), np.ones(7)) == (1.0, 1.0, 1.0)


def test_intervals_resample_within_problems_only() -> None:
    # Two problems of very different size without any spread over seeds: nothing is uncertain.
    scores = np.tile([1.0, 1000.0], (10, 1))
    assert stratified_interval(pooled_mean, scores) == (500.5, 500.5, 500.5)


def test_intervals_cover_as_often_as_they_should() -> None:
    rng, hits = np.random.default_rng(3), 0
    for i in range(200):
        scores = rng.normal([0.0, 5.0, 9.0], [1.0, 2.0, 0.5], (12, 3))
        _, low, high = stratified_interval(pooled_mean, scores, 500, seed=i)
        hits += low <= 14.0 / 3.0 <= high
    assert 0.88 <= hits / 200 <= 0.98  # a percentile bootstrap of 12 runs is a little narrow


def test_ratio_of_means() -> None:
    ratio = ratio_of_means(0.5 * A, A)
    assert ratio.middle == pytest.approx(0.5)
    assert ratio.low < 0.5 < ratio.high
    assert ratio_of_means(A, np.zeros_like(A)).middle == np.inf
    with pytest.raises(ValueError, match="the same problems, got 6 and 5"):
        ratio_of_means(A, A[:, :5])


def test_expected_running_time_charges_failures() -> None:
    reached, spent = np.array([10.0, np.inf, 30.0, np.inf]), np.full(4, 100.0)
    assert expected_running_time(reached, spent) == (10 + 100 + 30 + 100) / 2
    assert expected_running_time(np.full(3, np.inf), spent[:3]) == np.inf
    assert targets_reached(reached, np.array([1.0, 10.0, 29.0, 1e9])).tolist() == [0.0, 0.25, 0.25, 0.5]


def test_performance_profiles_and_their_area() -> None:
    ratios = performance_ratios({"x": np.array([2.0, 10.0, np.inf]), "y": np.array([1.0, 20.0, np.inf])})
    assert ratios["x"].tolist() == [2.0, 1.0, np.inf]
    assert ratios["y"].tolist() == [1.0, 2.0, np.inf]
    assert performance_profile(ratios["x"], np.array([1.0, 2.0, 4.0])).tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    grid = np.linspace(1.0, 4.0, 300_001)
    area = np.trapezoid(performance_profile(ratios["x"], grid), grid) / 3.0
    assert profile_score(ratios["x"]) == pytest.approx(area, abs=1e-5)


# Critical values of the two-tailed Nemenyi test at 0.05 and 0.10: Table 5a of Demšar, JMLR 7, 2006.
NEMENYI = {3: (2.343, 2.052), 4: (2.569, 2.291), 6: (2.850, 2.589), 10: (3.164, 2.920)}


@pytest.mark.parametrize("agents", NEMENYI)
def test_critical_differences_are_those_of_the_published_table(agents: int) -> None:
    scores = {str(i): np.random.default_rng(i).random(14) for i in range(agents)}
    for alpha, q in zip((0.05, 0.10), NEMENYI[agents], strict=True):
        expected = q * np.sqrt(agents * (agents + 1) / (6 * 14))
        assert ranking(scores, alpha).critical_difference == pytest.approx(expected, rel=5e-4)


# Areas under the ROC curve of four classifiers on 14 data sets: Table 6 of Demšar, JMLR 7, 2006. On "voting" the paper
# ranks two that it prints alike, .975, second and third.
DEMSAR = {
    "C4.5": (0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1, 0.940, 0.619, 0.972, 0.957),
    "C4.5+m": (0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1, 0.962, 0.666, 0.981, 0.978),
    "C4.5+cf": (0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1, 0.965, 0.614, 0.97501, 0.946),
    "C4.5+m+cf": (0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1, 0.962, 0.669, 0.975, 0.970),
}


def test_ranks_are_those_of_the_published_example() -> None:
    found = ranking({name: -np.array(areas) for name, areas in DEMSAR.items()})
    assert list(found.ranks) == ["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]
    assert list(found.ranks.values()) == pytest.approx([1.964, 2.000, 2.893, 3.143], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.friedman_p < 0.05
    tenth = ranking({name: -np.array(areas) for name, areas in DEMSAR.items()}, alpha=0.10)
    assert tenth.critical_difference == pytest.approx(1.12, abs=0.005)
    # The paper at 0.10: C4.5 is significantly worse than C4.5+m and C4.5+m+cf; C4.5+cf may belong to either side.
    assert tenth.groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5"))


def test_groups_are_the_largest_within_the_critical_difference() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(40)
    scores = {"best": hard, "same": hard + rng.normal(0, 0.01, 40), "worse": hard + 5, "worst": hard + 9}
    found = ranking(scores)
    assert list(found.ranks)[2:] == ["worse", "worst"]
    assert found.groups == (("best", "same"),) or found.groups == (("same", "best"),)
    assert found.friedman_p < 1e-12
    assert found.holm_p["worse", "worst"] < 1e-6
    assert max(found.holm_p.values()) > 0.05
    with pytest.raises(ValueError, match="ranks need 3 agents and 2 problems, got 2 and 40"):
        ranking({"a": hard, "b": hard + 1})
