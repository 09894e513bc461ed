"""Stable-Baselines3's algorithms: which actions each takes, and how it is made on one seed.

Sources: PPO, Schulman et al., arXiv:1707.06347; A2C, Mnih et al., arXiv:1602.01783; DQN, Mnih et al., Nature 518, 2015,
doi:10.1038/nature14236; SAC, Haarnoja et al., arXiv:1812.05905; masks, Huang and Ontañón, 2022,
doi:10.32473/flairs.v35i.130584. The algorithms are Stable-Baselines3's and sb3-contrib's own: Raffin et al., JMLR
22(268), 2021.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space

from designgym.agents.extras import require

STEPS_OF_TRAINING = 2**31  # more than any run takes: what ends it is its budget
REPLAYED = 50_000  # latest steps kept by algorithms that learn from them again

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Algorithm:
    """One algorithm. takes: the kinds of action space. options: what its constructor is given, of settings and copies.

    masks: whether it asks the environment which actions are open.
    """

    name: str
    module: str
    class_name: str
    takes: tuple[type[Space[Any]], ...]
    options: Callable[[Settings, int], dict[str, Any]]
    masks: bool = False

    def refuse(self, actions: Space[Any], where: str) -> None:
        """ValueError, naming who can, unless it takes these actions. where: whose they are."""
        if isinstance(actions, self.takes):
            return
        able = [one.name for one in ALGORITHMS.values() if isinstance(actions, one.takes)]
        kinds = " or ".join(kind.__name__ for kind in self.takes)
        remedy = f"Take {', '.join(able)}." if able else "No agent of the extra rl takes those."
        raise ValueError(f"{self.name} takes {kinds} actions, got {actions} of {where}. {remedy}")

    def available(self) -> None:
        """ImportError, in one line with the remedy, where its library is missing."""
        require(self.name, "rl", self.module.partition(".")[0])

    def made(self) -> Any:
        """Import the library's class."""
        return getattr(importlib.import_module(self.module), self.class_name)

    def model(self, envs: Any, settings: Settings, discount: float, seed: int) -> Any:
        """Return it, untrained, on the CPU. envs: a `VecEnv`."""
        from stable_baselines3.common.logger import Logger

        made = self.made()
        policy = "MlpLstmPolicy" if self.class_name == "RecurrentPPO" else "MlpPolicy"
        width = int(settings["width"])
        shape: dict[str, Any] = {"net_arch": [width, width]}
        if self.class_name == "RecurrentPPO":
            shape = {"net_arch": [], "lstm_hidden_size": width}
        model = made(
            policy,
            envs,
            learning_rate=float(settings["learning_rate"]),
            gamma=discount,
            policy_kwargs=shape,
            seed=seed,
            device="cpu",
            verbose=0,
            **self.options(settings, envs.num_envs),
        )
        model.set_logger(Logger(folder=None, output_formats=[]))  # else it makes a folder for its log
        return model


# -- what constructors are given --------------------------------------------------------------------------------------


def _on_policy(settings: Settings, envs: int) -> dict[str, Any]:
    return {"n_steps": int(settings["steps"]), "ent_coef": float(settings["entropy"])}


def _ppo(settings: Settings, envs: int) -> dict[str, Any]:
    steps = max(int(settings["steps"]), 2)
    batch = min(int(settings["batch"]), steps * envs)
    more = {"n_steps": steps, "n_epochs": int(settings["epochs"]), "batch_size": batch}
    return _on_policy(settings, envs) | more


def _off_policy(settings: Settings, envs: int) -> dict[str, Any]:
    return {
        "batch_size": int(settings["batch"]),
        "learning_starts": int(settings["startup"]),
        "train_freq": int(settings["steps"]),
        "gradient_steps": int(settings["updates"]),
        "buffer_size": REPLAYED,
    }


def _dqn(settings: Settings, envs: int) -> dict[str, Any]:
    return _off_policy(settings, envs) | {"target_update_interval": int(settings["target"])}


def _sac(settings: Settings, envs: int) -> dict[str, Any]:
    return _off_policy(settings, envs) | {"ent_coef": f"auto_{float(settings['entropy'])}"}


_ANY = (Discrete, MultiDiscrete, Box)
ALGORITHMS = {
    one.name: one
    for one in (
        Algorithm("ppo", "stable_baselines3", "PPO", _ANY, _ppo),
        Algorithm("a2c", "stable_baselines3", "A2C", _ANY, _on_policy),
        Algorithm("dqn", "stable_baselines3", "DQN", (Discrete,), _dqn),
        Algorithm("sac", "stable_baselines3", "SAC", (Box,), _sac),
        Algorithm("maskable_ppo", "sb3_contrib", "MaskablePPO", (Discrete, MultiDiscrete), _ppo, masks=True),
        Algorithm("recurrent_ppo", "sb3_contrib", "RecurrentPPO", _ANY, _ppo),
    )
}
