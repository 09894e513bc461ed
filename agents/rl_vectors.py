"""Gymnasium's vector environments as Stable-Baselines3 takes them: one batched step, whatever the number of copies."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

Step = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], list[dict[str, Any]]]


class Pickled:
    """A `VecEnvWrapper` that pickles whole: the library's leave their environments behind, or do not pickle."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "class_attributes"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, class_attributes=dict(inspect.getmembers(type(self))))


class Vectors(VecEnv):
    """A vector environment in SAME_STEP autoreset mode, with observations in float32.

    A bounded Box of actions is shown as [-1, 1], which is what a policy that begins around 0 should act in; Discrete
    ones begin at 0. Infos hold what learners read: where an episode has ended "terminal_observation" and
    "TimeLimit.truncated", nothing else.

    ValueError for another autoreset mode, or observations that are no Box.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        mode, seen = envs.metadata.get("autoreset_mode"), envs.single_observation_space
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f"the vector environment must begin episodes anew in SAME_STEP mode, got {mode}. Set it.")
        if not isinstance(seen, Box):
            raise ValueError(f"observations must be a Box, got {seen}. Flatten them.")
        self.envs = envs
        self._actions = Actions(envs.single_action_space)
        super().__init__(envs.num_envs, in_float32(seen), self._actions.shown)

    def reset(self) -> NDArray[np.float32]:
        """Begin all episodes, with the seeds given to `seed` since the last time."""
        seeds: Any = None if None in self._seeds else list(self._seeds)
        observations, _ = self.envs.reset(seed=seeds, options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        return np.asarray(observations, np.float32)

    def step_async(self, actions: NDArray[Any]) -> None:
        self._taken = self._actions.meant(actions)

    def step_wait(self) -> Step:
        observations, rewards, terminated, truncated, infos = self.envs.step(self._taken)
        done = terminated | truncated
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(done).tolist():
            told[row]["terminal_observation"] = np.asarray(infos["final_obs"][row], np.float32)
            told[row]["TimeLimit.truncated"] = bool(truncated[row] and not terminated[row])
        return np.asarray(observations, np.float32), np.array(rewards, np.float64), done, told

    def close(self) -> None:
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.envs, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        if indices is not None:
            raise ValueError(f"{attr_name} must be set for all copies, got indices {indices}. Leave them out.")
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Return what a method of the vector environment, which answers for all copies at once, says of these."""
        answers: Sequence[Any] = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        return [answers[i] for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]


class Actions:
    """Actions as a learner acts, `shown`, and as the environment means them. ValueError for a Box without bounds."""

    def __init__(self, space: Space[Any]) -> None:
        self.shown, self._box, self._first = space, space if isinstance(space, Box) else None, 0
        if isinstance(space, Discrete):
            self.shown, self._first = Discrete(int(space.n)), int(space.start)
        if self._box is not None:
            if not self._box.is_bounded():
                raise ValueError(f"actions must have bounds, got {space}. Bound them.")
            self.shown = Box(-1.0, 1.0, self._box.shape, np.float32)
            self._low, self._width = self._box.low, 0.5 * (self._box.high.astype(np.float64) - self._box.low)

    def meant(self, actions: Any) -> Any:
        """Return a batch, or one, as the environment takes it."""
        if self._box is None:
            return actions + self._first if self._first else actions
        meant = self._low + self._width * (np.asarray(actions, np.float64) + 1.0)
        return np.clip(meant, self._box.low, self._box.high, dtype=np.float64).astype(self._box.dtype)


def in_float32(space: Box) -> Box:
    """Return the same box for numbers of half the size."""
    with np.errstate(over="ignore"):
        return Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)
