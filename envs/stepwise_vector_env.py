"""Many designs put together choice by choice at once; those that are finished are priced in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.choice_features import ChoiceFeatures
from designgym.envs.choices import Choices, PartialDesign, open_values
from designgym.envs.faces import Face, known, squash
from designgym.envs.objective import Evaluations
from designgym.envs.problem import Problem
from designgym.envs.stepwise_env import MASKED_VIOLATION, StepwiseDesignEnv

Step = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class StepwiseDesignVectorEnv(VectorEnv[NDArray[np.float64], NDArray[np.int64], NDArray[Any]]):
    """num_envs copies of `StepwiseDesignEnv`, equal to it bit for bit, in SAME_STEP autoreset mode.

    A design that is finished, or refused for a masked choice, is begun anew in the same step: what was observed last is
    then in infos["final_obs"], what was told in infos["final_info"], its reason left out. Open choices, (num_envs,
    actions): infos["action_mask"], int8, and `action_masks()`, bool. bins, features: as of `StepwiseDesignEnv`.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  (Gymnasium's own type)

    def __init__(
        self, problem: Problem, num_envs: int = 1, bins: int | None = None, features: ChoiceFeatures | None = None
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}. Raise it.")
        one = StepwiseDesignEnv(problem, bins, features)
        self._features, self._units = one._features, one._units
        self.problem = problem
        self.num_envs = num_envs
        self.single_action_space, self.single_observation_space = one.action_space, one.observation_space
        self.action_space = batch_space(one.action_space, num_envs)
        self.observation_space = batch_space(one.observation_space, num_envs)
        self._choices, self._face = Choices(problem.space, bins), Face(problem)
        self._cardinalities = [choice.parameter.cardinalities[choice.place] for choice in self._choices.all]
        self._seen = np.zeros((num_envs, one._size))
        self._open = np.zeros((num_envs, self._choices.most), bool)
        self._partials = [PartialDesign(self._choices) for _ in range(num_envs)]
        self._begin(range(num_envs))

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin all designs, or those of options["reset_mask"], bool (num_envs,); nothing about them is random."""
        mask = (options or {}).get("reset_mask")
        self._begin(range(self.num_envs) if mask is None else np.flatnonzero(mask).tolist())
        return self._seen.copy(), self._told()

    def action_masks(self) -> NDArray[np.bool_]:
        """Which choices are open in each copy, bool (num_envs, actions)."""
        return self._open.copy()

    def _told(self) -> dict[str, Any]:
        return {"action_mask": self._open.astype(np.int8), "_action_mask": np.ones(self.num_envs, bool)}

    def _begin(self, rows: Sequence[int]) -> None:
        for row in rows:
            self._partials[row] = PartialDesign(self._choices)
            self._seen[row] = 0.0
            self._show(row, 0)

    def _show(self, row: int, before: int) -> None:
        """Bring what is observed of a copy up to date. before: its digits that are shown already."""
        digits, seen = self._partials[row].digits, self._seen[row]
        for i in range(before, len(digits)):
            cardinality = self._cardinalities[i]
            seen[i] = (digits[i] + 0.5) / cardinality if cardinality else digits[i]
        count = len(self._cardinalities)
        seen[count + before] = 0.0
        mask = open_values(self._partials[row], self._features)
        if len(digits) < count:
            seen[count + len(digits)] = 1.0
            if self._features is not None:
                seen[2 * count : self._units] = self._features.observe(self._partials[row].chosen)
        self._open[row, : len(mask)] = mask
        self._open[row, len(mask) :] = False

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Settle one choice in each copy; price the designs that are whole. actions: (num_envs,)."""
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,) or actions.dtype.kind not in "iu":
            raise ValueError(f"actions must be {self.num_envs} integers, got {actions!r}. Give one for each copy.")
        most = self._choices.most
        if not ((actions >= 0) & (actions < most)).all():
            raise ValueError(f"an action must be in [0, {most - 1}], got {actions.min()} to {actions.max()}.")
        allowed = self._open[np.arange(self.num_envs), actions]
        for row in np.flatnonzero(allowed).tolist():
            before = len(self._partials[row].digits)
            self._partials[row].settle(int(actions[row]))
            self._show(row, before)
        finished = np.array([partial.next is None for partial in self._partials])
        rewards, ended = np.zeros(self.num_envs), finished | ~allowed
        infos: dict[str, Any] = {}
        if ended.any():
            infos = self._end(finished, ~allowed, rewards)
        return self._seen.copy(), rewards, ended, np.zeros(self.num_envs, bool), infos | self._told()

    def _end(
        self, finished: NDArray[np.bool_], refused: NDArray[np.bool_], rewards: NDArray[np.float64]
    ) -> dict[str, Any]:
        """Price the finished designs, write rewards, and begin all that ended anew. Return their last infos."""
        ended = finished | refused
        losses = np.where(refused[:, None], np.inf, np.zeros((self.num_envs, len(self.problem.objective.names))))
        violation, feasible = np.where(refused, MASKED_VIOLATION, 0.0), np.zeros(self.num_envs, bool)
        last: dict[str, Any] = {}
        rewards[refused] = self.problem.objective.infeasible_reward(MASKED_VIOLATION)
        if finished.any():
            rows = np.flatnonzero(finished)
            designs = self._choices.designs([self._partials[row] for row in rows.tolist()])
            evaluations = self._face.price(designs)
            losses[rows], violation[rows], feasible[rows] = (
                evaluations.losses, evaluations.violation, evaluations.feasible,
            )  # fmt: skip
            rewards[rows] = evaluations.reward
            last = self._spread(designs, evaluations, finished)
        count = len(self._cardinalities)
        self._seen[ended, count : self._units] = 0.0  # no choice comes next
        self._seen[ended, self._units :] = squash(losses[ended])
        last |= {"losses": known(losses), "violation": violation, "feasible": feasible}
        last["action_mask"] = np.zeros(self._open.shape, np.int8)
        last |= {f"_{name}": ended.copy() for name in ("losses", "violation", "feasible", "action_mask")}
        final = np.full(self.num_envs, None, dtype=object)
        for row in np.flatnonzero(ended).tolist():
            final[row] = self._seen[row].copy()
        self._begin(np.flatnonzero(ended).tolist())
        return {"final_obs": final, "_final_obs": ended.copy(), "final_info": last, "_final_info": ended.copy()}

    def _spread(self, designs: Columns, evaluations: Evaluations, finished: NDArray[np.bool_]) -> dict[str, Any]:
        """Return designs and metrics of the finished as Gymnasium joins infos: zeros elsewhere, masks beside them."""

        def spread(columns: Columns) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for name, column in columns.items():
                holds = np.zeros(self.num_envs, bool)
                holds[finished] = column == column  # a metric that is NaN has no value
                out[name] = np.zeros(self.num_envs, column.dtype)
                out[name][holds] = column[column == column]
                out[f"_{name}"] = holds
            return out

        told = {"design": spread(designs), "metrics": spread(evaluations.metrics)}
        return told | {f"_{name}": finished.copy() for name in told}
