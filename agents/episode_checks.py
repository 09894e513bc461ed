"""The contract of agents of sequential environments, as a call for anybody's tests; none needs pytest."""

from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.agents.check_episodes import Drifts, Lanes, Walks
from designgym.agents.registry import make_sequential_agent, sequential_agent_class
from designgym.agents.sequential import play
from designgym.agents.testing import check_class
from designgym.cost_models.testing import require
from designgym.envs import Answer, MeteredEpisodes, SequentialEnv

ENVIRONMENTS: dict[str, Callable[[], SequentialEnv[Any, Any]]] = {
    "sequence": Lanes,
    "walk": Walks,
    "drift": Drifts,
}


def check_sequential_agent(name: str, budget: int = 160, **hyperparameters: Any) -> None:
    """Run every check for a registered agent of sequential environments. It must play at least one of ENVIRONMENTS."""
    check_class(name, sequential_agent_class(name))
    played = [label for label in ENVIRONMENTS if _check_played(name, label, budget, hyperparameters)]
    require(
        played,
        f"{name} must play one of the environments {', '.join(ENVIRONMENTS)}, got a refusal of each. Take Discrete "
        "actions and Box observations.",
    )


def _check_played(name: str, label: str, budget: int, hyperparameters: dict[str, Any]) -> bool:
    """Check that it spends its budget, and that the same seed makes the same trials; False where it refuses."""
    try:
        first = _played(name, label, budget, 1, hyperparameters)
    except ValueError as refused:
        require(
            name in str(refused) or sequential_agent_class(name).__name__ in str(refused),
            f"{name}: a refusal must name the agent, got {str(refused)!r}. Say who refuses what, and who would not.",
        )
        return False
    require(
        len(first) == budget,
        f"{name} must play {budget} trials of the {label}, got {len(first)}. Leave the end to BudgetSpent.",
    )
    # Global randomness between the two must change nothing.
    np.random.seed(12345)  # noqa: NPY002
    again = _played(name, label, budget, 1, hyperparameters)
    require(
        _rewards(first) == _rewards(again),
        f"{name}: the same seed must play the same {label}, but trials differ. Draw only from self.rng.",
    )
    return True


def _played(name: str, label: str, budget: int, seed: int, hyperparameters: dict[str, Any]) -> list[Answer]:
    heard: list[Answer] = []
    env = MeteredEpisodes(ENVIRONMENTS[label](), budget, heard.append, seed)
    play(make_sequential_agent(name, env, seed, **hyperparameters))
    return heard


def _rewards(answers: list[Answer]) -> list[float]:
    return [float(answer.evaluations.reward[0]) for answer in answers]
