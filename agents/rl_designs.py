"""Designs as a learner meets them: what breaks a constraint is answered here, and rewards are on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from designgym.agents.moves import rows_of
from designgym.agents.rl_vectors import Pickled, Step, Vectors
from designgym.cost_models.base import Columns
from designgym.envs import DesignVectorEnv, Evaluations, Problem, StepwiseDesignVectorEnv
from designgym.envs.choice_features import choice_features_of
from designgym.envs.problem import Fidelity

LOWEST, HIGHEST = -3.0, 10.0  # a feasible design's worth, in deviations from the mean


def design_vectors(problem: Problem, face: str, envs: int, bins: int, masks: bool) -> Worth:
    """Return copies of a face of the problem, "design" or "stepwise". bins: parts of a Float's range, if stepwise.

    masks: whether the learner takes open choices alone; for others a closed one stands for an open one.
    """
    inside = Inside(problem)
    if face == "design":
        return Worth(Vectors(DesignVectorEnv(inside, envs)), problem.objective.floor)
    cut = bins if problem.space.has_floats else None
    stepwise = StepwiseDesignVectorEnv(inside, envs, cut)
    return Worth(Vectors(stepwise) if masks else Opened(stepwise), problem.objective.floor)


class Opened(Vectors):
    """Copies of the stepwise face in which a closed choice a stands for the open one of number a modulo their count.

    Learners that know no masks would else hardly ever come to the end of a design where most choices are closed.
    """

    def step_async(self, actions: NDArray[Any]) -> None:
        masks = self.env_method("action_masks")
        self._taken = opened(np.asarray(actions), np.stack(masks))


def opened(actions: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return actions, (n,), as they stand for open choices. masks: which are open, bool (n, actions)."""
    closed = np.flatnonzero(~masks[np.arange(len(actions)), actions])
    if not len(closed):
        return actions
    taken, masks = actions.copy(), masks[closed]
    number = actions[closed] % masks.sum(axis=1)
    taken[closed] = np.argmax(masks.cumsum(axis=1) > number[:, None], axis=1)
    return taken


class Inside:
    """A problem that is asked for designs of its space alone: what breaks a constraint is answered and not priced."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.space, self.objective = problem, problem.space, problem.objective
        self.choice_features = choice_features_of(problem)

    def evaluate(self, designs: Columns, fidelity: Fidelity = "faithful") -> Evaluations:
        """designs: canonical ones of legal values, as faces make them, each (n,)."""
        if not self.space.constraints:
            return self.problem.evaluate(designs, fidelity)
        outside = self.space.constraint_violation(designs)
        inside = np.flatnonzero(outside == 0)
        if len(inside) == len(outside):
            return self.problem.evaluate(designs, fidelity)
        losses = np.full((len(outside), len(self.objective.names)), np.nan)
        rewards = np.asarray(self.objective.infeasible_reward(np.maximum(outside, np.finfo(float).tiny)))
        told = Evaluations({}, losses, outside, outside == 0, rewards)
        if len(inside):
            priced = self.problem.evaluate(rows_of(designs, inside), fidelity)
            for name in ("losses", "violation", "feasible", "reward"):
                getattr(told, name)[inside] = getattr(priced, name)
            for name, column in priced.metrics.items():
                told.metrics[name] = np.full(len(outside), np.nan)
                told.metrics[name][inside] = column
        return told


class Worth(Pickled, VecEnvWrapper):
    """Rewards of designs on a scale that learners can take, each told where an episode ends.

    A feasible one is told in deviations from the mean of all feasible ones so far, clipped to [-3, 10]; an infeasible
    one lies below, between -3 and -4, in the order of its violation. Objectives put infeasible designs a hundred and
    more below the others, beside which no learner sees what tells these apart. floor: the objective's.
    """

    def __init__(self, venv: VecEnv, floor: float) -> None:
        super().__init__(venv)
        self._floor = floor
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def reset(self) -> NDArray[np.float32]:
        observations: NDArray[np.float32] = self.venv.reset()
        return observations

    def step_wait(self) -> Step:
        observations, rewards, done, infos = self.venv.step_wait()
        told = np.zeros(len(rewards))
        told[done] = self.worth(np.asarray(rewards, np.float64)[done])
        return observations, told, done, infos

    def worth(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what designs are worth, (n,), these among those that are compared with."""
        feasible = rewards > self._floor
        self._add(rewards[feasible])
        known = self._squares > self._count * max(1.0, self._mean**2) * 1e-18  # else they differ by rounding alone
        deviation = np.sqrt(self._squares / self._count) if known else 1.0
        # Of an infeasible one, how far between the floor and twice the floor.
        below = np.clip(rewards / self._floor - 1.0, 0.0, 1.0)
        return np.where(feasible, np.clip((rewards - self._mean) / deviation, LOWEST, HIGHEST), LOWEST - below)

    def _add(self, rewards: NDArray[np.float64]) -> None:
        """Take more into mean and spread: Chan, Golub and LeVeque, COMPSTAT 1982, doi:10.1007/978-3-642-51461-6_3."""
        if not len(rewards):
            return
        count, mean = len(rewards), float(rewards.mean())
        total, apart = self._count + count, mean - self._mean
        self._squares += float(((rewards - mean) ** 2).sum()) + apart**2 * self._count * count / total
        self._mean += apart * count / total
        self._count = total
