"""Several copies of a sequential environment, stepped together: its own vector environment where it has one."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

from designgym.envs.sequential import SequentialEnv

if TYPE_CHECKING:
    from designgym.envs.episodes import MeteredEpisodes

APART = 2**32  # how far the seeds of a run's episodes lie apart; the first one's is the run's own

Step = tuple[NDArray[Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


def copies(env: SequentialEnv[Any, Any], count: int) -> VectorEnv[Any, Any, Any]:
    """Return `count` copies of an environment, in SAME_STEP autoreset mode. ValueError for a count below 1."""
    if count < 1:
        raise ValueError(f"copies must be at least 1, got {count}. Raise it.")
    own = env.vectors(count)
    if own is not None:
        return own
    made = [partial(copy.deepcopy, env)] * count
    return SyncVectorEnv(made, autoreset_mode=AutoresetMode.SAME_STEP)


def of_row(infos: dict[str, Any], row: int) -> dict[str, Any]:
    """Return what a vector environment's infos say of one copy, as the environment itself would have said it."""
    found: dict[str, Any] = {}
    for name, value in infos.items():
        held = infos.get(f"_{name}")
        if not name.startswith("_") and (held is None or held[row]):
            found[name] = of_row(value, row) if isinstance(value, dict) else value[row]
    return found


def columns_of(infos: dict[str, Any], rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return what a vector environment's infos say of each of these copies, (rows,); what some lack is left out."""
    found: dict[str, Any] = {}
    for name, value in infos.items():
        held = infos.get(f"_{name}")
        if not name.startswith("_") and (held is None or held[rows].all()):
            found[name] = columns_of(value, rows) if isinstance(value, dict) else value[rows]
    return found


def masks_of(envs: VectorEnv[Any, Any, Any]) -> NDArray[np.bool_]:
    """Return which actions are open, bool (copies, actions): what the environment says, or else all.

    Of MultiDiscrete actions those of each part stand one after another. ValueError for a Box.
    """
    own = getattr(envs, "action_masks", None)
    if own is not None:
        return np.asarray(own(), bool)
    if isinstance(envs, SyncVectorEnv) and hasattr(envs.envs[0], "action_masks"):
        return np.stack(envs.call("action_masks"))
    actions = envs.single_action_space
    if isinstance(actions, MultiDiscrete):
        return np.ones((envs.num_envs, int(actions.nvec.sum())), bool)
    if not isinstance(actions, Discrete):
        raise ValueError(f"masks are for Discrete actions, got {actions}. Ask for none.")
    return np.ones((envs.num_envs, int(actions.n)), bool)


class MeteredCopies(VectorEnv[Any, Any, Any]):
    """Copies of a metered environment, which count in its budget and are heard by its listener, a step at a time.

    Of the trials that a step ends those of sequences that go on are heard first, then what is over, each copy by copy.
    Episode i of the run, in the order in which they begin, copy by copy, has the seed that it has without copies. Past
    the budget, `reset` and `step` raise BudgetSpent; of the trials that one step ends, those beyond it count for
    nothing.
    """

    _asks_for_seeds = False  # of what was pickled when none did

    def __init__(self, door: MeteredEpisodes, count: int) -> None:
        self._door, self._envs = door, copies(door.env, count)
        self.num_envs = count
        self._asks_for_seeds = hasattr(self._envs, "next_seed")  # see `SequentialVector`
        if self._asks_for_seeds:
            self._envs.next_seed = door.next_seed  # type: ignore[attr-defined]
        self._returns = np.zeros(count)
        self.metadata = self._envs.metadata
        self.single_action_space, self.action_space = self._envs.single_action_space, self._envs.action_space
        self.single_observation_space = self._envs.single_observation_space
        self.observation_space = self._envs.observation_space

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin the next episode in every copy. seed and options are left unused."""
        self._door.check_left()
        self._returns[:] = 0.0
        return self._begin(np.ones(self.num_envs, bool))

    def _begin(self, rows: NDArray[np.bool_]) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin the next episodes of the run in these copies."""
        seeds: Any = [None] * self.num_envs  # Gymnasium's own vector environments take a list too
        for row in np.flatnonzero(rows).tolist():
            seeds[row] = self._door.next_seed()
        started = time.perf_counter()
        try:
            return self._envs.reset(seed=seeds, options=None if rows.all() else {"reset_mask": rows.copy()})
        finally:
            self._door.evaluating_s += time.perf_counter() - started

    def step(self, actions: Any) -> Step:
        """Take a step in every copy; the listener hears the trials that it ends."""
        self._door.check_left()
        started = time.perf_counter()
        try:
            observations, rewards, terminated, truncated, infos = self._envs.step(actions)
            done = terminated | truncated
            self._returns += rewards
            self._hear(done, infos)
        finally:
            self._door.evaluating_s += time.perf_counter() - started
        if done.any() and not self._asks_for_seeds and not self._door.finished:
            observations, _ = self._begin(done)
        return observations, rewards, terminated, truncated, infos

    def _hear(self, done: NDArray[np.bool_], infos: dict[str, Any]) -> None:
        """Let the listener hear the trials that a step ended: of sequences that go on, then of what is over."""
        if self._door.env.trial == "step":
            self._hear_of(np.flatnonzero(~done), infos)
        self._hear_of(np.flatnonzero(done), infos.get("final_info", {}))

    def _hear_of(self, rows: NDArray[np.int64], infos: dict[str, Any]) -> None:
        rows = rows[: self._door.budget - self._door.asked]
        if not len(rows):
            return
        told = columns_of(infos, rows)
        if "violation" in infos:  # joined, those that told none have 0, which is what they mean
            told["violation"] = infos["violation"][rows]
        returned, self._returns[rows] = self._returns[rows], 0.0
        self._door.hear(told, returned)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are open, bool (copies, actions)."""
        return masks_of(self._envs)
