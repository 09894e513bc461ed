"""Policies scored on held-out instances: who plays what, the best fixed action, hindsight, intervals."""

from typing import Any

import gymnasium
import numpy as np
import pytest

from designgym.agents.check_episodes import ARMS, INSTANCES, STEPS, Drifts, Lanes, Walks
from designgym.cost_models.base import Metric
from designgym.envs import DesignProblem, Objective, SequentialEnv, make_sequential
from designgym.envs.copies import APART
from designgym.envs.sequential import Always
from designgym.experiments.evaluation import Settings, _notes, _same
from designgym.experiments.evaluation_arms import (
    GRID,
    Arm,
    Baselines,
    baselines,
    fixed_of,
    same_instances,
    seeds_of,
    tells_hindsight,
)
from designgym.experiments.evaluation_intervals import PARTS, mean_interval, ratio_interval, units_of
from designgym.experiments.evaluation_play import ONE_BY_ONE, best, play_fixed, play_policy, ranked


class Follows:
    """Walks toward the target, or answers a number with the nearest arm; keeps count of where episodes begin."""

    masks = False

    def __init__(self, walks: bool) -> None:
        self._walks, self.begun = walks, 0

    def act(self, observations: Any, starts: Any, masks: Any = None) -> Any:
        self.begun += int(starts.sum())
        if self._walks:
            return 1 + np.sign(observations[:, 1] - observations[:, 0]).astype(np.int64)
        return np.rint(observations[:, 0] * (ARMS - 1)).astype(np.int64)


def play_constant(env: SequentialEnv[Any, Any], actions: Any, seeds: list[int]) -> list[Any]:
    return play_fixed(env, [Always(action) for action in actions], seeds)


def actions_of(env: SequentialEnv[Any, Any]) -> Any:
    return np.array([policy.action for policy in fixed_of(env).policies.values()])


def alone(env: SequentialEnv[Any, Any], seed: int, action: Any) -> tuple[float, float, int]:
    """Return cost, return and steps of an episode in which nothing else is done."""
    env.reset(seed=seed)
    total, steps = 0.0, 0
    while True:
        _, reward, terminated, truncated, info = env.step(action)
        total, steps = total + float(reward), steps + 1
        if terminated or truncated:
            return info["metrics"][env.problem.objective.names[0]], total, steps


# -- instances ---------------------------------------------------------------------------------------------------------


def test_seeds_are_of_no_training_run_and_of_no_other_kind() -> None:
    held_out, training = seeds_of("held-out", 5000), seeds_of("training", 5000)
    assert len(set(held_out) | set(training)) == 10_000
    assert all(2**62 <= seed < 2**63 for seed in held_out + training)
    last_of_training = 2**61 - 1 + (2**29 - 1) * APART
    assert last_of_training < 2**62
    assert seeds_of("held-out", 10) == held_out[:10]
    assert not set(seeds_of("held-out", 100, seed=1)) & set(held_out)
    with pytest.raises(ValueError, match="--episodes must be at least 1, got 0"):
        seeds_of("held-out", 0)
    with pytest.raises(ValueError, match="--seed must be an integer of at least 0, got -1"):
        seeds_of("held-out", 1, -1)


# -- playing -----------------------------------------------------------------------------------------------------------


def test_each_episode_is_that_of_its_seed_whatever_copy_plays_it() -> None:
    seeds = seeds_of("held-out", 2 * ONE_BY_ONE + 7)
    actions = np.array([0, 2])
    for action, found in zip(actions, play_constant(Walks(), actions, seeds), strict=True):
        told = [alone(Walks(), seed, action) for seed in seeds]
        assert found.metrics["cost"].tolist() == [cost for cost, _, _ in told]
        assert found.returns.tolist() == [total for _, total, _ in told]
        assert set(found.steps) == {STEPS}
        assert set(found.violation) == {0.0}


def test_episodes_of_different_lengths_in_a_vector_environment_of_its_own() -> None:
    env = make_sequential("ThreeBodyStepping-v0", most_evaluations=400, reward="evaluations")
    seeds = seeds_of("held-out", 6)
    found = play_constant(env, np.array([2, 9]), seeds)
    assert len(set(found[0].steps)) > 1
    for one, action in zip(found, (2, 9), strict=True):
        told = [alone(env, seed, action) for seed in seeds]
        assert [(float(c), r, int(s)) for c, r, s in told] == list(
            zip(one.metrics["force_evals"], one.returns, one.steps, strict=True)
        )


def test_a_policy_is_told_where_episodes_begin() -> None:
    policy = Follows(walks=True)
    found = play_policy(Walks(), policy, seeds_of("held-out", 50))
    assert policy.begun >= 50
    assert set(found.metrics["cost"]) == {1.0}, "it reaches every target"


def test_a_policy_that_asks_is_told_which_actions_are_open() -> None:
    class Asks(Follows):
        masks = True

        def act(self, observations: Any, starts: Any, masks: Any = None) -> Any:
            assert masks.shape == (len(observations), 3)
            assert masks.all()
            return super().act(observations, starts)

    assert set(play_policy(Walks(), Asks(walks=True), seeds_of("held-out", 3)).metrics["cost"]) == {1.0}


def test_an_instance_of_a_sequence_is_a_step() -> None:
    policy, seeds = Follows(walks=False), seeds_of("held-out", 3)
    found = play_policy(Lanes(), policy, seeds)
    assert policy.begun == 3
    assert found.lengths.tolist() == [INSTANCES] * 3
    best_costs = np.concatenate([Lanes().hindsight(seed)[1] for seed in seeds])
    assert found.metrics["cost"] == pytest.approx(best_costs)
    assert found.returns == pytest.approx(-best_costs)


# -- what policies are compared with -----------------------------------------------------------------------------------


def test_constants_are_the_actions_or_a_grid() -> None:
    class Later(Lanes):
        action_space = gymnasium.spaces.Discrete(3, start=5)

    assert actions_of(Later()).tolist() == [5, 6, 7]
    grid = actions_of(Drifts())
    assert grid.shape == (GRID, 1)
    assert (grid[0], grid[-1], grid[GRID // 2]) == (-1.0, 1.0, 0.0)

    class Plane(Drifts):
        action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64)

    found = fixed_of(Plane())
    assert not len(found)
    assert "more than one number" in found.why_none
    nothing = baselines(Plane(), found, [1], [2])
    assert nothing.fixed is nothing.hindsight is None
    assert "there is no best fixed policy" in nothing.notes[0]


class Bounded(Walks):
    """A walk whose walkers are to end within one step of the target in half of all walks."""

    class _Model:
        metrics = (
            Metric("cost", "1", "lower", "one more than the distance"), Metric("steps_right", "1", "lower", "steps"),
            Metric("near", "1", "higher", "whether it ended near"),
        )  # fmt: skip
        version = "1"

        def evaluate(self, designs: Any) -> Any:
            raise NotImplementedError

    problem = DesignProblem(
        Lanes.chosen, _Model(), Objective(minimize=("steps_right",), subject_to=("near >= 0.5",))
    )  # fmt: skip

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        _, info = super().reset(seed=seed)
        self._target, self._right = float(self.np_random.integers(0, 4)), 0  # 0 to 3
        return self._observation, info

    def step(self, action: Any) -> Any:
        self._right += int(action == 2)
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated:
            away = abs(self._place - self._target)
            metrics = {"cost": 1.0 + away, "steps_right": float(self._right), "near": float(away <= 1)}
            info = {"metrics": metrics, "violation": 0.0}
        return observation, reward, terminated, truncated, info


def test_the_best_fixed_action_keeps_the_constraint_in_the_mean() -> None:
    env = Bounded()
    training, scored = seeds_of("training", 60), seeds_of("held-out", 40)
    tried = play_constant(env, actions_of(env), training)
    near = [one.metrics["near"].mean() for one in tried]
    assert near[0] < 0.5 <= near[1], "left ends at -6, staying ends at 0, near targets 0 and 1"
    assert best(ranked(env.problem.objective, tried)) == 1
    found = baselines(env, fixed_of(env), training, scored)
    assert found.fixed is not None
    assert found.fixed.label == "best fixed: action 1"
    assert len(found.fixed.outcomes[0]) == 40
    # In each instance hindsight takes staying where that is near, else what is least wrong for least.
    assert found.hindsight is not None
    near_one = play_constant(env, np.array([1]), scored)[0].metrics["near"]
    assert found.hindsight.outcomes[0].metrics["near"].tolist() == near_one.tolist()


def test_where_no_action_is_feasible_it_is_said() -> None:
    class Never(Bounded):
        problem = DesignProblem(
            Lanes.chosen, Bounded.problem.cost_model, Objective(minimize=("steps_right",), subject_to=("near >= 2",))
        )

    found = baselines(Never(), fixed_of(Never()), seeds_of("training", 20), seeds_of("held-out", 20))
    assert "no fixed policy is feasible" in found.notes[0]
    assert found.fixed is not None
    assert found.fixed.label == "best fixed: action 1", "the nearest to it"


def test_hindsight_of_a_sequence_is_the_environments_own() -> None:
    scored = seeds_of("held-out", 2)
    found = baselines(Lanes(), fixed_of(Lanes()), seeds_of("training", 2), scored)
    assert found.fixed is not None
    assert found.fixed.label == "best fixed: arm=2"
    assert found.hindsight is not None
    own = np.concatenate([Lanes().hindsight(seed)[1] for seed in scored])
    assert found.hindsight.outcomes[0].metrics["cost"] == pytest.approx(own)
    every = np.stack([one.metrics["cost"] for one in play_constant(Lanes(), np.arange(ARMS), scored)])
    assert own == pytest.approx(every.min(axis=0))


def test_few_different_instances_are_counted() -> None:
    scored, training = seeds_of("held-out", 60), seeds_of("training", 60)
    ours, theirs = (play_constant(Walks(), np.array([1]), seeds)[0] for seeds in (scored, training))
    different, met = same_instances(ours, theirs)
    targets = [float(Walks().reset(seed=seed)[0][1]) for seed in scored]
    assert different == len(set(targets)) <= 2 * STEPS + 1
    assert met > 50
    lanes = [play_constant(Lanes(), np.array([1]), seeds[:5])[0] for seeds in (scored, training)]
    assert same_instances(*lanes) == (5, 0)


def test_scipys_controller_is_the_baseline_where_no_constant_factor_ends_an_integration() -> None:
    env = make_sequential("OdeStepping", rtol=1e-4, atol=1e-7, bound=1e-4, starts=8, most_evaluations=900)
    training, scored = seeds_of("training", 6), seeds_of("held-out", 6)
    constant = play_constant(env, np.linspace([-1.0], [1.0], 5), training)
    assert all((one.violation > 0).all() for one in constant)
    found = baselines(env, fixed_of(env), training, scored)
    assert found.fixed is not None
    assert found.fixed.label.startswith("best fixed: scipy's controller, rtol = ")
    (own,) = found.fixed.outcomes
    assert (own.violation == 0).all()
    # Several objectives: the highest mean return was chosen, and in each instance the highest return.
    tried = play_fixed(env, list(fixed_of(env).policies.values()), training)
    place = int(np.argmax([one.returns.mean() for one in tried]))
    assert found.fixed.label == f"best fixed: {list(fixed_of(env).policies)[place]}"
    every = np.stack([one.returns for one in play_fixed(env, list(fixed_of(env).policies.values()), scored)])
    assert found.hindsight is not None
    assert found.hindsight.outcomes[0].returns.tolist() == every.max(axis=0).tolist()


def test_where_nothing_comes_to_anything_there_is_no_baseline() -> None:
    class Nothing(Walks):
        def step(self, action: Any) -> Any:
            observation, reward, terminated, truncated, info = super().step(action)
            if terminated:
                info = {"metrics": {"cost": np.nan}, "violation": 1.0}
            return observation, reward, terminated, truncated, info

    found = baselines(Nothing(), fixed_of(Nothing()), seeds_of("training", 3), seeds_of("held-out", 3))
    assert found.fixed is found.hindsight is None
    assert "there is no baseline: no constant action comes to anything" in found.notes[0]


def test_hindsight_is_the_environments_own_only_where_that_is_what_is_asked_for() -> None:
    env = make_sequential("RelaxationSequence", instances=30, n=4)
    assert tells_hindsight(env, 1)
    other = make_sequential("RelaxationSequence", instances=30, n=4, objective="unsolved")
    assert other.problem.objective.names == ("unsolved",)
    assert not tells_hindsight(other, 1)
    training, scored = seeds_of("training", 1), seeds_of("held-out", 1)
    found = baselines(other, fixed_of(other), training, scored)
    assert found.fixed is not None
    assert found.fixed.label.startswith("best fixed: omega = ")
    assert found.hindsight is not None
    assert found.hindsight.label == "best fixed of each in hindsight"
    assert found.hindsight.outcomes[0].metrics["unsolved"].max() <= 1.0
    assert baselines(env, fixed_of(env), training, scored).hindsight.label == "best of each in hindsight"


class OneSequence(Lanes):
    """Lanes whose sequence is always the same."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=0)


def test_episodes_that_are_the_same_are_told_and_counted_once() -> None:
    env, seeds = OneSequence(), seeds_of("held-out", 8)
    played = play_policy(env, Follows(walks=False), seeds)
    arm, none = Arm("policy", "ppo", (played, played)), Baselines(None, None, None, 0, ())
    assert _same([arm], none) == [0] * 8
    notes = _notes(env, Settings(), none, [arm], [0] * 8)
    assert "this environment has one sequence: all 8 episodes are the same" in notes[0]
    assert any("the 2 policies of ppo all do the same on these instances" in note for note in notes)
    eight = mean_interval(played.metrics["cost"][None], units_of([INSTANCES] * 8, False, [0] * 8))
    one = mean_interval(played.metrics["cost"][None, :INSTANCES], units_of([INSTANCES], False))
    assert eight == pytest.approx(one)
    assert units_of([1, 1, 1, 1], True, [0, 1, 0, 2]).tolist() == [0, 1, 0, 2]


# -- intervals ---------------------------------------------------------------------------------------------------------


def test_units_are_episodes_or_parts_of_sequences() -> None:
    assert units_of([1, 1, 1], whole=True).tolist() == [0, 1, 2]
    units = units_of([100, 10], whole=False)
    assert units[:100].tolist() == [i // 4 for i in range(100)]
    assert units[100:].tolist() == list(range(PARTS, PARTS + 10))


def test_of_one_policy_the_interval_is_that_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, (1, 400))
    found = mean_interval(values, units_of([1] * 400, True))
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.middle == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_policies_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    apart = rng.normal(0.0, 1.0, (8, 1))
    values = apart + rng.normal(0.0, 0.1, (8, 500))
    units = units_of([1] * 500, True)
    found = mean_interval(values, units)
    half = 1.96 * apart.std() / np.sqrt(8)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert mean_interval(values[:1], units).high - mean_interval(values[:1], units).low < 0.05


def test_instances_that_all_policies_share_are_drawn_together() -> None:
    hard = np.random.default_rng(2).normal(0.0, 1.0, 300)
    values = np.stack([hard] * 20)
    found = mean_interval(values, units_of([1] * 300, True))
    assert found.high - found.low == pytest.approx(2 * 1.96 * hard.std() / np.sqrt(300), rel=0.1)


def test_neighbours_of_a_sequence_that_are_alike_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    values = np.repeat(rng.normal(0.0, 1.0, 100), 50)[None]  # 4 sequences, each of 25 runs of equal ones
    parts, whole = (mean_interval(values, units_of([1250] * 4, by)) for by in (False, True))
    assert (parts.high - parts.low) / (whole.high - whole.low) == pytest.approx(np.sqrt(50), rel=0.15)


def test_numbers_that_are_missing_are_left_out() -> None:
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 5.0]])
    assert mean_interval(values, units_of([1] * 3, True)).middle == 3.0
    none = mean_interval(np.full((1, 3), np.nan), units_of([1] * 3, True))
    assert np.isnan(none).all()


def test_a_ratio_is_of_sums() -> None:
    rng = np.random.default_rng(4)
    theirs = rng.uniform(1.0, 100.0, 300)
    found = ratio_interval(0.8 * theirs[None], theirs[None], units_of([1] * 300, True))
    assert found == pytest.approx((0.8, 0.8, 0.8))
