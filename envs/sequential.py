"""Environments that are sequential by nature: a choice at each step of a computation, or one an instance of a sequence.

They are ordinary Gymnasium environments. What they add is what a trial is and what it came to, in the metrics and by
the objective of a `DesignProblem` over their fixed policies, so that agents of both kinds are compared on one scale.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeVar

import gymnasium

from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

Observation = TypeVar("Observation")
Action = TypeVar("Action")
Trial = Literal["episode", "step"]


class SequentialEnv(gymnasium.Env[Observation, Action]):
    """A Gymnasium environment whose trials can be priced, budgeted and logged.

    problem: the fixed policies, a `DesignProblem`: its cost model's metrics and its objective say what a trial came to.
    trial: what one is: a whole episode, or each step, where an episode is a sequence of instances.
    chosen: what the row of a trial says was chosen, as a space: for an instance the action; empty for an episode.

    The `info` of the step that ends a trial holds "metrics", {name: number} of every metric of the problem's cost
    model, NaN only where "violation", a number, is above 0; and "design", {column: number} of `chosen`.
    All randomness comes from `np_random`: same seed and same actions, same episode, bit for bit.
    """

    problem: DesignProblem
    trial: ClassVar[Trial] = "episode"
    chosen: DesignSpace = DesignSpace()

    @property
    def trial_problem(self) -> DesignProblem:
        """What the rows of its trials are made of: `chosen`, and the metrics and objective of `problem`."""
        return DesignProblem(self.chosen, self.problem.cost_model, self.problem.objective)
