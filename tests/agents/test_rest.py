"""An agent that rests goes on from a pickle of itself, and makes the trials of one that was never stopped."""

import pickle
from typing import Any

import pytest

from designgym.agents.registry import make_sequential_agent
from designgym.agents.sequential import SequentialAgent, play
from designgym.envs import Answer, MeteredEpisodes, make_sequential

PLAYED = [
    ("cross_entropy", "ThreeBodyStepping-v0", {"reward": "evaluations"}, 12, {"population": 4, "episodes": 1}),
    ("epsilon_greedy", "RelaxationSequence-v0", {"instances": 7}, 30, {}),
    ("chebyshev_bandit", "RelaxationSequence-v0", {"instances": 7}, 30, {}),
    ("tsallis_inf", "RelaxationSequence-v0", {"instances": 7}, 30, {}),
]


class Stopped(Exception):
    """The run is over here."""


def losses(heard: list[Answer]) -> list[float]:
    return [float(answer.evaluations.losses[0, 0]) for answer in heard]


@pytest.mark.parametrize(("name", "id", "options", "budget", "settings"), PLAYED, ids=[one[0] for one in PLAYED])
def test_a_player_goes_on_from_a_pickle(
    name: str, id: str, options: dict[str, Any], budget: int, settings: dict[str, Any]
) -> None:
    env = make_sequential(id, **options)

    def made(heard: list[Answer]) -> SequentialAgent:
        return make_sequential_agent(name, MeteredEpisodes(env, budget, heard.append, 5), 5, **settings)

    whole: list[Answer] = []
    play(made(whole))
    first: list[Answer] = []
    states: list[tuple[int, bytes]] = []
    agent = made(first)

    def keep(resting: Any) -> None:
        states.append((resting.env.asked, pickle.dumps(resting)))
        if resting.env.asked > budget // 2:
            raise Stopped

    agent.at_rest = keep
    with pytest.raises(Stopped):
        agent.search()
    asked, state = states[-1]
    assert 0 < asked < budget
    assert losses(first) == losses(whole)[:asked]
    again: SequentialAgent = pickle.loads(state)
    assert again.at_rest is None
    assert again.env.listener is None
    rest: list[Answer] = []
    again.env.listener = rest.append
    assert play(again) == "budget"
    assert losses(rest) == losses(whole)[asked:]
    assert len(set(losses(whole))) >= 3
