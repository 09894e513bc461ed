"""How fast learners get through steps: the adapter over native vector environments beside the DummyVecEnv of SB3.

Frames a second, a frame being one step of one copy; both do the same random actions, drawn beforehand. Needs the extra
`rl`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from designgym.agents.extras import require
from designgym.envs import DesignEnv, DesignVectorEnv, MeteredEpisodes, make_problem, make_sequential
from designgym.experiments.bench.core import PROBLEM, REPEATS, Row, best_seconds

COPIES = (8, 16, 64)  # agents train on designs in 16 or 32 by default, and play episodes in 64
STEPS = 50
WANTED = 5.0  # times DummyVecEnv's frames a second
# One initial state: the reference solution from another takes a tenth of a second, once in a process.
SEQUENTIAL: dict[str, dict[str, Any]] = {
    "ThreeBodyStepping-v0": {},
    "OdeStepping-v0": {"starts": 1},
    "RelaxationSequence-v0": {},
}
ENDLESS = 2**62  # trials: a budget that no bench spends

Pair = tuple[str, str, Callable[[int], Any], Callable[[int], Any]]


def rl() -> dict[str, Any]:
    """Step both with random actions, and train PPO on both. Rows are (what, figure, unit, ratio, what it is to)."""
    require("bench rl", "rl", "stable_baselines3")
    rows: list[Row] = []
    for scalar_name, native_name, scalar, native in _pairs():
        for copies in COPIES:
            for what, measure, wanted in (
                ("random actions", stepped, f"DummyVecEnv; {WANTED:g} wanted"),
                ("PPO", trained, "DummyVecEnv"),
            ):
                slow, fast = measure(scalar(copies)), measure(native(copies))
                rows.append((f"{what}, {copies} copies: DummyVecEnv over {scalar_name}", slow, "frames/s", None, ""))
                rows.append((f"{what}, {copies} copies: {native_name}", fast, "frames/s", fast / slow, wanted))
    return {"notes": [f"{', '.join((PROBLEM, *SEQUENTIAL))}; best of {REPEATS} repeats each"], "rows": rows}


def _pairs() -> Iterator[Pair]:
    """Yield the names of a scalar environment and of its native vectors, and functions that make copies of each."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    from designgym.agents.rl_vectors import Vectors

    problem = make_problem(PROBLEM)
    yield (
        "DesignEnv",
        "DesignVectorEnv",
        lambda copies: DummyVecEnv([lambda: DesignEnv(problem)] * copies),
        lambda copies: Vectors(DesignVectorEnv(problem, copies)),
    )
    yield from map(_sequential, SEQUENTIAL)


def _sequential(id: str) -> Pair:
    from stable_baselines3.common.vec_env import DummyVecEnv

    from designgym.agents.rl_vectors import Vectors

    env = make_sequential(id, **SEQUENTIAL[id])
    return (
        id,
        f"{id}'s vectors, metered",
        lambda copies: DummyVecEnv([lambda: copy.deepcopy(env)] * copies),
        lambda copies: Vectors(MeteredEpisodes(env, ENDLESS).copies(copies)),
    )


def stepped(envs: Any) -> float:
    """Return frames a second under random actions."""
    envs.action_space.seed(0)
    actions = [np.array([envs.action_space.sample() for _ in range(envs.num_envs)]) for _ in range(STEPS)]
    envs.reset()

    def work() -> None:
        for batch in actions:
            envs.step(batch)

    return STEPS * envs.num_envs / best_seconds(work)


def trained(envs: Any) -> float:
    """Return frames a second of training PPO as the agent `ppo` does by default."""
    from designgym.agents.base import settings_of
    from designgym.agents.rl import Ppo
    from designgym.agents.rl_algorithms import ALGORITHMS
    from designgym.agents.rl_training import own_generators

    settings = settings_of(Ppo.hyperparameters, {})
    frames = 2 * envs.num_envs * int(settings["steps"])
    with own_generators():
        model = ALGORITHMS["ppo"].model(envs, settings, 1.0, seed=0)
        return frames / best_seconds(lambda: model.learn(frames))
