"""A problem with every kind of discrete parameter and a constraint, and datasets of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, CostModel, Metric
from designgym.cost_models.dataset import Dataset, Origin
from designgym.cost_models.plain import plain
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective, Ordinal, Permutation

NAME = "OfflineSmall-v0"
CALLS: list[int] = []  # designs of each call of the cost model
SPACE = DesignSpace(
    Integer("rows", 1, 32, unit="PE", meaning="rows of the array"),
    Ordinal("sram_kb", (8, 16, 32, 64), unit="KB", meaning="buffer"),
    Categorical("dataflow", ("os", "ws", "is"), meaning="what stays put"),
    Permutation("order", ("m", "n", "k"), meaning="loop order"),
    Integer("stages", 1, 4, when=("dataflow", {"ws"}), meaning="pipeline stages"),
    constraints=("rows * sram_kb <= 1024",),
)


@dataclass(frozen=True)
class SmallModel:
    """Fails at rows = fails; version: what it says of itself."""

    workload: str = "a"
    version: str = "1"
    fails: int = -1
    factor: float = 1.0

    metrics = (
        Metric("latency_s", "s", "lower", "time of one inference"),
        Metric("area_mm2", "mm2", "lower", "silicon"),
    )

    def evaluate(self, designs: Columns) -> Columns:
        CALLS.append(len(designs["rows"]))
        rows, kb = designs["rows"].astype(float), designs["sram_kb"].astype(float)
        work = self.factor * (2.0 if self.workload == "b" else 1.0)
        latency = 1e-3 * work * (64 / rows + 16 / kb + designs["dataflow"] + 0.3 * designs["order"] / designs["stages"])
        violation = np.where((designs["dataflow"] == 2) & (rows > 24), rows / 24 - 1, 0.0)
        area = 0.05 * rows + 0.01 * kb
        failed = rows == self.fails
        return {
            "latency_s": np.where(failed | (violation > 0), np.nan, latency),
            "area_mm2": np.where(failed, np.nan, area),
            "violation": np.where(failed, np.inf, violation),
        }


@dataclass(frozen=True)
class SlowSmallModel(SmallModel):
    slow = True


OBJECTIVE = Objective(minimize=("latency_s",), subject_to=("area_mm2 <= 1.2",))


def small(
    workload: str = "a",
    version: str = "1",
    fails: int = -1,
    slow: bool = False,
    most_rows: int = 32,
    factor: float = 1.0,
    cost_model: CostModel | None = None,
    objective: Objective = OBJECTIVE,
) -> DesignProblem:
    """A few thousand designs; the model fails at rows = fails."""
    model = (SlowSmallModel if slow else SmallModel)(workload, version, fails, factor)
    parameters = tuple(replace(one, high=most_rows) if one.name == "rows" else one for one in SPACE.parameters)
    space = DesignSpace(*parameters, constraints=SPACE.constraints)
    return DesignProblem(space, cost_model or model, objective)


def registered(monkeypatch) -> None:
    """Make it known for one test."""
    from designgym.envs import registry

    names = {**registry._PROBLEMS._entry_points, NAME: "small_problem:small"}
    monkeypatch.setattr(registry._PROBLEMS, "_entry_points", names)
    CALLS.clear()


def origin_of(problem: DesignProblem, **options: Any) -> Origin:
    from designgym.envs.registry import problem_options

    filled: Mapping[str, Any] = plain({**problem_options(NAME), **options})
    parameters = tuple({**plain(one), "columns": list(one.columns)} for one in problem.space.parameters)
    label = f"{NAME}({', '.join(f'{k}={v}' for k, v in options.items())})" if options else NAME
    return Origin(label, NAME, dict(filled), "SmallModel", "1", parameters, plain(problem.objective))


def small_dataset(n: int = 300, seed: int = 0, **options: Any) -> Dataset:
    """Distinct designs, drawn from all, as the model prices them."""
    problem = small(**options)
    drawn = problem.space.sample(n, np.random.default_rng(seed))
    designs = problem.space.unrank(np.unique(problem.space.rank(drawn)))
    metrics = problem.cost_model.evaluate(designs)
    violation = metrics.pop("violation").astype(float)
    count = len(violation)
    return Dataset(
        problem.space.specs(), problem.cost_model.metrics, designs, metrics, violation, np.zeros(count, np.int64),
        np.full(count, "faithful"), np.full(count, "random"), np.full(count, "r"), (origin_of(problem, **options),),
    )  # fmt: skip


def together(one: Dataset, other: Dataset) -> Dataset:
    """Two datasets of one space in one, problem after problem."""

    def both(first: Columns, second: Columns) -> Columns:
        return {name: np.concatenate([first[name], second[name]]) for name in first}

    pairs = {
        name: np.concatenate([getattr(one, name), getattr(other, name)])
        for name in ("violation", "fidelity", "agent", "run")
    }
    problem = np.concatenate([one.problem, other.problem + len(one.origins)])
    return replace(
        one, designs=both(one.designs, other.designs), metrics=both(one.metrics, other.metrics), problem=problem,
        origins=one.origins + other.origins, **pairs,
    )  # fmt: skip
