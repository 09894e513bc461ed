"""The contract of a problem and of its Gymnasium environments, as calls for anybody's tests.

`check_environment(id, **options)` checks everything of a registered id; `check_problem` and its parts take a problem
that is not registered. A broken rule is an AssertionError that states the rule, the value found and the remedy.
Nothing here needs pytest.
"""

import inspect
from typing import Any

import gymnasium
import numpy as np

from designgym.cost_models.testing import check_cost_model, pickled_copy, require
from designgym.envs.face_checks import check_design_env, check_stepwise_env, check_vector_env, without_warnings
from designgym.envs.objective import Evaluations
from designgym.envs.problem import DesignProblem
from designgym.envs.registry import (
    OF_FACES,
    full_id,
    gymnasium_id,
    make_problem,
    needed_options,
    problem_ids,
    problem_options,
)
from designgym.envs.sequential_checks import check_sequential
from designgym.envs.space_checks import check_space, draw
from designgym.envs.vector_env import DesignVectorEnv

MOST_TRIED = 100_000  # designs among which a feasible one must be

__all__ = [
    "check_environment",
    "check_evaluations",
    "check_faces",
    "check_objective",
    "check_problem",
    "check_registration",
    "check_sequential",
    "check_space",
]


def check_environment(
    id: str, designs: int = 300, actions: int = 1000, bins: int = 8, large_batch: bool = True, **options: Any
) -> None:
    """Check a registered problem, short or full id, with these options: the problem and all its environments.

    designs: how many are drawn and priced. actions: random ones on which environments are compared. bins: for a Float
    in the stepwise environment. Lower them for a slow cost model. large_batch: see `check_cost_model`.
    """
    check_registration(id, bins, **options)
    problem = _made(id, options)
    check_problem(problem, designs, large_batch)
    check_faces(problem, actions, bins)


def _made(id: str, options: dict[str, Any]) -> DesignProblem:
    try:
        return make_problem(id, **options)
    except Exception as error:
        raise AssertionError(f"{id} must be made with these options, {options}, got {error}") from error


def check_registration(id: str, bins: int = 8, **options: Any) -> None:
    """Check that an id's options have defaults and that Gymnasium makes, pickles and writes its environments."""
    id = full_id(id)
    needed = needed_options(id)
    require(needed or id in problem_ids(), f"problem_ids() must list {id}, got {problem_ids()}. Register it.")
    for name, default in problem_options(id).items():
        require(
            name in needed or default is not inspect.Parameter.empty,
            f"{id}: the option {name} must have a default, got none. Give it one.",
        )
        require(
            name not in OF_FACES,
            f"{id}: an option must not be called {name}, but environments have one of that name. Rename it.",
        )
    _made(id, options)
    name = gymnasium_id(id)
    stepwise: dict[str, Any] = {"bins": bins}
    for spec, more in ((gymnasium.spec(name), {}), (gymnasium.spec(gymnasium_id(id, stepwise=True)), stepwise)):
        require(pickled_copy(spec.id, spec) == spec, f"{spec.id}: its spec must come back from pickle, but differs.")
        written = gymnasium.envs.registration.EnvSpec.from_json(spec.to_json())
        require(written == spec, f"{spec.id}: its spec must be the same from JSON, got {written}.")
        with without_warnings(spec.id):
            env = gymnasium.make(spec, **options, **more)
            again = gymnasium.make(pickled_copy(spec.id, env.unwrapped.spec))
            require(
                type(again.unwrapped) is type(env.unwrapped) and again.observation_space == env.observation_space,
                f"{spec.id}: an environment must come back from its spec, got {again}.",
            )
    for mode in (None, "vector_entry_point"):
        with without_warnings(name):
            many: Any = gymnasium.make_vec(name, num_envs=3, vectorization_mode=mode, **options)
        require(
            isinstance(many, DesignVectorEnv) and many.num_envs == 3,
            f"{name}: make_vec must make a DesignVectorEnv of 3, got {many}.",
        )


def check_problem(problem: DesignProblem, designs: int = 300, large_batch: bool = True) -> None:
    """Check a problem's space, cost models, objective and pickling on this many designs drawn from it.

    large_batch: see `check_cost_model`.
    """
    check_space(problem.space, designs)
    drawn = draw(problem.space, designs, np.random.default_rng(0))
    for model in (problem.cost_model, problem.cheap):
        if model is not None:
            check_cost_model(model, drawn, large_batch)
    evaluations = problem.evaluate(drawn)
    check_evaluations(problem, evaluations)
    _check_some_feasible(problem, evaluations)
    check_objective(problem, evaluations)
    _check_outside(problem)
    twin = pickled_copy("a problem", problem)
    require(twin.space == problem.space, "a problem must come back from pickle, but the copy has another space.")
    _check_same(evaluations, twin.evaluate(drawn), "a pickled copy of a problem must price alike")
    _check_same(evaluations, problem.evaluate(drawn), "a problem must price the same designs alike")


def _check_some_feasible(problem: DesignProblem, evaluations: Evaluations) -> None:
    """Look for one feasible design: in all of a small space, among many of a large one; a slow model is let off."""
    if evaluations.feasible.any() or getattr(problem.cost_model, "slow", False):
        return
    space = problem.space
    whole = space.size <= MOST_TRIED
    parts = space.enumerate(10_000) if whole else [space.sample(MOST_TRIED, np.random.default_rng(2))]
    least = min(float(evaluations.violation.min()), *(float(problem.evaluate(part).violation.min()) for part in parts))
    require(
        least == 0,
        lambda: (
            f"some design must be feasible, got none of {'all' if whole else 'these'} {min(space.size, MOST_TRIED):,}"
            f", the least violation {least:.3g}. Loosen the constraints {', '.join(problem.objective.subject_to)}, or "
            "the space's bounds, until a search can find one."
        ),
    )


def check_evaluations(problem: DesignProblem, evaluations: Evaluations) -> None:
    """Check that losses, feasibility and rewards follow from the metrics: the floor parts infeasible from feasible."""
    objective, metrics = problem.objective, evaluations.metrics
    signed = [metrics[name] for name in objective.minimize] + [-metrics[name] for name in objective.maximize]
    require(
        np.array_equal(evaluations.losses, np.array(signed, np.float64).T, equal_nan=True),
        "losses must be the minimised metrics and the maximised ones negated, but are not. Leave them to Objective.",
    )
    require(
        np.array_equal(evaluations.feasible, evaluations.violation == 0),
        "feasible must be where violation is 0, but it is not. Leave it to Objective.",
    )
    feasible, reward = evaluations.feasible, evaluations.reward
    require(not np.isnan(reward).any(), "a reward must be a number, got NaN. Return one for every design.")
    require(
        (reward[feasible] >= objective.floor).all() and (reward[~feasible] < objective.floor).all(),
        f"rewards must be at least the floor {objective.floor} where feasible and below it elsewhere, got "
        f"{reward[feasible].min(initial=np.inf)} and {reward[~feasible].max(initial=-np.inf)}. Clip them there.",
    )


def check_objective(problem: DesignProblem, evaluations: Evaluations) -> None:
    """Check the rewards' order on designs that were priced: less loss, no less reward; more violation, less reward."""
    objective = problem.objective
    rows = np.flatnonzero(evaluations.feasible)[:200]
    losses, reward = evaluations.losses[rows], evaluations.reward[rows]
    for i in range(len(rows)):
        worse = (losses >= losses[i]).all(axis=1) & (reward > reward[i])
        require(
            not worse.any(),
            f"a design that is worse in no metric must have no smaller reward, got {reward[i]} for losses {losses[i]} "
            f"and {reward[worse][:1]} for {losses[worse][:1]}. Let the reward fall with each loss.",
        )
    violation = np.array([1e-9, 1e-3, 1.0, 1e3, 1e9, np.inf])
    column = {name: np.repeat(values[:1], len(violation)) for name, values in evaluations.metrics.items()}
    broken = objective({**column, "violation": violation}).reward
    require(
        (np.diff(broken) < 0).all() and broken[0] < objective.floor and broken[-1] == 2 * objective.floor,
        f"rewards must fall with the violation from the floor {objective.floor} to twice the floor, got {broken}. "
        "Leave Objective.infeasible_reward.",
    )


def _check_outside(problem: DesignProblem) -> None:
    """A design outside the space is a result with a violation, in its own row only."""
    space = problem.space
    designs = space.sample(3, np.random.default_rng(1))
    inside = problem.evaluate(designs)
    broken = {name: column.copy() for name, column in designs.items()}
    name = space.parameters[0].columns[0]  # never idle: a parameter depends only on those before it
    broken[name][1] = 10**9 + 7
    got = problem.evaluate(broken)
    require(
        got.violation[1] >= 1 and all(np.isnan(column[1]) for column in got.metrics.values()),
        f"{name} = 10**9 + 7 is outside the space: its violation must be at least 1 and its metrics NaN, got "
        f"violation {got.violation[1]}. Price by DesignProblem.evaluate.",
    )
    _check_same(inside.take([0, 2]), got.take([0, 2]), "a design outside the space must leave the other rows alone")


def _check_same(first: Evaluations, second: Evaluations, rule: str) -> None:
    pairs = {name: (first.metrics[name], second.metrics[name]) for name in first.metrics}
    pairs |= {name: (getattr(first, name), getattr(second, name)) for name in ("losses", "violation", "reward")}
    for name, (a, b) in pairs.items():
        require(np.array_equal(a, b, equal_nan=True), f"{rule}, but {name} differs. Keep no state, draw no numbers.")


def check_faces(problem: DesignProblem, actions: int = 1000, bins: int = 8) -> None:
    """Check a problem's three Gymnasium environments, compared on this many random actions."""
    check_design_env(problem)
    check_vector_env(problem, actions)
    check_stepwise_env(problem, bins)
