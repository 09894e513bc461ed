"""Statistics over runs, against hand-worked numbers, other libraries and plain loops."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from designgym.envs.optimum import Optimum, regret
from designgym.experiments import statistics as stats
from designgym.experiments.importance import parameter_importance

INF = np.inf


# -- one run ----------------------------------------------------------------------------------------------------------


def test_best_so_far_ignores_what_cannot_be_built() -> None:
    loss = np.array([5.0, 1.0, 4.0, np.nan, 3.0])
    feasible = np.array([False, False, True, False, True])
    np.testing.assert_array_equal(stats.best_so_far(loss, feasible), [INF, INF, 4.0, 4.0, 3.0])


def optimum(loss: float, median: float) -> Optimum:
    return Optimum(("x",), 9, 9, ({},), ((loss,),), ({},), 0, (median,), 9, (median,), median - loss, "model", "1")


@pytest.mark.parametrize(("loss", "median"), [(2.0, 10.0), (-8.0, -2.0), (0.0, 1.0)])
def test_regret_is_the_one_that_searches_use(loss: float, median: float) -> None:
    best = np.minimum.accumulate(np.append([INF, INF], np.random.default_rng(0).uniform(loss, 2 * abs(median), 50)))
    best = np.append(best, loss)
    ours = stats.regret_so_far(best, loss, median)
    np.testing.assert_allclose(ours, regret(best, optimum(loss, median)), rtol=1e-14)
    assert ours[0] == 1.0
    assert ours[-1] == 0.0
    assert stats.regret_so_far(np.array([median]), loss, median)[0] == 1.0


def test_regret_where_all_designs_are_alike_is_zero_once_one_is_found() -> None:
    np.testing.assert_array_equal(stats.regret_so_far(np.array([INF, 3.0]), 3.0, 3.0), [1.0, 0.0])


def test_hypervolume_regret_by_hand() -> None:
    # From (4, 4): (3, 3) dominates 1, then (1, 3) dominates 3, then (3, 1) makes it 5; the best front is 9, at (1, 1).
    losses = np.array([[0.0, 0.0], [3.0, 3.0], [1.0, 3.0], [3.0, 1.0], [1.0, 1.0]])
    feasible = np.array([False, True, True, True, True])
    got = stats.hypervolume_regret_so_far(losses, feasible, np.array([4.0, 4.0]), 9.0)
    np.testing.assert_allclose(got, [1.0, 8 / 9, 6 / 9, 4 / 9, 0.0], atol=1e-15)


def test_target_is_a_share_of_the_optimums_size_for_losses_of_either_sign() -> None:
    assert stats.target_loss(200.0, 0.01) == pytest.approx(202.0)
    assert stats.target_loss(-200.0, 0.01) == pytest.approx(-198.0)


def test_designs_and_time_to_reach() -> None:
    curve, clock = np.array([INF, 9.0, 9.0, 4.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert stats.designs_to_reach(curve, 9.0) == 2
    assert stats.designs_to_reach(curve, 4.0) == 4
    assert stats.designs_to_reach(curve, 0.5) == INF
    assert stats.time_to_reach(curve, clock, 4.5) == 0.4
    assert stats.time_to_reach(curve, clock, 0.0) == INF


# -- many runs --------------------------------------------------------------------------------------------------------


def test_grids_have_their_ends_and_no_repeats() -> None:
    grid = stats.design_grid(1000)
    assert (grid[0], grid[-1]) == (1, 1000)
    assert (np.diff(grid) > 0).all()
    assert len(stats.design_grid(0)) == 0
    np.testing.assert_array_equal(stats.design_grid(5), [1, 2, 3, 4, 5])
    seconds = stats.second_grid([np.array([0.01, 2.0]), np.array([0.001, 0.5]), np.zeros(0)])
    assert (seconds[0], seconds[-1]) == (pytest.approx(0.001), pytest.approx(2.0))


def test_on_grid_is_a_step_function_that_carries_the_last_value_on() -> None:
    rows = stats.on_grid(
        [np.array([1.0, 2.0, 3.0]), np.array([2.0])],
        [np.array([9.0, 5.0, 4.0]), np.array([7.0])],
        np.array([0.5, 1.0, 2.9, 100.0]),
    )
    np.testing.assert_array_equal(rows, [[INF, 9.0, 5.0, 4.0], [INF, INF, 7.0, 7.0]])


@pytest.mark.parametrize("runs", [1, 3, 4, 10, 11, 40])
def test_interquartile_mean_is_the_trimmed_mean(runs: int) -> None:
    values = np.random.default_rng(runs).lognormal(size=(runs, 7))
    np.testing.assert_allclose(stats.interquartile_mean(values), trim_mean(values, 0.25, axis=0))


def test_interval_is_that_of_a_plain_bootstrap() -> None:
    values = np.random.default_rng(1).lognormal(size=10)
    rng = np.random.default_rng(2)
    means = trim_mean(rng.choice(values, (20_000, 10)), 0.25, axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    middle, ours_low, ours_high = stats.iqm_interval(values[:, None], resamples=20_000)[0]
    assert middle == pytest.approx(trim_mean(values, 0.25))
    assert ours_low == pytest.approx(low, rel=0.03)
    assert ours_high == pytest.approx(high, rel=0.03)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # A percentile bootstrap over ten runs is known to be somewhat narrow: nine in ten rather than nineteen in twenty.
    values = np.random.default_rng(3).normal(size=(10, 2000))
    estimate = stats.iqm_interval(values)
    covered = float(((estimate.low <= 0) & (estimate.high >= 0)).mean())
    assert 0.86 < covered < 0.97


def test_interval_is_the_same_every_time_and_holds_its_middle() -> None:
    values = np.random.default_rng(4).lognormal(size=(10, 50))
    first, second = stats.iqm_interval(values), stats.iqm_interval(values)
    np.testing.assert_array_equal(first.low, second.low)
    np.testing.assert_array_equal(first.high, second.high)
    assert (first.low <= first.middle).all()
    assert (first.middle <= first.high).all()


def test_interval_with_runs_that_found_nothing() -> None:
    values = np.array([[1.0, INF], [2.0, INF], [3.0, INF], [4.0, INF], [INF, INF]])
    estimate = stats.iqm_interval(values)
    assert estimate.middle[0] == 3.0  # the worst and the best run are cut
    assert np.isfinite(estimate.low[0])
    assert estimate.high[0] == INF
    assert np.isinf([estimate.middle[1], estimate.low[1], estimate.high[1]]).all()


def test_one_run_has_no_spread_and_none_is_refused() -> None:
    assert stats.iqm_interval(np.array([[5.0]]))[0] == (5.0, 5.0, 5.0)
    with pytest.raises(ValueError, match="at least one run"):
        stats.iqm_interval(np.zeros((0, 3)))


def test_medians_count_runs_that_never_got_there() -> None:
    assert stats.median_reached(np.array([10.0, 30.0, INF])) == 30.0
    assert stats.median_reached(np.array([10.0, 30.0])) == 20.0
    assert stats.median_reached(np.array([10.0, INF])) == INF
    assert stats.share_reached(np.array([10.0, INF, 5.0, INF])) == 0.5


def test_chance_of_beating_counts_ties_half_even_where_neither_got_there() -> None:
    assert stats.chance_of_beating(np.array([1.0, INF]), np.array([2.0, INF])) == (1 + 1 + 0 + 0.5) / 4


# -- what parameters matter -------------------------------------------------------------------------------------------


def drawn(n: int = 900) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    columns = {"big": rng.uniform(1, 8, n), "small": rng.integers(1, 9, n), "idle": rng.uniform(0, 1, n)}
    return columns | {"flow": np.array(["os", "ws", "is"], object)[rng.integers(0, 3, n)]}


def test_importance_orders_parameters_by_what_they_do() -> None:
    columns = drawn()
    target = columns["big"] ** 2 * (1 + 0.02 * columns["small"]) * np.where(columns["flow"] == "ws", 2.0, 1.0)
    found = parameter_importance({name: [column] for name, column in columns.items()}, target)
    assert found is not None
    drop = dict(zip(found.parameters, found.drop, strict=True))
    assert drop["big"] > drop["flow"] > drop["small"] > drop["idle"] - 1e-3
    assert abs(drop["idle"]) < 0.01
    assert found.explained > 0.97
    assert found.logarithm


def test_importance_of_parameters_that_only_act_together() -> None:
    columns = drawn()
    target = np.where((columns["small"] > 4) == (columns["big"] > 4.5), 1.0, -1.0)
    found = parameter_importance({name: [column] for name, column in columns.items()}, target)
    assert found is not None
    drop = dict(zip(found.parameters, found.drop, strict=True))
    assert min(drop["small"], drop["big"]) > 10 * max(drop["flow"], drop["idle"], 0.01)
    assert not found.logarithm


def test_importance_takes_several_columns_as_one_parameter_and_idle_values() -> None:
    columns = drawn()
    idle = np.where(columns["idle"] > 0.5, columns["idle"], np.nan)
    pair = [columns["big"], columns["small"]]
    found = parameter_importance({"pair": pair, "idle": [idle]}, columns["big"] + columns["small"])
    assert found is not None
    assert found.parameters == ("pair", "idle")
    assert found.drop[0] > 1.0
    assert abs(found.drop[1]) < 0.01


def test_importance_is_the_same_every_time_and_drops_what_failed() -> None:
    columns = drawn()
    target = np.where(columns["idle"] < 0.1, np.nan, columns["big"])
    parameters = {name: [column] for name, column in columns.items()}
    first, second = parameter_importance(parameters, target), parameter_importance(parameters, target)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.drop, second.drop)
    assert first.designs == int((columns["idle"] >= 0.1).sum())


def test_importance_of_nothing_to_learn() -> None:
    columns = {"big": [np.arange(100.0)]}
    assert parameter_importance(columns, np.full(100, 3.0)) is None
    assert parameter_importance({"big": [np.arange(20.0)]}, np.arange(20.0)) is None
