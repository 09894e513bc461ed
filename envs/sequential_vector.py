"""What vector environments of sequential environments have in common: seeds, masks, episodes that begin anew, infos."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from designgym.envs.copies import Step
from designgym.envs.sequential import SequentialEnv


class Moved(NamedTuple):
    """What a step of all copies came to: rewards and whether the episode has ended, (copies,), and infos in columns.

    told: of every copy, {name: (copies,) or such a dict}. last: told besides where an episode has ended; what it holds
    in other rows is left unused.
    """

    rewards: NDArray[np.float64]
    ended: NDArray[np.bool_]
    told: dict[str, Any]
    last: dict[str, Any]


class SequentialVector(VectorEnv[Any, Any, Any]):
    """Copies of a sequential environment, stepped by one call; equal to a `SyncVectorEnv` of it in SAME_STEP mode.

    An episode that ends begins anew in the same step: what was observed last is then in infos["final_obs"], what was
    told in infos["final_info"]. Subclasses say how an episode begins, and how all of them go a step on.
    next_seed: asked for the seed of an episode that begins so; without it the copy's generator goes on.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  (Gymnasium's own type)
    next_seed: Callable[[], int] | None = None  # here too, for what was pickled when there was none

    def __init__(self, env: SequentialEnv[Any, Any], num_envs: int) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}. Raise it.")
        self.problem = env.problem
        self.num_envs = num_envs
        self.single_action_space, self.single_observation_space = env.action_space, env.observation_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._generators: list[np.random.Generator] = []

    @abstractmethod
    def _begin(
        self, row: int, rng: np.random.Generator, seed: int | None, options: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Begin an episode of one copy; return what `reset` tells of it. rng: begun from the seed, where there is one.

        seed, options: as given to `reset`; None where an episode begins by itself.
        """

    @abstractmethod
    def _move(self, actions: NDArray[Any]) -> Moved:
        """Take a step in every copy. ValueError for wrong actions."""

    @abstractmethod
    def _observed(self) -> NDArray[Any]:
        """Return what is observed of every copy now, a new array."""

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin all episodes. seed: copy i begins with seed + i, or with its own of a sequence.

        options["reset_mask"], bool (num_envs,): begin these alone. Other options go to every episode.
        """
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed must be one for each of {self.num_envs} copies, got {len(seeds)}. Give one int.")
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        rows = range(self.num_envs) if mask is None else np.flatnonzero(mask).tolist()
        if not self._generators:
            if len(rows) < self.num_envs:
                raise ValueError(f"the first reset must begin all {self.num_envs} copies, got {len(rows)}. Begin all.")
            self._generators = [seeding.np_random(one)[0] for one in seeds]
        else:
            for row in rows:
                if seeds[row] is not None:
                    self._generators[row] = seeding.np_random(seeds[row])[0]
        infos: dict[str, Any] = {}
        for row in rows:
            infos = self._add_info(infos, self._begin(row, self._generators[row], seeds[row], options), row)
        return self._observed(), infos

    def step(self, actions: NDArray[Any]) -> Step:
        """Take a step in every copy."""
        if not self._generators:
            raise ValueError("episodes must be running to take a step, got none. Call reset() first.")
        rewards, ended, told, last = self._move(np.asarray(actions))
        never = np.zeros(self.num_envs, bool)
        if not ended.any():
            return self._observed(), rewards, ended, never, joined(told, ~ended)
        final, observed = np.full(self.num_envs, None, dtype=object), self._observed()
        rows = np.flatnonzero(ended).tolist()
        for row in rows:
            final[row] = observed[row]
        infos = {} if ended.all() else joined(told, ~ended)
        infos |= {"final_obs": final, "_final_obs": ended.copy()}
        infos |= {"final_info": joined(told | last, ended), "_final_info": ended.copy()}
        for row in rows:
            infos = self._add_info(infos, self._begin_anew(row), row)
        return self._observed(), rewards, ended, never, infos

    def _begin_anew(self, row: int) -> dict[str, Any]:
        seed = None if self.next_seed is None else self.next_seed()
        if seed is not None:
            self._generators[row] = seeding.np_random(seed)[0]
        return self._begin(row, self._generators[row], seed, None)


def joined(told: dict[str, Any], rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Return infos as Gymnasium joins them: zeros in the rows that it does not hold for, and the mask beside each."""
    found: dict[str, Any] = {}
    for name, value in told.items():
        found[name] = (
            joined(value, rows) if isinstance(value, dict) else np.where(rows, value, np.zeros((), value.dtype))
        )
        found[f"_{name}"] = rows.copy()
    return found
