"""The contract of a sequential environment, as a call for anybody's tests; none needs pytest."""

from __future__ import annotations

import inspect
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env

from designgym.cost_models.testing import pickled_copy, require
from designgym.envs.endings import BudgetSpent
from designgym.envs.episodes import MeteredEpisodes
from designgym.envs.face_checks import without_warnings
from designgym.envs.metered import Answer
from designgym.envs.registry import (
    full_id,
    gymnasium_id,
    make_problem,
    make_sequential,
    problem_options,
    sequential_ids,
)
from designgym.envs.sequential import RETURN, SequentialEnv

MOST_STEPS = 2000


def check_sequential(id: str, trials: int = 3, **options: Any) -> None:
    """Check a registered sequential environment, short or full id, with these options, on random actions.

    trials: how many are played each time.
    """
    id = full_id(id)
    require(id in sequential_ids(), f"sequential_ids() must list {id}, got {sequential_ids()}. Register it.")
    for name, default in problem_options(id).items():
        require(default is not inspect.Parameter.empty, f"{id}: the option {name} must have a default. Give it one.")
    env = make_sequential(id, **options)
    require(isinstance(env, SequentialEnv), f"{id} must be a SequentialEnv, got {type(env).__name__}. Derive from it.")
    _check_spaces(id, env)
    with without_warnings(id):
        check_env(gymnasium.make(gymnasium_id(id), **options).unwrapped, skip_render_check=True)
    require(
        RETURN.name not in (metric.name for metric in env.problem.cost_model.metrics),
        f"{id}: no metric may be called {RETURN.name!r}, but one is: trials have their return under it. Rename it.",
    )
    fixed = make_problem(id, **options)
    require(
        fixed.cost_model.metrics == env.problem.cost_model.metrics and fixed.objective == env.problem.objective,
        f"{id}: make_problem must give the metrics and the objective of env.problem, but they differ. Make both alike.",
    )
    first = _played(env, trials)
    require(
        _told(first) == _told(_played(env, trials)),
        f"{id}: the same seed and actions must come to the same trials. Draw from np_random alone.",
    )
    require(
        _told(first) == _told(_played(pickled_copy(id, make_sequential(id, **options)), trials)),
        f"{id}: a pickled copy must play alike, but trials differ. Keep no state outside the environment.",
    )
    require(
        _told(first) == _told(_played_as_copy(env, trials)),
        f"{id}: a copy stepped in a vector must play alike, but trials differ. Let reset begin with its seed alone.",
    )


def _check_spaces(id: str, env: SequentialEnv[Any, Any]) -> None:
    for name, space in (("observation_space", env.observation_space), ("action_space", env.action_space)):
        require(isinstance(space, gymnasium.Space), f"{id}: {name} must be a Gymnasium space, got {space!r}. Set it.")
    if env.trial == "episode":
        require(not env.chosen.parameters, f"{id}: chosen must be empty where a trial is an episode. Leave it out.")


def _played(env: SequentialEnv[Any, Any], trials: int, seed: int = 7) -> list[Answer]:
    """Play by random actions, the same each time."""
    heard: list[Answer] = []
    metered = MeteredEpisodes(env, trials, heard.append, seed)
    env.action_space.seed(seed)
    try:
        for _ in range(trials):
            observation, _ = metered.reset()
            for _ in range(MOST_STEPS):
                require(
                    env.observation_space.contains(observation),
                    f"an observation must lie in {env.observation_space}, got {observation}. Widen it, or clip.",
                )
                observation, _, terminated, truncated, _ = metered.step(env.action_space.sample())
                if terminated or truncated:
                    break
    except BudgetSpent:
        pass
    require(len(heard) == trials, f"{trials} trials must end within {MOST_STEPS} steps each, got {len(heard)}.")
    return heard


def _played_as_copy(env: SequentialEnv[Any, Any], trials: int, seed: int = 7) -> list[Answer]:
    """Play by the same actions, in a vector environment of one copy."""
    heard: list[Answer] = []
    copy = MeteredEpisodes(env, trials, heard.append, seed).copies(1)
    env.action_space.seed(seed)
    try:
        copy.reset()
        for _ in range(MOST_STEPS * trials):
            copy.step(np.array([env.action_space.sample()]))
    except BudgetSpent:
        pass
    return heard


def _told(answers: list[Answer]) -> list[tuple[Any, ...]]:
    rows = []
    for answer in answers:
        metrics = np.nan_to_num([column[0] for column in answer.evaluations.metrics.values()], nan=-1.0)
        rows.append((*metrics.tolist(), *(column[0].item() for column in answer.designs.values())))
    return rows
