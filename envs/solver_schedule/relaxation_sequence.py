"""Choose a relaxation parameter for each linear system of a sequence, as it arrives."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.relaxation import MOST_ITERATIONS, OMEGAS, Relaxation
from designgym.envs.problem import DesignProblem
from designgym.envs.sequential import SequentialEnv, Trial
from designgym.envs.solver_schedule.relaxation import FEWEST_ITERATIONS, SPACE
from designgym.envs.space import DesignSpace

FIRST_DRAWN = 2**62  # sequences that are not asked for by their seed lie far from those that are
LAST_DRAWN = 2**63


class RelaxationSequence(SequentialEnv[NDArray[np.float64], np.int64]):
    """A system arrives, an omega of 20 is chosen for it, and its iterations are the price: all else stays unknown.

    The observation is the system's shift of the diagonal, for the heat equation its conductivity, shape (1,); 0 where
    it is not `observed`. The action is the place of an omega among 1, 1.05, ..., 1.95; the reward is minus the
    iterations, -10,000 where a system is not solved by then. An episode is a sequence of `instances` systems; each of
    them, a step, is a trial. `reset(seed=k)` draws the sequence of `Relaxation(seed=k)`, from default_rng(100 + k), a
    reset without a seed another one; the heat equation has one sequence. What fixed policies, hindsight and regret are
    reckoned from: `self.model.costs(seed)`. Other options: see `relaxation`.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  (Gymnasium's own type)
    trial: ClassVar[Trial] = "step"
    chosen: DesignSpace = SPACE

    def __init__(
        self,
        equation: str = "poisson",
        distribution: str = "high",
        n: int | None = None,
        instances: int = 5000,
        lowest: float | None = None,
        observed: bool = True,
    ) -> None:
        self.model = Relaxation(equation, distribution, n, instances, lowest=lowest)
        self.problem = DesignProblem(SPACE, self.model, FEWEST_ITERATIONS)
        self.observed = observed
        self.context_name = "shift c of the diagonal" if equation == "poisson" else "conductivity"
        self.action_space = spaces.Discrete(len(OMEGAS))
        low, high = self.model.context_range if observed else (0.0, 1.0)
        self.observation_space = spaces.Box(low, high, (1,), np.float64)
        self._sequence: int | None = None  # the seed of the one that is played
        self._place = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin the sequence of a seed, or one that is drawn."""
        super().reset(seed=seed)
        self._sequence = int(self.np_random.integers(FIRST_DRAWN, LAST_DRAWN)) if seed is None else int(seed)
        self._place = 0
        return self._observation(), {"sequence": self._sequence}

    def step(self, action: np.int64) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Solve the system that has arrived with an omega. action: its place among OMEGAS."""
        if self._sequence is None or self._place == self.model.instances:
            raise ValueError("a sequence must be running to take a step, got none. Call reset() first.")
        if not 0 <= action < len(OMEGAS):
            raise ValueError(f"an action must be in [0, {len(OMEGAS)}), got {action}. Choose one of these.")
        omega = OMEGAS[action]
        found = self.model.solved(self._place, omega, self._sequence)
        self._place += 1
        info = {**found, "design": {"omega": omega}}
        iterations = found["metrics"]["iterations"]
        reward = -float(MOST_ITERATIONS if found["violation"] > 0 else iterations)
        return self._observation(), reward, self._place == self.model.instances, False, info

    def contexts(self, seed: int) -> NDArray[np.float64]:
        """Return the shift, or for the heat equation the conductivity, of each system of a sequence."""
        return self.model.systems(seed).context

    def hindsight(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the omega of the fewest iterations for each system of a sequence, and those iterations."""
        costs = self.model.costs(seed)
        best = costs.argmin(axis=1)
        return np.array(OMEGAS)[best], costs[np.arange(len(best)), best].astype(np.float64)

    def _observation(self) -> NDArray[np.float64]:
        """What is seen of the system that has arrived; of the last one once more where none is left."""
        if not self.observed:
            return np.zeros(1)
        place = min(self._place, self.model.instances - 1)
        return self.model.systems(self._sequence).context[place : place + 1].copy()
