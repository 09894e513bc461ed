"""Bits chosen layer by layer: what is told of a layer, the wall, and that a design is worth what it is at once."""

import contextlib

import gymnasium
import numpy as np
import pytest

from designgym.agents.registry import make_agent
from designgym.envs import BudgetSpent, DesignProblem, MeteredProblem, StepwiseDesignEnv, make_problem
from designgym.envs.face_checks import check_stepwise_env
from designgym.envs.quantization.layerwise_quantization import FEATURES, OperationsWall

ID = "LayerwiseQuantization-v0"


def sizes_of(problem: DesignProblem) -> tuple[int, int]:
    return len(problem.space.columns), len(problem.objective.names)


@pytest.mark.parametrize("options", [{}, {"budget": 0.2}, {"budget": 0.1, "network": "breast_cancer"}])
def test_the_last_reward_is_that_of_the_same_design_at_once(options: dict[str, object]) -> None:
    problem = make_problem(ID, **options)
    env = StepwiseDesignEnv(problem)
    designs = problem.space.sample(20, np.random.default_rng(1))
    rewards = problem.evaluate(designs).reward
    for i, reward in enumerate(rewards.tolist()):
        env.reset()
        told = [env.step(a) for a in env.actions_of({name: column[i : i + 1] for name, column in designs.items()})]
        assert [step[1] for step in told[:-1]] == [0.0] * (len(told) - 1)
        assert told[-1][1] == reward


def test_gymnasium_makes_the_stepwise_face_of_this_name() -> None:
    env = gymnasium.make(f"designgym/{ID}", network="mlp", budget=0.2)
    assert isinstance(env.unwrapped, StepwiseDesignEnv)
    assert isinstance(env.action_space, gymnasium.spaces.Discrete)
    assert env.observation_space.shape == (2 * 6 + len(FEATURES) + 1,)
    assert type(gymnasium.make("designgym/LayerwiseQuantizationDesign-v0").unwrapped).__name__ == "DesignEnv"


def test_what_is_observed_of_a_layer() -> None:
    problem = make_problem(ID)
    env = StepwiseDesignEnv(problem)
    choices, losses = sizes_of(problem)
    seen = [env.reset()[0]]
    for bits in (4, 8, 2, 5, 3):
        seen.append(env.step(bits - 2)[0])
    told = np.stack(seen)[:, 2 * choices : -losses]
    assert told.shape == (6, len(FEATURES))
    of = dict(zip(FEATURES, told.T, strict=True))
    assert of["layer"].tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert of["is_activation"].tolist() == [0, 1, 0, 1, 0, 1]
    assert of["inputs"][[0, 2]].tolist() == pytest.approx([1, np.log(33) / np.log(65)])  # 64 inputs, 32
    assert of["macs"][[0, 4]].tolist() == pytest.approx([1, np.log(321) / np.log(2049)])  # 64 x 32, 32 x 10
    assert of["bits_before"].tolist() == pytest.approx([0, 4 / 8, 1, 2 / 8, 5 / 8, 3 / 8])
    whole = 64 * (2048 + 1024 + 320)
    least = [4 * 3392, 8 * 2048 + 4 * 1344, 32 * 2048 + 4 * 1344, 32 * 2048 + 4 * 1344,
             32 * 2048 + 10 * 1024 + 4 * 320, 32 * 2048 + 10 * 1024 + 6 * 320]  # fmt: skip
    assert of["operations_left"].tolist() == pytest.approx([1 - one / whole for one in least])


def test_no_open_choice_leads_over_the_wall_and_every_design_within_is_in_reach() -> None:
    for network in ("mlp", "cnn"):
        check_stepwise_env(make_problem(ID, network=network, budget=0.1))


def test_within_the_wall_accuracy_is_what_counts() -> None:
    problem = make_problem(ID, budget=0.125)
    assert problem.objective.maximize == ("accuracy",)
    designs = problem.space.sample(300, np.random.default_rng(0))
    found = problem.evaluate(designs)
    assert found.feasible.all()
    assert (found.metrics["bit_operations_ratio"] <= 0.125).all()
    over = problem.evaluate({name: np.array([8]) for name in problem.space.columns})
    assert not over.feasible[0]
    assert over.violation[0] == pytest.approx(7.0)  # eight times what is allowed


@pytest.mark.parametrize("budget", [0.01, 1.5, -1.0])
def test_a_budget_that_nothing_keeps_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match=r"budget must be in \[0.0625, 1\].*Choose .2, say"):
        make_problem(ID, budget=budget)


@pytest.mark.parametrize("agent", ["maskable_ppo", "ppo"])
def test_policies_make_designs_choice_by_choice_and_are_metered_as_designs(agent: str) -> None:
    pytest.importorskip("stable_baselines3", reason="needs the extra rl")
    problem = make_problem(ID, budget=0.125)
    told = []
    metered = MeteredProblem(problem, 60, listener=told.append)
    policy = make_agent(agent, metered, 0, steps=8, envs=16)
    with contextlib.suppress(BudgetSpent):
        policy.search()
    assert metered.spent() == 60
    assert sum(int(answer.fresh.sum()) for answer in told) == 60
    assert metered.repeats_total > 0 or metered.asked == 60
    assert all(problem.space.contains(answer.designs).all() for answer in told)
    assert policy._training.model.observation_space.shape == (2 * 6 + len(FEATURES) + 1,)


def test_the_wall_is_that_of_its_own_layers() -> None:
    problem = make_problem(ID, network="cnn", budget=0.5)
    wall = problem.choice_features
    assert isinstance(wall, OperationsWall)
    assert wall.most == 32 * (4608 + 18432 + 9216 + 640)
