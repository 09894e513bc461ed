"""A small problem with every kind of discrete parameter, whose cost model can be told to dawdle, to raise or to die."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designgym.agents.base import Agent
from designgym.cost_models.base import Columns, Metric
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Evaluations,
    Integer,
    Objective,
    Ordinal,
    Permutation,
)

SPACE = DesignSpace(
    Integer("rows", 1, 64, unit="PE", meaning="rows of the array"),
    Ordinal("sram_kb", (8, 16, 32, 64), unit="KB", meaning="buffer"),
    Categorical("dataflow", ("os", "ws", "is"), meaning="what stays put"),
    Permutation("order", ("m", "n", "k"), meaning="loop order"),
    Integer("stages", 1, 4, when=("dataflow", {"ws"}), meaning="pipeline stages"),
)


@dataclass(frozen=True)
class TinyModel:
    """design_s: time to price a design. trap: a file; while it exists the model raises, or dies once and removes it."""

    design_s: float = 0.0
    trap: str = ""
    dies: bool = False

    metrics = (
        Metric("latency_s", "s", "lower", "time of one inference"),
        Metric("area_mm2", "mm2", "lower", "silicon"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        if self.trap and Path(self.trap).exists():
            if self.dies:
                Path(self.trap).unlink()
                os._exit(1)
            raise ArithmeticError("the model fell into its trap")
        time.sleep(self.design_s * len(designs["rows"]))
        rows, kb = designs["rows"].astype(float), designs["sram_kb"].astype(float)
        latency_s = 1e-3 * (64 / rows + 16 / kb + designs["dataflow"] + 0.3 * designs["order"] / designs["stages"])
        return {
            "latency_s": latency_s,
            "area_mm2": 0.05 * rows + 0.01 * kb,
            "violation": np.where((designs["dataflow"] == 2) & (rows > 60), rows - 60, 0.0),
        }


@dataclass(frozen=True)
class NanModel(TinyModel):
    """Returns NaN for a third of the designs and claims that all can be built."""

    def evaluate(self, designs: Columns) -> Columns:
        metrics = super().evaluate(designs)
        metrics["latency_s"][designs["dataflow"] == 1] = np.nan
        return {**metrics, "violation": np.zeros(len(metrics["latency_s"]))}


@dataclass(frozen=True)
class SlowModel(TinyModel):
    """Sleeps, leaves a line in a file for every design that it prices, fails for 2 designs in 67.

    spread: sigma of the lognormal time, whose mean is design_s; the metric slept_s is that time. flaky: a file; while
    it exists every fifth design fails.
    """

    paid: str = ""
    spread: float = 0.0
    kills: int = -1
    flaky: str = ""

    slow = True

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (*TinyModel.metrics, Metric("slept_s", "s", "lower", "time of one evaluation"))

    def evaluate(self, designs: Columns) -> Columns:
        number = int(SPACE.rank(designs)[0])
        if self.trap and Path(self.trap).exists():
            raise ArithmeticError("the model fell into its trap")
        if self.flaky and number % 5 == 0 and Path(self.flaky).exists():
            raise ArithmeticError("no licence was free")
        if number == self.kills:
            os._exit(1)
        slept = self.design_s * np.random.default_rng(number).lognormal(-(self.spread**2) / 2, self.spread)
        time.sleep(slept)
        if self.paid:
            with open(self.paid, "a", encoding="utf-8") as file:
                file.write(f"{number}\n")
        if number % 67 == 1:
            raise ArithmeticError(f"design {number} cannot be simulated")
        metrics = TinyModel().evaluate(designs)
        if number % 67 == 2:
            return {metric.name: np.full(1, np.nan) for metric in self.metrics} | {"violation": np.full(1, np.inf)}
        return {**metrics, "slept_s": np.array([slept])}


@dataclass(frozen=True)
class CheapModel(TinyModel):
    """The same numbers as the slow model, at once."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return SlowModel().metrics

    def evaluate(self, designs: Columns) -> Columns:
        return {**super().evaluate(designs), "slept_s": np.zeros(len(designs["rows"]))}


def tiny_slow(
    design_s: float = 0.0, paid: str = "", spread: float = 0.0, kills: int = -1, trap: str = "", cheap: bool = False,
    flaky: str = "",
) -> DesignProblem:  # fmt: skip
    objective = Objective(minimize=("latency_s",), subject_to=("area_mm2 <= 2.5",))
    model = SlowModel(design_s, trap, False, paid, spread, kills, flaky)
    return DesignProblem(SPACE, model, objective, cheap=CheapModel() if cheap else None)


def tiny(design_s: float = 0.0, trap: str = "", dies: bool = False, area_mm2: float = 2.5) -> DesignProblem:
    objective = Objective(minimize=("latency_s",), subject_to=(f"area_mm2 <= {area_mm2}",))
    return DesignProblem(SPACE, TinyModel(design_s, trap, dies), objective)


def tiny_two(design_s: float = 0.0) -> DesignProblem:
    return DesignProblem(SPACE, TinyModel(design_s), Objective(minimize=("latency_s", "area_mm2")))


def tiny_cheap() -> DesignProblem:
    return DesignProblem(SPACE, TinyModel(), Objective(minimize=("latency_s",)), cheap=TinyModel())


def tiny_nan() -> DesignProblem:
    return DesignProblem(SPACE, NanModel(), Objective(minimize=("latency_s",)))


class Counter(Agent):
    """Asks ranks 0, 1, 2, ... in batches; every batch repeats the last design of the one before."""

    hyperparameters = DesignSpace(Integer("width", 1, 4096, default=4), Integer("first", 0, 1000, default=0))

    def __init__(self, problem, rng, **hyperparameters) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = self.settings["width"]
        self._next = self.settings["first"]

    def ask(self, n: int) -> Columns:
        ranks = np.arange(max(0, self._next - 1), min(self._next + n, int(self.space.size)))
        self._next += n
        return self.space.unrank(ranks)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None: ...


class Climber(Agent):
    """Told its log: most designs that it asks are neighbours of its best, some of them asked before."""

    told = True
    batch = 3

    def __init__(self, problem, rng, **hyperparameters) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.tells = 0
        self._best: tuple[float, Columns] | None = None

    def ask(self, n: int) -> Columns:
        drawn = self.space.sample(n, self.rng)
        if self._best is not None:
            near = self.space.neighbours(self._best[1])
            rows = self.rng.integers(len(near["rows"]), size=n)
            from_near = self.rng.random(n) < 0.75
            drawn = {name: np.where(from_near, near[name][rows], column) for name, column in drawn.items()}
        return drawn

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self.tells += 1
        for i, reward in enumerate(evaluations.reward.tolist()):
            if self._best is None or reward > self._best[0]:
                self._best = reward, {name: column[i : i + 1] for name, column in designs.items()}


class Screener(Agent):
    """Prices eight designs by the cheap model, and the two that look best by the faithful one; over and over."""

    def ask(self, n: int) -> Columns:
        return self.space.sample(n, self.rng)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None: ...

    def search(self) -> None:
        while True:
            designs = self.ask(8)
            best = np.argsort(-self.problem.evaluate(designs, "cheap").reward, kind="stable")[:2]
            self.problem.evaluate({name: column[best] for name, column in designs.items()})


PROBLEMS = {
    "Tiny-v0": "tiny_problems:tiny",
    "TinyTwo-v0": "tiny_problems:tiny_two",
    "TinyCheap-v0": "tiny_problems:tiny_cheap",
    "TinyNan-v0": "tiny_problems:tiny_nan",
    "TinySlow-v0": "tiny_problems:tiny_slow",
}
AGENTS = {"climber": "tiny_problems:Climber", "counter": "tiny_problems:Counter", "screener": "tiny_problems:Screener"}


def register() -> None:
    """Make them known in this process for good; tests inside pytest use the fixture `tiny_names` instead."""
    from designgym.agents import register_agent
    from designgym.envs.registry import register_problem

    for name, entry_point in PROBLEMS.items():
        register_problem(name, entry_point)
    for name, entry_point in AGENTS.items():
        register_agent(name, entry_point)


def registered(monkeypatch) -> None:
    """Make them known for one test."""
    from designgym.agents import registry as agents
    from designgym.envs import registry as envs

    monkeypatch.setattr(envs._PROBLEMS, "_entry_points", {**envs._PROBLEMS._entry_points, **PROBLEMS})
    monkeypatch.setattr(agents._AGENTS, "_entry_points", {**agents._AGENTS._entry_points, **AGENTS})
