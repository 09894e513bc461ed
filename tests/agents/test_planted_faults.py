"""The contract suite of agents catches faults planted one by one; the right twin passes."""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest
from planted import assert_says

from designgym.agents import register_agent
from designgym.agents import registry as agents
from designgym.agents.base import Agent
from designgym.agents.testing import check_agent
from designgym.cost_models import Columns
from designgym.envs import (
    DesignSpace,
    Evaluations,
    Float,
    Integer,
)

CLOCK = time.perf_counter


class Climber(Agent):
    """Mutates the unit cube of its best design."""

    summary = "hill climbing"
    hyperparameters = DesignSpace(Float("chance", 0.1, 0.9, default=0.5, meaning="that a part changes"))

    def __init__(self, problem: Any, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.best: Columns | None = None
        self.reward = -np.inf

    def ask(self, n: int) -> Columns:
        if self.best is None:
            return self.space.sample(n, self.rng)
        unit = np.repeat(self.space.encode(self.best), n, axis=0)
        changed = self.rng.random(unit.shape) < self.settings["chance"]
        children = self.space.decode(np.where(changed, self.rng.random(unit.shape), unit))
        inside = self.space.contains(children)
        if not inside.any():
            return self.space.sample(n, self.rng)
        return {name: column[inside] for name, column in children.items()}

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        i = int(np.argmax(evaluations.reward))
        if evaluations.reward[i] >= self.reward:
            self.reward = float(evaluations.reward[i])
            self.best = {name: column[i : i + 1].copy() for name, column in designs.items()}


class AsksInvalid(Climber):
    def ask(self, n: int) -> Columns:
        return self.space.decode(self.rng.random((n, len(self.space.cardinalities))))


class Overspends(Climber):
    def search(self) -> None:
        try:
            super().search()
        finally:
            self.problem.problem.evaluate(self.ask(1))  # type: ignore[attr-defined]


class ReachesAround(Climber):
    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        super().tell(designs, evaluations)
        self.problem.problem.cost_model.evaluate(designs)  # type: ignore[attr-defined]


class AsksTheInnerProblem(Climber):
    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        super().tell(designs, evaluations)
        if not self.space.has_floats:
            near = self.space.neighbours({name: column[:1] for name, column in designs.items()})
            self.problem.problem.evaluate(near)  # type: ignore[attr-defined]


class KnowsOnlyItsOwn(Climber):
    mine: ClassVar[dict[bytes, int]] = {}

    def ask(self, n: int) -> Columns:
        designs = super().ask(n)
        self.mine = {self.space.encode(designs)[i].tobytes(): i for i in range(len(next(iter(designs.values()))))}
        return designs

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self.mine[self.space.encode(designs)[0].tobytes()]
        super().tell(designs, evaluations)


class LosesTheSeed(Climber):
    def __init__(self, problem: Any, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, np.random.default_rng(), **hyperparameters)


class DrawsGlobally(Climber):
    def ask(self, n: int) -> Columns:
        random.random()
        return super().ask(n)


class LooksAtTheMeter(Climber):
    """Starts otherwise where something was priced already, so a continued run differs."""

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        if self.problem._logged is None:  # type: ignore[attr-defined]
            super().tell(designs, evaluations)


class ChangesWhatItIsTold(Climber):
    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        super().tell(designs, evaluations)
        evaluations.reward[:] -= 1.0


class AsksNothing(Climber):
    def ask(self, n: int) -> Columns:
        return self.space.sample(0, self.rng)


class Unexplained(Climber):
    hyperparameters = DesignSpace(Float("chance", 0.1, 0.9, default=0.5))


class FailsAtAnEnd(Climber):
    hyperparameters = DesignSpace(Integer("parents", 0, 1, default=1, meaning="designs kept"))

    def ask(self, n: int) -> Columns:
        return {name: column[:: self.settings["parents"]] for name, column in self.space.sample(n, self.rng).items()}


class Told(Climber):
    """Told its log instead of being asked again; one design a reward, in order."""

    told = True

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        for i in range(len(evaluations)):
            super().tell({name: column[i : i + 1] for name, column in designs.items()}, evaluations.take([i]))


class CountsTells(Told):
    tells = 0

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self.tells += 1
        super().tell(designs, evaluations)

    def ask(self, n: int) -> Columns:
        return super().ask(n) if self.tells % 3 else self.space.sample(n, self.rng)


AGENTS: dict[str, tuple[type[Agent], tuple[str, ...]]] = {
    "asks invalid designs": (AsksInvalid, ("must ask designs of the space", "Draw with space.sample")),
    "overspends": (Overspends, ("through the meter alone, got 121 priced and 120 metered", "let BudgetSpent pass")),
    "reaches around the meter": (
        ReachesAround,
        ("must reach the cost model by problem.evaluate alone, got .evaluate",),
    ),
    "prices on the inner problem": (AsksTheInnerProblem, ("must price designs through the meter alone",)),
    "takes only what it asked": (KnowsOnlyItsOwn, ("must be told designs it did not ask for, got KeyError",)),
    "loses the seed": (LosesTheSeed, ("with the same seed must give the same trials", "Draw only from self.rng")),
    "draws globally": (DrawsGlobally, ("must draw from the rng it is given, got draws from random itself",)),
    "differs when continued": (LooksAtTheMeter, ("continued from its log must end as uninterrupted", "got another")),
    "changes what it is told": (ChangesWhatItIsTold, ("must leave designs and evaluations as they are", "work on cop")),
    "asks nothing": (AsksNothing, ("must price designs of the flat problem, got none", "Let ask() return some")),
    "a hyperparameter without meaning": (Unexplained, ("chance must say what it means", "Add meaning=")),
    "a setting that fails": (FailsAtAnEnd, ("(with {'parents': 0})", "got ValueError: slice step cannot be zero")),
    "a told agent that counts tells": (CountsTells, ("at once must go on as before", "how tells are batched")),
}


@pytest.fixture
def agent_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Agent]], str]]:
    monkeypatch.setattr(agents._AGENTS, "_entry_points", dict(agents._AGENTS._entry_points))

    def register(cls: type[Agent]) -> str:
        register_agent("planted", f"{__name__}:{cls.__name__}")
        return "planted"

    return register


@pytest.mark.parametrize("cls", [Climber, Told])
def test_the_right_agent_passes(cls: type[Agent], agent_of: Callable[..., str]) -> None:
    check_agent(agent_of(cls))


@pytest.mark.parametrize("fault", AGENTS)
def test_a_fault_in_an_agent_is_named(fault: str, agent_of: Callable[..., str]) -> None:
    cls, phrases = AGENTS[fault]
    name = agent_of(cls)
    with pytest.raises(AssertionError) as caught:
        check_agent(name)
    assert_says(caught.value, *phrases)
