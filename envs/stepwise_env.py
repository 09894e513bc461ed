"""A problem as a Gymnasium environment in which a design is put together choice by choice.

Illegal choices are masked, as in Huang and Ontañón, 2022 (doi:10.32473/flairs.v35i.130584).
"""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import gymnasium
import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.choice_features import ChoiceFeatures, choice_features_of
from designgym.envs.choices import Choice, Choices, PartialDesign, open_values
from designgym.envs.faces import Face, info_of, observation_space, squash
from designgym.envs.problem import Problem
from designgym.envs.reasons import reason_of

MASKED_VIOLATION = 1.0  # as of one illegal parameter


class StepwiseDesignEnv(gymnasium.Env[NDArray[Any], np.int64]):
    """An action is the next parameter's index, a permutation's next item, a subset's next larger member, a Float's bin.

    Idle parameters are skipped. The reward, the objective's, comes at the end; until then it is 0.
    Observation, float64: the digits settled so far in the unit cube, 0 elsewhere; which choice comes next, one-hot; the
    features of that choice, if there are any, 0 at the end; the losses x as x / (1 + |x|), 0 before the end.
    Open choices: info["action_mask"], int8 as `Discrete.sample` takes it, and `action_masks()`, bool. A masked choice
    ends the episode with a violation of 1 and nothing priced. At the end info is that of `DesignEnv`.
    bins: equal parts of a Float's range (of its logarithm if log) to choose among; needed where there is one. features:
    what is told of each choice, and closed beside what the space closes, in place of the problem's own; a problem
    without any is `dataclasses.replace(problem, choice_features=None)`.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own type)

    def __init__(self, problem: Problem, bins: int | None = None, features: ChoiceFeatures | None = None) -> None:
        self._choices = Choices(problem.space, bins)
        self.problem = problem
        self._features = choice_features_of(problem) if features is None else features
        self._face = Face(problem)
        self._actions, count = self._choices.most, len(self._choices.all)
        self._units = 2 * count + (0 if self._features is None else len(self._features.names))
        self._size = self._units + len(problem.objective.names)
        self.action_space = gymnasium.spaces.Discrete(self._actions)
        self.observation_space = observation_space(self._units, len(problem.objective.names))
        self._begin()

    def _begin(self) -> None:
        self._partial = PartialDesign(self._choices)
        self._over = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin an episode; nothing about it is random."""
        super().reset(seed=seed)
        self._begin()
        return self._observe(None), {"action_mask": self.action_masks().astype(np.int8)}

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are open, bool (n,); none when the episode is over."""
        mask = np.zeros(self._actions, bool)
        if not self._over:
            open_ones = open_values(self._partial, self._features)
            mask[: len(open_ones)] = open_ones
        return mask

    def actions_of(self, design: Columns) -> list[int]:
        """Return the actions that lead to one canonical design; with a Float, to the bin that it lies in."""
        idle = {name for name, awake in self.problem.space.active(design).items() if not awake[0]}
        chosen = zip(self._choices.all, self._choices.of(design), strict=True)
        return [index for choice, index in chosen if choice.parameter.name not in idle]

    def step(self, action: SupportsIndex) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Settle one choice; after the last, price the design."""
        if self._over:
            raise gymnasium.error.ResetNeeded("the design is finished. Call reset() to begin another.")
        index, choice = operator.index(action), self._partial.next
        assert choice is not None
        if not 0 <= index < self._actions:
            raise ValueError(f"an action must be in [0, {self._actions - 1}], got {index}.")
        if not self.action_masks()[index]:
            return self._refused(choice, index)
        self._partial.settle(index)
        if self._partial.next is None:
            return self._finish()
        return self._observe(None), 0.0, False, False, {"action_mask": self.action_masks().astype(np.int8)}

    def _finish(self) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        self._over = True
        design = self._choices.designs([self._partial])
        evaluations = self._face.price(design)
        info = info_of(design, evaluations)
        if not info["feasible"]:
            info["reason"] = reason_of(self.problem, design, evaluations)
        info["action_mask"] = self.action_masks().astype(np.int8)
        return self._observe(evaluations.losses[0]), evaluations.reward.item(), True, False, info

    def _refused(self, choice: Choice, index: int) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """End the episode: there is no such design."""
        name = choice.parameter.name
        left = _brief([choice.value(open_one) for open_one in np.flatnonzero(self.action_masks()).tolist()])
        wrong = choice.value(index) if index < choice.count else f"choice {index}"
        by = ", closed by the choice features" if index < choice.count and self._partial.mask()[index] else ""
        self._over = True
        losses = np.full(len(self.problem.objective.names), np.inf)
        info = {
            "losses": losses,
            "violation": MASKED_VIOLATION,
            "feasible": False,
            "reason": f"{name} cannot be {wrong} here{by}, but {left}",
            "action_mask": self.action_masks().astype(np.int8),
        }
        reward = float(self.problem.objective.infeasible_reward(MASKED_VIOLATION))
        return self._observe(losses), reward, True, False, info

    def _observe(self, losses: NDArray[np.float64] | None) -> NDArray[np.float64]:
        observation, digits, count = np.zeros(self._size), self._partial.digits, len(self._choices.all)
        for i, (digit, choice) in enumerate(zip(digits, self._choices.all, strict=False)):
            cardinality = choice.parameter.cardinalities[choice.place]
            observation[i] = (digit + 0.5) / cardinality if cardinality else digit
        if losses is not None:
            observation[self._units :] = squash(losses)
        else:
            observation[count + len(digits)] = 1.0
            if self._features is not None:
                observation[2 * count : self._units] = self._features.observe(self._partial.chosen)
        return observation


def _brief(values: list[str]) -> str:
    shown = ", ".join(values[:8])
    return shown if len(values) <= 8 else f"{shown}, ... {values[-1]}"
