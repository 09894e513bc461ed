"""How fast learners get through designs: the adapter over the native vector environment beside DummyVecEnv.

Frames a second, a frame being one step of one copy; both do the same random actions, drawn beforehand. Needs the extra
`rl`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from designgym.agents.extras import require
from designgym.envs import DesignEnv, DesignVectorEnv, make_problem
from designgym.experiments.bench.core import PROBLEM, REPEATS, Row, best_seconds

COPIES = (8, 64)
STEPS = 50
WANTED = 5.0  # times DummyVecEnv's frames a second


def rl() -> dict[str, Any]:
    """Step both with random actions, and train PPO on both. Rows are (what, figure, unit, ratio, what it is to)."""
    require("bench rl", "rl", "stable_baselines3")
    from stable_baselines3.common.vec_env import DummyVecEnv

    from designgym.agents.rl_vectors import Vectors

    problem = make_problem(PROBLEM)
    rows: list[Row] = []
    for copies in COPIES:
        scalar = DummyVecEnv([lambda: DesignEnv(problem)] * copies)
        native = Vectors(DesignVectorEnv(problem, copies))
        slow, fast = stepped(scalar), stepped(native)
        rows.append((f"random actions, {copies} copies: DummyVecEnv over DesignEnv", slow, "frames/s", None, ""))
        what = f"random actions, {copies} copies: DesignVectorEnv"
        rows.append((what, fast, "frames/s", fast / slow, f"DummyVecEnv; {WANTED:g} wanted"))
        slow, fast = trained(scalar), trained(native)
        rows.append((f"PPO, {copies} copies: DummyVecEnv over DesignEnv", slow, "frames/s", None, ""))
        rows.append((f"PPO, {copies} copies: DesignVectorEnv", fast, "frames/s", fast / slow, "DummyVecEnv"))
    return {"notes": [f"{PROBLEM}; best of {REPEATS} repeats each"], "rows": rows}


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
    from designgym.agents.rl_algorithms import ALGORITHMS, own_generators

    settings = settings_of(Ppo.hyperparameters, {})
    frames = 2 * envs.num_envs * int(settings["steps"])
    with own_generators():
        model = ALGORITHMS["ppo"].model(envs, settings, 1.0, seed=0)
        return frames / best_seconds(lambda: model.learn(frames))
