"""Problems by id, and their Gymnasium environments.

Gymnasium's registry holds string entry points, so that specs pickle, turn to JSON and import nothing before its time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium

from designgym.cost_models.plugins import undo_if_plugin_fails
from designgym.cost_models.registry import (
    OptionError,
    Registry,
    check_option_names,
    check_options,
    cost_model_options,
    make_cost_model,
    nearest,
    options_of,
)
from designgym.envs.cost_model_files import is_cost_model_file, priced_by_file
from designgym.envs.objective_options import objective_for, objective_of_fields, objective_of_text
from designgym.envs.problem import DesignProblem

if TYPE_CHECKING:
    from designgym.envs.sequential import SequentialEnv

NAMESPACE = "designgym"
ID = re.compile(r"[A-Za-z]\w*-v\d+")
# Keyword arguments that `gymnasium.make` and the environments keep for themselves: no option may be called so.
OF_FACES = ("id", "problem_id", "horizon", "bins", "num_envs", "render_mode", "max_episode_steps", "vectorization_mode",
            "disable_env_checker", "vector_kwargs", "wrappers")  # fmt: skip

_PROBLEMS = Registry("problem")
_STEPWISE: set[str] = set()  # ids of problems that are meant to be designed choice by choice
_NEEDY: dict[str, tuple[str, ...]] = {}  # ids of problems that cannot be made without these options
_SEQUENTIAL = Registry("sequential environment")  # ids of problems that are the fixed policies of one
_VECTORS = Registry("sequential vector environment")


def register_problem(id: str, entry_point: str, stepwise: bool = False, needs: tuple[str, ...] = ()) -> None:
    """Make a problem known under an id such as "GemmTiling-v0", and its environments to Gymnasium.

    entry_point: "module:function", which returns a `DesignProblem`; its arguments are the problem's options, each with
    a default. Gymnasium gets designgym/GemmTiling-v0 and designgym/GemmTilingStepwise-v0; stepwise: the first is the
    stepwise face, and the other is designgym/GemmTilingDesign-v0. needs: options without a default, such as a file;
    `problem_ids` leaves out such an id. ValueError when the id is taken.
    """
    if not ID.fullmatch(id):
        raise ValueError(f"a problem's id must be letters and digits and a version, as in 'GemmTiling-v0', got {id!r}.")
    names = _names(id, stepwise)
    if id not in _PROBLEMS.names():
        _check_free(id, names)
    elif stepwise != (id in _STEPWISE):
        raise ValueError(f"problem {id!r} must be registered twice alike, got stepwise={stepwise}. Choose another id.")
    _PROBLEMS.register(id, entry_point)
    if names[0] in gymnasium.registry:
        return  # registered twice alike
    if stepwise:
        _STEPWISE.add(id)
        undo_if_plugin_fails(entry_point, partial(_STEPWISE.discard, id))
    if needs:
        _NEEDY[id] = needs
        undo_if_plugin_fails(entry_point, partial(_NEEDY.pop, id, None))
    for name in names:
        undo_if_plugin_fails(entry_point, partial(gymnasium.registry.pop, name, None))
    gymnasium.register(
        names[0],
        entry_point="designgym.envs.making:make_design_env",
        vector_entry_point="designgym.envs.making:make_design_vector_env",
        kwargs={"problem_id": id},
    )
    gymnasium.register(
        names[1],
        entry_point="designgym.envs.making:make_stepwise_env",
        vector_entry_point="designgym.envs.making:make_stepwise_vector_env",
        kwargs={"problem_id": id},
    )


def register_sequential(id: str, entry_point: str, problem: str, vector: str | None = None) -> None:
    """Make a sequential environment known under an id such as "RelaxationSequence-v0", and to Gymnasium.

    entry_point: "module:Class" of a `SequentialEnv`; its arguments are its options, each with a default. problem:
    "module:function" that returns the `DesignProblem` over its fixed policies; what it takes are options too, those
    that both take bear one name. vector: "module:Class" of a vector environment with num_envs and the same options.
    ValueError when the id is taken.
    """
    if not ID.fullmatch(id):
        raise ValueError(f"an id must be letters and digits and a version, as in 'ThreeBody-v0', got {id!r}.")
    name = gymnasium_id(id)
    if id not in _SEQUENTIAL.names():
        _check_free(id, (name,))
    _SEQUENTIAL.register(id, entry_point)
    _PROBLEMS.register(id, problem)
    if vector is not None:
        _VECTORS.register(id, vector)
    if name in gymnasium.registry:
        return  # registered twice alike
    undo_if_plugin_fails(entry_point, partial(gymnasium.registry.pop, name, None))
    gymnasium.register(
        name,
        entry_point="designgym.envs.making:make_sequential_env",
        vector_entry_point="designgym.envs.making:make_sequential_vector_env" if vector else None,
        kwargs={"env_id": id},
    )


def _check_free(id: str, names: tuple[str, ...]) -> None:
    """ValueError where Gymnasium knows one of the names already, such as the stepwise one of another problem."""
    for name in names:
        if name in gymnasium.registry:
            raise ValueError(
                f"problem {id!r}: Gymnasium must not know its environments yet, got {name} already. Choose another id."
            )


def problem_ids() -> tuple[str, ...]:
    """Return the ids of all problems that need no option, those that are fixed policies of a sequential one apart."""
    return tuple(name for name in _PROBLEMS.names() if name not in _SEQUENTIAL.names() and name not in _NEEDY)


def needy_ids() -> tuple[str, ...]:
    """Return the ids of all problems that cannot be made without an option, see `needed_options`."""
    return tuple(sorted(_NEEDY))


def needed_options(id: str) -> tuple[str, ...]:
    """Return the options without which a problem cannot be made: () of those in `problem_ids`."""
    return _NEEDY.get(full_id(id), ())


def sequential_ids() -> tuple[str, ...]:
    """Return the ids of all registered sequential environments."""
    return _SEQUENTIAL.names()


def is_sequential(id: str) -> bool:
    """Whether an id is that of a sequential environment. ValueError for an unknown one."""
    return full_id(id) in _SEQUENTIAL.names()


def full_id(id: str) -> str:
    """Return the registered id that is meant: "SystolicArray-v0" by itself, without version or with a namespace.

    ValueError names the nearest.
    """
    return _PROBLEMS.full_name(id.removeprefix(f"{NAMESPACE}/"))


def gymnasium_id(id: str, stepwise: bool = False) -> str:
    """Return what `gymnasium.make` calls a problem's environment, or its stepwise one."""
    return _names(id, id in _STEPWISE)[stepwise]


def _names(id: str, meant_stepwise: bool) -> tuple[str, str]:
    """Return Gymnasium's names of the design face and the stepwise one: the one that is meant goes without a word."""
    name, _, version = id.rpartition("-")
    own = f"{NAMESPACE}/{name}-{version}"
    if meant_stepwise:
        return f"{NAMESPACE}/{name}Design-{version}", own
    return own, f"{NAMESPACE}/{name}Stepwise-{version}"


def problem_function(id: str) -> Callable[..., DesignProblem]:
    """Return the function behind an id, as it was registered: its docstring says what the problem is."""
    function: Callable[..., DesignProblem] = _PROBLEMS.load(full_id(id))
    return function


def problem_options(id: str) -> dict[str, Any]:
    """Return the options of a problem, or of a sequential environment and its fixed policies, and their defaults."""
    own = options_of(problem_function(id))
    return {**own, **options_of(_SEQUENTIAL.load(full_id(id)))} if is_sequential(id) else own


def make_problem(id: str, /, **options: Any) -> DesignProblem:
    """Make a registered problem. ValueError names the nearest known id or option.

    objective: an `Objective`, a mapping of its fields, or metrics ("energy_j", "latency_s,energy_j"), each minimised or
    maximised as is better, under the constraints that the problem has by default.
    cost_model: a `CostModel`, or the name of a registered one, made with those of the problem's options that it takes;
    or what a file holds, as "surrogate:model/" (`designgym.envs.cost_model_files`).
    cheap: a second, less faithful cost model, given likewise; any problem that takes a cost_model takes it.
    """
    id = full_id(id)
    function = problem_function(id)
    options = taken_by(id, function, options)
    if "cheap" in options and "cheap" not in options_of(function):
        return _with_cheap(id, function, options)
    check_options(f"problem {id!r}", function, options)
    if is_cost_model_file(options.get("cost_model")):
        return _priced_by_file(id, function, options)
    return _made(id, function, options)


def _made(id: str, function: Callable[..., DesignProblem], options: dict[str, Any]) -> DesignProblem:
    if isinstance(options.get("cost_model"), str):
        options["cost_model"] = _named_cost_model(options["cost_model"], {**options_of(function), **options})
    wanted = options.get("objective")
    if isinstance(wanted, Mapping):
        options["objective"] = objective_of_fields(id, wanted)
    elif isinstance(wanted, str):
        options["objective"] = objective_of_text(wanted, function, options)
    problem = function(**options)
    if not isinstance(problem, DesignProblem):
        raise ValueError(f"problem {id!r}: its function must return a DesignProblem, got {type(problem).__name__}.")
    return problem


def _priced_by_file(id: str, function: Callable[..., DesignProblem], options: dict[str, Any]) -> DesignProblem:
    """Make a problem whose cost model a file holds: it must fit what the problem is with its own."""
    wanted = options.pop("objective", None)
    problem = _made(id, function, {name: value for name, value in options.items() if name != "cost_model"})
    space, model = priced_by_file(problem, options["cost_model"], id, options)
    objective = problem.objective if wanted is None else objective_for(id, wanted, model.metrics, problem.objective)
    return replace(problem, space=space, cost_model=model, objective=objective)


def _with_cheap(id: str, function: Callable[..., DesignProblem], options: dict[str, Any]) -> DesignProblem:
    """Make a problem of two fidelities."""
    cheap = options.pop("cheap")
    if "cost_model" not in options_of(function):
        raise OptionError(f"cheap needs a problem that takes a cost_model, got {id}, which does not. Leave it out.")
    problem = make_problem(id, **options)
    if is_cost_model_file(cheap):
        cheap = priced_by_file(problem, cheap, id, options)[1]
    elif isinstance(cheap, str):
        cheap = _named_cost_model(cheap, {**options_of(function), **options})
    return problem if cheap is None else replace(problem, cheap=cheap)


def make_sequential(id: str, /, **options: Any) -> SequentialEnv[Any, Any]:
    """Make a registered sequential environment. ValueError names the nearest known id or option.

    options: those of the environment; those that its fixed policies alone take are left aside.
    """
    name = full_id(id)
    if name not in _SEQUENTIAL.names():
        raise ValueError(f"{name} must be a sequential environment, got a problem. {nearest(id, sequential_ids())}")
    made = _SEQUENTIAL.load(name)
    taken = taken_by(name, made, options)
    check_options(f"environment {name!r}", made, taken)
    env: SequentialEnv[Any, Any] = made(**taken)
    if len(taken) < len(options):
        env.problem = make_problem(name, **options)
    return env


def make_sequential_vectors(id: str, /, num_envs: int = 1, **options: Any) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Make a sequential environment's own vector environment, as it was registered."""
    made = _VECTORS.load(full_id(id))
    taken = taken_by(id, made, options)
    check_options(f"environment {full_id(id)!r}", made, taken)
    env: gymnasium.vector.VectorEnv[Any, Any, Any] = made(num_envs=num_envs, **taken)
    return env


def taken_by(id: str, function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what only the other face of a sequential environment takes: the options of both are given as one.

    OptionError names an option that neither takes.
    """
    if not is_sequential(id):
        return dict(options)
    check_option_names(f"environment {full_id(id)!r}", options, problem_options(id))
    own = options_of(function)
    return {name: value for name, value in options.items() if name in own}


def refuse_of_fixed_policies(id: str, options: Iterable[str]) -> None:
    """OptionError where an option of a sequential environment is of no account when it is played.

    `objective` and `cost_model` are the fixed policies' own too, but say what trials come to.
    """
    played = options_of(_SEQUENTIAL.load(full_id(id))).keys() | {"objective", "cost_model"}
    for name in options:
        if name not in played and name in problem_options(id):
            raise OptionError(
                f"{name} is an option of the fixed policies of {full_id(id)} alone, and changes nothing where it is "
                "played. Leave it out."
            )


def _named_cost_model(name: str, options: Mapping[str, Any]) -> Any:
    taken = cost_model_options(name).keys() - {"objective", "cost_model"}
    return make_cost_model(name, **{key: options[key] for key in taken & options.keys() if options[key] is not None})
