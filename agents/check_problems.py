"""Small problems that agents are checked on: of every kind of parameter, and one that only the meter reaches.

Made for these checks; they stand for no machine.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.agents.base import Agent
from designgym.cost_models.base import Columns, Metric, batch_length
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Evaluations,
    Float,
    Integer,
    Objective,
    Ordinal,
    Permutation,
    Subset,
)


@dataclass(frozen=True)
class Stairs:
    """Paths from 0 to m whose latency is about the sum of what their steps cost; for tests of agents only."""

    space: DesignSpace

    metrics = (
        Metric("latency_s", "s", "lower", "1 + sum of the steps' costs, and a little for where the first one goes"),
        Metric("energy_j", "J", "lower", "1 + the longest step"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the inner points of paths, less one, each (n,)."""
        inner = np.stack([designs[name] for name in self.space.columns], axis=1).astype(np.int64) + 1
        path = np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (0, len(self.local_costs()) - 1)))
        costs = self.local_costs()[path[:, :-1], path[:, 1:]].sum(axis=1)
        longest = np.diff(path, axis=1).max(axis=1)
        return {"latency_s": 1.0 + costs + 0.1 * inner[:, 0], "energy_j": 1.0 + longest, "violation": 0.0 * costs}

    def local_costs(self) -> Any:
        """Steps cost the square of their length, and more the later they begin."""
        (parameter,) = self.space.parameters
        assert isinstance(parameter, Subset)
        here, there = np.ogrid[: parameter.n + 2, : parameter.n + 2]
        return np.where(here < there, (1.0 + 0.05 * here) * (there - here) ** 2.0, np.inf)


@dataclass(frozen=True)
class Bowl:
    """Two smooth conflicting metrics of the unit cube, and a violation in one corner; for tests of agents only."""

    space: DesignSpace

    metrics = (
        Metric("latency_s", "s", "lower", "1 + squared distance from the corner at .8"),
        Metric("energy_j", "J", "lower", "1 + squared distance from the corner at .2"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: columns of the space, each (n,)."""
        unit = self.space.encode(designs)
        violation = np.maximum(0.0, unit[:, 0] - 0.9)
        latency_s = 1.0 + ((unit - 0.8) ** 2).sum(axis=1)
        energy_j = 1.0 + ((unit - 0.2) ** 2).sum(axis=1)
        return {"latency_s": latency_s, "energy_j": energy_j, "violation": violation}


FLAT = DesignSpace(
    Integer("rows", 4, 64, 4),
    Ordinal("kb", (8, 16, 32, 64)),
    Categorical("flow", ("os", "ws", "is")),
    Integer("c", 0, 9),
)
CONDITIONAL = DesignSpace(
    Categorical("method", ("plain", "tuned")),
    Integer("effort", 1, 20, when=("method", {"tuned"})),
    Permutation("order", ("k", "c", "p", "q")),
    Subset("steps", 7, 3),
    constraints=("effort <= 18", "steps_0 + steps_2 >= 4"),
)
CONTINUOUS = DesignSpace(Float("alpha", 0.0, 1.0), Float("rate", 1e-4, 1.0, log=True), Categorical("kind", ("a", "b")))
TINY = DesignSpace(Integer("a", 0, 4), Categorical("b", ("x", "y")))
PATHS, FEW_PATHS = DesignSpace(Subset("step", 12, 4)), DesignSpace(Subset("step", 5, 2))

ONE = Objective(minimize=("latency_s",), subject_to=("energy_j <= 3",))
TWO = Objective(minimize=("latency_s", "energy_j"))
PATH = Objective(minimize=("latency_s",))


def problems() -> dict[str, DesignProblem]:
    """Return small problems by name: flat, conditional, several objectives, continuous."""
    return {
        "flat": DesignProblem(FLAT, Bowl(FLAT), ONE),
        "conditional": DesignProblem(CONDITIONAL, Bowl(CONDITIONAL), ONE),
        "two objectives": DesignProblem(FLAT, Bowl(FLAT), TWO),
        "continuous": DesignProblem(CONTINUOUS, Bowl(CONTINUOUS), ONE),
    }


def problems_for(agent: type[Agent]) -> tuple[dict[str, DesignProblem], DesignProblem]:
    """Return the problems that an agent is checked on, the plainest first, and one with fewer designs than budget.

    That one has no Float, so that an agent which needs one is to refuse it.
    """
    if agent.needs_local_costs:
        return {"path": DesignProblem(PATHS, Stairs(PATHS), PATH)}, DesignProblem(FEW_PATHS, Stairs(FEW_PATHS), PATH)
    if agent.needs_floats:
        return {"continuous": problems()["continuous"]}, DesignProblem(TINY, Bowl(TINY), ONE)
    return problems(), DesignProblem(TINY, Bowl(TINY), ONE)


class Sealed:
    """A cost model that lets itself be used only while the problem evaluates. priced: designs that it was asked for."""

    def __init__(self, model: Any) -> None:
        self._model, self._open, self.priced = model, False, 0

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or not self._open:
            raise AssertionError(
                f"an agent must reach the cost model by problem.evaluate alone, got .{attribute}. Ask designs, and "
                "learn from what tell() brings."
            )
        if attribute == "evaluate":
            return self._evaluate
        return getattr(self._model, attribute)

    def _evaluate(self, designs: Columns) -> Columns:
        self.priced += batch_length(designs)
        priced: Columns = self._model.evaluate(designs)
        return priced


@dataclass(frozen=True)
class SealedProblem(DesignProblem):
    """Opens the cost model for the length of one evaluation, or of one look at its local costs."""

    def __post_init__(self) -> None:
        """The metrics were checked before the model was sealed."""

    def evaluate(self, *arguments: Any, **keywords: Any) -> Evaluations:
        with self._opened():
            return super().evaluate(*arguments, **keywords)

    def local_costs(self) -> Any:
        with self._opened():
            return super().local_costs()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        self.cost_model._open = True  # type: ignore[attr-defined]
        try:
            yield
        finally:
            self.cost_model._open = False  # type: ignore[attr-defined]
