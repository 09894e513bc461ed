"""Bits chosen layer by layer: what is told of a layer, the wall, and that a design is worth what it is at once."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest

from designgym.agents.registry import make_agent
from designgym.agents.rl_designs import Inside
from designgym.cost_models.base import Columns
from designgym.cost_models.quantization.networks import Layer
from designgym.envs import BudgetSpent, DesignProblem, Evaluations, MeteredProblem, StepwiseDesignEnv, make_problem
from designgym.envs.choice_features import choice_features_of
from designgym.envs.face_checks import check_stepwise_env
from designgym.envs.quantization.layerwise_quantization import FEATURES, OperationsWall
from designgym.experiments.replay import Replayed
from designgym.experiments.slow import _Waiting

ID = "LayerwiseQuantization-v0"


def sizes_of(problem: DesignProblem) -> tuple[int, int]:
    return len(problem.space.columns), len(problem.objective.names)


@pytest.mark.parametrize("options", [{}, {"wall": 0.2}, {"wall": 0.1, "network": "breast_cancer"}])
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
    env = gymnasium.make(f"designgym/{ID}", network="mlp", wall=0.2)
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
        check_stepwise_env(make_problem(ID, network=network, wall=0.1))


def test_within_the_wall_accuracy_is_what_counts() -> None:
    problem = make_problem(ID, wall=0.125)
    assert problem.objective.maximize == ("accuracy",)
    designs = problem.space.sample(300, np.random.default_rng(0))
    found = problem.evaluate(designs)
    assert found.feasible.all()
    assert (found.metrics["bit_operations_ratio"] <= 0.125).all()
    over = problem.evaluate({name: np.array([8]) for name in problem.space.columns})
    assert not over.feasible[0]
    assert over.violation[0] == pytest.approx(7.0)  # eight times what is allowed


@pytest.mark.parametrize("wall", [0.01, 1.5, -1.0])
def test_a_wall_that_nothing_keeps_is_refused(wall: float) -> None:
    with pytest.raises(ValueError, match=r"wall must be in \[0.0625, 1\].*Choose .2, say"):
        make_problem(ID, wall=wall)


@pytest.mark.parametrize("agent", ["maskable_ppo", "ppo"])
def test_policies_make_designs_choice_by_choice_and_are_metered_as_designs(agent: str) -> None:
    pytest.importorskip("stable_baselines3", reason="needs the extra rl")
    problem = make_problem(ID, wall=0.125)
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
    problem = make_problem(ID, network="cnn", wall=0.5)
    wall = problem.choice_features
    assert isinstance(wall, OperationsWall)
    assert wall.most == 32 * (4608 + 18432 + 9216 + 640)
    # .29 of 3,200 operations are 928, though the nearest binary fraction is below that.
    assert OperationsWall((Layer("a", 6, 8, 1), Layer("b", 2, 1, 1)), 0.29).most == 928


def test_with_a_wall_the_default_design_is_below_it() -> None:
    problem = make_problem(ID, wall=0.0625)
    default = problem.space.parse({})
    assert problem.evaluate(default).feasible.all()
    assert problem.space.count_valid() == 1


def test_what_the_wall_closes_is_said_in_bits() -> None:
    env = StepwiseDesignEnv(make_problem(ID, wall=0.1))
    env.reset()
    reason = env.step(8 - 2)[4]["reason"]
    assert (
        reason == "layer1_weight_bits cannot be 8 here, closed by the choice features, but 2, 3"
    )  # 13,568 + 4,096 (bits - 2) <= 21,708


def test_a_front_has_both_objectives_and_keeps_the_wall() -> None:
    problem = make_problem(ID, wall=0.2, front=True)
    assert problem.objective.names == ("bit_operations_ratio", "accuracy")
    assert problem.space.constraints


@dataclass(frozen=True)
class Broken:
    """Choice features that say nonsense of what is open."""

    told: tuple[object, ...]
    names: tuple[str, ...] = ()

    def observe(self, chosen: Sequence[int]) -> np.ndarray:
        return np.zeros(0)

    def open(self, chosen: Sequence[int]) -> np.ndarray:
        return np.array(self.told)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ((True,), r"which of 7 values of layer1_weight_bits are open, bool \(7,\), got bool \(1,\). Mend"),
        ((1.0,) * 7, r"bool \(7,\), got float64 \(7,\). Mend their open"),
        ((False,) * 7, "must leave a value of layer1_weight_bits open, got none. Mend their open"),
    ],
)
def test_features_that_break_their_contract_are_named(told: tuple[object, ...], message: str) -> None:
    env = StepwiseDesignEnv(make_problem(ID), features=Broken(told))
    with pytest.raises(ValueError, match=message):
        env.reset()


def test_features_given_take_the_place_of_the_problems_own() -> None:
    problem = make_problem(ID, wall=0.1)
    env = StepwiseDesignEnv(problem, features=Broken((True,) * 7))
    assert env.observation_space.shape == (2 * 6 + 1,)
    env.reset()
    assert env.action_masks().all()


def test_every_problem_that_stands_before_another_shows_its_features() -> None:
    problem = make_problem(ID, wall=0.2)
    before = (
        MeteredProblem(problem, 10), Inside(problem), Replayed(problem, *logged(problem)),
        _Waiting(SimpleNamespace(problem=problem)),  # type: ignore[arg-type]
    )  # fmt: skip
    for one in before:
        assert choice_features_of(one) is problem.choice_features, type(one).__name__


def logged(problem: DesignProblem) -> tuple[Columns, Evaluations]:
    designs = problem.space.parse({})
    return designs, problem.evaluate(designs)
