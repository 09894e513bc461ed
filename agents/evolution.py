"""Regularised evolution: in a tournament the best wins, but of all that live the oldest dies.

Source: Real, Aggarwal, Huang and Le, AAAI 2019, doi:10.1609/aaai.v33i01.33014780, Algorithm 1. A design stays in the
population only through its descendants, so one that was lucky, or sits in a local optimum, is left behind in time.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.agents.fresh import drawn_new
from designgym.agents.genetic import selection_order
from designgym.agents.moves import mutate, random_mask, rows_of
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace, Evaluations, Float, Integer, Ordinal, Problem


class Evolution(Agent):
    """A queue of designs, told first to told last; a child is a mutated winner that was not asked before.

    One objective is compared by reward, several by constraint domination, front and crowding as in NSGA-II.

    Of population and sample, (100, 25), (50, 10), (32, 10) and (16, 4) were tried, on NK landscapes of 2, 3 and 6
    letters (n = 18, 12, 7; k = 5, 2, 3; instances from 100 on), LABS of lengths 16 and 19, and SystolicGemms-v0's space
    with MobileNetV2; seeds from 1,000 on. The paper's 100 spends a budget of hundreds on its first generation.
    """

    summary = "regularised (ageing) evolution: tournaments choose the parents, the oldest dies"
    hyperparameters = DesignSpace(
        Integer("population", 2, 4096, log=True, default=32, meaning="designs that live at a time"),
        Integer("sample", 1, 256, log=True, default=10, meaning="designs compared for each parent"),
        Float(
            "rate", 0.0, 1.0, default=0.05, meaning="chance of each further parameter to mutate along with the first"
        ),
        Float("reach", 0.0, 1.0, default=0.25, meaning="share of an ordered parameter's mutations that go anywhere"),
        Ordinal("children", (1, 2, 4, 8, 16, 32, 64, 128), default=8, meaning="children asked at a time"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["children"])
        self._capacity = int(self.settings["population"])
        self._seen = Seen(self.space)
        self._designs: Columns = {}
        self._evaluations: Evaluations | None = None
        self._places = np.zeros(0, np.int64)

    @property
    def population(self) -> int:
        return self._capacity

    def ask(self, n: int) -> Columns:
        if len(self._places) < self._capacity:
            return self._random(n)
        parents = self._winners(n)

        def children(rows: NDArray[np.int64]) -> Columns:
            mask = random_mask(len(rows), self.space, self.settings["rate"], self.rng)
            return mutate(self.space, rows_of(self._designs, parents[rows]), mask, self.settings["reach"], self.rng)

        designs, new = drawn_new(self.space, self._seen, n, children)
        if not new.any():
            return self._random(n)
        return self._asked(rows_of(designs, new))

    def _winners(self, n: int) -> NDArray[np.int64]:
        """Rows of the population's parents, (n,): of each sample, drawn with replacement, the best."""
        drawn = self.rng.integers(0, len(self._places), (int(self.settings["sample"]), n))
        return drawn[self._places[drawn].argmin(axis=0), np.arange(n)]

    def _random(self, n: int) -> Columns:
        designs = self.space.sample(n, self.rng)
        new = self._seen.new(designs)
        # A repeat is asked only where nothing new was drawn: a space without anything new ends as repeats.
        return self._asked(rows_of(designs, new) if new.any() else designs)

    def _asked(self, designs: Columns) -> Columns:
        self._seen.add(designs)
        return designs

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        if self._evaluations is not None:
            designs = {name: np.concatenate([column, designs[name]]) for name, column in self._designs.items()}
            evaluations = Evaluations.concatenate([self._evaluations, evaluations])
        youngest = slice(max(0, batch_length(designs) - self._capacity), None)
        self._designs, self._evaluations = rows_of(designs, youngest), evaluations.take(youngest)
        self._places = _places(self._evaluations)


def _places(evaluations: Evaluations) -> NDArray[np.int64]:
    """Return each design's place among them, 0 for the best, (n,)."""
    several = evaluations.losses.shape[1] > 1
    order = selection_order(evaluations) if several else np.argsort(-evaluations.reward, kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places
