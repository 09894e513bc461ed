"""Price every valid design once, in the space's own order or in a random one."""

from collections.abc import Iterator

import numpy as np

from designgym.agents.base import Agent
from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignSpace, Evaluations, Problem


class Exhaustive(Agent):
    """Enumerates the space. The first `budget` designs of a space in rank order are a corner of it, not a sample."""

    summary = "every valid design once, in rank order or strided over the whole space"
    hyperparameters = DesignSpace(
        Categorical("order", ("rank", "strided"), meaning="rank: first to last; strided: a walk that spreads evenly")
    )
    batch = 4096

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: str) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.space._refuse_floats("exhaustive")
        self._chunks = self._strided() if self.settings["order"] == "strided" else self.space.enumerate(self.batch)

    def _strided(self) -> Iterator[Columns]:
        """Ranks r, r + s, r + 2 s, ... modulo the size: a step coprime to the size visits each rank once."""
        size = int(self.space.size)
        step = max(1, round(size * (np.sqrt(5) - 1) / 2)) if size < 2**52 else size * 618033989 // 10**9
        while np.gcd(step, size) != 1:
            step += 1
        start = int(self.rng.integers(0, min(size, 2**62)))
        dtype = object if size >= 2**63 else np.int64
        for first in range(0, size, self.batch):
            ranks = [(start + i * step) % size for i in range(first, min(first + self.batch, size))]
            designs = self.space.unrank(np.array(ranks, dtype))
            valid = self.space.violation(designs) == 0
            if valid.any():
                yield {name: column[valid] for name, column in designs.items()}

    def ask(self, n: int) -> Columns:
        return next(self._chunks, self.space.unrank(np.zeros(0, np.int64)))

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Nothing to learn."""
