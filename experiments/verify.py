"""Price the best designs of a sweep again under options that search did not see: other noise, a more faithful model.

What search found is the best of many under its own options, and so partly luck under them. The designs are those of
the log; their numbers under the other options go into DIR/verified.parquet alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Columns, Failure
from designgym.envs import DesignProblem, Evaluations
from designgym.envs.ranking import rows_of
from designgym.experiments.agreement import Agreement, agreements_of
from designgym.experiments.log import Sweep, load_sweep
from designgym.experiments.pricing import Slowly, is_slow, priced_slowly
from designgym.experiments.report.trials import Trials
from designgym.experiments.results import Results
from designgym.experiments.verified import Comparison, add_verified, comparisons, joined, read_verified
from designgym.experiments.verified_changes import Change, changes_of
from designgym.experiments.verify_designs import Found, best_designs
from designgym.experiments.verify_options import OWN, Again, options_text, problems_again

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Verification:
    """What `verify` came to. options: the set, as text. skipped: why a problem was left out, by its label.

    comparisons: of this set, all agents together before each of them. changes: of each of these, the metrics that are
    others then; agreements: how another cost model agrees with the sweep's, if the set names one. failed:
    designs whose evaluation failed.
    """

    sweep: Sweep
    options: str
    top: int
    comparisons: tuple[Comparison, ...]
    changes: tuple[tuple[Change, ...], ...]
    agreements: tuple[tuple[Agreement, ...], ...]
    skipped: dict[str, str]
    failed: int
    path: Path


def verify(
    directory: Path | str,
    options: Mapping[str, Any],
    top: int = 10,
    environments: Sequence[str] = (),
    workers: int = 1,
    results: Results | None = None,
    heard: Callable[[int, int], None] = lambda done, of: None,
    failed: Callable[[int, Failure], None] = lambda number, why: None,
) -> Verification:
    """Price again the `top` best distinct feasible designs of each agent, by each objective, with options replaced.

    options: cost_model names another one, `OWN` the problem's own where search had what a file holds. environments: ids
    or labels of the problems meant, all if empty; problems without one of the options, or that were searched with it,
    are skipped. workers: designs of a slow cost model that are priced at a time. results: what simulators came to
    before, which is recalled and added to. heard: called with how many of a slow model's designs are priced, and of how
    many; failed: with a design's number and why its evaluation failed. ValueError, in one line, where the options
    change the space, where nothing is left to verify, and where the sweep's cost model is another by now.
    """
    _check(options, top, workers)
    directory, text = Path(directory), options_text(options)
    options = {name: None if name == "cost_model" and v == OWN else v for name, v in options.items()}
    sweep = load_sweep(directory)
    read_verified(directory)  # what is damaged is said before anything is priced
    again, skipped = problems_again(sweep, options, environments)
    found = best_designs(sweep, {one.logged.label for one in again}, top)
    pricing = _Pricing(text, Slowly(workers, results, heard, failed))
    tables, failures = [], 0
    for one in again:
        if one.logged.label not in found:
            skipped[one.logged.label] = "none of its runs has found a feasible design yet"
            continue
        table, count = _verified(one, sweep, found[one.logged.label], pricing)
        tables.append(table)
        failures += count
    if not tables:
        raise ValueError(f"nothing to verify in {directory}: {'; '.join(f'{k}: {v}' for k, v in skipped.items())}.")
    new = joined(tables)
    found_again = tuple(comparisons(new))
    metrics = [sweep.problems[one.problem].metrics for one in found_again]
    changes = tuple(changes_of(new, one, known) for one, known in zip(found_again, metrics, strict=True))
    agreements = tuple(agreements_of(new, one, known) for one, known in zip(found_again, metrics, strict=True))
    path = add_verified(directory, new)
    return Verification(sweep, text, top, found_again, changes, agreements, skipped, failures, path)


def _check(options: Mapping[str, Any], top: int, workers: int) -> None:
    if not options:
        raise ValueError(
            "--set must name an option that search did not see, got none. Give --set noise_seed=1, or --cost-model."
        )
    for name, value in (("--top", top), ("--workers", workers)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}. Raise it.")


@dataclass(frozen=True)
class _Pricing:
    """How designs are priced again. text: under which options."""

    text: str
    slowly: Slowly


def _verified(one: Again, sweep: Sweep, agents: Found, pricing: _Pricing) -> tuple[pa.Table, int]:
    """Return one problem's rows, and of how many designs the evaluation failed."""
    space = one.problem.space
    parts = [_columns(one.problem, trials) for trials in agents.values()]
    designs = {name: np.concatenate([part[name] for part in parts]) for name in space.columns}
    _refuse_outside(one, designs, pricing.text)
    # Agents may have found the same designs: each is priced once.
    places: dict[tuple[Any, ...], int] = {}
    back = [places.setdefault(key, len(places)) for key in zip(*(c.tolist() for c in designs.values()), strict=True)]
    once = np.unique(back, return_index=True)[1]
    distinct = _priced(one, rows_of(designs, once), pricing)
    priced = distinct.take(np.array(back))
    tables, begun = [], 0
    for (agent, objective), trials in agents.items():
        own = priced.take(slice(begun, begun + len(trials)))
        begun += len(trials)
        sign = -1.0 if objective in (one.logged.objective.get("maximize") or ()) else 1.0
        head = {"set": pricing.text, "problem": one.logged.label, "environment": one.logged.id, "agent": agent}
        tables.append(_rows(head | {"objective": objective}, sign, sweep, trials, own))
    return joined(tables), int(np.isinf(distinct.violation).sum())


def _columns(problem: DesignProblem, trials: Trials) -> Columns:
    """Return the designs of trials as columns of the space."""
    parsed = [problem.space.parse(trials.design(row)) for row in range(len(trials))]
    return {name: np.concatenate([part[name] for part in parsed]) for name in problem.space.columns}


def _refuse_outside(one: Again, designs: Columns, text: str) -> None:
    """ValueError where a constraint that depends on the options leaves a design out."""
    inside = one.problem.space.contains(designs)
    if not inside.all():
        names = one.problem.space.describe(rows_of(designs, ~inside))
        first = ", ".join(f"{name}={values[0]}" for name, values in names.items())
        raise ValueError(
            f"{one.logged.label}: designs must be legal under {text} too, got {int((~inside).sum())} that are not, "
            f"such as {first}. Verify under options that leave the space as it is."
        )


def _priced(one: Again, designs: Columns, pricing: _Pricing) -> Evaluations:
    if is_slow(one.problem.cost_model):
        return one.problem.objective(priced_slowly(one.problem, designs, pricing.slowly))
    try:
        return one.problem.evaluate_inside(designs)
    except (ValueError, OSError):
        raise
    except Exception as error:  # as above, where a value shows only when it is used
        text = f"{type(error).__name__}: {error}"
        raise ValueError(f"{one.logged.id} cannot price under {pricing.text}: {text}.") from error


def _rows(head: Mapping[str, str], sign: float, sweep: Sweep, trials: Trials, priced: Evaluations) -> pa.Table:
    import pyarrow as pa

    n, runs = len(trials), [sweep.runs[place] for place in trials.run.tolist()]
    columns: dict[str, Any] = {name: _texts([value] * n) for name, value in head.items()}
    columns |= {"place": np.arange(1, n + 1), "run": _texts([run.key for run in runs])}
    columns |= {"seed": np.array([run.seed for run in runs]), "number": trials.number}
    columns |= {"loss.searched": trials.losses[:, 0], "loss.verified": sign * priced.metrics[head["objective"]]}
    columns |= {"feasible": priced.feasible, "violation": priced.violation}
    for name in trials.designs:
        values = trials.values(name)
        columns[f"design.{name}"] = _texts(values) if name in trials.names else values
    columns |= {f"searched.{name}": values for name, values in trials.metrics.items()}
    columns |= {f"verified.{name}": values for name, values in priced.metrics.items() if name != "violation"}
    return pa.table(columns)


def _texts(values: Iterable[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array(list(values), pa.string()).dictionary_encode()
