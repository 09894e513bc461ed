"""`designgym verify`: what a sweep's best designs come to under options that search did not see."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import (
    Json,
    ResultsFile,
    Trust,
    assignments,
    console,
    print_json,
    table,
    trust_if,
)
from designgym.experiments.cli.slow import Counted
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
    cost_model: Annotated[
        str | None,
        typer.Option("--cost-model", metavar="NAME", help="ScaleSim, say, or command:FILE; own: the problem's."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Designs of a slow cost model that are priced at a time.")] = 1,
    results: ResultsFile = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Price a sweep's best designs again under other options or by another cost model, and say what is lost."""
    from designgym.experiments.log import load_sweep
    from designgym.experiments.report import write_report
    from designgym.experiments.results import results_at
    from designgym.experiments.verify import verify as verify_sweep

    sweep = load_sweep(directory)
    trust_if(trust, directory)
    options = _options(assignments(set_, "--set"), cost_model, sweep)
    with Counted("designs verified", json) as watch:
        found = verify_sweep(
            directory, options, top, environment, workers, results_at(results), watch.heard, watch.failed
        )
    page = write_report(directory)
    if json:
        print_json(_result(found) | {"report": page})
        return
    _print_found(found)
    console().print(f"report: {page.resolve()}", markup=False, soft_wrap=True)


def _print_found(found: Any) -> None:
    """Print what is lost, problem by problem and objective by objective, and what could not be priced."""
    from designgym.experiments.verified_changes import in_words, worth_saying

    out = console()
    for problem in dict.fromkeys(one.problem for one in found.comparisons):
        ours = [pair for pair in zip(found.comparisons, found.changes, strict=True) if pair[0].problem == problem]
        for objective in dict.fromkeys(one.objective for one, _ in ours):
            wanted = [pair for pair in ours if pair[0].objective == objective]
            _print(out, found, problem, [one for one, _ in wanted])
            for change in worth_saying(wanted[0][1]):
                out.print(f"{in_words(change, found.options)}\n", markup=False, soft_wrap=True)
            _print_agreement(out, found, wanted[0][0])
    for label, why in found.skipped.items():
        out.print(f"left out: {label}: {why}", style="yellow", markup=False, soft_wrap=True)
    if found.failed:
        said = f"{found.failed} {'design' if found.failed == 1 else 'designs'} failed to evaluate, and stand last"
        out.print(said, style="yellow", markup=False)
    out.print(f"all metrics: {found.path.resolve()}", markup=False, soft_wrap=True)


def _options(given: dict[str, Any], cost_model: str | None, sweep: Any) -> dict[str, Any]:
    """Return what to verify under: without a word, a problem's own cost model where search had what a file holds."""
    from designgym.envs.cost_model_files import is_cost_model_file
    from designgym.experiments.verify_options import OWN

    if cost_model is not None:
        if "cost_model" in given:
            raise ValueError(f"--cost-model {cost_model} and --set cost_model say the same. Drop one of them.")
        return {**given, "cost_model": cost_model}
    on_files = any(is_cost_model_file(one.given.get("cost_model")) for one in sweep.problems.values())
    return given or ({"cost_model": OWN} if on_files else given)


def _print_agreement(out: Any, found: Any, together: Any) -> None:
    """Print how two cost models agree on the best designs, metric by metric."""
    pairs = zip(found.comparisons, found.agreements, strict=True)
    agreements = next(agreements for one, agreements in pairs if one is together)
    if not agreements:
        return
    columns = "metric", "designs", "Kendall's tau", "Spearman's rho", "verified / search", "error in search"
    rows = [
        (
            one.metric.name, one.n, _number(one.kendall, 2), _number(one.spearman, 2), _number(one.ratio, 3),
            "–" if math.isnan(one.error) else f"{100 * one.error:.3g} %",
        )
        for one in agreements
    ]  # fmt: skip
    out.print(table(f"agreement on the {len(together.rows)} best in search", columns, rows, columns[1:]))


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


def _agreement(one: Any) -> dict[str, Any]:
    return {**vars(one), "metric": one.metric.name}


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
    for one, changes, agreements in zip(found.comparisons, found.changes, found.agreements, strict=True):
        sign = _sign(found.sweep.problems[one.problem], one.objective)
        searched, verified = float(one.searched[0]), float(one.verified[0])
        comparisons.append({
            "problem": one.problem, "agent": one.agent or None, "objective": one.objective, "designs": len(one.rows),
            "searched": sign * searched, "verified": sign * verified if math.isfinite(verified) else None,
            "ratio": _ratio(searched, verified), "place": one.place, "kendall_tau": one.correlation,
            "infeasible": one.infeasible, "agreement": [_agreement(each) for each in agreements],
            "changes": [_change(change) for change in changes],
            "losses_searched": one.searched, "losses_verified": one.verified,
        })  # fmt: skip
    return {
        "directory": found.sweep.directory, "set": found.options, "top": found.top, "comparisons": comparisons,
        "skipped": found.skipped, "failed": found.failed, "verified": found.path,
    }  # fmt: skip
