"""The (1+1) evolutionary algorithm: change each part of the best design with a small chance, keep what is no worse.

Source: Droste, Jansen and Wegener, Theoretical Computer Science 276, 2002, doi:10.1016/S0304-3975(01)00182-7.
"""

from typing import Any

import numpy as np

from designgym.agents import Agent
from designgym.cost_models import Columns
from designgym.envs import DesignSpace, Evaluations, Float, Problem


class OnePlusOne(Agent):
    """Mutates the unit cube of the best design, one child at a time."""

    hyperparameters = DesignSpace(
        Float("changes", 0.5, 4.0, default=1.0, meaning="parts changed on average; at least one is")
    )
    summary = "(1+1) evolutionary algorithm"

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._best: Columns | None = None
        self._reward = -np.inf

    def ask(self, n: int) -> Columns:
        if self._best is None:
            return self.space.sample(n, self.rng)
        unit = np.repeat(self.space.encode(self._best), n, axis=0)
        chance = self.settings["changes"] / max(1, unit.shape[1])
        changed = self.rng.random(unit.shape) < chance
        if unit.shape[1]:
            changed[np.arange(n), self.rng.integers(0, unit.shape[1], n)] = True
        children = self.space.decode(np.where(changed, self.rng.random(unit.shape), unit))
        inside = self.space.contains(children)
        if not inside.any():
            return self.space.sample(n, self.rng)
        return {name: column[inside] for name, column in children.items()}

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        for i, reward in enumerate(evaluations.reward.tolist()):
            if reward >= self._reward:
                self._reward = reward
                self._best = {name: column[i : i + 1] for name, column in designs.items()}
