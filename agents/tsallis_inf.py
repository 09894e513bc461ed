"""Tsallis-INF, a bandit for losses that are random or adversarial, and its form with a learner for each bin.

Source: Zimmert and Seldin, JMLR 22(28), 2021, figure 1 (alpha = 1/2, importance weights, rate 2 / sqrt(t)); contexts
in bins: Khodak, Chow, Balcan and Talwalkar, "Learning to Relax", ICLR 2024 (arXiv:2310.02246), section 3.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.bandits import LOSS_SCALE, Bandit, context_range
from designgym.envs import DesignSpace, Integer, MeteredEpisodes

NEWTON_STEPS = 30
ENOUGH = 1e-10  # how close to 1 probabilities add up


class _Learner:
    """Losses of one bin, each divided by the probability with which its arm was drawn."""

    def __init__(self, arms: int) -> None:
        self._losses, self._t = np.zeros(arms), 1

    def probabilities(self) -> NDArray[np.float64]:
        """Return those of follow-the-regularised-leader with Tsallis entropy, (arms,): 4 / (rate (loss - x))^2.

        x, below all losses, makes them add up to 1. The sum is convex and rises with x: from where the likeliest arm
        alone has 1, Newton's method comes down to it without overshooting.
        """
        rate = 2.0 / math.sqrt(self._t)
        losses = self._losses - self._losses.min()
        x = -2.0 / rate
        for _ in range(NEWTON_STEPS):
            weights = 4.0 / (rate * (losses - x)) ** 2
            excess = float(weights.sum()) - 1.0
            if abs(excess) < ENOUGH:
                break
            x -= excess / (rate * float((weights**1.5).sum()))
        return weights / weights.sum()

    def learn(self, arm: int, loss: float, probability: float) -> None:
        """Add the loss of an arm that was drawn with this probability."""
        self._losses[arm] += loss / probability
        self._t += 1


class TsallisInf(Bandit):
    """One distribution over arms for all instances; what is observed of them is ignored."""

    summary = "Tsallis-INF: near-optimal for random and for adversarial losses; ignores what is observed"
    hyperparameters = DesignSpace(LOSS_SCALE)

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(env, rng, **hyperparameters)
        self._learners = [_Learner(self.arms) for _ in range(self._bins())]

    def _bins(self) -> int:
        return 1

    def _bin(self, observation: Any) -> int:
        return 0

    def choose(self, observation: Any) -> int:
        """Draw an arm."""
        probabilities = self._learners[self._bin(observation)].probabilities()
        arm = self.draw(probabilities)
        self._probability = float(probabilities[arm])
        return arm

    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        """Count the loss where it was observed."""
        loss = -reward / self.settings["loss_scale"]
        self._learners[self._bin(observation)].learn(self._chosen, loss, self._probability)


class TsallisInfBinned(TsallisInf):
    """A distribution over arms for each of several equal bins of the one number that is observed."""

    summary = "Tsallis-INF with a learner for each bin of the number that is observed"
    hyperparameters = DesignSpace(
        LOSS_SCALE, Integer("bins", 1, 1000, log=True, default=10, meaning="equal parts of the observed number's range")
    )

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        self._low, self._high = context_range("tsallis_inf_binned", env)
        super().__init__(env, rng, **hyperparameters)

    def _bins(self) -> int:
        return int(self.settings["bins"])

    def _bin(self, observation: Any) -> int:
        share = (float(observation[0]) - self._low) / (self._high - self._low)
        return min(max(int(share * self._bins()), 0), self._bins() - 1)
