"""Objectives: losses, feasibility, and rewards that are higher for better designs whatever their form."""

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from designgym.cost_models.base import Columns, Metric
from designgym.envs import Evaluations, Objective

FORMS = ("log", "product", "weighted", "target")
positive = st.floats(1e-6, 1e6)
METRICS = (
    Metric("latency_s", "s", "lower", "time"),
    Metric("energy_j", "J", "lower", "energy"),
    Metric("speed", "1/s", "higher", "work done"),
    Metric("gain", "", "higher", "what else is wanted"),
    Metric("area_mm2", "mm2", "lower", "area"),
)
NAMES = [metric.name for metric in METRICS]


def objective(form: str, minimize: int = 2, maximize: int = 2, **named: Any) -> Objective:
    """An objective over the first metrics of either kind."""
    low, high = ("latency_s", "energy_j")[:minimize], ("speed", "gain")[:maximize]
    targets = dict.fromkeys((*low, *high), 10.0) if form == "target" else {}
    return Objective(low, high, reward=form, targets=targets, **named)  # type: ignore[arg-type]


def metrics_of(values: np.ndarray, violation: np.ndarray | float = 0.0) -> Columns:  # type: ignore[type-arg]
    columns = {name: np.ascontiguousarray(values[:, j]) for j, name in enumerate(NAMES)}
    return columns | {"violation": np.broadcast_to(np.asarray(violation, float), len(values)).copy()}


@st.composite
def values(draw: st.DrawFn, n: int = 6) -> np.ndarray:  # type: ignore[type-arg]
    return draw(arrays(float, (n, len(NAMES)), elements=positive))


# -- rewards ----------------------------------------------------------------------------------------------------------


def by_the_book(form: str, row: dict[str, float], wanted: Objective) -> float:
    """The docstring's formulas for one design."""
    low, high = [row[name] for name in wanted.minimize], [row[name] for name in wanted.maximize]
    if form == "log":
        return sum(map(math.log, high)) - sum(map(math.log, low))
    if form == "product":
        return math.prod(high) / math.prod(low)
    if form == "weighted":
        return sum(wanted.weights.get(n, 1.0) * row[n] for n in wanted.maximize) - sum(
            wanted.weights.get(n, 1.0) * row[n] for n in wanted.minimize
        )
    short = [max(0.0, (row[n] - t) / abs(t)) for n, t in wanted.targets.items() if n in wanted.minimize]
    short += [max(0.0, (t - row[n]) / abs(t)) for n, t in wanted.targets.items() if n in wanted.maximize]
    return -sum(short)


@pytest.mark.parametrize("form", FORMS)
@given(values(), st.integers(0, 2), st.integers(0, 2))
def test_rewards_by_the_book(form: str, table: Any, low: int, high: int) -> None:
    if not low + high:
        return
    weights = {"energy_j": 3.0} if form == "weighted" and low == 2 else {}
    wanted = objective(form, low, high, weights=weights, floor=-1e9)
    got = wanted(metrics_of(table))
    assert got.feasible.all()
    for i, row in enumerate(table):
        expected = by_the_book(form, dict(zip(NAMES, row, strict=True)), wanted)
        assert got.reward[i] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert got.losses[i].tolist() == [*row[:low], *(-row[2 : 2 + high])]


@pytest.mark.parametrize("form", FORMS)
@given(values(1), st.sampled_from(["latency_s", "energy_j", "speed", "gain"]), st.floats(1.0, 1e3))
def test_a_better_metric_never_lowers_the_reward(form: str, table: Any, name: str, factor: float) -> None:
    """Beating a target included, where ArchGym's form punishes it."""
    wanted = objective(form)
    better = table.copy()
    j = NAMES.index(name)
    better[:, j] = table[:, j] / factor if name in wanted.minimize else table[:, j] * factor
    before, after = (wanted(metrics_of(t)).reward[0] for t in (table, better))
    assert after >= before - 1e-9 * abs(before)


def test_a_beaten_target_costs_nothing() -> None:
    wanted = Objective(("latency_s",), ("speed",), reward="target", targets={"latency_s": 10, "speed": -4})
    columns = {"latency_s": np.array([10.0, 1.0, 15.0, 10.0]), "speed": np.array([-4.0, 99.0, -4.0, -6.0])}
    got = wanted(columns | {"violation": np.zeros(4)})
    assert got.reward.tolist() == [0.0, 0.0, -0.5, -0.5]


@pytest.mark.parametrize("form", FORMS)
@given(
    values(8),
    arrays(float, 8, elements=st.sampled_from([0.0, 5e-324, 1e-17, 1e-3, 1.0, 1e17, 1e300, math.inf])),
    st.floats(-1e6, -1e-3),
)
def test_infeasible_rewards_lie_below_feasible_ones_in_the_order_of_violation(
    form: str, table: Any, violation: Any, floor: float
) -> None:
    got = objective(form, floor=floor)(metrics_of(table, violation))
    assert (got.feasible == (violation == 0)).all()
    feasible, failed = got.reward[got.feasible], violation == math.inf
    assert (feasible >= floor).all()
    assert (got.reward[~got.feasible] < floor).all()
    assert (got.reward[failed] == 2 * floor).all()
    assert (got.reward[~failed] > 2 * floor).all()
    order = np.argsort(violation[~got.feasible], kind="stable")
    assert (np.diff(got.reward[~got.feasible][order]) <= 0).all()
    for small, large in ((1e-3, 1.0), (1.0, 1e3)):
        rewards = objective(form, floor=floor).infeasible_reward(np.array([small, large]))
        assert rewards[0] > rewards[1]
        assert rewards.tolist() == pytest.approx([floor * (2 - 1 / (1 + v)) for v in (small, large)])


def test_feasible_rewards_are_clipped_at_the_floor() -> None:
    wanted = Objective(("latency_s",), reward="weighted", floor=-100.0)
    got = wanted({"latency_s": np.array([99.0, 100.0, 1e9, math.inf]), "violation": np.zeros(4)})
    assert got.reward.tolist() == [-99.0, -100.0, -100.0, -100.0]


@pytest.mark.parametrize("form", FORMS)
def test_infinite_metrics_leave_a_number(form: str) -> None:
    table = np.full((2, len(NAMES)), math.inf)
    table[1, NAMES.index("gain")] = 1.0
    reward = objective(form)(metrics_of(table)).reward
    assert not np.isnan(reward).any()
    assert (reward >= -100).all()


@pytest.mark.parametrize("form", FORMS)
@given(st.integers(0, 2**32))
def test_a_designs_reward_does_not_depend_on_its_batch(form: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.lognormal(0, 3, (67, len(NAMES)))
    violation = np.where(rng.random(67) < 0.3, rng.random(67), 0.0)
    wanted = objective(form, subject_to=("area_mm2 <= 2",))
    together = wanted(metrics_of(table, violation))
    for i in (0, 31, 66):
        alone = wanted(metrics_of(table[i : i + 1], violation[i]))
        for name in ("losses", "violation", "feasible", "reward"):
            assert (getattr(alone, name)[0] == getattr(together, name)[i]).all()


@pytest.mark.parametrize("form", ["log", "product"])
@pytest.mark.parametrize(("name", "bad"), [("latency_s", 0.0), ("energy_j", -1.0), ("speed", 0.0), ("gain", -2.0)])
def test_log_and_product_refuse_what_is_not_positive_by_name(form: str, name: str, bad: float) -> None:
    table = np.ones((3, len(NAMES)))
    table[1, NAMES.index(name)] = bad
    with pytest.raises(ValueError, match=f"reward='{form}' needs {name} > 0, got {bad:g}.*weighted"):
        objective(form)(metrics_of(table))
    infeasible = objective(form)(metrics_of(table, np.array([0.0, 1.0, 0.0])))
    assert infeasible.feasible.tolist() == [True, False, True]


# -- violations -------------------------------------------------------------------------------------------------------


def test_violations_add_the_models_and_each_constraints() -> None:
    wanted = Objective("latency_s", subject_to=("area_mm2 <= 10", "energy_j + latency_s <= 4"))
    table = np.ones((4, len(NAMES)))
    table[:, NAMES.index("area_mm2")] = [10, 15, 15, math.nan]
    table[:, NAMES.index("energy_j")] = [3, 3, 5, math.nan]
    got = wanted(metrics_of(table, np.array([0.0, 0.0, 0.25, math.inf])))
    assert got.violation.tolist() == [0.0, 0.5, 0.25 + 0.5 + 0.5, math.inf]
    assert got.feasible.tolist() == [True, False, False, False]
    assert got.reward[3] == -200


def test_the_metrics_are_kept_and_the_arguments_not_touched() -> None:
    columns = metrics_of(np.ones((2, len(NAMES))), np.array([0.0, 3.0]))
    got = Objective(("latency_s",), subject_to=("area_mm2 <= 0.5",))(columns)
    assert list(got.metrics) == NAMES
    assert columns["violation"].tolist() == [0.0, 3.0]
    assert got.violation.tolist() == [1.0, 4.0]


@given(st.integers(0, 5), st.integers(0, 5))
def test_evaluations_take_and_concatenate(n: int, m: int) -> None:
    wanted = objective("log", subject_to=("area_mm2 <= 1",))
    rng = np.random.default_rng(n * 10 + m)
    one, two = (wanted(metrics_of(rng.lognormal(size=(k, len(NAMES))))) for k in (n, m))
    both = Evaluations.concatenate([one, two])
    assert len(both) == n + m
    for part, rows in ((one, slice(0, n)), (two, np.arange(n, n + m)), (two, np.arange(n + m) >= n)):
        got = both.take(rows)
        assert list(got.metrics) == NAMES
        assert all((got.metrics[name] == part.metrics[name]).all() for name in NAMES)
        for name in ("losses", "violation", "feasible", "reward"):
            assert (getattr(got, name) == getattr(part, name)).all()


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "at least one metric"),
        ({"minimize": ("a", "a")}, "each once"),
        ({"minimize": "a", "maximize": "a"}, "each once"),
        ({"minimize": "a", "reward": "sum"}, "reward must be one of log, product, weighted, target, got 'sum'"),
        ({"minimize": "a", "floor": 0.0}, "floor must be a number below 0"),
        ({"minimize": "a", "floor": math.nan}, "floor must be a number below 0"),
        ({"minimize": "a", "floor": -math.inf}, "floor must be a number below 0"),
        ({"minimize": "latency_s", "weights": {"latency": 1}}, "'latency' is no objective. Did you mean 'latency_s'"),
        ({"minimize": "a", "weights": {"a": -1}}, "a must be a number >= 0, got -1"),
        ({"minimize": "a", "weights": {"a": math.nan}}, "a must be a number >= 0"),
        ({"minimize": "a", "targets": {"b": 1}}, "'b' is no objective"),
        ({"minimize": "a", "targets": {"a": math.inf}}, "a must be a number, got inf"),
        ({"minimize": ("a", "b"), "reward": "target", "targets": {"a": 1}}, "target other than 0 for b"),
        ({"minimize": "a", "reward": "target", "targets": {"a": 0}}, "target other than 0 for a"),
        ({"minimize": "a", "subject_to": "b = 3"}, "not an expression"),
        ({"minimize": "a", "subject_to": ("b.c <= 3",)}, "not allowed"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_made(named: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Objective(**named)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Objective("latency"), "no metric 'latency'. Did you mean 'latency_s'"),
        (Objective("latency_s", "sped"), "no metric 'sped'. Did you mean 'speed'"),
        (Objective("latency_s", subject_to="area <= 10"), "unknown name 'area'. Did you mean 'area_mm2'"),
        (Objective("latency_s", subject_to="violation <= 10"), "unknown name 'violation'"),
    ],
)
def test_an_unknown_metric_names_the_nearest(wanted: Objective, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted.check(METRICS)


def test_one_name_may_stand_for_a_tuple_of_one() -> None:
    assert Objective("a", "b", "c <= 1") == Objective(("a",), ["b"], ["c <= 1"])  # type: ignore[arg-type]
    assert Objective("a", ("b",)).names == ("a", "b")


@pytest.mark.parametrize("form", FORMS)
def test_objectives_pickle(form: str) -> None:
    wanted = objective(form, subject_to=("area_mm2 <= 10", "max(speed, gain) >= 1"))
    columns = metrics_of(np.random.default_rng(0).lognormal(size=(9, len(NAMES))))
    expected = wanted(columns)
    again = pickle.loads(pickle.dumps(wanted))
    assert again == wanted
    assert (again(columns).reward == expected.reward).all()
