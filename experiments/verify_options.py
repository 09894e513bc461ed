"""The problems of a sweep under other options than search saw, with the same space: what `verify` prices with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from designgym.cost_models.registry import OptionError, check_options, nearest
from designgym.envs import DesignProblem
from designgym.envs.registry import problem_function, taken_by
from designgym.experiments.commands import name_commands, problem_of_log
from designgym.experiments.log import LoggedProblem, Sweep
from designgym.experiments.plain import plain
from designgym.experiments.report.truth import remake

OWN = "own"  # the cost model that a problem has by default
IN_WORDS_ONLY = ("unit", "meaning", "default")  # of a parameter: they change no design


@dataclass(frozen=True)
class Again:
    """A problem of the sweep, and the same under the other options."""

    logged: LoggedProblem
    problem: DesignProblem


def options_text(options: Mapping[str, Any]) -> str:
    """Return options as one text, the same for the same options in any order: noise_seed=1, points=500."""
    texts = {name: value if isinstance(value, str) else json.dumps(plain(value)) for name, value in options.items()}
    return ", ".join(f"{name}={texts[name]}" for name in sorted(texts))


def problems_again(
    sweep: Sweep, options: Mapping[str, Any], environments: Sequence[str]
) -> tuple[list[Again], dict[str, str]]:
    """Return the problems that can be priced under the other options, and why each other one is left out.

    environments: ids or labels of those meant, all if empty. ValueError, in one line, where none is left, where the
    options change a space, and where a problem's cost model is not what priced the sweep.
    """
    chosen = _chosen(sweep, environments)
    skipped, again = dict[str, str](), list[Again]()
    refused: OptionError | None = None
    for logged in chosen:
        if logged.played:
            skipped[logged.label] = "it was played, and a trial that went well is no design to price again"
            continue
        try:
            function = problem_function(logged.id)
            given = taken_by(logged.id, function, logged.given)
            check_options(f"problem {logged.id!r}", function, {**given, **options})
        except OptionError as error:
            refused = refused or error
            skipped[logged.label] = str(error).rstrip(".")
            continue
        same = all(name in logged.options and plain(v) == logged.options[name] for name, v in options.items())
        if same:
            skipped[logged.label] = f"{options_text(options)} is what search saw"
        else:
            again.append(Again(logged, _remade(sweep, logged, options)))
    if not again and refused is not None:
        raise refused
    if not again:
        raise ValueError(
            f"--set must differ from what search saw, got {options_text(options)}, which it did. Give another value."
        )
    return again, skipped


def _chosen(sweep: Sweep, environments: Sequence[str]) -> list[LoggedProblem]:
    problems = list(sweep.problems.values())
    if not environments:
        return problems
    known = {name for one in problems for name in (one.id, one.label)}
    for wanted in environments:
        if not any(_is(one, wanted) for one in problems):
            raise ValueError(f"--environment must be a problem of the sweep, got {wanted!r}. {nearest(wanted, known)}")
    return [one for one in problems if any(_is(one, wanted) for wanted in environments)]


def _is(logged: LoggedProblem, wanted: str) -> bool:
    wanted = wanted.removeprefix("designgym/")
    return wanted in (logged.id, logged.label, logged.id.rpartition("-")[0])


def _remade(sweep: Sweep, logged: LoggedProblem, options: Mapping[str, Any]) -> DesignProblem:
    """Make a problem under the other options; ValueError unless its space and model are those that were searched."""
    name_commands(logged.id, options)  # the same file may have priced the sweep
    version = next(run.definition["cost_model"] for run in sweep.runs if run.problem == logged.label)
    searched, why = remake(logged, version)
    if searched is None:
        raise ValueError(
            f"{logged.label}: what was searched must be there to be verified, but {why}. Install what the sweep was "
            "run with, or choose other problems with --environment."
        )
    text = options_text(options)
    try:
        problem = problem_of_log(logged, options)
    except (ValueError, OSError):
        raise
    except Exception as error:  # a problem's function may raise anything for a value that it did not foresee
        raise ValueError(f"{logged.id} refused {text}: {type(error).__name__}: {error}.") from error
    differs = _difference(logged, problem)
    if differs:
        raise ValueError(
            f"{logged.label}: the space must stay the same under {text}, but {differs}. Verify under options that "
            "change what designs come to, not which there are, or choose other problems with --environment."
        )
    names = [metric.name for metric in problem.cost_model.metrics]
    missing = [name for name in searched.objective.names if name not in names]
    if missing:
        raise ValueError(f"{logged.label}: {missing[0]} must be priced under {text} too, got {', '.join(names)}.")
    return problem


def _difference(logged: LoggedProblem, problem: DesignProblem) -> str:
    """Say how a problem's parameters differ from those that were searched, "" where they do not."""

    def bare(parameter: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in parameter.items() if key not in IN_WORDS_ONLY}

    before = {one["name"]: bare({k: v for k, v in one.items() if k != "columns"}) for one in logged.parameters}
    after = {one.name: bare(plain(one)) for one in problem.space.parameters}
    for name in [*before, *after]:
        if name not in after:
            return f"it then has no parameter {name}"
        if name not in before:
            return f"it then has a parameter {name} more"
        if before[name] != after[name]:
            return f"{name} then takes other values"
    return ""
