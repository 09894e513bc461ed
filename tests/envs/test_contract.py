"""Every registered problem keeps the contract, and the suites that say so notice one that does not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import gymnasium
import numpy as np
import pytest
import sample_problems
from numpy.typing import NDArray

from designgym.cost_models import cost_model_names, make_cost_model
from designgym.cost_models.base import Columns
from designgym.envs import (
    Categorical,
    DesignEnv,
    DesignProblem,
    DesignSpace,
    Evaluations,
    Float,
    Integer,
    Objective,
    Ordinal,
    Permutation,
    Subset,
    make_problem,
    problem_ids,
    register_problem,
    registry,
    sequential_ids,
    stepwise_env,
)
from designgym.envs.parameters import Array
from designgym.envs.testing import (
    check_environment,
    check_faces,
    check_problem,
    check_registration,
    check_sequential,
    check_space,
)


@cache
def registered_kinds() -> set[type]:
    return {type(make_cost_model(name)) for name in cost_model_names()}


@pytest.mark.parametrize("id", problem_ids())
def test_registered_problems(id: str) -> None:
    """A cost model that is registered by itself prices a large batch in its own contract."""
    check_environment(id, actions=240, large_batch=type(make_problem(id).cost_model) not in registered_kinds())


@pytest.mark.parametrize("id", sequential_ids())
def test_registered_sequential_environments(id: str) -> None:
    check_sequential(id)


@pytest.mark.parametrize("name", sample_problems.PROBLEMS)
def test_sample_problems(name: str) -> None:
    problem = sample_problems.PROBLEMS[name]()
    check_problem(problem)
    check_faces(problem, actions=240)


def test_large_spaces_pass() -> None:
    check_space(
        DesignSpace(
            Permutation("order", tuple(map(str, range(20)))),
            Subset("banks", 1000, 12),
            Integer("i", 1, 10**12, log=True),
            Ordinal("o", (0.1, 0.2), default=0.2),
        ),
        designs=50,
    )


class Short(Ordinal):
    """Its last value is never decoded, as in ArchGym's DRAM space."""

    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        return super().from_digits([np.minimum(digits[0], self.count - 2)])


class Coarse(Float):
    def to_digits(self, columns: Sequence[Array]) -> list[Array]:
        return [np.round(super().to_digits(columns)[0], 6)]


class HalfWay(Float):
    def from_digits(self, digits: Sequence[Array]) -> list[Array]:
        return super().from_digits([digits[0] / 2])


class Nameless(Categorical):
    def describe(self, columns: Sequence[Array]) -> list[list[Any]]:
        return [columns[0].tolist()]


class Rounding(DesignSpace):
    """Rounds to the nearest index, so that the first and the last get half as much."""

    def decode(self, unit: NDArray[np.float64]) -> Columns:
        digits = [np.round(u * (c - 1)).astype(int) for u, c in zip(unit.T, self.cardinalities, strict=True)]
        return self.from_digits(digits)


class Careless(DesignSpace):
    def sample(self, n: int, rng: np.random.Generator) -> Columns:
        return DesignSpace(*self.parameters).sample(n, rng)


class Unseeded(DesignSpace):
    def sample(self, n: int, rng: np.random.Generator) -> Columns:
        return super().sample(n, np.random.default_rng())


class Crowded(DesignSpace):
    def rank(self, designs: Columns) -> Array:
        return super().rank(designs) // 2


class Disordered(DesignSpace):
    def enumerate(self, chunk: int = 100_000) -> Any:
        return (({name: column[::-1] for name, column in columns.items()}) for columns in super().enumerate(chunk))


class Selfish(DesignSpace):
    def neighbours(self, design: Columns) -> Columns:
        return design


class OneWay(DesignSpace):
    def neighbours(self, design: Columns) -> Columns:
        near, own = super().neighbours(design), self.rank(design)[0]
        return {name: column[self.rank(near) > own] for name, column in near.items()}


class Wider(DesignSpace):
    def to_gymnasium(self) -> Any:
        return gymnasium.spaces.MultiDiscrete(np.array(self.cardinalities) + 1)


X, C = Integer("x", 0, 9), Categorical("c", ("a", "b", "c"))

SPACES: dict[str, tuple[DesignSpace, str]] = {
    "a value that is never decoded": (DesignSpace(Short("s", (1, 2, 4)), X), "s must have 3 different values, got 2"),
    "uneven decoding": (Rounding(X, C), "decode must be uniform in the index of x"),
    "an imprecise float": (DesignSpace(Coarse("f", 0.0, 1.0)), r"decode\(encode\(x\)\) must be x, got f"),
    "half of a float's range": (DesignSpace(HalfWay("f", 0.0, 1.0)), r"must run through the range of f, \[0.0, 1.0\]"),
    "names that cannot be read": (DesignSpace(X, Nameless("c", ("a", "b"))), "c must be one of a, b, got"),
    "samples outside": (Careless(X, C, constraints=("x <= 5",)), "sample must return designs of the space, got x="),
    "samples without a seed": (Unseeded(X, C), "sample must draw the same designs from the same generator"),
    "ranks that collide": (Crowded(X, C), r"unrank\(rank\(x\)\) must be x"),
    "enumeration out of order": (Disordered(X, C), "enumerate must yield valid designs in the order of their ranks"),
    "a design that is its own neighbour": (Selfish(X, C), "neighbours must be valid designs, each once and none"),
    "neighbours in one direction": (OneWay(X, C), "neighbours must be symmetric"),
    "another Gymnasium space": (Wider(X, C), r"to_gymnasium must be MultiDiscrete\(\[10, 3\]\)"),
    "a constraint that does not pickle": (
        DesignSpace(X, C, constraints=(lambda designs: designs["x"] > 1,)),
        "a space must",
    ),
}


@pytest.mark.parametrize("fault", SPACES)
def test_the_suite_notices_in_a_space(fault: str) -> None:
    space, message = SPACES[fault]
    with pytest.raises((AssertionError, ValueError), match=message):
        check_space(space)


class Lenient(Objective):
    """Rewards an infeasible design as if it were feasible."""

    def __call__(self, metrics: Columns) -> Evaluations:
        got = super().__call__(metrics)
        return replace(got, reward=np.maximum(-np.log(got.losses[:, 0]), self.floor))


class Overshooting(Objective):
    """Beating the target lowers the reward, as in ArchGym."""

    def __call__(self, metrics: Columns) -> Evaluations:
        got = super().__call__(metrics)
        off = -np.abs(got.losses[:, 0] - np.median(got.losses[:, 0]))
        return replace(got, reward=np.where(got.feasible, off, got.reward))


class Undecided(Objective):
    """All infeasible designs get one reward."""

    def infeasible_reward(self, violation: Any) -> Any:
        return np.full_like(violation, 2 * self.floor)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Lenient, "rewards must be at least the floor -100.0 where feasible and below it elsewhere"),
        (Overshooting, "a design that is worse in no metric must have no smaller reward"),
        (Undecided, "rewards must fall with the violation from the floor -100.0 to twice the floor"),
    ],
)
def test_the_suite_notices_in_an_objective(kind: type[Objective], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_problem(sample_problems.array(objective=kind(minimize=("latency_s",), subject_to=("area_mm2 <= 20",))))


@dataclass(frozen=True)
class Relative(sample_problems.Array):
    """Its rows depend on the batch."""

    def evaluate(self, designs: Columns) -> Columns:
        priced = super().evaluate(designs)
        return priced | {"energy_j": priced["energy_j"] / priced["energy_j"].max()}


def test_the_suites_notice_a_cost_model_whose_rows_depend_on_the_batch() -> None:
    problem = sample_problems.array(cost_model=Relative())
    with pytest.raises(AssertionError, match="Relative: energy_j must be the same"):
        check_problem(problem)
    with pytest.raises(AssertionError, match="must equal the environment alone, bit for bit, got metrics energy_j"):
        check_faces(problem, actions=40)


Step = Callable[..., Any]


def test_the_suite_notices_an_environment_with_a_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    step, seen = DesignEnv.step, []

    def remembers(self: DesignEnv, action: Any) -> Any:
        observation, reward, *rest = step(self, action)
        seen.append(reward)
        return observation, reward + 1e-9 * len(seen), *rest

    monkeypatch.setattr(DesignEnv, "step", remembers)
    with pytest.raises(AssertionError, match=r"not equivalent|not equal|same seed must give the same episodes"):
        check_faces(sample_problems.array())


def test_the_suite_notices_an_observation_outside_its_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("designgym.envs.design_env.squash_one", lambda loss: 2.0)
    with pytest.raises(AssertionError, match="not within the observation space"):
        check_faces(sample_problems.schedule())


RIGHT_MASK = stepwise_env.Choice.mask


def nothing_masked(self: stepwise_env.Choice, picked: list[int]) -> NDArray[np.bool_]:
    return np.ones(self.count, bool)


def last_masked(self: stepwise_env.Choice, picked: list[int]) -> NDArray[np.bool_]:
    mask = RIGHT_MASK(self, picked)
    if mask.sum() > 1:
        mask[np.flatnonzero(mask)[-1]] = False
    return mask


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (nothing_masked, "an observation must lie in its space"),
        (last_masked, "the mask must leave every design open"),
    ],
)
def test_the_suite_notices_wrong_masks(mask: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepwise_env.Choice, "mask", mask)
    with pytest.raises(AssertionError, match=message):
        check_faces(sample_problems.schedule(), actions=12)


def needs_size(size: int) -> DesignProblem:
    return sample_problems.array()


def has_bins(bins: int = 3) -> DesignProblem:
    return sample_problems.array()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("needs_size", "the option size must have a default"),
        ("has_bins", "an option must not be called bins"),
    ],
)
def test_the_suite_notices_wrong_options(function: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._PROBLEMS, "_entry_points", {})
    monkeypatch.setattr(gymnasium.envs.registration, "registry", {})
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    register_problem("Sample-v0", f"{__name__}:{function}")
    with pytest.raises(AssertionError, match=message):
        check_registration("Sample")
