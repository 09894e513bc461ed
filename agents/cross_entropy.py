"""The cross-entropy method over designs: draw, keep the elite, move the law that draws toward it.

Sources: Rubinstein, Methodology and Computing in Applied Probability 1, 1999, doi:10.1023/A:1010091220143; de Boer,
Kroese, Mannor and Rubinstein, Annals of Operations Research 134, 2005, doi:10.1007/s10479-005-5724-z.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.agents.cross_entropy_law import Categories, Normals
from designgym.agents.fresh import ask_new
from designgym.agents.moves import mutate, random_mask
from designgym.agents.seen import Seen
from designgym.agents.sequences import Bools, Floats, awake_digits
from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignSpace, Evaluations, Float, Integer, Problem

MOST_VALUES = 64  # of an ordered digit that has a chance each; one of more is drawn as a Float is
REACH = 0.25  # share of an ordered parameter's redraws that go anywhere
DEVIATION = 0.5  # of a number in [0, 1) at first: reflected at the ends it is as good as uniform


class CrossEntropy(Agent):
    """Independent digits: a chance for each value, a normal law for a Float. Compares by reward.

    The elite are the best of an iteration and of the elite before it, for a design that is known is not asked again: it
    is drawn anew, and then with one parameter changed at random, then with two, and so on. A law that no longer brings
    anything better begins anew.

    Defaults were chosen on NK landscapes of 2, 3, 4 and 6 letters (n = 18, 12, 9, 7; k = 5, 2, 4, 3; instances 100 and
    101) and LABS of lengths 16, 17, 19 and 22, seeds from 1,000 on. Regret at 1,000 designs there, NK by 16 runs or
    more, LABS by 8 or more, with 2 elites of 16: smoothing .3 / .5 / .7 NK .118 / .083 / .101, LABS .088 / .062 / .066;
    patience 3 / 5 / 10 .110 / .083 / .088, .082 / .062 / .058. 2 / 3 / 4 elites are alike there (.089 / .081 / .098,
    .067 / .092 / .071), but two numbers have hardly any deviation, and a law of four Floats then stops short of the
    bottom of a bowl. Of 64 designs 16, as is more usual, spend the budget before the law has moved: .156, .097.
    """

    summary = "cross-entropy method: independent digits move toward the elite of each iteration"
    hyperparameters = DesignSpace(
        Integer("population", 2, 2**16, log=True, default=16, meaning="designs of an iteration"),
        Float("elite", 0.001, 1.0, log=True, default=0.25, meaning="share of them that the law moves toward"),
        Float("smoothing", 0.01, 1.0, default=0.5, meaning="how far it moves: 1 forgets what it was"),
        Integer("patience", 1, 1024, log=True, default=10, meaning="iterations without improvement before a restart"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["population"])
        parameters = self.space.parameters
        counts = np.array(self.space.cardinalities, np.int64)
        unordered = [isinstance(p, Categorical) for p in parameters for _ in p.cardinalities]
        listed = (counts > 0) & ((counts <= MOST_VALUES) | unordered)
        self._counts, self._listed, self._wide = counts, np.flatnonzero(listed), np.flatnonzero(~listed)
        self._seen = Seen(self.space)
        self._told: list[tuple[Columns, Floats]] = []  # of this iteration
        self._restart()

    def _restart(self) -> None:
        count = len(self._wide)
        self._categories = Categories(self._counts[self._listed])
        self._normals = Normals(np.full(count, 0.5), np.full(count, DEVIATION))
        self._elite = np.empty((0, len(self._counts))), np.empty((0, len(self._counts)), bool), np.empty(0)
        self._idle = 0

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(self, n: int) -> Columns:
        def draw(n: int, redraws: int) -> Columns:
            designs = self._drawn(n)
            if redraws < 2:
                return designs
            mask = random_mask(n, self.space, (redraws - 2) / len(self.space.parameters), self.rng)
            return mutate(self.space, designs, mask, REACH, self.rng)

        return ask_new(self.space, self._seen, n, self.rng, draw)

    def _drawn(self, n: int) -> Columns:
        """Draw n designs, canonical, some of them perhaps known or invalid."""
        digits: list[NDArray[np.float64] | NDArray[np.int64]] = [np.empty(0)] * len(self._counts)
        for j, column in zip(self._listed, self._categories.draw(n, self.rng).T, strict=True):
            digits[j] = column
        for j, column in zip(self._wide, _reflected(self._normals.draw(n, self.rng)).T, strict=True):
            count = int(self._counts[j])
            digits[j] = np.minimum((column * count).astype(np.int64), count - 1) if count else column
        return self.space.from_digits(digits)

    # -- learning ------------------------------------------------------------------------------------------------------

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        self._told.append((designs, evaluations.reward))
        if sum(len(rewards) for _, rewards in self._told) >= self.batch:
            told, self._told = self._told, []
            designs = {name: np.concatenate([columns[name] for columns, _ in told]) for name in self.space.columns}
            self._iterate(designs, np.concatenate([rewards for _, rewards in told]))

    def _iterate(self, designs: Columns, rewards: Floats) -> None:
        """Find the elite, and move the law toward it; begin anew where nothing improves."""
        best_before = self._elite[2].max(initial=-np.inf)
        self._idle = 0 if rewards.max() > best_before else self._idle + 1
        own = self._digits(designs), awake_digits(self.space, designs), rewards
        digits, awake, rewards = (np.concatenate(pair) for pair in zip(self._elite, own, strict=True))
        best = np.argsort(-rewards, kind="stable")[: max(1, round(self.settings["elite"] * self.batch))]
        self._elite = digits[best], awake[best], rewards[best]
        self._learn(*self._elite[:2])
        if self._idle >= self.settings["patience"]:
            self._restart()

    def _learn(self, digits: Floats, awake: Bools) -> None:
        listed, wide, smoothing = self._listed, self._wide, float(self.settings["smoothing"])
        self._categories.learn(digits[:, listed].astype(np.int64), awake[:, listed], smoothing)
        self._normals.learn(digits[:, wide], awake[:, wide], smoothing)

    def _digits(self, designs: Columns) -> Floats:
        """Return digits, (n, digits): a whole number in its cardinality; where that is a Float's or wide in [0, 1)."""
        digits = np.stack([np.asarray(digit, np.float64) for digit in self.space.digits(designs)], axis=1)
        for j in self._wide:
            if self._counts[j]:
                digits[:, j] = (digits[:, j] + 0.5) / self._counts[j]
        return digits


def _reflected(numbers: Floats) -> Floats:
    """Return numbers in [0, 1): what lies beyond an end is reflected there."""
    folded = np.abs(np.mod(numbers + 1.0, 2.0) - 1.0)
    return np.clip(folded, 0.0, np.nextafter(1.0, 0.0))
