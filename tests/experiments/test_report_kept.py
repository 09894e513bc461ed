"""What a report keeps of many trials: uniform samples, the best, fronts, the least loss by value."""

import numpy as np
import pytest

from designgym.experiments import statistics as stats
from designgym.experiments.report.keep import BestByValue, BestRows, Sample
from designgym.experiments.report.steps import entering
from designgym.experiments.report.trials import Trials
from designgym.experiments.report.values import best_by_value


def test_sample_of_many_trials_is_uniform_and_the_same_each_time() -> None:
    n = 20_000

    def sampled() -> Trials:
        sample = Sample(5000)
        for run in range(10):
            sample.add(some_trials(np.arange(n, dtype=float) + n * run), f"run {run}")
        assert sample.of == 10 * n
        found = sample.trials()
        assert found is not None
        return found

    found = sampled()
    assert len(found) == 5000
    shares = np.histogram(found.losses[:, 0], bins=20, range=(0, 10 * n))[0]
    # Each part holds 250 in the mean, with a standard deviation of 15.4.
    assert np.abs(shares - 250).max() < 5 * 15.4
    assert np.array_equal(found.losses, sampled().losses)


def test_best_rows_of_many_runs_are_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    best, everything = BestRows(50), []
    for _ in range(30):
        trials = some_trials(rng.integers(0, 10**6, 3000).astype(float))
        best.add(trials)
        everything.append(trials.losses[:, 0])
    found = best.trials()
    assert found is not None
    distinct = np.unique(np.concatenate(everything))[:50]
    # In every run that has them: a design that two runs found is there twice.
    expected = np.sort(np.concatenate([losses[losses <= distinct[-1]] for losses in everything]))
    assert np.array_equal(np.sort(found.losses[:, 0]), expected)


def some_trials(losses: np.ndarray) -> Trials:
    n = len(losses)
    zeros, ones = np.zeros(n, np.int64), np.ones(n, bool)
    none = np.zeros(n)
    return Trials(zeros, np.arange(1, n + 1), zeros, none, zeros, ones, none, losses[:, None], {"x": losses}, {}, {})


@pytest.mark.parametrize("objectives", [2, 3])
def test_steps_give_the_hypervolume_of_all_trials(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    losses = rng.integers(0, 30, (2000, objectives)) / 30
    feasible = rng.random(2000) < 0.7
    rows = entering(losses, feasible)
    reference = np.full(objectives, 1.1)
    every = stats.hypervolume_regret_so_far(losses, feasible, reference, 2.0)
    steps = stats.hypervolume_regret_so_far(losses[rows], np.ones(len(rows), bool), reference, 2.0)
    assert stats.on_grid([rows], [steps], np.arange(2000), 1.0)[0] == pytest.approx(every, abs=1e-12)
    assert (np.diff(steps) < 0).all()
    assert len(rows) < 400


@pytest.mark.parametrize("logarithm", [False, True])
def test_values_too_many_to_tell_apart_are_binned(logarithm: bool) -> None:
    rng = np.random.default_rng(0)
    kept = BestByValue({"low": 1.0, "high": 1000.0, "log": logarithm})
    for _ in range(4):
        values = np.exp(rng.uniform(0, np.log(1000), 3000))
        kept.add(values, np.abs(np.log(values / 30)), None)
    found = best_by_value(kept)
    assert found is not None
    middles, best = found
    assert len(middles) == 24
    assert len(kept.least) <= 1000
    least = middles[int(np.argmin(best))]
    assert least == pytest.approx(30, abs=25 if not logarithm else 5)
