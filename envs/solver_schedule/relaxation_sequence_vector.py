"""Many sequences of `RelaxationSequence` at once, their systems solved by one call of compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.relaxation import OMEGAS
from designgym.cost_models.solver_schedule.relaxation_arrivals import Arrivals
from designgym.envs.sequential_vector import Moved, SequentialVector
from designgym.envs.solver_schedule.relaxation_sequence import RelaxationSequence, observed, rewards, sequence_of


class RelaxationSequenceVector(SequentialVector):
    """num_envs copies of `RelaxationSequence`, with its options."""

    def __init__(
        self,
        num_envs: int = 1,
        equation: str = "poisson",
        distribution: str = "high",
        n: int | None = None,
        instances: int = 5000,
        lowest: float | None = None,
        observed: bool = True,
    ) -> None:
        env = RelaxationSequence(equation, distribution, n, instances, lowest, observed)
        super().__init__(env, num_envs)
        self._seen, self._arrivals = observed, Arrivals(num_envs, env.model)

    def _begin(
        self, row: int, rng: np.random.Generator, seed: int | None, options: dict[str, Any] | None
    ) -> dict[str, Any]:
        sequence = sequence_of(seed, rng)
        self._arrivals.begin(row, sequence)
        return {"sequence": sequence}

    def _move(self, actions: NDArray[Any]) -> Moved:
        if actions.shape != (self.num_envs,) or not ((actions >= 0) & (actions < len(OMEGAS))).all():
            raise ValueError(f"actions must be {self.num_envs} in [0, {len(OMEGAS)}), got {actions!r}. Correct them.")
        omega = np.array(OMEGAS)[actions.astype(np.int64)]
        found = self._arrivals.solve(omega)
        metrics = {name: found[name] for name in ("iterations", "unsolved")}
        told = {"metrics": metrics, "violation": found["violation"], "design": {"omega": omega}}
        return Moved(rewards(found), self._arrivals.over, told, {})

    def _observed(self) -> NDArray[np.float64]:
        return observed(self._arrivals, self._seen)
