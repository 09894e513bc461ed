"""Environments that are sequential by nature: a choice at each step of a computation, or one an instance of a sequence.

They are ordinary Gymnasium environments. What they add is what a trial is and what it came to, in the metrics and by
the objective of a `DesignProblem` over their fixed policies, so that agents of both kinds are compared on one scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, CostModel, Metric
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

Observation = TypeVar("Observation")
Action = TypeVar("Action")
Trial = Literal["episode", "step"]


RETURN = Metric("return", "1", "higher", "sum of the environment's rewards over the trial")


@dataclass(frozen=True)
class TrialMetrics:
    """What a trial is told in: the metrics of an environment's cost model, and the return. It prices nothing itself."""

    model: CostModel

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those of the model, and `RETURN`, which stands where a trial is infeasible too."""
        return (*self.model.metrics, RETURN)

    @property
    def version(self) -> str:
        """That of the model."""
        return self.model.version

    def evaluate(self, designs: Columns) -> Columns:
        """ValueError: trials are played."""
        raise ValueError("trials are played, not priced by their design. Price the fixed policies: env.problem.")


class Baseline(Protocol):
    """A fixed policy that can be played: what it does follows from what it is shown, and it keeps nothing in mind."""

    def act(self, observations: NDArray[Any], starts: NDArray[np.bool_]) -> NDArray[Any]:
        """Return actions of n environments. observations: (n, ...); starts: where an episode has just begun, (n,)."""


@dataclass(frozen=True, eq=False)
class Always:
    """One action, whatever is observed."""

    action: Any

    def act(self, observations: NDArray[Any], starts: NDArray[np.bool_]) -> NDArray[Any]:
        """Return it n times."""
        return np.repeat(np.asarray(self.action)[None], len(observations), axis=0)


class SequentialEnv(gymnasium.Env[Observation, Action]):
    """A Gymnasium environment whose trials can be priced, budgeted and logged.

    problem: the fixed policies, a `DesignProblem`: its cost model's metrics and its objective say what a trial came to.
    trial: what one is: a whole episode, or each step, where an episode is a sequence of instances.
    chosen: what the row of a trial says was chosen, as a space: for an instance the action; empty for an episode.

    The `info` of the step that ends a trial holds "metrics", {name: number} of every metric of the problem's cost
    model, NaN only where "violation", a number, is above 0; and "design", {column: number} of `chosen`.
    All randomness comes from `np_random`: same seed and same actions, same episode, bit for bit.
    context_name: what `contexts` are called on a page, with their unit if they have one.
    hindsight_metric: the metric that `hindsight` tells; empty for the first of the problem's cost model.
    """

    problem: DesignProblem
    trial: ClassVar[Trial] = "episode"
    chosen: DesignSpace = DesignSpace()
    context_name: str = "context"
    hindsight_metric: ClassVar[str] = ""

    def contexts(self, seed: int) -> NDArray[np.float64] | None:
        """Return the one number that tells the instances of a sequence apart, (instances,); None where none does."""
        return None

    def hindsight(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return for each instance of a sequence what had best been chosen, and what it comes to; or None.

        Best by one metric alone, `hindsight_metric`, whatever the objective.
        """
        return None

    def baselines(self) -> Mapping[str, Baseline] | None:
        """Return fixed policies that trained ones are compared with, by what they choose ("eta = 0.01"), best unknown.

        None for constant actions that have no better name than their number.
        """
        return None

    def vectors(self, count: int) -> VectorEnv[Any, Any, Any] | None:
        """Return copies that are stepped together faster than one by one, in SAME_STEP autoreset mode; or None.

        They equal a `SyncVectorEnv` of this environment bit for bit, and `reset` takes options["reset_mask"].
        """
        return None

    @property
    def trial_problem(self) -> DesignProblem:
        """What the rows of its trials are made of: `chosen`, the metrics and objective of `problem`, and the return."""
        return DesignProblem(self.chosen, TrialMetrics(self.problem.cost_model), self.problem.objective)
