"""Simulated annealing: worse designs are accepted too, the less readily the worse they are and the later in the run.

Source: Kirkpatrick, Gelatt and Vecchi, Science 220, 1983, doi:10.1126/science.220.4598.671. A chain never asks a design
twice, and one that is frozen is heated up again.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.agents.cooling import Cooling, first_temperature
from designgym.agents.fresh import drawn_new
from designgym.agents.moves import mutate, random_mask, rows_of
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace, Evaluations, Float, Integer, MeteredProblem, Ordinal, Problem

FEASIBLE, INFEASIBLE, FAILED = range(3)
CANDIDATES = 8  # moves drawn at a time for a chain; they are dropped when it moves


Known = tuple[Columns, float, int]  # a batch of one, its reward, and of which kind it is


@dataclass
class Chain:
    """Where one chain stands. design: None before it began. rejected: proposals in a row that it did not accept."""

    cooling: Cooling
    design: Columns | None = None
    reward: float = -np.inf
    kind: int = 0
    rejected: int = 0
    queue: list[Columns] = field(default_factory=list)


class SimulatedAnnealing(Agent):
    """Chains of single designs, compared by reward; the first temperature comes from the first random designs.

    Feasible designs have one temperature and infeasible ones another, from rewards of their own kind, for the two have
    nothing in common; a step from a feasible design to an infeasible one is not accepted.

    The defaults were tried on NK landscapes of 2, 3 and 6 letters (n = 18, 12, 7; k = 5, 2, 3; instance 100), LABS of
    lengths 16 and 19, and SystolicGemms-v0's space with MobileNetV2 under a bound on area; seeds from 1,000 on.
    """

    summary = "simulated annealing: Metropolis steps, cooled over the budget, heated up when frozen"
    hyperparameters = DesignSpace(
        Integer("chains", 1, 64, log=True, default=1, meaning="chains side by side, each asking one design at a time"),
        Ordinal("first", (2, 4, 8, 16, 32, 64), default=8, meaning="random designs to begin with"),
        Float("accept", 0.01, 0.99, default=0.2, meaning="share of worsening steps between random designs accepted"),
        Float("cooled", 1e-4, 1.0, log=True, default=0.01, meaning="last temperature as a share of the first"),
        Float(
            "rate", 0.0, 1.0, default=0.05, meaning="chance of each further parameter to change along with the first"
        ),
        Float("reach", 0.0, 1.0, default=0.25, meaning="share of an ordered parameter's moves that go anywhere"),
        Integer("patience", 4, 4096, log=True, default=48, meaning="rejections in a row that mean frozen"),
        Float(
            "anew", 0.0, 1.0, default=0.1, meaning="share of frozen chains that go on at a random design, not the best"
        ),
        Integer("horizon", 10, 10**6, log=True, default=1000, meaning="designs to cool over if no budget is known"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["chains"])
        self._horizon = problem.budget if isinstance(problem, MeteredProblem) else int(self.settings["horizon"])
        self._seen = Seen(self.space)
        self._latest: Columns = {}  # what was asked last
        self._chains = [Chain(Cooling(self.settings["cooled"])) for _ in range(self.batch)]
        self._asked_by: dict[tuple[float, ...], Chain] = {}
        self._turn = 0
        self._to_draw = max(int(self.settings["first"]), self.batch)
        self._told = 0
        self._begun = False
        self._first: list[Known] = []  # what the chains may begin at
        self._samples: list[list[float]] = [[], [], []]  # by kind
        self._temperatures = [0.0, 0.0, 0.0]
        self._best: Known | None = None

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, n: int) -> Columns:
        if self._to_draw > 0 or self._best is None:
            self._to_draw -= n
            return self._marked(self.space.sample(n, self.rng))
        if not self._begun:
            self._begin()
        chains = [self._chains[(self._turn + i) % len(self._chains)] for i in range(n)]
        self._turn = (self._turn + n) % len(self._chains)
        self._fill([chain for i, chain in enumerate(chains) if not chain.queue and chain not in chains[:i]])
        asked = [chain.queue.pop() if chain.queue else self._anywhere() for chain in chains]
        designs = {name: np.concatenate([design[name] for design in asked]) for name in self.space.columns}
        if len(self._chains) > 1:
            self._asked_by.update(zip(_keys(designs), chains, strict=True))
        return self._marked(designs)

    def _anywhere(self) -> Columns:
        """Return a random design, new if one is found."""
        return drawn_new(self.space, self._seen, 1, lambda rows: self.space.sample(len(rows), self.rng))[0]

    def _marked(self, designs: Columns) -> Columns:
        """Return those that were not asked before, or all of them where there are none such, and mark them as asked."""
        new = self._seen.add(designs)
        self._latest = designs if new.all() or not new.any() else rows_of(designs, new)
        return self._latest

    def _begin(self) -> None:
        """Let the chains begin at the best of the first designs."""
        best_first = sorted(self._first, key=lambda known: -known[1])
        for i, chain in enumerate(self._chains):
            chain.design, chain.reward, chain.kind = best_first[i % len(best_first)]
        self._begun, self._first = True, []

    def _fill(self, chains: list[Chain]) -> None:
        """Draw moves of chains that have none left; one with nothing new around it counts as frozen."""
        if not chains:
            return
        for chain in chains:
            if chain.rejected >= self.settings["patience"]:
                self._reheat(chain)
        moving = [chain for chain in chains if not chain.queue and chain.design is not None]
        if not moving:
            return  # each of them goes on at a random design
        starts = {name: np.concatenate([c.design[name] for c in moving]) for name in self.space.columns}  # type: ignore[index]
        owner = np.repeat(np.arange(len(moving)), CANDIDATES)

        def moves(rows: NDArray[np.int64]) -> Columns:
            mask = random_mask(len(rows), self.space, self.settings["rate"], self.rng)
            return mutate(self.space, rows_of(starts, owner[rows]), mask, self.settings["reach"], self.rng)

        designs, new = drawn_new(self.space, self._seen, len(owner), moves)
        for row in np.flatnonzero(new).tolist():
            moving[owner[row]].queue.append(rows_of(designs, slice(row, row + 1)))
        for chain in moving:
            if not chain.queue:
                self._reheat(chain)

    def _reheat(self, chain: Chain) -> None:
        """Go on from the best design, or from anywhere, at a higher temperature."""
        chain.cooling.reheat(self._time)
        chain.rejected = 0
        if self._best is None or self.rng.random() < self.settings["anew"]:
            chain.design, chain.reward = None, -np.inf
            chain.queue = [self._anywhere()]
        else:
            chain.design, chain.reward, chain.kind = self._best

    @property
    def _time(self) -> float:
        return self._told / self._horizon

    # -- being told ----------------------------------------------------------------------------------------------------

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        if designs is not self._latest:
            self._seen.add(designs)
        keys = _keys(designs) if self._asked_by else [()] * len(evaluations)
        draws = self.rng.random(len(evaluations)).tolist()
        kinds = np.where(evaluations.feasible, FEASIBLE, np.where(np.isinf(evaluations.violation), FAILED, INFEASIBLE))
        for i, (reward, kind) in enumerate(zip(evaluations.reward.tolist(), kinds.tolist(), strict=True)):
            known = rows_of(designs, slice(i, i + 1)), reward, kind
            self._told += 1
            self._sample(reward, kind)
            if self._best is None or reward > self._best[1]:
                self._best = known
            if self._begun:
                self._step(self._asked_by.pop(keys[i], self._chains[0]), known, draws[i])
            else:
                self._first.append(known)

    def _sample(self, reward: float, kind: int) -> None:
        """Take the reward among the first ones of its kind, from which the kind's first temperature comes."""
        sample = self._samples[kind]
        if kind != FAILED and len(sample) < self.settings["first"]:
            sample.append(reward)
            self._temperatures[kind] = first_temperature(np.array(sample), self.settings["accept"])

    def _step(self, chain: Chain, known: Known, draw: float) -> bool:
        """Let the chain move to a design it was told of, by Metropolis' rule; return whether it did."""
        _, reward, kind = known
        worse = chain.reward - reward
        accepted = worse <= 0
        if not accepted and kind == chain.kind:
            temperature = self._temperatures[kind] * chain.cooling.factor(self._time)
            accepted = temperature > 0 and draw < np.exp(-worse / temperature)
        if accepted:
            chain.design, chain.reward, chain.kind = known
            chain.queue, chain.rejected = [], 0
        else:
            chain.rejected += 1
        return bool(accepted)


def _keys(designs: Columns) -> list[tuple[float, ...]]:
    return list(zip(*(column.tolist() for column in designs.values()), strict=True))
