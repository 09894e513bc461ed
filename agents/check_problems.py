"""Small problems that agents are checked on: of every kind of parameter, and one that only the meter reaches.

Made for these checks; they stand for no machine.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

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

ONE = Objective(minimize=("latency_s",), subject_to=("energy_j <= 3",))
TWO = Objective(minimize=("latency_s", "energy_j"))


def problems() -> dict[str, DesignProblem]:
    """Return small problems by name: flat, conditional, several objectives, continuous."""
    return {
        "flat": DesignProblem(FLAT, Bowl(FLAT), ONE),
        "conditional": DesignProblem(CONDITIONAL, Bowl(CONDITIONAL), ONE),
        "two objectives": DesignProblem(FLAT, Bowl(FLAT), TWO),
        "continuous": DesignProblem(CONTINUOUS, Bowl(CONTINUOUS), ONE),
    }


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
    """Opens the cost model for the length of one evaluation."""

    def __post_init__(self) -> None:
        """The metrics were checked before the model was sealed."""

    def evaluate(self, *arguments: Any, **keywords: Any) -> Evaluations:
        self.cost_model._open = True  # type: ignore[attr-defined]
        try:
            return super().evaluate(*arguments, **keywords)
        finally:
            self.cost_model._open = False  # type: ignore[attr-defined]
