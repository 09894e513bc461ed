"""A model of Stable-Baselines3 under training: it rests between updates, and goes on from a pickle bit for bit."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from designgym.agents.rl_algorithms import STEPS_OF_TRAINING, Algorithm, Settings
from designgym.agents.rl_vectors import Pickled

Generators = tuple[Any, Any, Any]


class Training:
    """One model, its environments, and the generators that it draws from.

    seed: of its generators. ended: episodes so far. explored: what share of the time in which random actions grow rare
    has passed, for an algorithm that takes such; a method of whoever holds this, for it goes into pickles.
    """

    def __init__(
        self, known: Algorithm, envs: VecEnv, settings: Settings, discount: float, seed: int,
        explored: Callable[[], float],
    ) -> None:  # fmt: skip
        with own_generators():
            self.model = known.model(envs, settings, discount, seed)
            self._generators = _generators()
        if "explored" in settings:
            self.model.exploration_schedule = Exploration(float(settings["least"]), explored)
        self.ended = 0

    def go_on(self, rest: Callable[[], None], more: Callable[[], bool]) -> None:
        """Train until a budget is spent (RunOver), or more(), asked after each step, says no.

        rest: called where a pickle of this would do to go on.
        """
        with own_generators(self._generators):
            self.model.learn(STEPS_OF_TRAINING, callback=_Between(self, rest, more), reset_num_timesteps=False)

    def keep_generators(self) -> None:
        """Take the state of the generators into what is pickled."""
        self._generators = _generators()

    def files(self) -> dict[str, bytes]:
        """Return the policy: policy.zip as Stable-Baselines3 saves it, and what observations are standardised by."""
        file = io.BytesIO()
        self.model.save(file, exclude=["exploration_schedule"])
        seen = self.model.get_vec_normalize_env()
        measures = {} if seen is None else {
            "mean": seen.obs_rms.mean.tolist(), "variance": seen.obs_rms.var.tolist(),
            "epsilon": seen.epsilon, "most": seen.clip_obs,
        }  # fmt: skip
        return {"policy.zip": file.getvalue(), "observations.json": json.dumps(measures, indent=1).encode()}


class Exploration:
    """The chance of a random action: 1 at first, `least` once all is explored."""

    def __init__(self, least: float, explored: Callable[[], float]) -> None:
        self._least, self._explored = least, explored

    def __call__(self, left: float) -> float:
        """left: what the library counts, steps of training; unused."""
        return max(self._least, 1.0 - (1.0 - self._least) * self._explored())


class Normalised(Pickled, VecNormalize):
    """Observations and rewards standardised as the library does it; it pickles with its environments."""


class _Between(BaseCallback):
    """Rests before each collection of steps, and counts episodes."""

    def __init__(self, training: Training, rest: Callable[[], None], more: Callable[[], bool]) -> None:
        super().__init__()
        self._training, self._rest, self._more = training, rest, more

    def _on_rollout_start(self) -> None:
        self._training.keep_generators()
        self._rest()

    def _on_step(self) -> bool:
        self._training.ended += int(np.count_nonzero(self.locals["dones"]))
        return self._more()


def _generators() -> Generators:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002


def _set_generators(state: Generators) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    torch.set_rng_state(state[2])


@contextmanager
def own_generators(state: Generators | None = None) -> Iterator[None]:
    """Leave the global generators of Python, NumPy and torch, from which the library draws, as they were found.

    state: of those meanwhile. One thread: it is fastest for small networks, and sums are the same whatever else the
    machine does.
    """
    threads, found = torch.get_num_threads(), _generators()
    torch.set_num_threads(1)
    try:
        if state is not None:
            _set_generators(state)
        yield
    finally:
        torch.set_num_threads(threads)
        _set_generators(found)
