"""The contract suites of cost models and environments catch faults planted one by one; their right twin passes.

Every message states the rule, the value found and the remedy.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from planted import assert_says

from designgym.cost_models import Columns, Metric
from designgym.cost_models.testing import check_cost_model
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Integer,
    Objective,
    Ordinal,
    register_problem,
)
from designgym.envs.parameters import Array
from designgym.envs.testing import check_environment

SPACE = DesignSpace(Ordinal("tile", (16, 32, 64, 128)), Integer("depth", 1, 40), Categorical("flow", ("os", "ws")))
CLOCK = time.perf_counter

# Cost models.


@dataclass(frozen=True)
class Tiled:
    """A tile's traffic and time on one buffer, with what a fault does to the answer."""

    fault: Callable[[Columns, Columns], Columns | None] | None = None
    metrics: Any = (
        Metric("latency_s", "s", "lower", "time of one layer"),
        Metric("traffic_byte", "byte", "lower", "moved to and from memory"),
    )
    version: Any = "1"

    def evaluate(self, designs: Columns) -> Columns:
        tile, depth = designs["tile"], designs["depth"]
        traffic = 2.0 * 512**3 / tile + 1024.0 * tile * (1 + designs["flow"])
        used = tile * depth / 4096.0
        priced: Columns = {
            "latency_s": np.maximum(traffic / 1e11, 512**3 / 1e13) * (1 + 1 / depth),
            "traffic_byte": traffic,
            "violation": np.maximum(0.0, used - 1.0),
        }
        changed = self.fault(designs, priced) if self.fault else None
        return priced if changed is None else changed


def drop_a_metric(designs: Columns, priced: Columns) -> Columns:
    return {name: column for name, column in priced.items() if name != "traffic_byte"}


def unknown_metric(designs: Columns, priced: Columns) -> Columns:
    return {**priced, "energy_j": priced["latency_s"]}


def nan_without_violation(designs: Columns, priced: Columns) -> None:
    priced["latency_s"][designs["depth"] == 7] = np.nan


def rows_that_depend(designs: Columns, priced: Columns) -> None:
    priced["latency_s"] = priced["latency_s"] / priced["latency_s"].max(initial=1e-9)


def in_place(designs: Columns, priced: Columns) -> None:
    designs["depth"] += 1


def another_kernel_when_large(designs: Columns, priced: Columns) -> None:
    if len(designs["tile"]) > 10_000:
        priced["latency_s"] = priced["latency_s"].astype(np.float32).astype(np.float64)


def global_draw(designs: Columns, priced: Columns) -> None:
    priced["latency_s"] = priced["latency_s"] * (1 + 0 * np.random.random())  # noqa: NPY002


def time_of_day(designs: Columns, priced: Columns) -> None:
    priced["latency_s"] = priced["latency_s"] * (1 + 1e-9 * CLOCK())


def float32(designs: Columns, priced: Columns) -> None:
    priced["latency_s"] = priced["latency_s"].astype(np.float32)


def one_number_for_all(designs: Columns, priced: Columns) -> None:
    priced["traffic_byte"] = np.float64(1e6) * np.ones(1)


def negative_violation(designs: Columns, priced: Columns) -> None:
    priced["violation"] = designs["tile"] * designs["depth"] / 4096.0 - 1.0


def fails_when_empty(designs: Columns, priced: Columns) -> None:
    designs["depth"].max()


def magic_where_failed(designs: Columns, priced: Columns) -> None:
    priced["violation"] = np.where(designs["depth"] > 38, np.inf, priced["violation"])
    priced["latency_s"] = np.where(designs["depth"] > 38, 1e9, priced["latency_s"])
    priced["traffic_byte"] = np.where(designs["depth"] > 38, np.nan, priced["traffic_byte"])


class Unversioned:
    metrics = Tiled().metrics

    def evaluate(self, designs: Columns) -> Columns:
        return Tiled().evaluate(designs)


MODELS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a metric missing": (Tiled(drop_a_metric), ("latency_s, traffic_byte, violation", "got latency_s, violation")),
    "an unknown metric": (Tiled(unknown_metric), ("energy_j", "and nothing else")),
    "NaN without violation": (
        Tiled(nan_without_violation),
        ("NaN only where violation > 0", "depth=7", "Report a vio"),
    ),
    "row i depending on row j": (Tiled(rows_that_depend), ("the same", "Row i must depend on design i alone")),
    "input changed in place": (Tiled(in_place), ("must leave the designs as they are", "Work on copies")),
    "a kernel that differs between batch sizes": (Tiled(another_kernel_when_large), ("the same in a large batch",)),
    "global randomness": (Tiled(global_draw), ("global random state", "Take no random numbers there")),
    "another answer each time": (Tiled(time_of_day), ("must be deterministic", "Draw nothing at random")),
    "float32": (Tiled(float32), ("float64 or int64, got float32", "np.asarray")),
    "a wrong shape": (Tiled(one_number_for_all), ("must have shape (300,), got (1,)", "one number a design")),
    "a negative violation": (Tiled(negative_violation), ("violation must be >= 0", "np.maximum(0.0")),
    "an error for no designs": (Tiled(fails_when_empty), ("must price any batch, got ValueError", "for 0 designs")),
    "a magic number where it failed": (Tiled(magic_where_failed), ("latency_s must be NaN", "1.e+09", "depth=39")),
    "not picklable": (Tiled(lambda designs, priced: None), ("must pickle", "at module level")),
    "no version": (Unversioned(), ("version must be one text", "got None", "version = '1'")),
    "a version that is a number": (Tiled(version=2), ("version must be one text", "got 2")),
    "a metric without its unit": (
        Tiled(metrics=(replace(Tiled().metrics[0], name="latency"), Tiled().metrics[1])),
        ("must end in its unit, got 'latency'", "Call it latency_s"),
    ),
}


def designs() -> Columns:
    return SPACE.sample(300, np.random.default_rng(0))


def test_the_right_cost_model_passes() -> None:
    check_cost_model(Tiled(), designs())


@pytest.mark.parametrize("fault", MODELS)
def test_a_fault_in_a_cost_model_is_named(fault: str) -> None:
    model, phrases = MODELS[fault]
    with pytest.raises(AssertionError) as caught:
        check_cost_model(model, designs())
    assert_says(caught.value, *phrases)


# Environments.


class NeverLast(Ordinal):
    """Its last value is decoded from nowhere: an index off by one."""

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        return super().from_digits([np.minimum(digits[0], self.count - 2)])


class OffByOne(DesignSpace):
    """The unit cube's upper end is cut off, as in ArchGym's DRAM space."""

    def decode(self, unit: Any) -> Columns:
        cut = [np.minimum(column, 1 - 1.5 / count) for column, count in zip(unit.T, self.cardinalities, strict=True)]
        return super().decode(np.stack(cut, axis=1))


class OneWay(DesignSpace):
    """Steps up only."""

    def neighbours(self, design: Columns) -> Columns:
        near = super().neighbours(design)
        return {name: column[self.rank(near) > self.rank(design)[0]] for name, column in near.items()}


def tiling(
    space: DesignSpace = SPACE, objective: Any = Objective(minimize=("latency_s",)), model: Any = Tiled(), **more: Any
) -> DesignProblem:
    return DesignProblem(space, model, objective)


def right() -> DesignProblem:
    return tiling()


def never_reached() -> DesignProblem:
    return tiling(DesignSpace(NeverLast("tile", (16, 32, 64, 128)), *SPACE.parameters[1:]))


def off_by_one() -> DesignProblem:
    return tiling(OffByOne(*SPACE.parameters))


def nothing_meets_it() -> DesignProblem:
    return tiling(DesignSpace(*SPACE.parameters, constraints=("tile * depth < 16",)))


def nothing_is_feasible() -> DesignProblem:
    return tiling(objective=Objective(minimize=("latency_s",), subject_to=("traffic_byte <= 100",)))


def one_way() -> DesignProblem:
    return tiling(OneWay(*SPACE.parameters))


def unknown_objective() -> DesignProblem:
    return tiling(objective=Objective(minimize=("latency_ms",)))


def lambda_constraint() -> DesignProblem:
    return tiling(DesignSpace(*SPACE.parameters, constraints=(lambda designs: designs["tile"] > 16,)))


def needs_size(size: int) -> DesignProblem:
    return tiling()


def option_of_a_face(num_envs: int = 3) -> DesignProblem:
    return tiling()


def faulty_model() -> DesignProblem:
    return tiling(model=Tiled(rows_that_depend))


ENVIRONMENTS: dict[str, tuple[Callable[..., DesignProblem], tuple[str, ...]]] = {
    "a value that is not there": (never_reached, ("tile must have 4 different values, got 3",)),
    "a value that is never reached": (off_by_one, ("decode must reach every value of tile, got none of [128]",)),
    "a constraint that nothing meets": (nothing_meets_it, ("designs that keep its constraints", "Loosen them")),
    "an objective that nothing meets": (nothing_is_feasible, ("some design must be feasible", "got none of all 320")),
    "asymmetric neighbours": (one_way, ("neighbours must be symmetric", "is no neighbour of its neighbour")),
    "an objective with an unknown metric": (unknown_objective, ("no metric 'latency_ms'", "Did you mean 'latency_s'")),
    "a constraint that does not pickle": (lambda_constraint, ("must pickle", "at module level")),
    "an option without default": (needs_size, ("the option size must have a default", "Give it one")),
    "an option that environments have": (option_of_a_face, ("must not be called num_envs", "Rename it")),
    "a faulty cost model": (faulty_model, ("latency_s must be the same", "Row i must depend on design i alone")),
}


@pytest.fixture
def problem_of(registrations_forgotten: None) -> Callable[[Callable[..., DesignProblem]], str]:
    def register(function: Callable[..., DesignProblem]) -> str:
        register_problem("Planted-v0", f"{__name__}:{function.__name__}")
        return "Planted-v0"

    return register


def test_the_right_environment_passes(problem_of: Callable[..., str]) -> None:
    check_environment(problem_of(right))


@pytest.mark.parametrize("fault", ENVIRONMENTS)
def test_a_fault_in_an_environment_is_named(fault: str, problem_of: Callable[..., str]) -> None:
    function, phrases = ENVIRONMENTS[fault]
    id = problem_of(function)
    with pytest.raises(AssertionError) as caught:
        check_environment(id)
    assert_says(caught.value, *phrases)
