"""`designgym verify`: what a sweep's best designs come to under options that search did not see."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, assignments, console, print_json, table
from designgym.experiments.quantities import quantity


def verify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where a sweep was run, finished or not.")],
    set_: Annotated[
        list[str], typer.Option("--set", metavar="OPTION=VALUE", help="What search did not see; repeatable.")
    ] = [],  # noqa: B006
    top: Annotated[int, typer.Option(help="How many of each agent's best designs to price again.")] = 10,
    environment: Annotated[
        list[str], typer.Option(metavar="ID", help="A problem of the sweep, all by default; repeatable.")
    ] = [],  # noqa: B006
    workers: Annotated[int, typer.Option(help="Designs of a slow cost model that are priced at a time.")] = 1,
    json: Json = False,
) -> None:
    """Price a sweep's best designs again under other options, and say what is lost."""
    from designgym.experiments.report import write_report
    from designgym.experiments.verified_changes import in_words, worth_saying
    from designgym.experiments.verify import verify as verify_sweep

    found = verify_sweep(directory, assignments(set_, "--set"), top, environment, workers)
    page = write_report(directory)
    if json:
        print_json(_result(found) | {"report": page})
        return
    out = console()
    for problem in dict.fromkeys(one.problem for one in found.comparisons):
        ours = [pair for pair in zip(found.comparisons, found.changes, strict=True) if pair[0].problem == problem]
        for objective in dict.fromkeys(one.objective for one, _ in ours):
            wanted = [pair for pair in ours if pair[0].objective == objective]
            _print(out, found, problem, [one for one, _ in wanted])
            for change in worth_saying(wanted[0][1]):
                out.print(f"{in_words(change, found.options)}\n", markup=False, soft_wrap=True)
    for label, why in found.skipped.items():
        out.print(f"left out: {label}: {why}", style="yellow", markup=False, soft_wrap=True)
    if found.failed:
        said = f"{found.failed} {'design' if found.failed == 1 else 'designs'} failed to evaluate, and count as worst"
        out.print(said, style="yellow", markup=False)
    out.print(f"all metrics: {found.path.resolve()}\nreport: {page.resolve()}", markup=False, soft_wrap=True)


def _print(out: Any, found: Any, problem: str, ours: list[Any]) -> None:
    logged = found.sweep.problems[problem]
    name = ours[0].objective
    unit = next(metric.unit for metric in logged.metrics if metric.name == name)
    sign = _sign(logged, name)
    columns = (
        "agent", "designs", f"best {name} in search", "the same verified", "verified / search", "its place",
        "Kendall's tau", "infeasible",
    )  # fmt: skip
    rows = []
    for one in ours:
        searched, verified = float(one.searched[0]), float(one.verified[0])
        rows.append((
            one.agent or "all together", len(one.rows), quantity(sign * searched, unit),
            _verified(sign, verified, unit), _number(_ratio(searched, verified), 3),
            f"{one.place} of {len(one.rows)}", _number(one.correlation, 2), one.infeasible,
        ))  # fmt: skip
    out.print(table(f"{problem} under {found.options}", columns, rows, columns[1:]))


def _change(change: Any) -> dict[str, Any]:
    base = change.base
    return {
        "metric": change.metric.name, "searched": change.searched, "verified": change.verified,
        "mean_worse": change.mean_worse, "overfitted": None if base is None else change.overfitted,
        "base": None if base is None else {"counts": base.counts.name, "searched": base.searched,
                                           "verified": base.verified},
    }  # fmt: skip


def _verified(sign: float, loss: float, unit: str) -> str:
    return quantity(sign * loss, unit) if math.isfinite(loss) else "infeasible"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def _ratio(searched: float, verified: float) -> float:
    from designgym.experiments.verified import ratio

    return ratio(searched, verified)


def _sign(logged: Any, objective: str) -> float:
    return -1.0 if objective in (logged.objective.get("maximize") or ()) else 1.0


def _result(found: Any) -> dict[str, Any]:
    comparisons = []
    for one, changes in zip(found.comparisons, found.changes, strict=True):
        sign = _sign(found.sweep.problems[one.problem], one.objective)
        searched, verified = float(one.searched[0]), float(one.verified[0])
        comparisons.append({
            "problem": one.problem, "agent": one.agent or None, "objective": one.objective, "designs": len(one.rows),
            "searched": sign * searched, "verified": sign * verified if math.isfinite(verified) else None,
            "ratio": _ratio(searched, verified), "place": one.place, "kendall_tau": one.correlation,
            "infeasible": one.infeasible, "changes": [_change(change) for change in changes],
            "losses_searched": one.searched, "losses_verified": one.verified,
        })  # fmt: skip
    return {
        "directory": found.sweep.directory, "set": found.options, "top": found.top, "comparisons": comparisons,
        "skipped": found.skipped, "failed": found.failed, "verified": found.path,
    }  # fmt: skip
