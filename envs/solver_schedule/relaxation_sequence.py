"""Choose a relaxation parameter for each linear system of a sequence, as it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule.relaxation import MOST_ITERATIONS, OMEGAS, Relaxation
from designgym.cost_models.solver_schedule.relaxation_arrivals import Arrivals
from designgym.envs.problem import DesignProblem
from designgym.envs.sequential import Always, Baseline, SequentialEnv, Trial
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
    hindsight_metric: ClassVar[str] = "iterations"

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
        self._arrivals: Arrivals | None = None  # a batch of one, once there is a sequence

    def baselines(self) -> Mapping[str, Baseline]:
        """Return the twenty omega, each for all systems."""
        return {f"omega = {omega:g}": Always(np.int64(place)) for place, omega in enumerate(OMEGAS)}

    def vectors(self, count: int) -> VectorEnv[Any, Any, Any]:
        """Return copies whose systems are solved by one call of compiled code."""
        from designgym.envs.solver_schedule.relaxation_sequence_vector import RelaxationSequenceVector

        model = self.model
        return RelaxationSequenceVector(
            count, model.equation, model.distribution, model.n, model.instances, model.lowest, self.observed
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Begin the sequence of a seed, or one that is drawn."""
        super().reset(seed=seed)
        self._arrivals = self._arrivals or Arrivals(1, self.model)
        sequence = sequence_of(seed, self.np_random)
        self._arrivals.begin(0, sequence)
        return observed(self._arrivals, self.observed)[0], {"sequence": sequence}

    def step(self, action: np.int64) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Solve the system that has arrived with an omega. action: its place among OMEGAS."""
        if self._arrivals is None or self._arrivals.over[0]:
            raise ValueError("a sequence must be running to take a step, got none. Call reset() first.")
        if not 0 <= action < len(OMEGAS):
            raise ValueError(f"an action must be in [0, {len(OMEGAS)}), got {action}. Choose one of these.")
        omega = OMEGAS[action]
        found = self._arrivals.solve(np.array([omega]))
        told = {name: column.item() for name, column in found.items()}
        info: dict[str, Any] = {"violation": told.pop("violation"), "metrics": told, "design": {"omega": omega}}
        over = self._arrivals.over.item()
        return observed(self._arrivals, self.observed)[0], rewards(found).item(), over, False, info

    def contexts(self, seed: int) -> NDArray[np.float64]:
        """Return the shift, or for the heat equation the conductivity, of each system of a sequence."""
        return self.model.systems(seed).context

    def hindsight(self, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the omega of the fewest iterations for each system of a sequence, and those iterations."""
        costs = self.model.costs(seed)
        best = costs.argmin(axis=1)
        return np.array(OMEGAS)[best], costs[np.arange(len(best)), best].astype(np.float64)


def sequence_of(seed: int | None, rng: np.random.Generator) -> int:
    """Return the number of the sequence that an episode plays: its seed, or one that is drawn."""
    return int(rng.integers(FIRST_DRAWN, LAST_DRAWN)) if seed is None else int(seed)


def observed(arrivals: Arrivals, seen: bool) -> NDArray[np.float64]:
    """Return what is seen of the systems that have arrived, (count, 1), of the last ones where none is left."""
    contexts = arrivals.contexts()[:, None]
    return contexts if seen else np.zeros_like(contexts)


def rewards(found: Columns) -> NDArray[np.float64]:
    """Return minus the iterations of systems that were solved, or not, (count,)."""
    return -np.fmin(found["iterations"], float(MOST_ITERATIONS))  # no number where there is a violation
