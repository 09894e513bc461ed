"""Models learn known functions, alike twice with one seed; what they are told beside the designs helps as it should."""

import json
import subprocess
import sys

import numpy as np
import pytest

from designgym.cost_models.base import Columns
from designgym.cost_models.learned import regressors
from designgym.cost_models.learned.mixing import candidates, relative_rmse, weigh
from designgym.cost_models.learned.regression import FittedMetrics, fit_metrics
from designgym.cost_models.learned.regressors import MODELS, Recipe, register_regressor, regressor_names
from designgym.cost_models.learned.targets import Target
from designgym.envs import Categorical, DesignSpace, Float, Integer, Permutation

SPACE = DesignSpace(
    Integer("lanes", 1, 64), Float("rate", 0.1, 10.0, log=True), Categorical("flow", ("a", "b", "c")),
    Permutation("order", ("k", "c", "p", "q")),
)  # fmt: skip


def drawn(n: int, seed: int) -> Columns:
    return SPACE.sample(n, np.random.default_rng(seed))


def smooth(designs: Columns) -> Columns:
    """Return a time that spans decades, and a share that does not."""
    work = (1.0 + designs["flow"]) * 100.0 / designs["lanes"]
    return {"time_s": work + 3.0 / designs["rate"], "share": 0.3 + 0.1 * np.log10(designs["rate"])}


@pytest.mark.parametrize("model", [model for model in MODELS if model != "ensemble"])
def test_every_model_beats_the_mean_and_gives_the_same_twice(model: str) -> None:
    train, others = drawn(150, 0), drawn(200, 1)
    truth = smooth(others)
    fitted = fit_metrics(SPACE.specs(), train, smooth(train), model=model, seed=3)
    found = fitted.predict(others)
    for name, values in smooth(train).items():
        mean = float(np.exp(np.log(values).mean()))  # the better constant for relative errors of what spans decades
        assert relative_rmse(found[name], truth[name]) < 0.6 * relative_rmse(np.full(200, mean), truth[name])
    again = fit_metrics(SPACE.specs(), train, smooth(train), model=model, seed=3).predict(others)
    assert all((again[name] == found[name]).all() for name in found)


def test_an_ensemble_is_no_worse_than_the_baseline_and_gives_the_same_twice() -> None:
    train, others = drawn(40, 0), drawn(200, 1)
    values, truth = {"time_s": smooth(train)["time_s"]}, smooth(others)["time_s"]
    fits = [fit_metrics(SPACE.specs(), train, values, seed=3) for _ in range(2)]
    found = [fitted.predict(others)["time_s"] for fitted in fits]
    assert (found[0] == found[1]).all()
    baseline = fit_metrics(SPACE.specs(), train, values, model="ridge").predict(others)["time_s"]
    assert relative_rmse(found[0], truth) < 1.05 * relative_rmse(baseline, truth)
    errors = fits[0].errors["time_s"]
    assert set(errors) == {*candidates(40), "ensemble"}
    assert errors["ensemble"] < 1.05 * min(errors.values())


def test_a_fitted_model_comes_back_from_its_state_and_estimators() -> None:
    train, others = drawn(120, 0), drawn(50, 1)
    values = smooth(train)
    fitted = fit_metrics(
        SPACE.specs(), train, {"time_s": values["time_s"]}, features={"seen": values["time_s"] ** 0.5},
        bounds={"time_s": 0.5 * values["time_s"]}, model="ridge+additive",
    )  # fmt: skip
    beside = {
        "features": {"seen": smooth(others)["time_s"] ** 0.5},
        "bounds": {"time_s": 0.5 * smooth(others)["time_s"]},
    }
    again = FittedMetrics.from_state(json.loads(json.dumps(fitted.state())), fitted.estimators)
    assert (again.predict(others, **beside)["time_s"] == fitted.predict(others, **beside)["time_s"]).all()
    assert again.state() == fitted.state()
    with pytest.raises(ValueError, match="must have the estimators of its state"):
        FittedMetrics.from_state(fitted.state(), {})
    with pytest.raises(ValueError, match="must be what `state` told"):
        FittedMetrics.from_state({"state": fitted.state()["state"]}, fitted.estimators)


def test_boosting_beats_the_baseline_on_a_staircase() -> None:
    def stairs(designs: Columns) -> Columns:
        return {"tiles": np.ceil(37.0 / designs["lanes"]) * (2.0 + (designs["rate"] > 1.0) * (designs["flow"] == 1))}

    train, others = drawn(1500, 0), drawn(500, 1)
    errors = {
        model: relative_rmse(
            fit_metrics(SPACE.specs(), train, stairs(train), model=model).predict(others)["tiles"],
            stairs(others)["tiles"],
        )
        for model in ("ridge", "boosting")
    }
    assert errors["boosting"] < 0.3 * errors["ridge"]


def test_boosting_on_a_slope_beats_boosting_alone_on_a_power_law() -> None:
    def power(designs: Columns) -> Columns:
        return {"time_s": designs["rate"] ** -2.0 * np.ceil(64.0 / designs["lanes"])}

    train, others = drawn(300, 0), drawn(400, 1)
    errors = {
        model: relative_rmse(
            fit_metrics(SPACE.specs(), train, power(train), model=model).predict(others)["time_s"],
            power(others)["time_s"],
        )
        for model in ("boosting", "linear_boosting")
    }
    assert errors["linear_boosting"] < 0.8 * errors["boosting"]


def test_logarithms_are_taken_where_all_is_above_0_and_the_largest_over_10_times_the_smallest() -> None:
    kinds = {
        kind: np.array(values)
        for kind, values in {
            "log": (1.0, 10.01),
            "plain": (1.0, 10.0),
            "below": (-1.0, 50.0),
            "zero": (0.0, 50.0),
        }.items()
    }
    found = {name: Target.of(name, values, None).kind for name, values in kinds.items()}
    assert found == {"log": "log", "plain": "plain", "below": "plain", "zero": "plain"}
    assert "10 times" in Target.of("x", kinds["log"], None).rule
    fitted = fit_metrics(SPACE.specs(), drawn(50, 0), smooth(drawn(50, 0)), model="ridge")
    assert [(t["name"], t["kind"]) for t in fitted.state()["targets"]] == [("time_s", "log"), ("share", "plain")]


def test_a_bound_leaves_only_what_is_above_it_to_learn() -> None:
    def noisy(designs: Columns) -> np.ndarray:
        return np.exp(3.0 * np.sin(7.0 * designs["lanes"] + 5.0 * designs["order"]))

    def metric(designs: Columns) -> Columns:
        return {"time_s": noisy(designs) * (1.0 + 1.0 / designs["lanes"])}

    train, others = drawn(400, 0), drawn(300, 1)
    truth = metric(others)["time_s"]
    alone = fit_metrics(SPACE.specs(), train, metric(train), model="boosting").predict(others)["time_s"]
    above = fit_metrics(SPACE.specs(), train, metric(train), bounds={"time_s": noisy(train)}, model="boosting")
    found = above.predict(others, bounds={"time_s": noisy(others)})["time_s"]
    assert relative_rmse(found, truth) < 2.0
    assert relative_rmse(alone, truth) > 50.0
    assert above.bounded == ("time_s",)
    assert relative_rmse(noisy(others), truth) > 5.0  # the bound itself does not do it
    with pytest.raises(ValueError, match="need the bounds that were learned on, got none of time_s"):
        above.predict(others)
    with pytest.raises(ValueError, match="bound of time_s must be above 0"):
        fit_metrics(SPACE.specs(), train, metric(train), bounds={"time_s": np.zeros(400)}, model="ridge")


def test_an_order_of_loops_is_seen_by_its_items_places() -> None:
    space = DesignSpace(Permutation("order", tuple("abcdef")))

    def first(designs: Columns) -> Columns:
        return {"time_s": np.array([1.0 + (order[0] == "a") for order in space.describe(designs)["order"]])}

    designs = space.unrank(np.random.default_rng(0).permutation(720))
    train, others = {"order": designs["order"][:300]}, {"order": designs["order"][300:]}
    found = fit_metrics(space.specs(), train, first(train), model="extra_trees").predict(others)["time_s"]
    assert np.abs(found - first(others)["time_s"]).max() < 0.2


def test_an_unknown_model_names_the_nearest() -> None:
    for wrong, right in (("bosting", "boosting"), ("ridge+extra_tree", "extra_trees"), ("ensembl", "ensemble")):
        with pytest.raises(ValueError, match=f"Did you mean '{right}'"):
            fit_metrics(SPACE.specs(), drawn(20, 0), smooth(drawn(20, 0)), model=wrong)


def test_wrong_arguments_are_refused_in_one_line() -> None:
    train = drawn(30, 0)
    values = smooth(train)
    cases = {
        "time_s must be finite": {"values": {"time_s": np.full(30, np.nan)}},
        "column seen must be finite": {"features": {"seen": np.full(30, np.inf)}},
        "got 30 designs and 29 values": {"values": {"time_s": values["time_s"][:29]}},
        "at least 2 designs": {"designs": {name: column[:1] for name, column in train.items()}},
    }
    for text, change in cases.items():
        with pytest.raises(ValueError, match=text):
            fit_metrics(SPACE.specs(), **{"designs": train, "values": values, "model": "ridge", **change})
    fitted = fit_metrics(SPACE.specs(), train, values, features={"seen": values["share"]}, model="ridge")
    with pytest.raises(ValueError, match="got none named seen"):
        fitted.predict(train)


def test_a_gaussian_process_refuses_more_designs_than_it_can_be_exact_on() -> None:
    train = drawn(3001, 0)
    with pytest.raises(ValueError, match="learns from at most 3,000 designs, got 3,001"):
        fit_metrics(SPACE.specs(), train, smooth(train), model="gaussian_process")


def test_a_metric_that_is_above_0_is_not_predicted_below() -> None:
    above, across, touching = (
        Target.of("accuracy", np.array(values), None) for values in ([0.2, 0.5, 0.9], [-0.2, 0.5], [0.0, 0.1, 0.7])
    )
    far = np.array([-50.0, 0.0, 50.0])
    assert above.kind == across.kind == touching.kind == "plain"
    assert above.metric(far, None) == pytest.approx([0.02, 1.6 / 3, 1.6])
    assert across.metric(far, None) == pytest.approx([-0.9, 0.15, 1.2])
    assert touching.metric(far, None) == pytest.approx([-0.7, 0.8 / 3, 1.4])


def test_predictions_stay_near_what_was_learned_from() -> None:
    train = drawn(60, 0)
    values = smooth(train)["time_s"]
    target = Target.of("time_s", values, None)
    far = target.metric(np.array([-1e9, 1e9]), None)
    reach = values.max() / values.min()
    assert far == pytest.approx([values.min() / reach, values.max() * reach])


def test_weights_of_a_mixture_go_to_what_predicts_left_out_rows() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=500)
    columns = {"good": truth + 0.1 * rng.normal(size=500), "fair": truth + 0.2 * rng.normal(size=500),
               "noise": rng.normal(size=500)}  # fmt: skip
    weights = weigh(columns, truth)
    assert set(weights) == {"good", "fair"}
    assert weights["good"] == pytest.approx(0.8, abs=0.06)  # as inverse variances
    assert sum(weights.values()) == pytest.approx(1.0)


def test_tabpfn_says_how_to_get_it_where_it_is_not_installed() -> None:
    assert "tabpfn" in regressor_names()
    assert "tabpfn" not in MODELS
    # An installed one is hidden, so that the message is tested everywhere.
    code = (
        "import sys; sys.modules['tabpfn'] = None\n"
        "from designgym.cost_models.learned.regressors import recipe\n"
        "from designgym.cost_models.learned.feasibility import recipe as classifier\n"
        "for load in (recipe, classifier):\n"
        "    try: load('tabpfn')\n"
        "    except ValueError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(told) == 2
    assert all("pip install tabpfn" in line for line in told)


class Middle:
    """A regressor of nobody: the mean."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.zeros(len(x))


def middle() -> Recipe:
    return Recipe(lambda x, y, seed: Middle())


def test_a_model_from_outside_is_registered_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regressors._REGISTRY, "_entry_points", dict(regressors._REGISTRY._entry_points))
    register_regressor("middle", f"{__name__}:middle")
    train = drawn(30, 0)
    found = fit_metrics(SPACE.specs(), train, {"share": smooth(train)["share"]}, model="middle").predict(drawn(3, 1))
    assert found["share"] == pytest.approx(smooth(train)["share"].mean())
    with pytest.raises(ValueError, match="'ensemble' is what picks"):
        register_regressor("ensemble", f"{__name__}:middle")


def test_a_mixture_that_was_picked_is_fitted_again_without_picking() -> None:
    train = SPACE.sample(120, np.random.default_rng(5))
    values = smooth(train)
    picked = fit_metrics(SPACE.specs(), train, values, model="ridge+extra_trees")
    assert all(sum(shares.values()) == pytest.approx(1.0) for shares in picked.weights.values())
    told: list[str] = []
    again = fit_metrics(SPACE.specs(), train, values, weights=picked.weights, progress=told.append)
    assert again.weights == picked.weights
    assert len(told) == len(picked.estimators), "each model that has a say once, and no fold"
    for name, column in picked.predict(train).items():
        assert np.array_equal(column, again.predict(train)[name])
    alone = fit_metrics(SPACE.specs(), train, values, model="ridge")
    assert alone.weights == {name: {"ridge": 1.0} for name in values}
