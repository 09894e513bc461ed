"""Bandits: agents of sequences of instances, each answered by one of a few actions, of which only the chosen is priced.

Sources: Auer, Cesa-Bianchi and Fischer, Machine Learning 47, 2002, doi:10.1023/A:1013689704352 (UCB1, and the
epsilon that falls with time).
"""

import math
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from designgym.agents.sequential import SequentialAgent
from designgym.envs import DesignSpace, Float, Integer, MeteredEpisodes

LOSS_SCALE = Float(
    "loss_scale", 1e-6, 1e9, log=True, default=3000.0, meaning="what a loss, minus the reward, is divided by"
)


class Bandit(SequentialAgent):
    """An agent that answers each instance by itself: a trial is a step, an action one of `arms`, from 0 on."""

    checkpoints = True

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(env, rng, **hyperparameters)
        name = type(self).__name__
        if env.env.trial != "step":
            raise ValueError(
                f"{name} answers sequences of instances, where a trial is a step, got {type(env.env).__name__}, where "
                "it is an episode. Choose an agent that plays episodes, such as cross_entropy."
            )
        if not isinstance(env.action_space, gymnasium.spaces.Discrete):
            raise ValueError(f"{name} chooses among a few actions, Discrete, got {env.action_space}.")
        self._first = int(env.action_space.start)
        self.arms = int(env.action_space.n)

    def act(self, observation: Any) -> int:
        """Return the action of the arm chosen."""
        self._chosen = self.choose(observation)
        return self._first + self._chosen

    def choose(self, observation: Any) -> int:
        """Return an arm, from 0 on."""
        raise NotImplementedError

    def draw(self, probabilities: NDArray[np.float64]) -> int:
        """Draw an arm."""
        edges = np.cumsum(probabilities)
        return min(int(np.searchsorted(edges, self.rng.random() * edges[-1], side="right")), self.arms - 1)


class FixedAction(Bandit):
    """Always the same action: what a sequence costs without any learning."""

    summary = "always the same action of a sequence of instances: the baseline of bandits"
    hyperparameters = DesignSpace(Integer("action", 0, 9999, default=0, meaning="the action, from 0 on"))

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(env, rng, **hyperparameters)
        if self.settings["action"] >= self.arms:
            raise ValueError(
                f"fixed_action: action must be in [0, {self.arms - 1}], got {self.settings['action']}. Lower it."
            )

    def choose(self, observation: Any) -> int:
        """The action."""
        return int(self.settings["action"])

    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        """Nothing."""


class MeanLosses(Bandit):
    """Keeps each arm's mean loss. An arm that was never played comes first."""

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(env, rng, **hyperparameters)
        self._counts, self._sums = np.zeros(self.arms), np.zeros(self.arms)

    def choose(self, observation: Any) -> int:
        """The next arm that was never played, else what `of_known` returns."""
        fresh = np.flatnonzero(self._counts == 0)
        return int(self.rng.choice(fresh)) if len(fresh) else self.of_known(self._sums / self._counts)

    def of_known(self, means: NDArray[np.float64]) -> int:
        """Return an arm, given the mean loss of each, (arms,)."""
        raise NotImplementedError

    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        """Add the loss to the arm's mean."""
        self._counts[self._chosen] += 1
        self._sums[self._chosen] -= reward / self.settings.get("loss_scale", 1.0)


class EpsilonGreedy(MeanLosses):
    """The arm of least mean loss, but with probability min(1, c arms / t) any arm.

    The default was chosen on RelaxationSequence-v0, seeds 1,000 to 1,003.
    """

    summary = "the arm of least mean loss, and ever more seldom any arm"
    hyperparameters = DesignSpace(
        Float("exploration", 0.01, 100.0, log=True, default=1.0, meaning="c: any arm with probability c arms / t"),
    )

    def of_known(self, means: NDArray[np.float64]) -> int:
        """Explore, or exploit."""
        rate = self.settings["exploration"] * self.arms / self._counts.sum()
        return int(self.rng.integers(self.arms)) if self.rng.random() < rate else int(np.argmin(means))


class Ucb(MeanLosses):
    """The arm of least mean loss minus a margin that falls with its plays: UCB1.

    The default was chosen on RelaxationSequence-v0, seeds 1,000 to 1,003.
    """

    summary = "UCB1: the arm of the least lower confidence bound on its mean loss"
    hyperparameters = DesignSpace(
        LOSS_SCALE,
        Float("width", 1e-4, 10.0, log=True, default=0.01, meaning="margins over UCB1's own, for losses in [0, 1]"),
    )

    def of_known(self, means: NDArray[np.float64]) -> int:
        """The least lower bound."""
        margins = np.sqrt(2.0 * math.log(self._counts.sum()) / self._counts)
        return int(np.argmin(means - self.settings["width"] * margins))


def context_range(name: str, env: MeteredEpisodes) -> tuple[float, float]:
    """Return the range of the one number that is observed of an instance; ValueError where that is something else."""
    space = env.observation_space
    if isinstance(space, gymnasium.spaces.Box) and space.shape == (1,) and space.is_bounded():
        low, high = float(space.low[0]), float(space.high[0])
        if low < high:
            return low, high
    raise ValueError(
        f"{name} needs one number of known range observed of each instance, got {space}. Let the environment observe "
        "it, or choose an agent that observes nothing, such as tsallis_inf."
    )
