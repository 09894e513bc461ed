"""Copies of a sequential environment under one meter: the same episodes, counted and heard copy by copy."""

import pickle
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from designgym.agents.check_episodes import INSTANCES, STEPS, Lanes, Walks
from designgym.envs import Answer, BudgetSpent, MeteredEpisodes, SequentialEnv, make_problem, make_sequential
from designgym.envs.copies import MeteredCopies, copies, masks_of, of_row
from designgym.envs.problem import BrokenCostModel

MIXED = [("ThreeBodyStepping-v0", {"reward": "evaluations"}), ("OdeStepping-v0", {})]


def play_alone(env: SequentialEnv[Any, Any], seeds: list[int], action: Any) -> list[dict[str, float]]:
    found = []
    for seed in seeds:
        env.reset(seed=seed)
        ended, info = False, {}
        while not ended:
            _, _, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
        found.append(info["metrics"])
    return found


def until_over(envs: MeteredCopies, actions: Any, why: str) -> None:
    with pytest.raises(BudgetSpent, match=why):  # noqa: PT012
        while True:
            envs.step(actions)


@pytest.mark.parametrize(("id", "options"), MIXED, ids=[one[0] for one in MIXED])
def test_episodes_of_copies_are_those_of_the_run(id: str, options: dict[str, Any]) -> None:
    env = make_sequential(id, **options)
    action = env.action_space.sample() * 0 + 3 if id.startswith("Three") else np.array([-0.1])
    heard: list[Answer] = []
    many = MeteredEpisodes(env, 6, heard.append, 11).copies(3)
    many.reset()
    until_over(many, np.stack([action] * 3), "6 trials")
    expected = play_alone(env, [11 + i * 2**32 for i in range(8)], action)
    name = "force_evals" if id.startswith("Three") else "evaluations"
    came = np.concatenate([answer.evaluations.metrics[name] for answer in heard])
    assert len(came) == 6
    assert all(np.isclose(one, [e[name] for e in expected], equal_nan=True).any() for one in came)
    assert len(set(came)) > 2
    begun = np.cumsum([0, *(len(answer.evaluations) for answer in heard)])
    assert [answer.ask for answer in heard] == begun[:-1].tolist()  # trials that ended before


def test_lanes_are_heard_copy_by_copy_within_the_budget() -> None:
    heard: list[Answer] = []
    env = MeteredEpisodes(Lanes(), INSTANCES * 2 + 3, heard.append, seed=7)
    two = env.copies(2)
    observed, _ = two.reset()
    first, _ = Lanes().reset(seed=7)
    second, _ = Lanes().reset(seed=7 + 2**32)
    assert (observed == np.stack([first, second])).all()
    until_over(two, np.array([1, 2]), f"{INSTANCES * 2 + 3} trials")
    assert env.asked == INSTANCES * 2 + 3
    assert [answer.designs["arm"].tolist() for answer in heard] == [[1, 2]] * (INSTANCES + 1) + [[1]]
    for answer in heard:  # of a sequence each step is a trial: its return is minus its cost
        assert (answer.evaluations.metrics["return"] == -answer.evaluations.metrics["cost"]).all()


class Uneven(Lanes):
    """Sequences that end at once where the first number asked for is small."""

    forgets = False

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observed, reward, over, cut, info = super().step(action)
        over = over or bool(self._asked[0, 0] < 0.5)
        if over and self.forgets:
            info = {"violation": 0.0, "design": info["design"]}
        return observed, reward, over, cut, info


def test_sequences_that_end_apart_are_heard_with_those_that_go_on() -> None:
    heard: list[Answer] = []
    four = MeteredEpisodes(Uneven(), 30, heard.append, seed=2).copies(4)
    observed, _ = four.reset()
    asked, ended = [], []
    for _ in range(7):
        asked.append(observed[:, 0])
        observed, _, over, _, _ = four.step(np.array([0, 1, 2, 3]))
        ended.append(over)
    assert any(0 < sum(over) < 4 for over in ended)
    for step, over in enumerate(ended):
        rows = np.concatenate([np.flatnonzero(~over), np.flatnonzero(over)])
        answers = [answer for answer in heard if 4 * step <= answer.ask < 4 * step + 4]
        arms = np.concatenate([answer.designs["arm"] for answer in answers])
        costs = np.concatenate([answer.evaluations.metrics["cost"] for answer in answers])
        assert arms.tolist() == rows.tolist()
        assert costs == pytest.approx(1 + np.abs(rows / 4 - asked[step][rows]))
    forgetful = Uneven()
    forgetful.forgets = True
    four = MeteredEpisodes(forgetful, 30, heard.append, seed=2).copies(4)
    four.reset()
    with pytest.raises(BrokenCostModel, match="must hold 'cost' where a trial ends"):
        four.step(np.array([0, 1, 2, 3]))


def test_where_an_episode_ends_the_next_one_of_the_run_begins() -> None:
    env = MeteredEpisodes(Walks(), 10, seed=3)
    two = env.copies(2)
    two.reset()
    for _ in range(STEPS):
        observed, _, ended, _, infos = two.step(np.array([0, 1]))
    assert ended.all()
    assert set(of_row(infos["final_info"], 1)["metrics"]) == {metric.name for metric in env.problem.cost_model.metrics}
    assert (observed[0] == Walks().reset(seed=3 + 2 * 2**32)[0]).all()
    assert (observed[1] == Walks().reset(seed=3 + 3 * 2**32)[0]).all()


@pytest.mark.parametrize("count", [1, 3])
def test_a_trials_return_is_the_sum_of_its_rewards(count: int) -> None:
    heard: list[Answer] = []
    env = make_sequential("ThreeBodyStepping-v0")
    many = MeteredEpisodes(env, 4, heard.append, 5).copies(count)
    many.reset()
    until_over(many, np.full(count, 5), "4 trials")
    alone: list[Answer] = []
    scalar = MeteredEpisodes(env, 4, alone.append, 5)
    for _ in range(4):
        scalar.reset()
        ended, total = False, 0.0
        while not ended:
            _, reward, ended, _, _ = scalar.step(5)
            total += reward
        assert alone[-1].evaluations.metrics["return"].item() == total
    returns = [np.concatenate([answer.evaluations.metrics["return"] for answer in each]) for each in (heard, alone)]
    assert sorted(returns[0]) == pytest.approx(sorted(returns[1]))
    assert [answer.evaluations.metrics["return"] for answer in alone] == [
        pytest.approx(answer.evaluations.metrics["published_return"]) for answer in alone
    ]


def test_copies_pickle_while_they_run() -> None:
    env = MeteredEpisodes(Walks(), 10, seed=3)
    two = env.copies(2)
    two.reset()
    two.step(np.array([0, 1]))
    again = pickle.loads(pickle.dumps(two))
    for _ in range(2 * STEPS):
        one, other = two.step(np.array([1, 1])), again.step(np.array([1, 1]))
        assert (one[0] == other[0]).all()
        assert (one[1] == other[1]).all()


def test_what_was_pickled_before_vectors_asked_for_seeds_goes_on_alike() -> None:
    heard: list[list[float]] = [[], []]
    for older, returns in zip((False, True), heard, strict=True):
        env = make_sequential("ThreeBodyStepping-v0", most_evaluations=400)
        many = MeteredEpisodes(env, 30, lambda answer, kept=returns: kept.extend(answer.evaluations.reward), 5).copies(
            4
        )
        many.reset()
        if older:
            del vars(many)["_asks_for_seeds"], vars(many._envs)["next_seed"]
        until_over(many, np.full(4, 5), "30 trials")
    assert len(heard[0]) == 30
    assert heard[0] == heard[1]


def test_environments_without_vectors_of_their_own_are_stepped_one_by_one() -> None:
    made = copies(Lanes(), 3)
    assert isinstance(made, SyncVectorEnv)
    assert made.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert masks_of(made).all()
    assert not isinstance(copies(make_sequential("ThreeBodyStepping-v0"), 3), SyncVectorEnv)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        copies(Lanes(), 0)
    with pytest.raises(ValueError, match="Discrete"):
        masks_of(copies(make_sequential("OdeStepping-v0"), 1))


@pytest.mark.parametrize("id", ["ThreeBodyStepping-v0", "OdeStepping-v0", "RelaxationSequence-v0"])
def test_environments_pickle_in_the_middle_of_an_episode(id: str) -> None:
    env = make_sequential(id)
    env.reset(seed=1)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(5)]
    env.step(actions[0])
    again = pickle.loads(pickle.dumps(env))
    for action in actions:
        one, other = env.step(action), again.step(action)
        assert (one[0] == other[0]).all()
        assert one[1] == other[1]


def test_an_option_that_neither_face_takes_is_named_with_the_nearest_of_both() -> None:
    for make in (make_problem, make_sequential):
        with pytest.raises(ValueError, match=r"starts, .*stop_at, got 'rewar'\. Did you mean 'reward'\?"):
            make("ThreeBodyStepping-v0", rewar="x")
