"""Pheromone trails: how likely ants are to choose each value of each digit of a design.

A digit of few values, or of unordered ones, has one pheromone a value, in the hyper-cube framework of Blum and Dorigo
(IEEE SMC-B 34(2), 2004, doi:10.1109/TSMCB.2003.821450): those of a digit add up to 1 and are chances. They lie between
the bounds of the MAX-MIN Ant System (Stützle and Hoos, FGCS 16(8), 2000, doi:10.1016/S0167-739X(00)00043-1).
"""

import numpy as np
from numpy.typing import NDArray

KEPT = 32  # designs around which digits of many values are drawn
LOCALITY = 0.1  # width of the chances over their ranks, in units of their number
SPEED = 0.85  # standard deviation of a draw, in units of the mean distance of the others

Digits = NDArray[np.float64]  # (n, digits): a whole number in its cardinality, for a Float its place in [0, 1)


class Trails:
    """One pheromone for each value of each digit. repeat: chance that an ant of converged trails repeats the best.

    cardinalities: values of each digit, (digits,).
    """

    def __init__(self, cardinalities: NDArray[np.int64], repeat: float) -> None:
        self._cardinalities = cardinalities
        self._starts = np.cumsum(cardinalities) - cardinalities
        self._owner = np.repeat(np.arange(len(cardinalities)), cardinalities)
        even = 1.0 / cardinalities
        # A converged digit keeps its best value with this chance; the other values share the rest.
        keeps = np.maximum(repeat ** (1.0 / max(1, len(cardinalities))), (1.0 + even) / 2.0)
        least = np.where(cardinalities > 1, (1.0 - keeps) / np.maximum(cardinalities - 1, 1), 1.0)
        most = np.where(cardinalities > 1, keeps, 1.0)
        self._even, self.least, self.most = even[self._owner], least[self._owner], most[self._owner]
        self.values = self._even.copy()

    def of(self, digit: int) -> NDArray[np.float64]:
        """Return the pheromone of each value of one digit."""
        start = self._starts[digit]
        return self.values[start : start + self._cardinalities[digit]]

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw n ants' choices, (n, digits)."""
        sums = np.cumsum(self.values)
        before = sums[self._starts] - self.values[self._starts]
        total = sums[self._starts + self._cardinalities - 1] - before
        places = np.searchsorted(sums, before + rng.random((n, len(total))) * total, side="right") - self._starts
        return np.clip(places, 0, self._cardinalities - 1)

    def deposit(
        self, choices: NDArray[np.int64], active: NDArray[np.bool_], weights: NDArray[np.float64], evaporation: float
    ) -> None:
        """Let pheromone evaporate and some solutions leave theirs. choices and active: (solutions, digits).

        weights: what each leaves, (solutions,), at most 1 together. A digit that is idle in a solution gets none.
        """
        left = weights[:, None] * active
        target = np.bincount((choices + self._starts).ravel(), weights=left.ravel(), minlength=len(self.values))
        total = left.sum(axis=0)[self._owner]
        # Toward the bounds, not toward 0 and 1: what lies between them stays there, and sums stay 1.
        target = target * self.most + (total - target) * self.least
        self.values += evaporation * (target - total * self.values)

    def smooth(self, share: float) -> None:
        """Bring every pheromone this far back to where it began."""
        self.values += share * (self._even - self.values)


class Elites:
    """The best designs' digits of many values, and normal distributions around them. cardinalities: 0 for a Float.

    Source: ACO_R of Socha and Dorigo, EJOR 185(3), 2008, doi:10.1016/j.ejor.2006.06.046.
    """

    def __init__(self, cardinalities: NDArray[np.int64]) -> None:
        self._cardinalities = cardinalities
        self.forget()

    def forget(self) -> None:
        """Begin anew: the next ants draw uniformly."""
        count = len(self._cardinalities)
        self._unit, self._active, self._rewards = np.empty((0, count)), np.empty((0, count), bool), np.empty(0)

    def add(self, digits: Digits, active: NDArray[np.bool_], rewards: NDArray[np.float64]) -> None:
        """Keep the best of those known and of these, (n, digits)."""
        if not len(self._cardinalities):
            return
        unit = np.where(self._cardinalities > 0, (digits + 0.5) / np.maximum(self._cardinalities, 1), digits)
        rewards = np.concatenate([self._rewards, rewards])
        best = np.argsort(-rewards, kind="stable")[:KEPT]
        self._unit, self._rewards = np.concatenate([self._unit, unit])[best], rewards[best]
        self._active = np.concatenate([self._active, active])[best]

    def draw(self, n: int, rng: np.random.Generator) -> list[NDArray[np.float64] | NDArray[np.int64]]:
        """Draw n ants' choices, one (n,) a digit. Each ant keeps to one of the best designs in all its digits."""
        if not len(self._cardinalities):
            return []
        known = len(self._rewards)
        chances = np.exp(-0.5 * (np.arange(known) / (LOCALITY * KEPT)) ** 2)
        guides = rng.choice(known, n, p=chances / chances.sum()) if known else np.zeros(n, np.int64)
        return [self._draw_digit(j, guides, rng) for j in range(len(self._cardinalities))]

    def _draw_digit(
        self, j: int, guides: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.float64] | NDArray[np.int64]:
        unit = rng.random(len(guides))
        awake = np.flatnonzero(self._active[:, j])
        if len(awake) > 1:
            led = np.flatnonzero(self._active[guides, j])
            middle = self._unit[guides[led], j]
            spread = np.abs(middle[:, None] - self._unit[awake, j]).sum(axis=1) / (len(awake) - 1)
            near = np.abs(middle + SPEED * spread * rng.normal(size=len(led)))
            unit[led] = np.where(near >= 1.0, 2.0 - near, near)  # reflected at the ends
        unit = np.clip(unit, 0.0, np.nextafter(1.0, 0.0))
        cardinality = int(self._cardinalities[j])
        if not cardinality:
            return unit
        return np.minimum((unit * cardinality).astype(np.int64), cardinality - 1)
