"""Uniform random search without repeats: the baseline every agent must beat."""

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.moves import rows_of
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns
from designgym.envs import Evaluations, Problem


class Random(Agent):
    """Draws valid designs uniformly and drops those it asked before."""

    summary = "uniform random search without repeats"
    batch = 256

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        super().__init__(problem, rng)
        self._seen = Seen(self.space)

    def ask(self, n: int) -> Columns:
        # A repeat is dropped only while something new came with it: a space without anything new ends as repeats.
        designs = self.space.sample(n, self.rng)
        new = self._seen.add(designs)
        return rows_of(designs, new) if new.any() else designs

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Nothing to learn but what not to ask."""
        self._seen.add(designs)
