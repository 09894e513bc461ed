"""The contract suite of agents that play catches faults planted one by one; the right twin passes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from planted import assert_says

from designgym.agents import registry
from designgym.agents.episode_checks import check_sequential_agent
from designgym.agents.registry import register_sequential_agent
from designgym.agents.sequential import SequentialAgent


class Always:
    """The policy that was best so far."""

    masks = False

    def __init__(self, arm: int, space: Any) -> None:
        self.arm, self.space = arm, space

    def act(self, observations: Any, starts: Any, masks: Any = None) -> Any:
        return np.full(len(observations), self.arm)


class Right(SequentialAgent):
    """Tries actions at random and keeps the one that was rewarded most."""

    summary = "tries actions and keeps the best"
    checkpoints = True
    keeps_policy = True

    def __init__(self, env: Any, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(env, rng, **hyperparameters)
        if not hasattr(env.action_space, "n"):
            raise ValueError(f"planted takes Discrete actions, got {env.action_space}.")
        self.best, self.most = 0, -np.inf

    def act(self, observation: Any) -> Any:
        return self.best if self.rng.random() < 0.5 else int(self.rng.integers(self.env.action_space.n))

    def learn(self, observation: Any, action: Any, reward: float, next_observation: Any, done: bool) -> None:
        if reward > self.most:
            self.best, self.most = int(action), reward

    def policy_files(self) -> dict[str, bytes]:
        return {"best.txt": str(self.best).encode()}

    @classmethod
    def load(cls, files: Mapping[str, bytes], env: Any) -> Any:
        return Always(int(files["best.txt"]), env.action_space)


class Forgets(Right):
    """Leaves its generator behind in a pickle."""

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"rng": np.random.default_rng(0)}


class GivesUp(Right):
    """Ends before the budget is spent."""

    def search(self) -> None:
        self.env.reset()


class DrawsElsewhere(Right):
    """Draws from the global generator."""

    def act(self, observation: Any) -> Any:
        return int(np.random.randint(self.env.action_space.n))  # noqa: NPY002


class OneForAll(Right):
    """A policy that acts once for all episodes."""

    @classmethod
    def load(cls, files: Mapping[str, bytes], env: Any) -> Any:
        policy = Always(int(files["best.txt"]), env.action_space)
        policy.act = lambda observations, starts, masks=None: np.array(policy.arm)  # type: ignore[method-assign]
        return policy


class Chancy(Right):
    """A policy that is another each time it is loaded."""

    loaded = 0

    @classmethod
    def load(cls, files: Mapping[str, bytes], env: Any) -> Any:
        cls.loaded += 1
        return Always(cls.loaded % 2, env.action_space)


FAULTS: dict[type[Right], str] = {
    Forgets: "as if never stopped, but trials differ. Keep all that it draws from",
    GivesUp: "must play 160 trials of the sequence, got 0. Leave the end to BudgetSpent",
    DrawsElsewhere: "the same seed must play the same sequence, but trials differ. Draw only from self.rng",
    OneForAll: "its policy must act in MultiDiscrete",
    Chancy: "its policy must act alike each time it is loaded",
}


@pytest.fixture
def player_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[SequentialAgent]], str]:
    monkeypatch.setattr(registry._SEQUENTIAL, "_entry_points", dict(registry._SEQUENTIAL._entry_points))

    def register(cls: type[SequentialAgent]) -> str:
        register_sequential_agent("planted", f"{__name__}:{cls.__name__}")
        return "planted"

    return register


def test_the_right_agent_passes(player_of: Callable[..., str]) -> None:
    check_sequential_agent(player_of(Right))


@pytest.mark.parametrize("cls", FAULTS, ids=[cls.__name__ for cls in FAULTS])
def test_a_fault_in_an_agent_is_named(cls: type[Right], player_of: Callable[..., str]) -> None:
    with pytest.raises(AssertionError) as caught:
        check_sequential_agent(player_of(cls))
    assert_says(caught.value, FAULTS[cls])
