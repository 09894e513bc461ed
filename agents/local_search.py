"""Iterated local search with memory (Lourenço, Martin and Stützle, 2003, doi:10.1007/0-306-48056-5_11).

It changes one or more parameters of its incumbent, keeps what is no worse, never asks a design twice, and starts again
from a perturbed copy of its best, or from anywhere, when improvements stop. What was asked before that and is told
after it does not call the chain back, unless it is better than the best.
"""

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.moves import mutate, random_mask, rows_of, valid_rows
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace, Evaluations, Float, Integer, Ordinal, Problem

Key = tuple[int | float, ...]  # of one design
CANDIDATES = 32  # moves drawn at a time and asked one by one; they are dropped when the incumbent changes
REDRAWS = 20  # batches of moves that held nothing new before the search restarts


class LocalSearch(Agent):
    """One chain. Designs are compared by reward, so infeasible ones are ordered by their violation."""

    summary = "iterated local search with memory: perturbs its best, accepts, restarts"
    hyperparameters = DesignSpace(
        Float(
            "rate", 0.0, 1.0, default=0.05, meaning="chance of each further parameter to change along with the first"
        ),
        Float("reach", 0.0, 1.0, default=0.25, meaning="share of an ordered parameter's moves that go anywhere"),
        Integer("patience", 4, 4096, log=True, default=48, meaning="proposals without improvement before a restart"),
        Integer("kick", 1, 16, default=3, meaning="parameters of the best changed at a restart"),
        Float("anew", 0.0, 1.0, default=0.1, meaning="share of restarts that begin at a random design"),
        Ordinal("first", (1, 2, 4, 8, 16, 32, 64), default=8, meaning="random designs to begin with"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._seen = Seen(self.space)
        self._queue: list[Columns] = []
        self._incumbent: Columns | None = None
        self._incumbent_reward = -np.inf
        self._best: Columns | None = None
        self._best_reward = -np.inf
        self._idle = 0
        self._to_draw = int(self.settings["first"])
        self._starts = 0
        self._under_way: dict[Key, int] = {}  # after how many starts each was asked

    def ask(self, n: int) -> Columns:
        asked = []
        for _ in range(n):
            asked.append(self._next())
            self._seen.add(asked[-1])
            self._under_way[self._key(asked[-1])] = self._starts
        return {name: np.concatenate([design[name] for design in asked]) for name in self.space.columns}

    def _next(self) -> Columns:
        if self._to_draw > 0 or self._incumbent is None:
            self._to_draw -= 1
            return self._random()
        if self._idle >= self.settings["patience"]:
            return self._restart()
        for _ in range(REDRAWS):
            if self._queue:
                return self._queue.pop()
            self._fill_queue(self._incumbent)
        return self._restart()

    def _fill_queue(self, centre: Columns) -> None:
        copies = {name: np.repeat(column, CANDIDATES) for name, column in centre.items()}
        mask = random_mask(CANDIDATES, self.space, self.settings["rate"], self.rng)
        moved = valid_rows(self.space, mutate(self.space, copies, mask, self.settings["reach"], self.rng))
        # Reading what is new must not mark it as seen: a dropped candidate was never asked.
        fresh = rows_of(moved, self._seen.new(moved)) if batch_length(moved) else moved
        self._queue = [rows_of(fresh, slice(i, i + 1)) for i in range(batch_length(fresh))]

    def _random(self) -> Columns:
        for _ in range(REDRAWS):
            design = self.space.sample(1, self.rng)
            if self._seen.new(design)[0]:
                break
        return design

    def _key(self, design: Columns) -> Key:
        return tuple(design[name][0].item() for name in self.space.columns)

    def _restart(self) -> Columns:
        """Go on from another design, and return it."""
        self._starts += 1
        self._idle, self._queue = 0, []
        self._incumbent, self._incumbent_reward = self._elsewhere(), -np.inf
        return self._incumbent

    def _elsewhere(self) -> Columns:
        if self._best is None or self.rng.random() < self.settings["anew"]:
            return self._random()
        count = min(int(self.settings["kick"]), len(self.space.parameters))
        for _ in range(REDRAWS):
            mask = np.zeros((1, len(self.space.parameters)), bool)
            mask[0, self.rng.choice(len(self.space.parameters), count, replace=False)] = True
            kicked = valid_rows(self.space, mutate(self.space, self._best, mask, 1.0, self.rng))
            if batch_length(kicked) and self._seen.new(kicked)[0]:
                return kicked
        return self._random()

    def note(self, designs: Columns, evaluations: Evaluations) -> None:
        """Learn of designs that another agent asked: go on at one that is better than the best, and ask none again."""
        if not batch_length(designs):
            return
        self._seen.add(designs)
        row = int(np.argmax(evaluations.reward))
        reward = float(evaluations.reward[row])
        if reward > self._best_reward:
            self._best = self._incumbent = rows_of(designs, slice(row, row + 1))
            self._best_reward = self._incumbent_reward = reward
            self._idle, self._queue, self._to_draw = 0, [], 0

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        for i, reward in enumerate(evaluations.reward.tolist()):
            design = rows_of(designs, slice(i, i + 1))
            asked_before = self._under_way.pop(self._key(design), self._starts) < self._starts
            better = reward > self._best_reward
            if better:
                self._best, self._best_reward = design, reward
            if asked_before and not better:
                continue
            self._idle += 1
            if reward >= self._incumbent_reward:
                if reward > self._incumbent_reward:
                    self._idle = 0
                self._incumbent, self._incumbent_reward = design, reward
                self._queue = []
