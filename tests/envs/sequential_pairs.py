"""Vector environments beside the environments of which they are copies, step by step."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

Act = Callable[[np.random.Generator, int], NDArray[Any]]


def bits(value: Any) -> Any:
    """Return arrays, and dictionaries of them, as what compares by types and bits, NaN included."""
    if isinstance(value, dict):
        return {name: bits(one) for name, one in value.items()}
    if value is None or value.dtype != object:
        return None if value is None else (value.dtype, value.shape, value.tobytes())
    return [bits(one) for one in value]


def alike(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> None:
    """Check what `reset` or `step` returned."""
    for one, other in zip(ours, theirs, strict=True):
        assert bits(one) == bits(other)


def played_alike(many: VectorEnv[Any, Any, Any], scalar: Callable[[], Any], steps: int, act: Act) -> NDArray[Any]:
    """Play both by the same actions, now and then begin some copies anew; return how often each ended, (copies,).

    In the middle what is played on is a pickled copy.
    """
    count = many.num_envs
    each: VectorEnv[Any, Any, Any] = SyncVectorEnv([scalar] * count, autoreset_mode=AutoresetMode.SAME_STEP)
    alike(many.reset(seed=11), each.reset(seed=11))
    rng, ended = np.random.default_rng(0), np.zeros(count, int)
    for k in range(steps):
        actions = act(rng, count)
        ours = many.step(actions)
        alike(ours, each.step(actions))
        assert ours[0] in many.observation_space
        ended += ours[2]
        if k == steps // 2:
            mask, seeds = np.arange(count) % 2 == 0, [None, *range(40, 39 + count)]
            alike(*(envs.reset(seed=seeds, options={"reset_mask": mask.copy()}) for envs in (many, each)))
            many = pickle.loads(pickle.dumps(many))
    return ended
