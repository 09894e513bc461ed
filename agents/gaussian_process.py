"""A Gaussian process on the ranks of trials, whose kernel falls with the rated L1 distance of their places.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006, chapters 2 and 5; rates follow
the slope of the likelihood by the sign rule of Riedmiller and Braun (ICNN 1993, doi:10.1109/ICNN.1993.298623).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDS = 3  # steps of the rates at each fit
LEAST_STEP, MOST_STEP = 0.02, 1.0  # of a rate's logarithm
KNOWN = 24  # values of one place whose factors are kept until the trials or the rates change
ODD = 16  # columns more than needed: rows that lie a power of two apart would share the same few lines of the cache
Guess = NDArray[np.float32]  # what is predicted, in single precision
Single = np.float32  # twice as many numbers at a time; the noise keeps the process well conditioned
LEAST_RATE, MOST_RATE = 1e-3, 10.0  # beyond them a parameter means nothing, or every value is a world of its own


class RankProcess:
    """Predicts normal scores of the reward. Rates, one a parameter, have a log-normal prior of deviation 1.

    group: the parameter of each place, (width,). total: what the prior's rates add up to. noise: variance of what the
    process does not explain, its own being 1. most: trials that it can hold; a few more cost it most^2 operations.
    """

    def __init__(self, group: NDArray[np.int64], total: float, noise: float, most: int) -> None:
        from designgym.agents import _gaussian_process_kernel as kernel
        from designgym.agents import _improvement_kernel as improvement
        from designgym.agents import _prediction_kernel as prediction

        self._kernel, self._prediction, self._improvement = kernel, prediction, improvement
        self._group = group
        self._parameters = int(group[-1]) + 1
        # A parameter of several places, such as a permutation, shares its rate among them.
        self._share = 1.0 / np.bincount(group)[group]
        self._prior = np.log(total / self._parameters)
        self._steps = np.full(self._parameters, 0.3)
        self._slopes = np.zeros(self._parameters)
        self._noise = Single(noise)
        self._set_rates(np.full(self._parameters, total / self._parameters))
        self._places = np.zeros((len(group), most), Single)
        self._upper = np.zeros((most, most + ODD), Single)
        self._factors = np.ones((2, len(group) * KNOWN, most + prediction.WIDE), Single)
        self._values, self._marks = np.empty(len(group) * KNOWN, Single), np.zeros(len(group) * (1 + KNOWN), np.int64)
        self._weights = np.empty(0, Single)
        self.held = 0

    def _set_rates(self, rates: NDArray[np.float64]) -> None:
        self._own_rates = rates
        self.rates = (rates[self._group] * self._share).astype(
            Single
        )  # how fast the correlation falls along each place, (width,)

    def fit(self, places: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Move the rates towards those that make some trials most likely; `hold` must follow.

        places: (width, n), C order; scores: (n,).
        """
        places, scores = places.astype(Single), scores.astype(Single)
        for _ in range(ROUNDS):
            slopes = self._kernel.slopes(places, self.rates, self._group, self._parameters, scores, self._noise)
            slopes -= np.log(self._own_rates) - self._prior
            agree = np.sign(slopes) * np.sign(self._slopes)
            factor = np.where(agree > 0, 1.2, np.where(agree < 0, 0.5, 1.0))
            self._steps = np.clip(self._steps * factor, LEAST_STEP, MOST_STEP)
            self._set_rates(np.clip(self._own_rates * np.exp(np.sign(slopes) * self._steps), LEAST_RATE, MOST_RATE))
            self._slopes = slopes

    def nearest(self, places: NDArray[np.float64], one: NDArray[np.float64], count: int) -> NDArray[np.int64]:
        """Return the rows of places, (n, width), that are nearest to one of them, (count,)."""
        away = np.empty(len(places), Single)
        self._kernel.distances(places.T.astype(Single, order="C"), self.rates, one.astype(Single), away)
        return np.argpartition(away, count - 1)[:count]

    def hold(self, places: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Hold the trials at these places, (n, width), n at most `most`, of these scores, (n,), and no others."""
        self.held = len(places)
        self._marks[:] = 0
        self._places[:, : self.held] = places.T
        self._weights = self._kernel.refactorise(
            self._upper, self._places, self.rates, self._noise, scores.astype(Single)
        )

    def add(self, places: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        """Hold a few more trials, (n, width): all at once cost hardly more than one.

        scores: of all that are held then, in their order, (held + n,).
        """
        before, self.held = self.held, self.held + len(places)
        self._places[:, before : self.held] = places.T
        known = self._values, self._marks, self._factors[0]
        self._weights = self._prediction.extend(
            self._upper, self._places, before, self.rates, self._noise, scores.astype(Single), *known
        )

    def predict(
        self, pool: NDArray[np.float64], starts: NDArray[np.float64], start: NDArray[np.int64]
    ) -> tuple[Guess, Guess]:
        """Return the mean at places, (m, width), and their correlation with the nearest trial, (m,) each.

        starts: places that the pool's differ little from, (s, width), at which that is quick; start: which, (m,).
        """
        pool, starts = pool.astype(Single), starts.astype(Single)
        known = self._values, self._marks, *self._factors
        return self._prediction.predict(self._places, self.held, self.rates, self._weights, pool, starts, start, *known)

    @property
    def state(self) -> tuple[Any, Any, Single]:
        """What compiled code predicts with: (places of trials, how many, rates, weights), what is known, the noise."""
        known = self._values, self._marks, *self._factors
        return (self._places, self.held, self.rates, self._weights), known, self._noise

    def most_improving(self, mean: Guess, nearest: Guess, target: float, count: int) -> NDArray[np.int64]:
        """Return which predictions, (m,), promise to exceed a score most, the best last, at most (count,)."""
        return self._improvement.most_improving(mean, nearest, self._noise, target, count)

    def promising(
        self, pool: NDArray[np.float64], mean: Guess, nearest: Guess, target: float, count: int
    ) -> NDArray[np.int64]:
        """Return which rows of the pool, (m, width), are expected to exceed a score most, the best first, (count,).

        mean, nearest: what is predicted of them. Each is taken as if those before it had been tried.
        """
        return self._improvement.promising(mean, nearest, pool.astype(Single), self.rates, self._noise, target, count)

    def promising_within(
        self,
        bounds: "RankProcess",
        pool: NDArray[np.float64],
        guesses: tuple[Guess, ...],
        target: float,
        bound: float,
        count: int,
    ) -> NDArray[np.int64]:
        """The same, times the chance that another process's score is above a bound. guesses: of both, this one first.

        Both have the same noise.
        """
        mean, nearest, margin, margin_nearest = guesses
        return self._improvement.promising_within(
            mean, nearest, margin, margin_nearest, pool.astype(Single), self.rates, bounds.rates, self._noise,
            target, bound, count,
        )  # fmt: skip


def normal_scores(rewards: NDArray[np.float64], order: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
    """Return scores that depend on the order of the rewards alone, equal ones alike, (n,).

    order: what sorts the rewards, the highest first, (n,), where it is known. The logistic distribution's quantiles,
    scaled to variance 1, stand in for the normal one's: they have a closed form.
    """
    from designgym.agents import _pool_kernel as kernel

    return kernel.logistic_scores(rewards, np.argsort(-rewards) if order is None else order)
