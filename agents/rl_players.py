"""Agents that train a policy in sequential environments: Stable-Baselines3's algorithms, one class each.

They own their loop: `search()` trains on copies of the metered environment until its budget is spent. Observations and
rewards are standardised as the library does it (VecNormalize). Sources: see `rl_algorithms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium.spaces import Box

from designgym.agents.rl_algorithms import ALGORITHMS
from designgym.agents.rl_knobs import SOFT, VALUED, clipped, envs, on_policy
from designgym.agents.sequential import SequentialAgent
from designgym.envs import DesignSpace, Float, MeteredEpisodes, SequentialEnv

if TYPE_CHECKING:
    from designgym.agents.rl_training import Training

LARGEST_SEED = 2**31
# PPO tried on ThreeBodyStepping-v0 (reward="evaluations", bound 1e-4, seed 1,000, 3,000 episodes), mean evaluations of
# the last 500: 1,130 by its defaults. In 16 copies of 64 steps 1,253; from there a discount of .9 982, of .99 1,612; at
# .99 an entropy of 0 2,149; as it was for designs (16 copies of 8 steps, discount .99, entropy .01) 1,801. One seed
# each: what lies within a tenth may be chance.
_ENVS = envs(64, "copies that are played at once; one where a trial is an instance of a sequence")
_DISCOUNT = Float("discount", 0.0, 1.0, default=0.95, meaning="what a reward is worth a step later")
_CLIPPED = clipped(1e-3, 16, 0.001, 256)


class TrainedPlayer(SequentialAgent):
    """Trains a policy while it plays. algorithm: its name among `ALGORITHMS`."""

    checkpoints = True
    keeps_policy = True
    algorithm: ClassVar[str]

    def __init__(self, env: MeteredEpisodes, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(env, rng, **hyperparameters)
        self._known = ALGORITHMS[self.algorithm]
        where = type(env.env).__name__
        self._known.refuse(env.action_space, where)
        if not isinstance(env.observation_space, Box):
            raise ValueError(f"{self.algorithm} needs a Box of observations, got {env.observation_space} of {where}.")
        if isinstance(env.action_space, Box) and not env.action_space.is_bounded():
            raise ValueError(f"{self.algorithm} needs actions with bounds, got {env.action_space} of {where}.")
        self._known.available()
        self._seed = int(rng.integers(LARGEST_SEED))
        self._training: Training | None = None

    def act(self, observation: Any) -> Any:
        """ValueError: what acts is the policy that `search` trains."""
        raise ValueError(f"{self.algorithm} acts in its own loop, by search(), and step by step nowhere else.")

    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        """Learn nothing: it learns in `search`."""

    def search(self) -> None:
        """Train until the run is over (RunOver)."""
        from designgym.agents.rl_training import Normalised, Training
        from designgym.agents.rl_vectors import Vectors

        if self._training is None:
            discount = float(self.settings["discount"])
            envs = Normalised(Vectors(self.env.copies(self.copies)), gamma=discount)
            self._training = Training(self._known, envs, self.settings, discount, self._seed, self._explored)
        self._training.go_on(self.rest, _always)  # the next reset or step past the budget ends the run

    @property
    def copies(self) -> int:
        """Copies of the environment that are played at once."""
        return 1 if self.env.env.trial == "step" else int(self.settings["envs"])

    def _explored(self) -> float:
        return self.env.asked / self.env.budget / float(self.settings["explored"])

    def policy_files(self) -> dict[str, bytes]:
        """Return policy.zip, in Stable-Baselines3's own format, and observations.json. ValueError before `search`."""
        if self._training is None:
            raise ValueError(f"{self.algorithm} has no policy before it is trained. Call search() first.")
        return self._training.files()

    @classmethod
    def load(cls, files: Mapping[str, bytes], env: SequentialEnv[Any, Any]) -> Any:
        """Return the policy of these files. It can run code as it is loaded: the library's format holds pickles."""
        from designgym.agents.rl_policy import TrainedPolicy

        ALGORITHMS[cls.algorithm].available()
        return TrainedPolicy(ALGORITHMS[cls.algorithm], files, env)


def _always() -> bool:
    return True


class PpoPlayer(TrainedPlayer):
    """Proximal policy optimisation."""

    summary = "proximal policy optimisation of Stable-Baselines3 (extra rl)"
    algorithm = "ppo"
    hyperparameters = DesignSpace(*_CLIPPED, _ENVS, _DISCOUNT)


class A2cPlayer(TrainedPlayer):
    """Advantage actor-critic."""

    summary = "advantage actor-critic of Stable-Baselines3 (extra rl)"
    algorithm = "a2c"
    hyperparameters = DesignSpace(*on_policy(1e-3, 8, 0.001), _ENVS, _DISCOUNT)


class DqnPlayer(TrainedPlayer):
    """Deep Q-network, for Discrete actions."""

    summary = "deep Q-network of Stable-Baselines3 (extra rl), for Discrete actions"
    algorithm = "dqn"
    hyperparameters = DesignSpace(*VALUED, _ENVS, _DISCOUNT)


class SacPlayer(TrainedPlayer):
    """Soft actor-critic, for a Box of actions."""

    summary = "soft actor-critic of Stable-Baselines3 (extra rl), for a Box of actions"
    algorithm = "sac"
    hyperparameters = DesignSpace(*SOFT, _ENVS, _DISCOUNT)


class MaskablePpoPlayer(TrainedPlayer):
    """Proximal policy optimisation that takes open actions alone; all are, where the environment has no masks."""

    summary = "PPO of sb3-contrib (extra rl) that takes open actions alone"
    algorithm = "maskable_ppo"
    hyperparameters = DesignSpace(*_CLIPPED, _ENVS, _DISCOUNT)


class RecurrentPpoPlayer(TrainedPlayer):
    """Proximal policy optimisation with a recurrent network (LSTM)."""

    summary = "PPO with an LSTM, of sb3-contrib (extra rl)"
    algorithm = "recurrent_ppo"
    hyperparameters = DesignSpace(*_CLIPPED, _ENVS, _DISCOUNT)
