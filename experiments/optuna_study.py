"""A sweep's trials as a study of Optuna's, for `optuna.visualization` and optuna-dashboard."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.optuna_trials import quiet
from designgym.envs.pareto import nondominated
from designgym.experiments.log import LoggedProblem, LoggedRun, Sweep, load_sweep
from designgym.experiments.optuna_parameters import distributions_of, logged_space, orders_of, params_of
from designgym.experiments.rows import designs_of
from designgym.experiments.trials import no_trials, run_tables

if TYPE_CHECKING:
    import optuna
    import pyarrow as pa

OWN = ("run", "index", "agent", "seed", "status", "feasible", "violation")  # attributes of a trial beside its metrics


def to_study(
    directory: Path | str,
    problem: str | None = None,
    *,
    agent: str | None = None,
    seed: int | None = None,
    limit: int | None = 5_000,
    storage: str | optuna.storages.BaseStorage | None = None,
    study_name: str | None = None,
) -> optuna.Study:
    """Return the designs of one problem of a sweep, priced by its faithful model, as a study, run after run.

    problem, agent: labels in the log, or the agent's name; a sweep of several problems needs the first.
    limit: the most trials (one a run if that is more); a warning says what was left out. Each run keeps what improved
    on all before it, with several objectives its Pareto set, and others at even distances. None: all.
    storage, study_name: of a new study, as Optuna takes them.

    Parameters: Integer and Float as they are; Ordinal and Categorical as categories, which are numbers and names;
    Permutation as the place of each item from 0, `order.m`; Subset by its members. Idle ones are absent.
    Values: the metrics of the objective, in their own directions. The one constraint is the violation, above 0 where
    infeasible. A design that failed, or whose values are NaN, is a failed trial.
    Times: each run as if it had begun when the sweep did, a trial beginning when the run's last answer had come.
    User attributes of a trial: each metric that has a value; run, index, agent, seed, status, feasible, violation; an
    order also as a text, `design.order`. Of the study: units (by metric), metrics, parameters, problem, options,
    objective, sweep, versions, trials (how many the log has of these).
    With reward="target" designs that meet the target are equally good to a sweep, and Optuna ranks them by the metric.
    ValueError for what the sweep lacks, a limit below 1, a study_name that is taken; LogError where no trials are left.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, or None for all trials, got {limit}.")
    sweep = load_sweep(directory)
    shown = _problem(sweep, problem)
    runs = {run.key: run for run in _runs(sweep, shown, agent, seed)}
    expected = sum(run.trials for run in runs.values())
    export = _Export(shown, sweep)
    trials: list[optuna.trial.FrozenTrial] = []
    damage: dict[str, str] = {}
    count = 0
    for key, rows in run_tables(directory, damage, runs):
        rows = _faithful(rows)
        count += rows.num_rows
        quota = rows.num_rows if limit is None or expected <= limit else max(1, limit * rows.num_rows // expected)
        trials += export.trials(rows, runs[key], _kept(rows, shown, quota))
    if not trials:
        raise no_trials(directory, damage)
    chosen = [f"{name} {value}" for name, value in (("agent", agent), ("seed", seed)) if value is not None]
    name = study_name or ", ".join([f"{sweep.name}: {shown.label}", *chosen])
    if len(trials) < count:
        warnings.warn(f"the study takes {len(trials):,} of {count:,} trials. Give limit=None for all.", stacklevel=2)
    return _new_study(name, storage, shown, export.attributes() | {"trials": count}, trials)


def _problem(sweep: Sweep, label: str | None) -> LoggedProblem:
    if label is None and len(sweep.problems) == 1:
        return next(iter(sweep.problems.values()))
    if label not in sweep.problems:
        got = "none" if label is None else repr(label)
        raise ValueError(f"problem must be one of {', '.join(map(repr, sweep.problems))}, got {got}. Name one.")
    return sweep.problems[label]


def _runs(sweep: Sweep, problem: LoggedProblem, agent: str | None, seed: int | None) -> list[LoggedRun]:
    """Return the runs of a problem that are wanted; ValueError where there are none."""
    runs = [run for run in sweep.runs if run.problem == problem.label]
    if agent is not None:
        known = sorted({run.label for run in runs})
        runs = [run for run in runs if agent in (run.label, run.agent)]
        if not runs:
            raise ValueError(f"agent must be one of {', '.join(map(repr, known))}, got {agent!r}.")
    if seed is not None:
        seeds = sorted({run.seed for run in runs})
        runs = [run for run in runs if run.seed == seed]
        if not runs:
            raise ValueError(f"seed must be one of {', '.join(map(str, seeds))}, got {seed}.")
    return runs


def _faithful(rows: pa.Table) -> pa.Table:
    """Drop repeats, and what was priced by a cheap model: those are other numbers."""
    import pyarrow.compute as pc

    return rows.filter(pc.and_(rows.column("fresh"), pc.equal(rows.column("fidelity").cast("string"), "faithful")))


def _kept(rows: pa.Table, problem: LoggedProblem, most: int) -> NDArray[np.int64]:
    """Return which of a run's rows go into the study, at most so many, in order."""
    if rows.num_rows <= most:
        return np.arange(rows.num_rows)
    reward = rows.column("reward").to_numpy()
    best = reward > np.append(-np.inf, np.fmax.accumulate(reward)[:-1])
    names = _objectives(problem)
    if len(names) > 1:
        losses = np.stack([rows.column(f"loss.{name}").to_numpy() for name in names], axis=1)
        known = rows.column("feasible").to_numpy() & ~np.isnan(losses).any(axis=1)
        best = known.copy()
        best[known] = nondominated(losses[known])
    first = _evenly(np.flatnonzero(best), most)
    rest = np.setdiff1d(np.arange(rows.num_rows), first)
    return np.sort(np.append(first, _evenly(rest, most - len(first))))


def _evenly(numbers: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most so many of them at even distances, the last of them first."""
    return numbers[np.linspace(len(numbers) - 1, 0, min(most, len(numbers))).astype(np.int64)]


def _objectives(problem: LoggedProblem) -> list[str]:
    return [*problem.objective["minimize"], *problem.objective["maximize"]]


class _Export:
    """Turns trial rows of one problem into Optuna's trials, and what the log says of it into attributes."""

    def __init__(self, problem: LoggedProblem, sweep: Sweep) -> None:
        self._problem, self._sweep = problem, sweep
        self._space = logged_space(problem.parameters)
        self._distributions = {k: v for p in self._space.parameters for k, v in distributions_of(p).items()}
        # Optuna's times are local ones without a zone.
        self._began = datetime.fromisoformat(sweep.sessions[0]["started"]).astimezone().replace(tzinfo=None)

    def attributes(self) -> dict[str, Any]:
        """Return the study's attributes, as JSON values."""
        problem = self._problem
        return {
            "units": {metric.name: metric.unit for metric in problem.metrics},
            "metrics": [vars(metric) for metric in problem.metrics],
            "parameters": list(problem.parameters),
            "problem": problem.id,
            "options": problem.options,
            "objective": problem.objective,
            "sweep": self._sweep.name,
            "versions": self._sweep.versions,
        }

    def trials(self, rows: pa.Table, run: LoggedRun, kept: NDArray[np.int64]) -> list[optuna.trial.FrozenTrial]:
        """Return the kept rows of a run as finished trials."""
        from optuna.trial import FrozenTrial, TrialState

        times = _times(rows.column("elapsed_s").to_numpy())[kept]
        rows = rows.take(kept)
        designs = designs_of(rows, self._space)
        metrics = {m.name: rows.column(f"metric.{m.name}").to_numpy() for m in self._problem.metrics}
        values = np.stack([metrics[name] for name in _objectives(self._problem)], axis=1)
        complete = ~np.isnan(values).any(axis=1)
        made = []
        for i, (params, attributes) in enumerate(
            zip(params_of(self._space, designs), self._trial_attributes(rows, run, metrics, designs), strict=True)
        ):
            start, end = (self._began + timedelta(seconds=second) for second in times[i].tolist())
            made.append(FrozenTrial(
                number=-1, trial_id=-1,  # the study numbers them
                state=TrialState.COMPLETE if complete[i] else TrialState.FAIL,
                value=None, values=values[i].tolist() if complete[i] else None,
                datetime_start=start, datetime_complete=end,
                params=params, distributions={name: self._distributions[name] for name in params},
                user_attrs=attributes, system_attrs=_constraint(attributes["violation"]), intermediate_values={},
            ))  # fmt: skip
        return made

    def _trial_attributes(
        self, rows: pa.Table, run: LoggedRun, metrics: dict[str, NDArray[np.float64]], designs: Any
    ) -> Iterator[dict[str, Any]]:
        columns = {f"metric.{name}" if name in OWN else name: values.tolist() for name, values in metrics.items()}
        columns |= orders_of(self._space, designs)
        columns |= {name: rows.column(name).to_pylist() for name in ("index", "status", "feasible", "violation")}
        of_run = {"run": run.key, "agent": run.label, "seed": run.seed}
        for values in zip(*columns.values(), strict=True):
            known = {k: v for k, v in zip(columns, values, strict=True) if v is not None and v == v}
            yield known | of_run


def _constraint(violation: float) -> dict[str, list[float]]:
    """Return the system attribute that says it. Optuna 5 would name it, but optuna-dashboard reads a list alone."""
    return {"constraints": [violation]} if np.isfinite(violation) else {}  # Optuna takes no infinite one


def _times(elapsed_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when each trial began and ended, (n, 2): it began when the answer before it had come."""
    distinct, which = np.unique(elapsed_s, return_inverse=True)
    return np.stack([np.append(0.0, distinct[:-1])[which], elapsed_s], axis=1)


def _new_study(
    name: str, storage: Any, problem: LoggedProblem, attributes: dict[str, Any], trials: Sequence[Any]
) -> optuna.Study:
    import optuna

    towards = optuna.study.StudyDirection
    minimize, maximize = problem.objective["minimize"], problem.objective["maximize"]
    directions = [towards.MINIMIZE] * len(minimize) + [towards.MAXIMIZE] * len(maximize)
    with quiet():
        try:
            study = optuna.create_study(storage=storage, study_name=name, directions=directions)
        except optuna.exceptions.DuplicatedStudyError:
            raise ValueError(f"study_name must be new in its storage, got {name!r}. Give another one.") from None
        try:
            study.set_metric_names(_objectives(problem))
            for attribute, value in attributes.items():
                study.set_user_attr(attribute, value)
            study.add_trials(trials)
        except BaseException:
            optuna.delete_study(study_name=name, storage=study._storage)  # half of one would pass for the whole
            raise
    return study
