"""A policy that Stable-Baselines3 trained, loaded to act in many episodes at once."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete, Space
from numpy.typing import NDArray

from designgym.agents.rl_algorithms import Algorithm
from designgym.agents.rl_vectors import Actions, in_float32
from designgym.envs import SequentialEnv

FILES = ("policy.zip", "observations.json")


class TrainedPolicy:
    """Takes the likeliest action. ValueError as `load_policy` says."""

    def __init__(self, known: Algorithm, files: Mapping[str, bytes], env: SequentialEnv[Any, Any]) -> None:
        for name in FILES:
            if name not in files:
                raise ValueError(f"{known.name} keeps its policy in {' and '.join(FILES)}, got no {name}. Train again.")
        try:
            self._model = known.made().load(io.BytesIO(files["policy.zip"]), device="cpu")
            measures = json.loads(files["observations.json"])
        except Exception as error:  # what reads pickles may raise anything
            why = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
            raise ValueError(f"the policy of {known.name} cannot be read: {why}. Train again.") from None
        self.masks = known.masks
        self._actions = Actions(env.action_space)
        seen = in_float32(env.observation_space) if isinstance(env.observation_space, Box) else env.observation_space
        for what, trained, found in (
            ("observations", self._model.observation_space, seen),
            ("actions", self._model.action_space, self._actions.shown),
        ):
            if _shape(trained) != _shape(found):
                raise ValueError(
                    f"the policy was trained on {what} {trained}, got {found}. Choose another environment."
                )
        self._mean, self._most = np.array(measures["mean"]), float(measures["most"])
        self._deviation = np.sqrt(np.array(measures["variance"]) + measures["epsilon"])
        self._memory: Any = None  # of a recurrent policy, for as many episodes as it acted in last
        self._acted_in = 0

    def act(self, observations: NDArray[Any], starts: NDArray[Any], masks: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the likeliest action of each episode, see `Policy`."""
        seen = np.asarray(observations, np.float32)
        seen = np.clip((seen - self._mean) / self._deviation, -self._most, self._most).astype(np.float32)
        if len(starts) != self._acted_in:
            self._memory, self._acted_in = None, len(starts)
        more = {"action_masks": masks} if self.masks else {}
        taken, self._memory = self._model.predict(seen, self._memory, starts, deterministic=True, **more)
        meant: NDArray[Any] = self._actions.meant(taken)
        return meant


def _shape(space: Space[Any]) -> tuple[Any, ...]:
    """Return what a network depends on of a space: bounds, as of another distribution of instances, may differ."""
    sizes = tuple(space.nvec.tolist()) if isinstance(space, MultiDiscrete) else getattr(space, "n", None)
    return type(space), space.shape, sizes
