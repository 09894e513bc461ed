"""A Gaussian process on the ranks of a hundred trials, whose kernel falls with the rated L1 distance of their places.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapters 2 and 5; rates follow
the slope of the likelihood by the sign rule of Riedmiller and Braun (ICNN 1993, doi:10.1109/ICNN.1993.298623).
"""

import numpy as np
from numpy.typing import NDArray

ROUNDS = 3  # steps of the rates at each fit
LEAST_STEP, MOST_STEP = 0.02, 1.0  # of a rate's logarithm
LEAST_RATE, MOST_RATE = 1e-3, 10.0  # beyond them a parameter means nothing, or every value is a world of its own


class RankProcess:
    """Predicts normal scores of the reward. Rates, one a parameter, have a log-normal prior of deviation 1.

    group: the parameter of each place, (width,). total: what the prior's rates add up to. noise: variance of what the
    process does not explain, its own being 1.
    """

    def __init__(self, group: NDArray[np.int64], total: float, noise: float) -> None:
        self._group = group
        self._count = int(group[-1]) + 1
        # A parameter of several places, such as a permutation, shares its rate among them.
        self._share = 1.0 / np.bincount(group)[group]
        self._prior = np.log(total / self._count)
        self._rates = np.full(self._count, total / self._count)
        self._steps = np.full(self._count, 0.3)
        self._slopes = np.zeros(self._count)
        self._noise = noise

    @property
    def rates(self) -> NDArray[np.float64]:
        """How fast the correlation falls along each place, (width,)."""
        return self._rates[self._group] * self._share

    def fit(self, places: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Move the rates towards the most likely ones. places: (width, n), C order; scores: (n,)."""
        from designgym.agents import _gaussian_process_kernel as kernel

        for _ in range(ROUNDS):
            slopes = kernel.slopes(places, self.rates, self._group, self._count, scores, self._noise)
            slopes -= np.log(self._rates) - self._prior
            agree = np.sign(slopes) * np.sign(self._slopes)
            factor = np.where(agree > 0, 1.2, np.where(agree < 0, 0.5, 1.0))
            self._steps = np.clip(self._steps * factor, LEAST_STEP, MOST_STEP)
            self._rates = np.clip(self._rates * np.exp(np.sign(slopes) * self._steps), LEAST_RATE, MOST_RATE)
            self._slopes = slopes

    def nearest(self, places: NDArray[np.float64], one: NDArray[np.float64], count: int) -> NDArray[np.int64]:
        """Return the rows of places, (n, width), that are nearest to one of them, (count,)."""
        from designgym.agents import _gaussian_process_kernel as kernel

        away = np.empty(len(places))
        kernel.distances(np.ascontiguousarray(places.T), self.rates, one, away)
        return np.argpartition(away, count - 1)[:count]

    def expected_improvement(
        self, places: NDArray[np.float64], scores: NDArray[np.float64], pool: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return by how much each row of the pool, (m, width), is expected to exceed the best score, (m,)."""
        from designgym.agents import _gaussian_process_kernel as kernel

        rates, best = self.rates, float(scores.max())
        return kernel.expected_improvement(places, rates, scores, self._noise, np.ascontiguousarray(pool), best)


def normal_scores(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores that depend on the order of the rewards alone, equal ones alike, (n,).

    The logistic distribution's quantiles, scaled to variance 1, stand in for the normal one's: they have a closed form.
    """
    ordered = np.sort(rewards)
    below, upto = np.searchsorted(ordered, rewards, "left"), np.searchsorted(ordered, rewards, "right")
    share = (below + upto) / (2.0 * len(rewards))
    return np.log(share / (1.0 - share)) * (np.sqrt(3.0) / np.pi)
