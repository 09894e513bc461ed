"""What DIR/sweep.json says: the runs of a sweep and all that a reader needs to understand their trials."""

from __future__ import annotations

import datetime
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from designgym.envs import Parameter
from designgym.experiments.log import FORMAT
from designgym.experiments.plain import plain
from designgym.experiments.runs import RunSpec, SweepProblem
from designgym.experiments.spec import SweepSpec
from designgym.experiments.versions import versions


def index_of(
    spec: SweepSpec, runs: Sequence[RunSpec], sessions: list[dict[str, Any]], workers: int | None, address: str | None
) -> dict[str, Any]:
    """Return what sweep.json holds. sessions: the earlier ones, to which this one is added."""
    session = {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command_line(),
        "versions": versions(),
        "workers": workers,
        "address": address,
    }
    return {
        "format": FORMAT,
        "name": spec.name,
        "spec": spec.model_dump(mode="json"),
        "sessions": [*sessions, session],
        "problems": {run.problem.label: _problem(run.problem) for run in runs},
        "runs": [_run(run) for run in runs],
    }


def command_line() -> str:
    """Return the command that started this process, without the folder that the program lies in."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _run(run: RunSpec) -> dict[str, Any]:
    return {
        "key": run.key,
        "problem": run.problem.label,
        "agent": run.agent.name,
        "label": run.agent.label,
        "hyperparameters": plain(run.agent.hyperparameters),
        "seed": run.seed,
        "budget": run.budget,
        "definition": run.definition,
    }


def _problem(problem: SweepProblem) -> dict[str, Any]:
    space = problem.problem.space
    start = None if problem.start is None else plain(space.describe(problem.start))
    return {
        "id": problem.id,
        "given": plain(problem.given),
        "options": plain(problem.options),
        "objective": plain(problem.problem.objective),
        "cost_model": type(problem.problem.cost_model).__name__,
        "metrics": [vars(metric) for metric in problem.problem.cost_model.metrics],
        "parameters": [parameter_fields(parameter) for parameter in space.parameters],
        "size": None if math.isinf(space.size) else int(space.size),
        "start": start,
        "played": problem.played,
    }


def parameter_fields(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter as the log writes it: its kind, its fields, its columns."""
    return {**plain(parameter), "columns": list(parameter.columns)}
