"""Surrogates keep a cost model's contract, cover what they promise, and say when they are asked too far out."""

import pickle
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_problem import SPACE, SmallModel, registered, small_dataset, together

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.dataset import Dataset
from designgym.cost_models.learned import surrogate as module
from designgym.cost_models.learned.conformal import calibrate
from designgym.cost_models.learned.fitting import FittedSurrogate, fit_surrogate, score_surrogate
from designgym.cost_models.learned.scores import score_metric
from designgym.cost_models.learned.scoring import Scored, promised_band
from designgym.cost_models.learned.seen import keys_of
from designgym.cost_models.learned.splits import split_dataset
from designgym.cost_models.testing import check_cost_model
from designgym.experiments.dataset_sample import sample


class Knows:
    """What a cost model knows of a design; it must never be asked for more."""

    def __init__(self, work: float = 1.0) -> None:
        self.work = work

    def features(self, designs: Columns) -> Columns:
        return {"per_row": self.work / designs["rows"]}

    def bounds(self, designs: Columns) -> Columns:
        truth = SmallModel().evaluate(designs)
        return {"area_mm2": truth["area_mm2"]}

    def evaluate(self, designs: Columns) -> Columns:
        raise AssertionError("a surrogate asked the true cost model for its metrics")


@pytest.fixture(scope="module", autouse=True)
def _known() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        registered(patch)
        yield


@pytest.fixture(scope="module")
def data() -> Dataset:
    return small_dataset(900)


@pytest.fixture(scope="module")
def fitted(data) -> FittedSurrogate:
    return fit_surrogate(data, model="extra_trees", classifier="extra_trees", curve=False)


def quick(data: Dataset, **how: Any) -> FittedSurrogate:
    return fit_surrogate(data, **{"model": "ridge", "classifier": "logistic", "curve": False, **how})


@pytest.fixture(autouse=True)
def _nothing_warned_yet(monkeypatch) -> None:
    monkeypatch.setattr(module, "_WARNED", set())


def test_coverage_is_as_promised_on_a_real_problem() -> None:
    data = sample("SystolicArray-v0", 16_800, "random", seed=1).dataset
    fitted = fit_surrogate(
        data, model="ridge", targets=["latency_s", "area_mm2"], test=0.3, calibration=0.3, curve=False
    )
    scored = fitted.scored[0]
    assert min(scored.calibrated, scored.n) >= 5000
    for name, scores in scored.metrics.items():
        assert 0.88 <= scores.coverage <= 0.92
        assert all(0.85 <= fifth.coverage <= 0.95 for fifth in scores.fifths)
        assert scored.kept(name)
        assert scores.width > 0
        assert scored.bands[name] == pytest.approx((0.88, 0.92))
    assert scored.inside > 0.97
    # Asked for a corner, the model promises nothing, and says how it went.
    corner = fit_surrogate(data.take(slice(None, None, 10)), model="ridge", split="corner", curve=False).scored[0]
    assert not corner.promised
    assert corner.kept("area_mm2") is None
    assert corner.as_card()["coverage_promised"] is False


@pytest.mark.parametrize(
    ("equal", "wide", "calibrated", "kept", "tied"),
    [
        (0.97, 0.0, 6000, True, True),
        (0.0, 0.0, 6000, True, False),
        (0.0, 0.3, 6000, False, False),
        (0.0, 0.0, 100, True, False),  # fifths differ by chance
    ],
)
def test_more_than_promised_is_covered_where_errors_are_equal_alone(equal, wide, calibrated, kept, tied) -> None:
    rng, metric = np.random.default_rng(0), Metric("size", "1", "lower", "how large")
    predicted = np.round(rng.uniform(1.0, 9.0, 12_000), 3)
    true = predicted + np.where(rng.random(12_000) < equal, 0.0, rng.normal(0.0, 0.05, 12_000))
    intervals = calibrate(predicted[:calibrated], true[:calibrated])
    low, high = intervals.ends(predicted[6000:])
    scores = score_metric(metric, predicted[6000:], true[6000:], (low - wide * 0.1, high + wide * 0.1))
    band = promised_band(intervals, predicted[6000:])
    scored = Scored("random", "", 1, calibrated, 6000, True, {"size": scores}, {"size": band}, (), None, 1.0, {})
    assert (scored.kept("size"), scored.tied("size")) == (kept, tied)
    if calibrated < 6000:
        assert any(fifth.coverage > 0.95 for fifth in scores.fifths)


def test_intervals_are_calibrated_on_other_designs_than_a_model_remembers(fitted) -> None:
    scored = fitted.scored[0]
    for name in scored.metrics:
        assert scored.kept(name)
        assert scored.metrics[name].coverage > 0.82


def test_it_keeps_the_contract_of_a_cost_model_though_its_sums_depend_on_the_batch(data) -> None:
    made = quick(data).surrogate
    assert made.feasibility is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_cost_model(made, SPACE.sample(300, np.random.default_rng(5)))


def test_metrics_have_their_intervals_and_designs_their_domain(fitted, data) -> None:
    names = [metric.name for metric in fitted.surrogate.metrics]
    assert names[:3] == ["latency_s", "latency_s_lo90", "latency_s_hi90"]
    assert names[-1] == "in_domain"
    units = {metric.name: metric.unit for metric in fitted.surrogate.metrics}
    assert (units["area_mm2_hi90"], units["in_domain"]) == ("mm2", "1")
    got = fitted.surrogate.evaluate(data.designs)
    assert (got["latency_s_lo90"] < got["latency_s"]).all()
    assert (got["latency_s"] < got["latency_s_hi90"]).all()
    # What it says cannot be built, cannot, but for few; the less probable the larger the violation.
    assert np.mean((got["violation"] == 0) == data.feasible) > 0.98
    chance = fitted.surrogate.feasibility.predict(data.designs, {})
    assert (got["violation"] > 0).tolist() == (chance < 0.5).tolist()
    order = np.argsort(chance)
    assert (np.diff(got["violation"][order]) <= 1e-6).all()
    unlikely = int(np.argmax(got["violation"]))
    said = fitted.surrogate.reason({name: column[[unlikely]] for name, column in data.designs.items()})
    assert "predicted not to be buildable" in said


def test_it_warns_once_where_it_is_asked_too_far_out(fitted) -> None:
    narrow = quick(small_dataset(900, most_rows=16)).surrogate
    designs = SPACE.sample(100, np.random.default_rng(0))
    with pytest.warns(UserWarning, match="outside of what it was trained on") as told:
        first = narrow.evaluate(designs)
    assert len(told) == 1
    assert set(first["in_domain"][designs["rows"] > 16]) == {0.0}
    assert first["in_domain"][designs["rows"] <= 16].mean() > 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        narrow.evaluate(designs)
    inside = {name: column[first["in_domain"] == 1] for name, column in designs.items()}
    module._WARNED.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        narrow.evaluate(inside)


def test_it_pickles(fitted) -> None:
    designs = SPACE.sample(50, np.random.default_rng(0))
    again = pickle.loads(pickle.dumps(fitted.surrogate))
    assert again.version == fitted.surrogate.version
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = fitted.surrogate.evaluate(designs), again.evaluate(designs)
    assert all((first[name] == second[name]).all() for name in first)


def test_features_and_bounds_are_all_that_it_asks_of_the_true_cost_model(data) -> None:
    fitted = quick(data, beside=[Knows()])
    assert fitted.surrogate.uses == ("features", "bounds")
    scored = fitted.scored[0]
    # The bound is the metric itself: fitted exactly, exempt and named.
    assert scored.exact == ("area_mm2",)
    assert scored.kept("area_mm2") is None
    assert scored.metrics["area_mm2"].relative_rmse < 1e-4
    assert scored.kept("latency_s") is not None
    alone = quick(data, beside=[Knows()], uses=())
    assert alone.surrogate.uses == ()
    assert alone.scored[0].exact == ()
    with pytest.raises(ValueError, match="learned with the features of SmallModel"):
        replace(fitted.surrogate, beside=None).evaluate(data.designs)


def test_several_problems_are_told_apart_by_features_or_refused(data) -> None:
    both = together(data, small_dataset(900, seed=1, workload="b"))
    with pytest.raises(ValueError, match="cannot tell 2 problems apart"):
        quick(both)
    beside = [Knows(), Knows(2.0)]
    fitted = quick(both, targets=["latency_s"], beside=beside, uses=["features"])
    assert fitted.scored[0].metrics["latency_s"].relative_rmse < 15
    assert fitted.surrogate.beside is None  # it depends on the problem that it is used in
    held = quick(both, targets=["latency_s"], split="workload", beside=beside, uses=["features"]).scored[0]
    out = both.problem[split_dataset(both, "workload").test]
    assert len(set(out.tolist())) == 1
    assert held.n == (both.feasible & (both.problem == out[0])).sum()


def test_learning_curve_ends_in_the_model_itself_and_errors_fall(data) -> None:
    fitted = quick(data, model="extra_trees", curve=True)
    curve = fitted.curve
    assert curve is not None
    trained = fitted.scored[0].trained
    assert curve.designs == tuple(n for n in (trained >> k for k in range(5, -1, -1)) if n >= 50)
    for name, errors in curve.errors.items():
        assert errors[-1] == fitted.scored[0].metrics[name].relative_rmse
        assert errors[-1] < errors[0] / 2
    assert fitted.surrogate.card["curve"]["designs"] == list(curve.designs)


def test_same_arguments_same_model(data, fitted) -> None:
    again = fit_surrogate(data, model="extra_trees", classifier="extra_trees", curve=False)
    assert again.surrogate.version == fitted.surrogate.version
    assert quick(data).surrogate.version != quick(data, seed=1).surrogate.version


def test_it_is_never_scored_on_what_it_has_seen(data, fitted) -> None:
    made = fitted.surrogate
    scored = score_surrogate(made, data, seen=fitted.seen)
    first = fitted.scored[0]
    assert scored.metrics == first.metrics  # of its own data, what was held out is left
    assert not scored.promised
    mixed = together(data, small_dataset(900, seed=9))
    fresh = ~np.isin(keys_of(mixed), keys_of(data))
    only_new = score_surrogate(made, mixed.take(fresh), seen=fitted.seen)
    assert only_new.n == int(mixed.feasible[fresh].sum())
    with pytest.raises(ValueError, match="are among those learned from"):
        score_surrogate(made, data.take(np.isin(keys_of(data), fitted.seen)), seen=fitted.seen)


def test_other_data_is_refused_and_says_what_differs(data, fitted) -> None:
    wide = small_dataset(100, most_rows=16)
    with pytest.raises(ValueError, match="differs in rows"):
        score_surrogate(fitted.surrogate, wide, seen=fitted.seen)
    units = tuple(replace(one, unit="ms") if one.name == "latency_s" else one for one in data.declared)
    with pytest.raises(ValueError, match="must have latency_s in s, got it in ms"):
        score_surrogate(fitted.surrogate, replace(data, declared=units), seen=fitted.seen)


def test_what_cannot_be_learned_from_is_refused_in_a_line(data) -> None:
    with pytest.raises(ValueError, match="at least 20 designs that can be built are needed"):
        fit_surrogate(data.take(np.arange(25)), curve=False)
    with pytest.raises(ValueError, match="Did you mean 'latency_s'"):
        fit_surrogate(data, targets=["latencys"])
    with pytest.raises(ValueError, match="Did you mean 'extra_trees'"):
        fit_surrogate(data, model="extratrees")
    with pytest.raises(ValueError, match="of one fidelity, got cheap, cheaper"):
        fit_surrogate(replace(data, fidelity=np.where(np.arange(len(data)) % 2, "cheap", "cheaper")))


def test_faithful_rows_alone_are_learned_from(data) -> None:
    fidelity = np.where(np.arange(len(data)) % 3 == 0, "cheap", "faithful")
    wrong = {name: np.where(fidelity == "cheap", 1e6, column) for name, column in data.metrics.items()}
    mixed = replace(data, fidelity=fidelity, metrics=wrong)
    fitted = quick(mixed)
    assert fitted.surrogate.card["data"]["fidelity"] == "faithful"
    assert fitted.scored[0].held["latency_s"].true.max() < 1.0


def test_what_another_surrogate_said_besides_is_not_learned() -> None:
    first = fit_surrogate(small_dataset(400), model="linear", classifier="logistic", curve=False).surrogate
    data = small_dataset(300, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = first.evaluate(data.designs)
    told = replace(data, declared=first.metrics, violation=found.pop("violation"), metrics=found)
    names = [metric.name for metric in first.metrics]
    again = fit_surrogate(told, model="linear", classifier="logistic", curve=False).surrogate
    assert [metric.name for metric in again.metrics] == names, "each once, and no interval of an interval's end"
    for name in ("in_domain", "latency_s_lo90"):
        with pytest.raises(ValueError, match=f"a surrogate makes {name} itself"):
            fit_surrogate(told, model="linear", targets=[name])
