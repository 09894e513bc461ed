"""NSGA-II: a genetic algorithm for one or several objectives under constraints.

Source: Deb, Pratap, Agarwal and Meyarivan, IEEE TEVC 6(2), 2002, doi:10.1109/4235.996017: nondominated sorting,
crowding, and constraint domination (feasible before infeasible, less violation before more).
"""

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.agents.moves import cross, joined, mutate, random_mask, rows_of, valid_rows
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace, Evaluations, Float, Integer, Problem
from designgym.envs.pareto import crowding_distance, nondominated_ranks

ROUNDS = 4  # tries to turn children that were seen into new ones


class Genetic(Agent):
    """Tournament selection, uniform crossover by parameter, mutation; children that were asked before are redrawn.

    Defaults were chosen on NK landscapes of 2, 4 and 6 letters (instances from 100 on), LABS of lengths 16 and 19, and
    SystolicArray-v0 with MobileNetV2, seeds from 1,000 on. More crossover or mutation (.9, .1) is no better than random
    search on the first two within 200 designs.
    """

    summary = "NSGA-II with constraint domination; one or several objectives"
    hyperparameters = DesignSpace(
        Integer("population", 4, 2**16, log=True, default=24, meaning="designs kept, and children a generation"),
        Float("crossover", 0.0, 1.0, default=0.5, meaning="share of children that have two parents"),
        Float("mutation", 0.0, 1.0, default=0.03, meaning="chance of each parameter to mutate beside the one drawn"),
        Float("reach", 0.0, 1.0, default=0.25, meaning="share of an ordered parameter's mutations that go anywhere"),
        Integer("tournament", 1, 16, default=3, meaning="designs compared for each parent"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["population"])
        self._seen = Seen(self.space)
        self._designs: Columns = {}
        self._evaluations: Evaluations | None = None

    def ask(self, n: int) -> Columns:
        if self._evaluations is None or len(self._evaluations) < 2:
            return self._new_random(n)
        children = self._children(n)
        fresh = self._seen.new(children)
        for _ in range(ROUNDS):
            if fresh.all():
                break
            again = rows_of(children, np.flatnonzero(~fresh))
            again = mutate(self.space, again, self._mask(again, 0.5), 0.5, self.rng)
            children = joined(rows_of(children, fresh), valid_rows(self.space, again))
            fresh = self._seen.new(children)
        return rows_of(children, fresh) if fresh.any() else self._new_random(n)

    def _new_random(self, n: int) -> Columns:
        designs = self.space.sample(n, self.rng)
        new = self._seen.new(designs)
        return rows_of(designs, new) if new.any() else designs

    def _mask(self, designs: Columns, rate: float) -> NDArray[np.bool_]:
        return random_mask(batch_length(designs), self.space, rate, self.rng)

    def _children(self, n: int) -> Columns:
        """Valid children of tournament winners; parents stand best first, so the lowest row wins."""
        assert self._evaluations is not None
        parents = self.rng.integers(0, len(self._evaluations), (int(self.settings["tournament"]), 2, n)).min(axis=0)
        alone = self.rng.random(n) >= self.settings["crossover"]
        fathers = np.where(alone, parents[0], parents[1])
        children = cross(self.space, rows_of(self._designs, parents[0]), rows_of(self._designs, fathers), self.rng)
        mask = self._mask(children, self.settings["mutation"])
        valid = valid_rows(self.space, mutate(self.space, children, mask, self.settings["reach"], self.rng))
        return valid if batch_length(valid) else self._new_random(n)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        if self._evaluations is not None:
            designs = joined(self._designs, designs)
            evaluations = Evaluations.concatenate([self._evaluations, evaluations])
        order = selection_order(evaluations)[: self.batch]
        self._designs, self._evaluations = rows_of(designs, order), evaluations.take(order)


def selection_order(evaluations: Evaluations) -> NDArray[np.int64]:
    """Rows best first: by constraint domination, then front, then crowding, (n,)."""
    feasible = evaluations.feasible
    front = np.full(len(evaluations), np.inf)
    crowding = np.zeros(len(evaluations))
    if feasible.any():
        losses = evaluations.losses[feasible]
        ranks = nondominated_ranks(losses)
        front[feasible] = ranks
        if losses.shape[1] > 1:
            crowding[feasible] = crowding_distance(losses, ranks)
    return np.lexsort((-crowding, front, evaluations.violation))
