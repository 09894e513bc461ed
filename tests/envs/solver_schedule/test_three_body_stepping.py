"""`ThreeBodyStepping-v0`: fixed etas played through it, its rewards and ends, its vector environment."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from sequential_pairs import played_alike

from designgym.cost_models.solver_schedule.three_body import ETAS, ThreeBody
from designgym.cost_models.solver_schedule.three_body_episodes import Rules
from designgym.cost_models.solver_schedule.three_body_policy import FEATURES, Policy
from designgym.cost_models.solver_schedule.three_body_policy import played as compiled
from designgym.cost_models.solver_schedule.three_body_starts import COLUMNS, of_seeds
from designgym.envs import make_problem, make_sequential
from designgym.envs.solver_schedule.three_body_stepping import ThreeBodyStepping
from designgym.envs.solver_schedule.three_body_vector import ThreeBodySteppingVector


def played(env: ThreeBodyStepping, seed: int, action: int) -> tuple[list[float], dict[str, Any]]:
    """Return the rewards of one action to the end, and the last info."""
    env.reset(seed=seed)
    rewards, ended, info = [], False, {}
    while not ended:
        _, reward, ended, truncated, info = env.step(np.int64(action))
        assert not truncated
        rewards.append(reward)
    return rewards, info


@pytest.mark.parametrize("action", [5, 7, 9])
def test_a_fixed_eta_played_through_is_the_one_shot_face(action: int) -> None:
    for seed in (1, 6):
        model = ThreeBody(1, seed, bound=1e-6)
        design = {"method": np.array([0]), "eta": ETAS[action : action + 1], "dt_yr": np.array([1e-2])}
        expected = model.evaluate(design)
        rewards, info = played(ThreeBodyStepping(bound=1e-6, stop_at=np.inf), seed, action)
        assert len(rewards) == 100
        for name, value in info["metrics"].items():
            assert value == pytest.approx(expected[name][0], rel=1e-12), name
        assert info["metrics"]["force_evals"] == expected["force_evals"][0]
        assert info["metrics"]["energy_error"] == expected["energy_error"][0]
        assert sum(rewards) == pytest.approx(expected["published_return"][0])
        assert rewards[0] == 0


def test_observations_are_scaled_positions_velocities_and_digits() -> None:
    env = ThreeBodyStepping()
    observation, _ = env.reset(seed=4)
    state = of_seeds(4, 1)[0]
    assert observation[:6] == pytest.approx(state[:6] / 10.0)
    assert observation[6:12] == pytest.approx(state[6:] / (np.sqrt(3.0) * 2.0 * np.pi))
    assert observation[12] == 0.0
    observation, _, _, _, info = env.step(np.int64(7))
    assert observation[12] == pytest.approx(-np.log10(info["energy_error"]))


def test_the_reward_of_evaluations_is_minus_thousands_and_a_broken_bound() -> None:
    kept, info = played(ThreeBodyStepping(bound=1e-4, reward="evaluations"), 1, 7)
    assert info["metrics"]["kept"] == 1
    assert sum(kept) == pytest.approx(-info["metrics"]["force_evals"] / 1e3)
    broken, info = played(ThreeBodyStepping(bound=1e-9, reward="evaluations"), 1, 7)
    assert info["metrics"]["kept"] == 0
    decades = np.log10(info["metrics"]["energy_error"] / 1e-9)
    assert sum(broken) == pytest.approx(-info["metrics"]["force_evals"] / 1e3 - 10 - decades)


def test_a_large_error_and_spent_evaluations_end_an_episode() -> None:
    rewards, info = played(ThreeBodyStepping(stop_at=1e-7), 1, 9)
    assert len(rewards) < 100
    assert info["metrics"]["energy_error"] == 1.0
    assert info["metrics"]["kept"] == 0
    rewards, info = played(ThreeBodyStepping(most_evaluations=300), 1, 7)
    assert len(rewards) < 100
    assert info["metrics"]["force_evals"] == 300
    assert info["metrics"]["energy_error"] >= 1.0
    assert -1e3 <= min(rewards) <= max(rewards) <= 1e3


def test_episodes_begin_from_a_file(tmp_path) -> None:
    init, states = tmp_path / "init.csv", of_seeds(50, 3)
    rows = [",".join([str(row), *map(repr, state.tolist())]) for row, state in enumerate(states)]
    init.write_text("\n".join([",".join(("seed", *COLUMNS)), *rows]))
    env = ThreeBodyStepping(init=str(init))
    seen = {tuple(env.reset(seed=seed)[0][:6]) for seed in range(30)}
    assert seen == {tuple(state[:6] / 10.0) for state in states}
    assert make_problem("ThreeBodyStepping-v0", init=str(init)).cost_model.states.tolist() == states.tolist()


@pytest.mark.parametrize("options", [{}, {"reward": "evaluations", "stop_at": 1e-5}])
def test_the_vector_environment_is_the_scalar_one_bit_for_bit(options: dict[str, Any]) -> None:
    ended = played_alike(
        ThreeBodyStepping(**options).vectors(5),
        lambda: ThreeBodyStepping(**options),
        230,
        lambda rng, count: rng.integers(4, 10, count),
    )
    assert ended.min() >= 1
    assert ended.max() >= 2
    if options:
        assert ended.max() > 2


def test_a_policy_acts_on_observations_as_it_is_played_in_compiled_code() -> None:
    rng = np.random.default_rng(3)
    weights = 0.15 * rng.standard_normal(1 + len(FEATURES) + 2 * (len(FEATURES) + 2))
    weights[0] = -1.8
    policy, n = Policy(weights, 1e-5), 12
    expected = compiled([policy], of_seeds(30, n))
    many = ThreeBodySteppingVector(n, bound=1e-5, stop_at=np.inf)
    observations, _ = many.reset(seed=30)
    for done in range(100):
        observations, _, ended, _, infos = many.step(policy.actions(observations, np.full(n, done)))
    assert ended.all()
    metrics = infos["final_info"]["metrics"]
    assert metrics["force_evals"].tolist() == expected["force_evals"][0].tolist()
    assert metrics["energy_error"].tolist() == expected["energy_error"][0].tolist()
    assert metrics["published_return"] == pytest.approx(expected["published_return"][0])


def test_gymnasium_makes_both() -> None:
    env = gymnasium.make("designgym/ThreeBodyStepping-v0", bound=1e-6)
    assert isinstance(env.unwrapped, ThreeBodyStepping)
    many = gymnasium.make_vec("designgym/ThreeBodyStepping-v0", num_envs=3, reward="evaluations")
    assert isinstance(many, ThreeBodySteppingVector)
    made = make_sequential("ThreeBodyStepping-v0", bound=1e-6, starts=4)
    assert made.problem.cost_model == ThreeBody(4, bound=1e-6)


def test_wrong_use_is_refused() -> None:
    env = ThreeBodyStepping()
    with pytest.raises(ValueError, match=r"Call reset\(\) first"):
        env.step(np.int64(3))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"an action must be in \[0, 10\), got 10"):
        env.step(np.int64(10))
    with pytest.raises(ValueError, match="reward must be one of published, evaluations, got 'speed'"):
        ThreeBodyStepping(reward="speed")
    with pytest.raises(ValueError, match="stop_at must be above 0, got 0"):
        Rules(stop_at=0.0)


def test_environments_share_no_generator() -> None:
    one, other = ThreeBodyStepping(), ThreeBodyStepping()
    one.action_space.seed(0)
    drawn = [one.action_space.sample() for _ in range(20)]
    one.action_space.seed(0)
    other.action_space.seed(1)
    assert [one.action_space.sample() for _ in range(20)] == drawn


def test_copies_of_a_vector_environment_begin_anew_by_themselves() -> None:
    many = ThreeBodySteppingVector(3)
    with pytest.raises(ValueError, match=r"Call reset\(\) first"):
        many.step(np.zeros(3, np.int64))
    before, _ = many.reset(seed=[5, 6, 7])
    many.step(np.full(3, 9))
    after, _ = many.reset(seed=[5, 6, 7], options={"reset_mask": np.array([False, True, False])})
    assert after[1].tolist() == before[1].tolist()
    assert (after[[0, 2]] != before[[0, 2]]).any(axis=1).all()
    with pytest.raises(ValueError, match=r"actions must be 3 in \[0, 10\)"):
        many.step(np.array([1, 2]))
    with pytest.raises(ValueError, match="seed must be one for each of 3 copies, got 2"):
        many.reset(seed=[1, 2])
