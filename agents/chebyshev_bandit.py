"""A contextual bandit for instances of one observed number: Chebyshev polynomials of losses, inverse-gap exploration.

Source: Khodak, Chow, Balcan and Talwalkar, "Learning to Relax", ICLR 2024 (arXiv:2310.02246), algorithm 3 (ChebCB):
SquareCB (Foster and Rakhlin, ICML 2020, arXiv:2002.04926) whose oracle follows the leader among polynomials of bounded
coefficients, as those of a Lipschitz function are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.bandits import LOSS_SCALE, Bandit, context_range
from designgym.envs import DesignSpace, Float, Integer, MeteredEpisodes


class ChebyshevBandit(Bandit):
    """A polynomial of the observed number for each arm's loss; arms are drawn by how far they are behind the best.

    Coefficient j > 0 is at most `bound` / j in size, the constant one at most `bound`; what was never observed is 0, so
    that every arm is promising at first. Defaults were chosen on both distributions of RelaxationSequence-v0, seeds
    1,000 to 1,003: mean iterations, high / low, for an exploitation of 10, 100, 500, 1,000, 2,000 and 5,000 are 67.7 /
    49.3, 64.6 / 46.1, 64.0 / 45.2, 64.5 / 45.4, 62.5 / 45.6 and 63.7 / 45.4; with bounds of .1 and .3, and with ridges
    ten times more and less, they are within 1 of these.
    """

    summary = "contextual bandit: Chebyshev polynomials of the observed number, inverse-gap-weighted exploration"
    hyperparameters = DesignSpace(
        LOSS_SCALE,
        Integer("degree", 0, 20, default=6, meaning="of the polynomials"),
        Float("bound", 1e-3, 1e3, log=True, default=1.0, meaning="largest size of a coefficient, over j for the j-th"),
        Float(
            "ridge",
            1e-9,
            1e3,
            log=True,
            default=1e-3,
            meaning="weight of squared coefficients",
        ),
        Float("exploitation", 1e-3, 1e6, log=True, default=2000.0, meaning="of the gap to the best arm, times t"),
    )

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        from designgym.agents._polynomial_kernel import bounded_least_squares

        self._low, self._high = context_range("chebyshev_bandit", env)
        super().__init__(env, rng, **hyperparameters)
        self._fit = bounded_least_squares
        count = int(self.settings["degree"]) + 1
        self._squares = np.tile(self.settings["ridge"] * np.eye(count), (self.arms, 1, 1))
        self._products = np.zeros((self.arms, count))
        self._coefficients = np.zeros((self.arms, count))
        self._bounds = self.settings["bound"] / np.maximum(np.arange(count), 1.0)
        self._t = 0

    def features(self, observation: Any) -> NDArray[np.float64]:
        """Return the Chebyshev polynomials of what is observed, scaled to [-1, 1], (degree + 1,)."""
        x = 2.0 * (float(observation[0]) - self._low) / (self._high - self._low) - 1.0
        return np.cos(np.arange(len(self._bounds)) * np.arccos(min(max(x, -1.0), 1.0)))

    def choose(self, observation: Any) -> int:
        """Draw an arm: 1 / (arms + g (loss - best)) for each but the best, which has the rest."""
        self._t += 1
        self._seen = self.features(observation)
        losses = self._coefficients @ self._seen
        best = int(np.argmin(losses))
        probabilities = 1.0 / (self.arms + self.settings["exploitation"] * self._t * (losses - losses[best]))
        probabilities[best] = 0.0
        probabilities[best] = 1.0 - probabilities.sum()
        return self.draw(probabilities)

    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        """Fit the arm's polynomial to all its losses."""
        arm = self._chosen
        self._squares[arm] += np.outer(self._seen, self._seen)
        self._products[arm] -= reward / self.settings["loss_scale"] * self._seen
        self._fit(self._squares[arm], self._products[arm], self._bounds, self._coefficients[arm])
