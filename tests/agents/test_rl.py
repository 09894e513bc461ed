"""Agents that train a policy on designs: what they learn from, when they are stopped, what they refuse."""

import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="needs the extra rl")

from numpy.testing import assert_array_equal

from designgym.agents import make_agent, search
from designgym.agents.base import run
from designgym.agents.rl_designs import Inside, Worth, design_vectors, opened
from designgym.agents.testing import CONDITIONAL, problems
from designgym.envs import Answer, MeteredProblem, make_problem

QUICK = {"envs": 32, "steps": 4, "width": 16}


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        ("ppo", {"learning_rate": 1e-2}, "flat"),
        ("maskable_ppo", {"learning_rate": 1e-2, "steps": 8, "epochs": 2, "batch": 256}, "conditional"),
        ("sac", {"startup": 50, "learning_rate": 1e-2, "envs": 4, "steps": 1}, "continuous"),
    ],
)
def test_later_designs_are_better_than_those_at_random(name: str, settings: dict[str, Any], problem: str) -> None:
    rewards: list[float] = []

    def hear(answer: Answer) -> None:
        rewards.extend(answer.evaluations.reward.tolist())

    search(problems()[problem], name, 300, seed=3, listener=hear, **(QUICK | settings))
    middle = np.median(rewards[:100])
    assert np.median(rewards[-100:]) > middle, f"{name} came from {middle} to {np.median(rewards[-100:])}"


def test_a_policy_that_repeats_itself_is_stopped_after_twenty_asks_a_design() -> None:
    problem = make_problem("NKLandscape-v0", letters=2, n=8, k=2, instance=100)  # 256 designs
    heard: list[Answer] = []
    metered = MeteredProblem(problem, 250, heard.append, patience=10**6)
    assert run(make_agent("ppo", metered, 0, **QUICK, learning_rate=1e-2, entropy=0.0)) == "repeats"
    asked = sum(len(answer.fresh) for answer in heard)
    assert 20 * 250 <= asked <= 20 * 250 + QUICK["envs"]
    assert metered.spent() < 250


def test_designs_outside_the_space_are_answered_and_not_priced() -> None:
    problem = problems()["conditional"]
    answers: list[Answer] = []
    metered = MeteredProblem(problem, 1000, answers.append)
    drawn = CONDITIONAL.decode(np.random.default_rng(0).random((64, len(CONDITIONAL.cardinalities))))
    designs = CONDITIONAL.canonical(drawn)
    got, wanted = Inside(metered).evaluate(designs), problem.evaluate(designs)
    assert 0 < CONDITIONAL.contains(designs).sum() < 64
    assert all(CONDITIONAL.contains(answer.designs).all() for answer in answers)
    for part in ("losses", "violation", "feasible", "reward"):
        assert_array_equal(getattr(got, part), getattr(wanted, part))
    assert_array_equal(got.metrics["latency_s"], wanted.metrics["latency_s"])


def test_what_designs_are_worth_keeps_their_order() -> None:
    envs = design_vectors(problems()["flat"], "design", 4, 0, masks=False)
    rng = np.random.default_rng(0)
    feasible = rng.normal(-3.0, 0.1, 500)
    assert isinstance(envs, Worth)
    for batch in np.split(feasible, 10):
        worth = envs.worth(batch)
    assert envs._mean == pytest.approx(feasible.mean())
    assert envs._squares / envs._count == pytest.approx(feasible.var())
    assert abs(worth.mean()) < 1.0
    some = np.array([-200.0, -150.0, -100.1, -3.5, -3.0, -2.8])
    worth = envs.worth(some)
    assert (np.diff(worth) >= 0).all()
    assert worth[:3] == pytest.approx([-4.0, -3.5, -3.001])
    assert worth[3] >= -3.0
    assert design_vectors(problems()["flat"], "design", 1, 0, masks=False).worth(np.array([-3.0, -3.0])).tolist() == [
        0,
        0,
    ]


def test_a_closed_choice_stands_for_an_open_one() -> None:
    masks = np.array([[True, True, False, False], [False, True, False, True], [True] * 4])
    assert opened(np.array([3, 2, 3]), masks).tolist() == [1, 1, 3]
    assert opened(np.array([2, 3, 0]), masks).tolist() == [0, 3, 0]
    envs = design_vectors(make_problem("TimestepSubset-v0"), "stepwise", 8, 0, masks=False)
    envs.reset()
    lengths = [envs.step(np.random.default_rng(i).integers(100, size=8))[2] for i in range(8)]
    assert [done.all() for done in lengths] == [False] * 7 + [True], "every path is finished, none refused"


def test_who_can_not_is_refused_by_name_before_it_trains() -> None:
    with pytest.raises(ValueError, match=r"sac takes Box actions, got MultiDiscrete.* no Float\. Take ppo, a2c, "):
        make_agent("sac", problems()["flat"], 0)
    agent = make_agent("ppo", problems()["flat"], 0)
    with pytest.raises(ValueError, match=r"ppo trains in its own loop.* Take policy_gradient"):
        agent.ask(1)


def test_a_missing_library_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(ImportError, match=r"ppo needs stable_baselines3, .*: pip install 'designgym\[rl\]'\."):
        make_agent("ppo", problems()["flat"], 0)
