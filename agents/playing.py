"""One sequential environment played in process: the shortest way from an environment to what its trials came to."""

from collections.abc import Callable
from typing import Any

from designgym.agents.moves import joined
from designgym.agents.registry import make_sequential_agent
from designgym.agents.search import Trials
from designgym.agents.sequential import play
from designgym.envs import Answer, Evaluations, MeteredEpisodes, SequentialEnv, make_sequential


def play_trials(
    env: SequentialEnv[Any, Any] | str,
    agent: str,
    budget: int = 1000,
    seed: int = 0,
    listener: Callable[[Answer], None] | None = None,
    **hyperparameters: Any,
) -> Trials:
    """Let an agent play `budget` trials of a sequential environment, or of a registered id with its defaults.

    What the trials chose are their designs. ValueError for an unknown agent or hyperparameter, for an agent that can
    not play the environment, or for a budget below 1.
    """
    made = make_sequential(env) if isinstance(env, str) else env
    heard: list[Answer] = []

    def keep(answer: Answer) -> None:
        heard.append(answer)
        if listener is not None:
            listener(answer)

    ended = play(make_sequential_agent(agent, MeteredEpisodes(made, budget, keep, seed), seed, **hyperparameters))
    evaluations = Evaluations.concatenate([answer.evaluations for answer in heard])
    return Trials(made.chosen, joined(*(answer.designs for answer in heard)), evaluations, ended)
