"""Agents that train rest on real problems too, and go on from a pickle as if never stopped.

The contract of all agents that play (`check_sequential_agent`) has the same check on small environments.
"""

import pickle
from typing import Any

import pytest

from designgym.agents.base import Agent, run
from designgym.agents.registry import make_agent, make_sequential_agent
from designgym.agents.sequential import SequentialAgent, play
from designgym.agents.testing import problems
from designgym.envs import Answer, MeteredEpisodes, MeteredProblem, make_sequential

TRAINED = {"steps": 8, "width": 16}
TRAINED_PLAYERS = [
    ("ppo", "ThreeBodyStepping-v0", {"reward": "evaluations"}, 24, {**TRAINED, "envs": 4, "batch": 16}),
    ("a2c", "RelaxationSequence-v0", {"instances": 50}, 80, TRAINED),
    ("dqn", "RelaxationSequence-v0", {"instances": 50}, 80, {"width": 16, "startup": 10, "steps": 2}),
]
SEARCHERS = [
    ("ppo", {**TRAINED, "envs": 8}),
    ("maskable_ppo", {**TRAINED, "envs": 8}),
    ("dqn", {"width": 16, "startup": 20, "envs": 8, "updates": 1}),
]


class Stopped(Exception):
    """The run is over here."""


def rewards(heard: list[Answer]) -> list[float]:
    return [reward for answer in heard for reward in answer.evaluations.reward.tolist()]


@pytest.mark.parametrize(
    ("name", "id", "options", "budget", "settings"), TRAINED_PLAYERS, ids=[one[0] for one in TRAINED_PLAYERS]
)
def test_a_policy_is_trained_on_from_a_pickle(
    name: str, id: str, options: dict[str, Any], budget: int, settings: dict[str, Any]
) -> None:
    pytest.importorskip("sb3_contrib", reason="needs the extra rl")
    env = make_sequential(id, **options)

    def made(heard: list[Answer]) -> SequentialAgent:
        return make_sequential_agent(name, MeteredEpisodes(env, budget, heard.append, 5), 5, **settings)

    whole: list[Answer] = []
    play(made(whole))
    first: list[Answer] = []
    states: list[tuple[int, bytes]] = []
    agent = made(first)

    def keep(resting: Any) -> None:
        if resting.env.asked > budget // 2:
            states.append((resting.env.asked, pickle.dumps(resting)))
            raise Stopped

    agent.at_rest = keep
    with pytest.raises(Stopped):
        agent.search()
    asked, state = states[-1]
    assert 0 < asked < budget
    assert rewards(first) == rewards(whole)[:asked]
    again: SequentialAgent = pickle.loads(state)
    assert again.at_rest is None
    assert again.env.listener is None
    rest: list[Answer] = []
    again.env.listener = rest.append
    assert play(again) == "budget"
    assert rewards(rest) == rewards(whole)[asked:]
    assert len(set(rewards(whole))) >= 3


@pytest.mark.parametrize(("name", "settings"), SEARCHERS, ids=[one[0] for one in SEARCHERS])
def test_a_search_that_trains_goes_on_from_a_pickle_and_prices_nothing_twice(name: str, settings: Any) -> None:
    pytest.importorskip("sb3_contrib", reason="needs the extra rl")
    problem = problems()["flat"]
    whole, first, rest = [], [], []  # type: list[float], list[float], list[float]

    def made(heard: list[float]) -> Agent:
        def hear(answer: Answer) -> None:
            heard.extend(answer.evaluations.losses[answer.fresh, 0].tolist())

        return make_agent(name, MeteredProblem(problem, 150, hear), 5, **settings)

    run(made(whole))
    agent, states = made(first), []

    def keep(resting: Any) -> None:
        if resting.problem.spent() > 75:
            states.append((resting.problem.spent(), pickle.dumps(resting)))
            raise Stopped

    agent.at_rest = keep
    with pytest.raises(Stopped):
        run(agent)
    spent, state = states[-1]
    again: Agent = pickle.loads(state)
    again.problem.listener = lambda answer: rest.extend(answer.evaluations.losses[answer.fresh, 0].tolist())
    assert run(again) == "budget"
    assert first[:spent] + rest == whole
    assert len(whole) == 150
    assert first[:spent] == whole[:spent]
