"""The contract of agents of sequential environments, as a call for anybody's tests; none needs pytest."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.agents.check_episodes import Drifts, Lanes, Walks
from designgym.agents.policies import load_policy
from designgym.agents.registry import make_sequential_agent, sequential_agent_class
from designgym.agents.sequential import SequentialAgent, play
from designgym.agents.testing import check_class
from designgym.cost_models.testing import require
from designgym.envs import Answer, MeteredEpisodes, SequentialEnv
from designgym.envs.copies import copies, masks_of

ENVIRONMENTS: dict[str, Callable[[], SequentialEnv[Any, Any]]] = {
    "sequence": Lanes,
    "walk": Walks,
    "drift": Drifts,
}


def check_sequential_agent(name: str, budget: int = 160, **hyperparameters: Any) -> None:
    """Run every check for a registered agent of sequential environments. It must play at least one of ENVIRONMENTS.

    budget: trials of a run; 160, four sequences, by default.
    """
    check_class(name, sequential_agent_class(name))
    played = [label for label in ENVIRONMENTS if _check_played(name, label, budget, hyperparameters)]
    require(
        played,
        f"{name} must play one of the environments {', '.join(ENVIRONMENTS)}, got a refusal of each. Take Discrete "
        "actions and Box observations.",
    )


def _check_played(name: str, label: str, budget: int, hyperparameters: dict[str, Any]) -> bool:
    """Check that it spends its budget, and that the same seed makes the same trials; False where it refuses."""
    np.random.seed(54321)  # noqa: NPY002
    try:
        first = _played(name, label, budget, 1, hyperparameters)
    except ValueError as refused:
        require(
            name in str(refused) or sequential_agent_class(name).__name__ in str(refused),
            f"{name}: a refusal must name the agent, got {str(refused)!r}. Say who refuses what, and who would not.",
        )
        return False
    require(
        len(_rewards(first)) == budget,
        f"{name} must play {budget} trials of the {label}, got {len(_rewards(first))}. Leave the end to BudgetSpent.",
    )
    # Other global randomness must change nothing.
    np.random.seed(12345)  # noqa: NPY002
    again = _played(name, label, budget, 1, hyperparameters)
    require(
        _rewards(first) == _rewards(again),
        f"{name}: the same seed must play the same {label}, but trials differ. Draw only from self.rng.",
    )
    cls = sequential_agent_class(name)
    if cls.checkpoints:
        _check_goes_on(name, label, budget, hyperparameters, _rewards(first))
    if cls.keeps_policy:
        _check_keeps_policy(name, label, budget, hyperparameters)
    return True


class _Stopped(Exception):
    """A run is over where its agent rested."""


def _check_goes_on(name: str, label: str, budget: int, hyperparameters: dict[str, Any], whole: list[float]) -> None:
    """Check that it goes on from a pickle of itself, made where it rests about half-way, as if never stopped."""
    first: list[Answer] = []
    env = MeteredEpisodes(ENVIRONMENTS[label](), budget, first.append, 1)
    agent = make_sequential_agent(name, env, 1, **hyperparameters)
    states: list[bytes] = []

    def keep(resting: Any) -> None:
        if 2 * resting.env.asked >= budget:
            states.append(pickle.dumps(resting))
            raise _Stopped

    agent.at_rest = keep
    try:
        play(agent)
    except _Stopped:
        again: SequentialAgent = pickle.loads(states[0])
    else:
        return  # it rests between episodes, and this one is longer than what is left
    rest: list[Answer] = []
    again.env.listener = rest.append
    play(again)
    require(
        _rewards(first) + _rewards(rest) == whole,
        f"{name}: from a pickle made where it rested it must play the {label} on as if never stopped, but trials "
        "differ. Keep all that it draws from and learns in itself, or set checkpoints = False.",
    )


def _check_keeps_policy(name: str, label: str, budget: int, hyperparameters: dict[str, Any]) -> None:
    """Check that its policy, loaded again, acts in several episodes at once, the same way each time."""
    env = ENVIRONMENTS[label]()
    agent = make_sequential_agent(name, MeteredEpisodes(env, budget, seed=1), 1, **hyperparameters)
    play(agent)
    files = agent.policy_files()
    made = copies(env, 3)
    seen, _ = made.reset(seed=1)
    acted = []
    for _ in range(2):
        policy = load_policy(name, env, files)
        masks = masks_of(made) if policy.masks else None
        acted.append(np.asarray(policy.act(seen, np.ones(3, bool), masks)))
    require(
        made.action_space.contains(acted[0].astype(made.action_space.dtype)),
        f"{name}: its policy must act in {made.action_space}, got {acted[0]!r} in the {label}. Return an action each.",
    )
    require(
        np.array_equal(acted[0], acted[1]),
        f"{name}: its policy must act alike each time it is loaded, but actions differ. Leave chance out.",
    )


def _played(name: str, label: str, budget: int, seed: int, hyperparameters: dict[str, Any]) -> list[Answer]:
    heard: list[Answer] = []
    env = MeteredEpisodes(ENVIRONMENTS[label](), budget, heard.append, seed)
    play(make_sequential_agent(name, env, seed, **hyperparameters))
    return heard


def _rewards(answers: list[Answer]) -> list[float]:
    return [reward for answer in answers for reward in answer.evaluations.reward.tolist()]
