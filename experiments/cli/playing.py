"""`designgym show` and `designgym run` of sequential environments: what they are, and one run of an agent."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from designgym.experiments.cli.console import console, print_json, table
from designgym.experiments.cli.rows import metric_rows, parameter_rows, print_metrics, print_parameters
from designgym.experiments.quantities import duration, quantity

LATE = 0.2  # share of the trials, the last ones, whose mean is given beside that of all


def environment_row(name: str) -> dict[str, Any]:
    """Return what `designgym list` says of a sequential environment."""
    from designgym.envs import make_sequential

    env = make_sequential(name)
    summary = (inspect.getdoc(type(env)) or "").split("\n")[0]
    return {"id": name, "trial": env.trial, "actions": str(env.action_space), "summary": summary}


def show_environment(name: str, options: dict[str, Any], json: bool) -> None:
    """Show a sequential environment: what is observed and done, what a trial is, its options and its fixed policies."""
    from designgym.envs import make_sequential, problem_options

    env = make_sequential(name, **options)
    doc = inspect.getdoc(type(env)) or ""
    model_doc = inspect.getdoc(type(env.problem.cost_model)) or ""
    defaults = {key: options.get(key, value) for key, value in problem_options(name).items()}
    parameters = parameter_rows(env.problem.space)
    settings = {key: "default" if value is None else str(value) for key, value in defaults.items()}
    told = {
        "id": name,
        "doc": doc,
        "trial": env.trial,
        "observation": str(env.observation_space),
        "action": str(env.action_space),
        "fixed_policies": parameters,
        "cost_model": {"name": type(env.problem.cost_model).__name__, "doc": model_doc},
        "metrics": metric_rows(env.problem.cost_model),
        "options": settings,
    }
    if json:
        print_json(told)
        return
    out = console()
    out.print(f"[bold]{name}[/bold]  sequential; a trial is a{'n' if env.trial == 'episode' else ''} {env.trial}\n")
    out.print(doc + "\n", markup=False)
    out.print(f"observation: {told['observation']}\naction: {told['action']}\n", markup=False)
    out.print(f"Cost model: {type(env.problem.cost_model).__name__}\n{model_doc}\n", markup=False)
    print_parameters("Fixed policies, which agents that search designs search", parameters)
    print_metrics(env.problem.cost_model)
    out.print(table("Options (--set)", ("option", "value"), settings.items()))


def play_here(
    name: str, options: dict[str, Any], agent: str, budget: int, seed: int, hyperparameters: dict[str, Any], json: bool
) -> None:
    """Let an agent play one run in this process, and say what its trials came to in the mean."""
    import time

    from designgym.agents import play_trials
    from designgym.envs import full_id, make_sequential
    from designgym.envs.sequential import RETURN

    env = make_sequential(name, **options)
    begun = time.perf_counter()
    with _Bar(budget, silent=json) as bar:
        trials = play_trials(env, agent, budget, seed, lambda _: bar.advance(), **hyperparameters)
    seconds = time.perf_counter() - begun
    late = slice(len(trials) - max(1, round(LATE * len(trials))), None)
    metrics = trials.evaluations.metrics
    feasible = trials.evaluations.feasible
    counted = {key: feasible | (key == RETURN.name) for key in metrics if key != "violation"}
    means = {key: _mean(metrics[key], rows) for key, rows in counted.items()}
    later = {key: _mean(metrics[key][late], rows[late]) for key, rows in counted.items()}
    result = {
        "id": full_id(name), "agent": agent, "seed": seed, "budget": budget, "trials": len(trials),
        "ended": trials.ended, "seconds": seconds, "mean": means, "mean_late": later,
        "feasible": float(feasible.mean()),
    }  # fmt: skip
    if json:
        print_json(result)
        return
    out = console()
    whole = f"{len(trials):,} trials in {duration(seconds)}; {feasible.mean():.1%} of them feasible"
    out.print(
        whole + ("." if feasible.all() else ", of which these are the means (the return's is of all)."), markup=False
    )
    units = {metric.name: metric.unit for metric in env.trial_problem.cost_model.metrics}
    rows = [(key, quantity(means[key], units[key]), quantity(later[key], units[key])) for key in means]
    heads = ("metric", "mean", f"mean of the last {LATE:.0%}")
    out.print(table("", heads, rows, heads[1:]))


def _mean(values: Any, counted: Any) -> float:
    """Return the mean over the trials that count, NaN where there are none."""
    return float(np.mean(values[counted])) if counted.any() else float("nan")


class _Bar:
    """A bar of trials; nothing when piped or silent."""

    def __init__(self, budget: int, silent: bool) -> None:
        self._budget, self._silent = budget, silent
        self._bar: Any = None

    def __enter__(self) -> _Bar:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        out = console(stderr=True)
        if not self._silent and out.is_terminal:
            columns = TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._bar = Progress(*columns, console=out, transient=True)
            self._task = self._bar.add_task("", total=self._budget)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self) -> None:
        """Count one trial."""
        if self._bar is not None:
            self._bar.advance(self._task)
