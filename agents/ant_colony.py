"""Ant colony optimisation: a MAX-MIN Ant System with one pheromone for each value of each parameter.

Source: Stützle and Hoos, FGCS 16(8), 2000, doi:10.1016/S0167-739X(00)00043-1; pheromones on the values of parameters as
in ArchGym (Krishnan et al., ISCA 2023, doi:10.1145/3579371.3589049). Floats, and ordered parameters of more values than
an experiment can tell apart, are searched as in ACO_R (Socha and Dorigo, EJOR 185(3), 2008,
doi:10.1016/j.ejor.2006.06.046): a normal distribution around one of the best designs.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.agents.fresh import ask_new
from designgym.agents.moves import mutate, random_mask
from designgym.agents.pheromone import Digits, Elites, Trails
from designgym.agents.seen import Seen
from designgym.agents.sequences import awake_digits
from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignSpace, Evaluations, Float, Integer, Problem

MOST_VALUES = 64  # of an ordered digit that has a pheromone each; more are searched as a Float is
REACH = 0.25  # share of an ordered parameter's redraws that go anywhere


class AntColony(Agent):
    """Each ant draws every digit by its pheromone. Compares by reward: infeasible designs by their violation.

    The best ant of an iteration and the best since the last restart leave pheromone; a parameter that is idle in them
    gets none. An ant that comes to a known or invalid design walks again, and then changes one parameter at random,
    then two, and so on. As that explores too, evaporation and repeat are higher by default than in the literature.

    Defaults were chosen on NK landscapes of 2, 3 and 6 letters (n = 18, 12, 7; k = 5, 2, 3; instances 100 to 102) and
    LABS of lengths 16 and 19; seeds from 1,000 on.
    """

    summary = "ant colony (MAX-MIN Ant System): a pheromone for each value of each parameter"
    hyperparameters = DesignSpace(
        Integer("ants", 2, 4096, log=True, default=16, meaning="designs of an iteration"),
        Float("evaporation", 0.01, 1.0, log=True, default=0.3, meaning="share of the pheromone that goes each time"),
        Float("elite", 0.0, 1.0, default=0.5, meaning="share left by the best since the restart, not of the iteration"),
        Float("repeat", 0.001, 0.9, log=True, default=0.3, meaning="chance of the best design once trails converged"),
        Integer("patience", 1, 1024, log=True, default=10, meaning="iterations without improvement before a restart"),
        Float("smoothing", 0.0, 1.0, default=0.5, meaning="how far a restart levels the trails: 1 forgets everything"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["ants"])
        parameters = self.space.parameters
        self._owners = np.repeat(np.arange(len(parameters)), [len(p.cardinalities) for p in parameters])
        counts = np.array(self.space.cardinalities, np.int64)
        unordered = np.array([isinstance(p, Categorical) for p in parameters])[self._owners]
        listed = (counts > 0) & ((counts <= MOST_VALUES) | unordered)
        self._listed, self._wide = np.flatnonzero(listed), np.flatnonzero(~listed)
        self._trails = Trails(counts[self._listed], float(self.settings["repeat"]))
        self._elites = Elites(counts[self._wide])
        self._seen = Seen(self.space)
        self._best: tuple[Digits, NDArray[np.bool_]] | None = None  # since the restart, a batch of one
        self._best_reward = -np.inf
        self._idle = 0
        self._told: list[tuple[Columns, NDArray[np.float64]]] = []  # of this iteration

    def ask(self, n: int) -> Columns:
        def draw(n: int, redraws: int) -> Columns:
            designs = self._walk(n)
            if redraws == 0:
                return designs
            mask = random_mask(n, self.space, (redraws - 1) / len(self.space.parameters), self.rng)
            return mutate(self.space, designs, mask, REACH, self.rng)

        return ask_new(self.space, self._seen, n, self.rng, draw)

    def _walk(self, n: int) -> Columns:
        """Draw n ants' designs, canonical, some of them perhaps known or invalid."""
        digits: list[NDArray[np.float64] | NDArray[np.int64]] = [np.empty(0)] * len(self._owners)
        for j, column in zip(self._listed, self._trails.draw(n, self.rng).T, strict=True):
            digits[j] = column
        for j, column in zip(self._wide, self._elites.draw(n, self.rng), strict=True):
            digits[j] = column
        return self.space.from_digits(digits)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        self._told.append((designs, evaluations.reward))
        if sum(len(rewards) for _, rewards in self._told) >= self.batch:
            told, self._told = self._told, []
            designs = {name: np.concatenate([columns[name] for columns, _ in told]) for name in self.space.columns}
            self._iterate(designs, np.concatenate([rewards for _, rewards in told]))

    def _iterate(self, designs: Columns, rewards: NDArray[np.float64]) -> None:
        """Let an iteration's ants leave their pheromone, and restart where nothing improves."""
        digits, active = self._digits(designs)
        best = int(np.argmax(rewards))
        row = slice(best, best + 1)
        self._idle += 1
        if rewards[best] > self._best_reward:
            self._best, self._best_reward, self._idle = (digits[row], active[row]), float(rewards[best]), 0
        assert self._best is not None
        elite = float(self.settings["elite"])
        choices = np.concatenate([digits[row], self._best[0]])[:, self._listed].astype(np.int64)
        awake = np.concatenate([active[row], self._best[1]])[:, self._listed]
        self._trails.deposit(choices, awake, np.array([1.0 - elite, elite]), float(self.settings["evaporation"]))
        self._elites.add(digits[:, self._wide], active[:, self._wide], rewards)
        if self._idle >= self.settings["patience"]:
            self._trails.smooth(float(self.settings["smoothing"]))
            self._elites.forget()
            self._idle, self._best_reward = 0, -np.inf

    def _digits(self, designs: Columns) -> tuple[Digits, NDArray[np.bool_]]:
        """Return digits, (n, digits), and where they matter, bool (n, digits)."""
        digits = np.stack([np.asarray(digit, np.float64) for digit in self.space.digits(designs)], axis=1)
        return digits, awake_digits(self.space, designs)
