"""Small sequential environments on which the contract of their agents is checked."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.envs import DesignProblem, DesignSpace, Integer, Objective, SequentialEnv

ARMS, INSTANCES = 5, 40
STEPS = 6


class Distances:
    """The mean over uniform numbers in [0, 1] of 1 + the distance of arm / 4 from them."""

    metrics = (Metric("cost", "1", "lower", "one more than the distance from what was asked for"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: arm, int (n,)."""
        x = designs["arm"] / (ARMS - 1)
        return {"cost": 1.0 + 0.5 * (x**2 + (1.0 - x) ** 2), "violation": np.zeros(len(x))}


class Lanes(SequentialEnv[NDArray[np.float64], np.int64]):
    """A sequence of numbers in [0, 1]; the arm nearest to each costs least."""

    trial = "step"
    chosen = DesignSpace(Integer("arm", 0, ARMS - 1, meaning="the arm"))
    problem = DesignProblem(chosen, Distances(), Objective(minimize=("cost",)))
    observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float64)
    action_space = gymnasium.spaces.Discrete(ARMS)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Draw the sequence."""
        super().reset(seed=seed)
        self._asked, self._at = self.np_random.random((INSTANCES + 1, 1)), 0
        return self._asked[0], {}

    def contexts(self, seed: int) -> NDArray[np.float64]:
        """The numbers of a sequence."""
        return seeding.np_random(seed)[0].random((INSTANCES + 1, 1))[:INSTANCES, 0]

    def hindsight(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The nearest arm of each, and its cost."""
        asked = self.contexts(seed)
        arms = np.rint(asked * (ARMS - 1))
        return arms, 1.0 + np.abs(arms / (ARMS - 1) - asked)

    def step(self, action: Any) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Answer one number."""
        cost = 1.0 + abs(int(action) / (ARMS - 1) - float(self._asked[self._at, 0]))
        self._at += 1
        info = {"metrics": {"cost": cost}, "violation": 0.0, "design": {"arm": int(action)}}
        return self._asked[self._at], -cost, self._at == INSTANCES, False, info


class Walks(SequentialEnv[NDArray[np.float64], np.int64]):
    """A walk of a few steps left or right after a target that is observed; what is priced is how far it ends away."""

    problem = DesignProblem(Lanes.chosen, Distances(), Objective(minimize=("cost",)))
    observation_space = gymnasium.spaces.Box(-2.0 * STEPS, 2.0 * STEPS, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Draw the target."""
        super().reset(seed=seed)
        self._target, self._place, self._left = float(self.np_random.integers(-STEPS, STEPS + 1)), 0.0, STEPS
        return self._observation, {}

    @property
    def _observation(self) -> NDArray[np.float64]:
        return np.array([self._place, self._target])

    def step(self, action: Any) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Take one step."""
        self._place += int(action) - 1
        self._left -= 1
        away = abs(self._place - self._target)
        info = {} if self._left else {"metrics": {"cost": 1.0 + away}, "violation": 0.0}
        return self._observation, 0.0 if self._left else -away, not self._left, False, info


class Drifts(Walks):
    """The same walk in steps of any length up to one."""

    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float64)  # type: ignore[assignment]

    def step(self, action: Any) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Take one step."""
        self._place += float(action[0]) - 1.0
        return super().step(2)


def lanes() -> DesignProblem:
    """Return the fixed policies of `Lanes`."""
    return Lanes.problem


def walks() -> DesignProblem:
    """Return what `Walks` are priced by; of its fixed policies there is none but the arm's number."""
    return Walks.problem
