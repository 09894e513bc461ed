"""Stable-Baselines3's own checker passes every environment whose spaces it supports."""

import gymnasium
import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra rl")

from stable_baselines3.common.env_checker import check_env

from designgym.envs import gymnasium_id, make_problem, problem_ids, sequential_ids

DESIGNS = [id for id in problem_ids() if id not in sequential_ids()]
# Its warnings advise: float32 numbers, actions between -1 and 1.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("id", [*DESIGNS, *sequential_ids()])
def test_the_checker_passes(id: str) -> None:
    check_env(gymnasium.make(gymnasium_id(id)).unwrapped)


@pytest.mark.parametrize("id", DESIGNS)
def test_the_checker_passes_the_stepwise_face(id: str) -> None:
    bins = {"bins": 8} if make_problem(id).space.has_floats else {}
    check_env(gymnasium.make(gymnasium_id(id, stepwise=True), **bins).unwrapped)
