"""`Relaxation-v0` and `RelaxationSequence-v0`: one omega for all systems, or one for each of them as it arrives."""

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from sequential_pairs import played_alike

from designgym.agents import search
from designgym.cost_models.solver_schedule.linear_systems import asymptotic_omega
from designgym.cost_models.solver_schedule.relaxation import OMEGAS, Relaxation
from designgym.envs import MeteredEpisodes, make_problem, make_sequential
from designgym.envs.solver_schedule.relaxation_sequence import RelaxationSequence
from designgym.envs.solver_schedule.relaxation_sequence_vector import RelaxationSequenceVector

FEW = {"n": 4, "instances": 30}


def played(env: RelaxationSequence, actions: list[int], seed: int | None) -> tuple[list[float], list[float]]:
    """Return what was observed before each action, and what it was rewarded with."""
    observation, _ = env.reset(seed=seed)
    seen, rewards = [], []
    for action in actions:
        seen.append(float(observation[0]))
        observation, reward, *_ = env.step(np.int64(action))
        rewards.append(reward)
    return seen, rewards


def test_one_omega_for_all_is_found_among_twenty() -> None:
    problem = make_problem("Relaxation-v0", **FEW)
    assert problem.space.size == 20
    best = search(problem, agent="exhaustive", budget=20).best
    means = Relaxation(**FEW).costs().mean(axis=0)
    assert best.metrics["iterations"] == means.min()
    assert best.design["omega"] == OMEGAS[int(means.argmin())]


@pytest.mark.parametrize("equation", ["poisson", "heat"])
def test_a_step_costs_what_the_table_of_costs_says(equation: str) -> None:
    env = RelaxationSequence(equation, **FEW)
    actions = np.random.default_rng(0).integers(20, size=30).tolist()
    seen, rewards = played(env, actions, 7)
    assert [-reward for reward in rewards] == env.model.costs(7)[np.arange(30), actions].tolist()
    assert seen == env.model.systems(7).context.tolist()


def test_a_seed_draws_the_sequence_of_that_number() -> None:
    env = RelaxationSequence(instances=5, distribution="low")
    seen, _ = played(env, [10] * 5, 2)
    assert seen == (-0.15 + 0.6 * np.random.default_rng(102).beta(2.0, 6.0, 5)).tolist()
    first, _ = played(env, [10] * 5, None)
    second, _ = played(env, [10] * 5, None)
    assert len({tuple(seen), tuple(first), tuple(second)}) == 3
    env.reset(seed=2)
    assert played(env, [10] * 5, None)[0] == first


def test_what_is_not_observed_is_zero() -> None:
    seen, rewards = played(RelaxationSequence(observed=False, **FEW), [8] * 30, 0)
    assert seen == [0.0] * 30
    assert rewards == played(RelaxationSequence(**FEW), [8] * 30, 0)[1]


def test_the_last_step_ends_the_sequence() -> None:
    env = RelaxationSequence(n=3, instances=3)
    env.reset(seed=0)
    ends = [env.step(np.int64(4))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (True, False)]
    with pytest.raises(ValueError, match=r"^a sequence must be running to take a step, got none"):
        env.step(np.int64(4))


@pytest.mark.parametrize("action", [-1, 20])
def test_other_actions_are_refused(action: int) -> None:
    env = RelaxationSequence(**FEW)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=rf"^an action must be in \[0, 20\), got {action}. Choose one of these.$"):
        env.step(np.int64(action))


@pytest.mark.parametrize("options", [{}, {"observed": False}, {"equation": "heat"}, {"distribution": "low"}])
def test_gymnasiums_checker_passes(options: dict[str, object]) -> None:
    env = gymnasium.make("designgym/RelaxationSequence-v0", **FEW, **options)
    check_env(env.unwrapped, skip_render_check=True)


def test_a_pickled_copy_goes_on_alike() -> None:
    env = RelaxationSequence(**FEW)
    env.reset(seed=1)
    env.step(np.int64(3))
    copy = pickle.loads(pickle.dumps(env))
    for action in (5, 19, 0):
        one, other = env.step(np.int64(action)), copy.step(np.int64(action))
        assert one[0].tolist() == other[0].tolist()
        assert one[1:] == other[1:]


def test_an_indefinite_system_is_a_violation_of_its_step_alone() -> None:
    env = RelaxationSequence(n=2, instances=50, lowest=-2.01)
    env.reset(seed=0)
    shift = env.model.systems(0).shift
    infos, rewards = [], []
    for _ in range(50):
        _, reward, *_, info = env.step(np.int64(10))
        infos.append(info)
        rewards.append(reward)
    bad = shift <= -2.0
    assert 0 < bad.sum() < 50
    assert (np.array([info["violation"] for info in infos]) > 0).tolist() == bad.tolist()
    assert np.isnan([info["metrics"]["iterations"] for info in infos]).tolist() == bad.tolist()
    assert (np.array(rewards) == -10_000).tolist() == bad.tolist()


def test_the_closed_form_through_the_sequence_is_below_any_fixed_omega() -> None:
    env = make_sequential("RelaxationSequence-v0", instances=400)
    observation, _ = env.reset(seed=0)
    total, done = 0.0, False
    while not done:
        wanted = asymptotic_omega(float(observation[0]), 10)
        observation, reward, done, *_ = env.step(np.int64(np.abs(np.array(OMEGAS) - wanted).argmin()))
        total -= reward
    assert total / 400 < 0.7 * Relaxation(instances=400).costs().mean(axis=0).min()


def test_trials_are_its_steps() -> None:
    heard: list[tuple[float, float, float]] = []
    env = MeteredEpisodes(
        make_sequential("RelaxationSequence-v0", **FEW),
        4,
        lambda answer: heard.append(
            (
                float(answer.designs["omega"][0]),
                float(answer.evaluations.metrics["iterations"][0]),
                float(answer.evaluations.losses[0, 0]),
            )
        ),
        seed=5,
    )
    env.reset()
    for action in (0, 5, 10, 15):
        env.step(action)
    assert env.finished
    costs = Relaxation(seed=5, **FEW).costs()
    assert heard == [(OMEGAS[a], float(costs[k, a]), float(costs[k, a])) for k, a in enumerate((0, 5, 10, 15))]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"observed": False, "distribution": "low", "instances": 70},
        {"equation": "heat"},
        {"n": 2, "lowest": -2.01, "instances": 50},
    ],
    ids=["high", "low", "heat", "indefinite"],
)
def test_the_vector_environment_is_the_scalar_one_bit_for_bit(options: dict[str, Any]) -> None:
    whole = FEW | options
    env = RelaxationSequence(**whole)
    ended = played_alike(
        env.vectors(9), lambda: RelaxationSequence(**whole), 180, lambda rng, count: rng.integers(20, size=count)
    )
    assert ended.min() >= 2


def test_copies_play_the_sequences_of_their_seeds() -> None:
    many = gymnasium.make_vec("designgym/RelaxationSequence-v0", num_envs=10, **FEW | {"instances": 90})
    assert isinstance(many, RelaxationSequenceVector)
    model, actions = Relaxation(**FEW | {"instances": 90}), np.random.default_rng(0).integers(20, size=(90, 10))
    observations, infos = many.reset(seed=4)
    assert infos["sequence"].tolist() == list(range(4, 14))
    seen, paid = [], []
    for row in actions:
        seen.append(observations[:, 0])
        observations, rewards, *_, infos = many.step(row)
        paid.append(-rewards)
    assert np.array(paid).T.tolist() == [model.costs(4 + i)[np.arange(90), actions[:, i]].tolist() for i in range(10)]
    assert np.array(seen).T.tolist() == [model.systems(4 + i).context.tolist() for i in range(10)]
    assert (infos["sequence"] >= 2**62).all()
    with pytest.raises(ValueError, match=r"actions must be 10 in \[0, 20\)"):
        many.step(np.full(10, 20))
