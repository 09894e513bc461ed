"""Every registered cost model keeps the contract, and the suite that says so notices one that does not."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from designgym.cost_models import Columns, CostModel, Metric, cost_model_names, kernels, make_cost_model, testing
from designgym.cost_models.solver_schedule import diffusion_sampling, flow_step_sizes
from designgym.cost_models.testing import check_cost_model
from designgym.envs import make_problem, problem_ids, problem_options

PROBLEMS = problem_ids()  # those of the package; other tests register some of their own while they run
DESIGNS = {"x": np.arange(300) % 7 + 1, "y": np.linspace(0.5, 2.0, 300)}


# Slow ones: the fixture that installs a simulator, a problem that is priced by it, options that make it quick, designs.
SLOW = {
    "ScaleSim": ("scalesim", "SystolicArray-v0", {"workload": "gemm:m=9,k=11,n=7"}, 2),
    "ReplayedArray": ("", "SystolicArray-v0", {"workload": "conv:out=4,kernel=3,channels=3,filters=7"}, 300),
}

# Those whose designs take so long that a large batch of 20,000 is most of a minute.
DEAR = ("ApproximateMultiplier", "DiffusionSampling", "FlowStepSizes", "OdeTolerance")
ENOUGH = 400  # designs from which kernels run on all threads there: a large batch has twice as many
ROOM_BYTE = 2**20  # for samples at a time there: a large batch is priced in several parts

ANOTHER_PRICED = {"StallingArray": "SystolicArray-v0"}  # models that no problem has by default: one that takes them


def designs_for(name: str) -> Columns:
    """Draw designs from a problem that takes the model."""
    if name in ANOTHER_PRICED:
        return make_problem(ANOTHER_PRICED[name], cost_model=name).space.sample(300, np.random.default_rng(0))
    kind = type(make_cost_model(name))
    for id in PROBLEMS:
        problem = make_problem(id)
        if isinstance(problem.cost_model, kind):
            return problem.space.sample(300, np.random.default_rng(0))
    for id in PROBLEMS:
        if "cost_model" in problem_options(id):
            taken = make_problem(id, cost_model=name)
            return taken.space.sample(300, np.random.default_rng(0))
    raise AssertionError(f"no registered problem uses the cost model {name!r}. Register one, so that it is tested.")


@pytest.mark.parametrize("name", cost_model_names())
def test_registered_cost_models(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in DEAR:
        for module in (kernels, testing):
            monkeypatch.setattr(module, "PARALLEL_FROM", ENOUGH)
        for module in (diffusion_sampling, flow_step_sizes):
            monkeypatch.setattr(module, "ROOM_BYTE", ROOM_BYTE)
    if name not in SLOW:
        check_cost_model(make_cost_model(name), designs_for(name))
        return
    installed, id, options, n = SLOW[name]
    if installed:
        request.getfixturevalue(installed)
    problem = make_problem(id, cost_model=name, **options)
    assert type(problem.cost_model) is type(make_cost_model(name))
    check_cost_model(problem.cost_model, problem.space.sample(n, np.random.default_rng(0)))


Change = Callable[[Columns, Columns], Any]


@dataclass(frozen=True)
class Plain:
    """Right as it is. change: what a fault does to the designs and the answer."""

    change: Change | None = None
    version: Any = "1"
    metrics: Any = (Metric("latency_s", "s", "lower", "time"), Metric("sram_words", "word", "lower", "traffic"))

    def evaluate(self, designs: Columns) -> Columns:
        answer = {
            "latency_s": designs["y"] / designs["x"],
            "sram_words": 3 * designs["x"],
            "violation": np.where(designs["x"] > 5, designs["x"] - 5.0, 0.0),
        }
        if self.change is not None:
            changed = self.change(designs, answer)
            answer = answer if changed is None else changed
        return answer

    def reason(self, design: Columns) -> str:
        return "x must be at most 5" if design["x"][0] > 5 else ""


def test_a_right_model_passes() -> None:
    check_cost_model(Plain(), {name: column.copy() for name, column in DESIGNS.items()})


def in_place(designs: Columns, answer: Columns) -> None:
    designs["y"] *= 2.0


def over_the_batch(designs: Columns, answer: Columns) -> None:
    answer["latency_s"] = answer["latency_s"] / max(answer["latency_s"].sum(), 1.0)


def by_blas(designs: Columns, answer: Columns) -> None:
    weights = np.sin(np.arange(300.0))
    table = np.cos(np.outer(designs["y"], np.arange(300.0)))
    answer["latency_s"] = table @ weights


def by_position(designs: Columns, answer: Columns) -> None:
    answer["latency_s"] = answer["latency_s"] + np.arange(len(designs["x"]))


def in_large_batches(designs: Columns, answer: Columns) -> None:
    if len(designs["x"]) > 10_000:
        answer["latency_s"] = answer["latency_s"] * (1 + 1e-15)


def numpy_draw(designs: Columns, answer: Columns) -> None:
    np.random.random()  # noqa: NPY002


def python_draw(designs: Columns, answer: Columns) -> None:
    random.random()


RNG = np.random.default_rng(0)


def noisy(designs: Columns, answer: Columns) -> None:
    answer["latency_s"] = answer["latency_s"] + RNG.random(len(designs["x"]))


FAULTS: dict[str, tuple[Any, str]] = {
    "no metrics": (Plain(metrics=()), "must be a tuple of Metric that is not empty"),
    "a metric called violation": (
        Plain(metrics=(Metric("violation", "1", "lower", "v"),)),
        "different names, none of them 'violation'",
    ),
    "two metrics of one name": (Plain(metrics=(Plain().metrics[0],) * 2), "must have different names"),
    "no better direction": (
        Plain(metrics=(replace(Plain().metrics[0], better="less"), Plain().metrics[1])),
        "better must be 'lower' or 'higher', got 'less'",
    ),
    "no meaning": (
        Plain(metrics=(replace(Plain().metrics[0], meaning=""), Plain().metrics[1])),
        "latency_s must say what it means",
    ),
    "a name without its unit": (
        Plain(metrics=(Metric("latency", "s", "lower", "time"), Plain().metrics[1])),
        "must end in its unit, got 'latency'. Call it latency_s",
    ),
    "no version": (Plain(version=""), "version must be one text that is not empty, got ''"),
    "a numeric version": (Plain(version=2), "version must be one text"),
    "a missing metric": (
        Plain(lambda d, a: {"latency_s": a["latency_s"], "violation": a["violation"]}),
        "must return the columns latency_s, sram_words, violation, got latency_s, violation",
    ),
    "an undeclared column": (Plain(lambda d, a: {**a, "extra": a["latency_s"]}), "must return the columns"),
    "a list": (
        Plain(lambda d, a: {**a, "latency_s": a["latency_s"].tolist()}),
        "must be an array of float64 or int64, got list",
    ),
    "float32": (
        Plain(lambda d, a: {**a, "latency_s": a["latency_s"].astype(np.float32)}),
        "must be an array of float64 or int64, got float32",
    ),
    "a scalar": (
        Plain(lambda d, a: {**a, "violation": np.zeros(())}),
        r"violation of 300 designs must have shape \(300,\), got \(\)",
    ),
    "a negative violation": (
        Plain(lambda d, a: {**a, "violation": d["x"] - 2.0}),
        r"violation must be >= 0, got \[-1.\] for x=1, y=0.5",
    ),
    "a NaN violation": (
        Plain(lambda d, a: {**a, "violation": np.where(d["x"] == 2, np.nan, 0.0)}),
        r"violation must be >= 0, got \[nan\] for x=2",
    ),
    "NaN without a violation": (
        Plain(lambda d, a: {**a, "latency_s": np.where(d["x"] == 3, np.nan, 1.0)}),
        "latency_s may be NaN only where violation > 0, got NaN for x=3",
    ),
    "a failed evaluation with metrics": (
        Plain(lambda d, a: {**a, "violation": np.where(d["x"] == 6, np.inf, 0.0)}),
        "where violation is inf, the evaluation failed and latency_s must be NaN",
    ),
    "designs changed in place": (Plain(in_place), "must leave the designs as they are"),
    "numpy's global random state": (Plain(numpy_draw), "must not touch the global random state"),
    "python's global random state": (Plain(python_draw), "must not touch the global random state"),
    "random numbers": (Plain(noisy), "latency_s must be deterministic"),
    "a sum over the batch": (Plain(over_the_batch), "latency_s must be the same (alone|in another order)"),
    "a matrix product": (Plain(by_blas), "latency_s must be the same alone"),
    "the place in the batch": (Plain(by_position), "latency_s must be the same in another order"),
    "large batches rounded otherwise": (Plain(in_large_batches), "latency_s must be the same in a large batch"),
    "a function at hand that does not pickle": (Plain(lambda d, a: None), "must pickle"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_suite_notices(fault: str) -> None:
    model, message = FAULTS[fault]
    with pytest.raises(AssertionError, match=message):
        check_cost_model(model, {name: column.copy() for name, column in DESIGNS.items()})


class Forgetful(Plain):
    def __reduce__(self) -> Any:
        return Plain, (None, "2")


class Silent(Plain):
    def reason(self, design: Columns) -> str:
        return ""


class Talkative(Plain):
    def reason(self, design: Columns) -> str:
        return "too large"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Forgetful(), "a pickled copy must have the same version, got '2' instead of '1'"),
        (Silent(), "must say why a design with a violation cannot be built, in one line, got '' for x=6"),
        (Talkative(), "must be '' for one that can be built, in one line, got 'too large' for x=1"),
    ],
)
def test_the_suite_notices_in_pickles_and_reasons(model: CostModel, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_cost_model(model, {name: column.copy() for name, column in DESIGNS.items()})


CALLS: list[int] = []


class Slow(Plain):
    slow = True

    def evaluate(self, designs: Columns) -> Columns:
        CALLS.append(len(designs["x"]))
        return super().evaluate(designs)


def test_a_slow_model_is_asked_four_times() -> None:
    check_cost_model(Slow(), {name: column[:8].copy() for name, column in DESIGNS.items()})
    assert CALLS == [8, 8, 8, 8]


def test_too_few_designs_are_refused() -> None:
    with pytest.raises(AssertionError, match="needs at least 2 designs, got 1"):
        check_cost_model(Plain(), {name: column[:1] for name, column in DESIGNS.items()})
