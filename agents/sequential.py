"""An agent of a sequential environment: it acts on what it observes, and learns from what its actions came to."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from designgym.agents.base import settings_of
from designgym.agents.rest import Resting
from designgym.envs import DesignSpace, MeteredEpisodes, RunOver, SequentialEnv


class SequentialAgent(Resting, ABC):
    """Plays a metered sequential environment within one run's budget. Same environment, rng, hyperparameters: same run.

    hyperparameters: the agent's own knobs as a design space, with defaults. A constructor raises a ValueError that
    names the agent and what it takes where it can not play the environment.
    """

    hyperparameters: ClassVar[DesignSpace] = DesignSpace()
    summary: ClassVar[str] = ""
    told: ClassVar[bool] = False  # a continued run plays again from its start: the same trials come, and are not logged

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        self.env = env
        self.rng = rng
        self.settings = settings_of(type(self).hyperparameters, hyperparameters)

    @classmethod
    def load(cls, files: Mapping[str, bytes], env: SequentialEnv[Any, Any]) -> Any:
        """Return the `Policy` that `policy_files` gave, to act in an environment. ValueError where none is kept."""
        raise ValueError(f"{cls.__name__} keeps no policy: what it learns is of use to its run alone.")

    @abstractmethod
    def act(self, observation: Any) -> Any:
        """Return an action of the environment's action space."""

    @abstractmethod
    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        """Learn what the latest action came to. done: whether the episode has ended."""

    def search(self) -> None:
        """Play episode after episode until the run is over (RunOver)."""
        while True:
            self.rest()
            observation, _ = self.env.reset()
            done = False
            while not done:
                action = self.act(observation)
                after, reward, terminated, truncated, _ = self.env.step(action)
                done = terminated or truncated
                self.learn(observation, action, reward, after, done)
                observation = after


def player_rng(seed: int) -> np.random.Generator:
    """Return the generator of an agent of this seed, apart from that of an environment that begins with the same one.

    With one stream for both, an agent's draws would be the very numbers that it is to guess.
    """
    return np.random.default_rng([seed, 1])


def play(agent: SequentialAgent) -> str:
    """Play to the end; return why it ended: "budget", or the reason of another RunOver."""
    try:
        agent.search()
    except RunOver as over:
        return over.reason
    return "budget" if agent.env.finished else "done"
