"""Beam search over partial designs, each of which is judged by what its completions come to.

Sources: Lowerre, "The Harpy speech recognition system", Carnegie Mellon University, 1976, for the beam; Voß, Fink and
Duin, Annals of Operations Research 136, 2005, doi:10.1007/s10479-005-2060-2 (the pilot method), and Bertsekas,
Tsitsiklis and Wu, Journal of Heuristics 3, 1997, doi:10.1023/A:1009635226865 (rollout), for judging by completions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.moves import mutate, random_mask, rows_of, valid_rows
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace, Evaluations, Float, Integer, Ordinal, Problem
from designgym.envs.choices import Choices, PartialDesign
from designgym.envs.parameters import Parameter

TRIES = 3  # completions of a partial design that are drawn in the hope of a valid one
EMPTY_LEVELS = 200  # levels in a row that may pass with nothing to ask before a random design is asked
Key = tuple[float, ...]
Wishes = Sequence[int | None]  # what a design chooses, choice by choice; None where anything will do


@dataclass
class Branch:
    """A partial design and its completions. wishes: what completes it next."""

    partial: PartialDesign
    wishes: Wishes
    completions: list[tuple[Key, Wishes]] = field(default_factory=list)


class Beam(Agent):
    """Settles choice after choice, the parameters in another random order each pass, and keeps the `width` best.

    At first a partial design is completed as the best completion it came from; further completions are random. A pass
    begins at the best designs known, or after one that brought nothing better at changed copies of them, or anywhere.
    Compares by reward.

    Widths of 2 and 4 were tried on NK landscapes of 2, 3 and 6 letters (n = 18, 12, 7; k = 5, 2, 3; instance 100), LABS
    of lengths 16 and 19, and SystolicGemms-v0's space with MobileNetV2 under a bound on area; seeds from 1,000 on.
    """

    summary = "beam search over partial designs, judged by their completions"
    batch = 256
    hyperparameters = DesignSpace(
        Integer("width", 1, 64, log=True, default=2, meaning="partial designs kept after each choice"),
        Integer("branch", 2, 64, log=True, default=16, meaning="values of a choice that are tried at most"),
        Integer("rollouts", 0, 8, default=0, meaning="further completions of each partial design, random ones"),
        Ordinal("first", (2, 4, 8, 16, 32, 64), default=8, meaning="random designs to begin with"),
        Integer("kick", 1, 16, default=3, meaning="changes to the best where a pass brought nothing better"),
        Float("anew", 0.0, 1.0, default=0.1, meaning="share of such passes that begin at random designs instead"),
        Ordinal("bins", (4, 8, 16, 32, 64), default=16, meaning="parts of a Float's range to choose among"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._seen = Seen(self.space)
        self._known: dict[Key, float] = {}  # rewards of the designs told
        self._best: list[tuple[float, Key]] = []  # the `width` best, best first
        self._to_draw = int(self.settings["first"])
        self._best_before = -np.inf  # when the present pass began
        self._choices: Choices | None = None  # of the present pass; None between two
        self._level: list[Branch] = []
        self._queue: Columns = {}
        self._waiting: set[Key] = set()

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, n: int) -> Columns:
        if self._to_draw > 0 or not self._known:
            n = min(n, max(self._to_draw, 1))
            self._to_draw -= n
            return self._asked(self.space.sample(n, self.rng))
        for _ in range(EMPTY_LEVELS):
            if self._queued or self._waiting:
                break
            self._advance()
        if not self._queued:  # told too little to go on, or nothing new is left nearby
            return self._asked(self.space.sample(1, self.rng))
        asked = rows_of(self._queue, slice(n))
        self._queue = rows_of(self._queue, slice(n, None))
        return self._asked(asked)

    @property
    def _queued(self) -> int:
        return batch_length(self._queue) if self._queue else 0

    def _asked(self, designs: Columns) -> Columns:
        """Mark designs as asked; return those that were not before, or all where there are none such."""
        new = self._seen.add(designs)
        return designs if new.all() or not new.any() else rows_of(designs, new)

    def _advance(self) -> None:
        """Judge the present level's branches, keep the best, and branch at the next choice of each."""
        if self._choices is not None:
            self._level = self._judged()
        if self._choices is None or not self._level:
            self._begin_pass()
        branches = [branch for parent in self._level for branch in self._branches(parent)]
        self._complete(branches, [branch.wishes for branch in branches])
        anything = [None] * len(self.space.cardinalities)
        for _ in range(int(self.settings["rollouts"])):
            self._complete(branches, [anything] * len(branches))
        self._level = branches

    def _judged(self) -> list[Branch]:
        """Return the best partial designs in which a choice is left; of equal ones the order is random."""
        best: dict[tuple[float, ...], tuple[float, Branch]] = {}
        for i in self.rng.permutation(len(self._level)).tolist():
            branch = self._level[i]
            told = [(self._known[key], j) for j, (key, _) in enumerate(branch.completions) if key in self._known]
            if not told or branch.partial.next is None:
                continue
            reward, j = max(told)
            settled = tuple(branch.partial.digits)
            if settled not in best or reward > best[settled][0]:
                best[settled] = reward, Branch(branch.partial, branch.completions[j][1])
        ordered = sorted(best.values(), key=lambda judged: -judged[0])
        return [branch for _, branch in ordered[: int(self.settings["width"])]]

    def _branches(self, parent: Branch) -> list[Branch]:
        """Settle the next choice in every open way, or in some of them: as wished, and in random others."""
        values = np.flatnonzero(parent.partial.mask())
        most = int(self.settings["branch"])
        if len(values) > most:
            wished = parent.wishes[len(parent.partial.digits)]
            others = self.rng.permutation(values[values != wished])
            values = np.append(others[: most - 1], values[values == wished]) if wished in values else others[:most]
        branches = []
        for value in values.tolist():
            partial = parent.partial.copy()
            partial.settle(value)
            branches.append(Branch(partial, parent.wishes))
        return branches

    def _complete(self, branches: list[Branch], wishes: list[Wishes]) -> None:
        """Give each branch a valid completion as wished, or near it, and queue what is new."""
        missing = list(range(len(branches)))
        for attempt in range(TRIES):
            if not missing:
                return
            whole = []
            for i in missing:
                whole.append(branches[i].partial.copy())
                kept = [w if self.rng.random() < 0.5 else None for w in wishes[i]] if attempt else wishes[i]
                whole[-1].complete(kept, self.rng)
            designs = self._designs(whole)
            valid = self.space.violation(designs) == 0 if self.space.constraints else np.ones(len(whole), bool)
            keys = _keys(designs)
            for row in np.flatnonzero(valid).tolist():
                branches[missing[row]].completions.append((keys[row], whole[row].chosen))
            self._enqueue(rows_of(designs, valid))
            missing = [missing[row] for row in np.flatnonzero(~valid).tolist()]

    def _designs(self, whole: list[PartialDesign]) -> Columns:
        designs = whole[0].choices.designs(whole)
        return self.space.canonical({name: designs[name] for name in self.space.columns})

    def _enqueue(self, designs: Columns) -> None:
        if not batch_length(designs):
            return
        designs = rows_of(designs, self._seen.new(designs))
        keys = _keys(designs)
        wanted = [row for row, key in enumerate(keys) if key not in self._waiting]
        self._waiting.update(keys)
        designs = rows_of(designs, wanted)
        joined = (
            {name: np.concatenate([self._queue[name], designs[name]]) for name in designs} if self._queue else designs
        )
        self._queue = joined

    # -- passes --------------------------------------------------------------------------------------------------------

    def _begin_pass(self) -> None:
        """Begin with nothing settled, in a new order of the parameters, at the designs to complete by."""
        starts = self._starts()
        self._best_before = self._best[0][0]
        self._choices = Choices(self._reordered(), int(self.settings["bins"]))
        root = PartialDesign(self._choices)
        rows = range(batch_length(starts))
        self._level = [Branch(root, self._choices.of(rows_of(starts, slice(row, row + 1)))) for row in rows]

    def _starts(self) -> Columns:
        width = int(self.settings["width"])
        best = {
            name: np.array([key[j] for _, key in self._best], self.space.dtypes[name])
            for j, name in enumerate(self.space.columns)
        }
        if self._choices is None or self._best[0][0] > self._best_before:
            return best
        if self.rng.random() >= self.settings["anew"]:
            copies = rows_of(best, np.arange(width) % len(self._best))
            for _ in range(int(self.settings["kick"])):
                mask = random_mask(width, self.space, 0.0, self.rng)
                copies = mutate(self.space, copies, mask, 1.0, self.rng)
            kicked = valid_rows(self.space, copies)
            if batch_length(kicked):
                return kicked
        return self.space.sample(width, self.rng)

    def _reordered(self) -> DesignSpace:
        """Return the space with its parameters in a random order in which each follows the one it depends on."""
        order: list[Parameter] = []
        left = [self.space.parameters[i] for i in self.rng.permutation(len(self.space.parameters))]
        while left:
            placed = {p.name for p in order}
            ready = next(p for p in left if p.when is None or p.when[0] in placed)
            left.remove(ready)
            order.append(ready)
        return DesignSpace(*order, constraints=self.space.constraints)

    # -- being told ----------------------------------------------------------------------------------------------------

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        keys = _keys({name: designs[name] for name in self.space.columns})
        rewards = evaluations.reward.tolist()
        known = [(reward, key) for reward, key in zip(rewards, keys, strict=True) if key not in self._known]
        self._known.update(zip(keys, rewards, strict=True))
        self._waiting.difference_update(keys)
        self._best = sorted(self._best + known, key=lambda one: -one[0])[: int(self.settings["width"])]


def _keys(designs: Columns) -> list[Key]:
    return list(zip(*(column.tolist() for column in designs.values()), strict=True))
