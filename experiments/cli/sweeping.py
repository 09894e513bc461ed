"""`designgym sweep` and `report`: many runs on Ray, and the page that they end in."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, ResultsFile, Trust, console, print_json, table, trust_if
from designgym.experiments.quantities import duration


def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="Problems, agents, seeds and a budget.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the log and the report go; runs/NAME by default.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="A Ray cluster to join; without it one starts here.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Runs at a time, or designs of slow models; one a core by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print runs, designs and estimated time only.")] = False,
    results: ResultsFile = None,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed", help="Try evaluations that failed again, and what was asked since; logs of failures go."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Run agents x problems x seeds on Ray; the same command again goes on where it was."""
    from designgym.experiments.dry_run import dry_run as estimate
    from designgym.experiments.spec import load_spec

    spec = load_spec(found(file))
    if dry_run:
        print_dry_run(estimate(spec, workers), json)
        return
    directory = out if out is not None else Path("runs") / spec.name
    swept(spec, directory, address, workers, json, results=results, retry_failed=retry_failed)


def swept(
    spec: Any,
    directory: Path,
    address: str | None = None,
    workers: int | None = None,
    json: bool = False,
    after: Callable[[dict[str, Any]], None] = lambda told: None,
    results: str | None = None,
    retry_failed: bool = False,
) -> None:
    """Run a sweep, write its report, say what it came to, and leave with the exit code that says so too.

    after: adds what else there is to say, to what --json prints or on a line of its own.
    """
    from designgym.experiments.driver import sweep as run_sweep
    from designgym.experiments.results import results_at

    outcome = run_sweep(
        spec, directory, address=address, workers=workers, silent=json, results=results_at(results),
        retry_failed=retry_failed,
    )  # fmt: skip
    page = None
    if outcome.trials:
        from designgym.experiments.report import write_report

        page = write_report(directory)
    told = {**vars(outcome), "report": page}
    if not json:
        _print_outcome(outcome, page)
    after(told)
    if json:
        print_json(told)
        if outcome.failed:  # silent until here
            print(f"failed: {outcome.failed[0]}: {outcome.errors[0]}", file=sys.stderr)
    if outcome.interrupted:
        raise SystemExit(130)
    if outcome.failed:
        # A model that breaks its contract is bad input; a worker that dies is not.
        raise SystemExit(2 if outcome.broken_model else 1)


def found(file: Path) -> Path:
    """Return the file, or the sweep of that name that comes with the package, such as `quickstart`."""
    shipped = Path(__file__).parent.parent / "data" / f"{file}.yaml"
    return shipped if not file.exists() and file.name == str(file) and shipped.exists() else file


def _print_outcome(outcome: Any, page: Path | None) -> None:
    out = console()
    done = f"{outcome.finished} of {outcome.runs} runs finished, {outcome.trials:,} trials in {outcome.directory}"
    out.print(f"{done}; this session took {duration(outcome.seconds)}", markup=False, soft_wrap=True)
    if outcome.failed:
        out.print(f"{len(outcome.failed)} failed: the same command tries them again", style="yellow", markup=False)
    if page is not None:
        out.print(f"report: {page.resolve()}", markup=False, soft_wrap=True)


def print_dry_run(estimate: Any, json: bool) -> None:
    """Print an estimate as a table, or as JSON."""
    if json:
        print_json({**vars(estimate), "rows": [vars(row) for row in estimate.rows]})
        return
    columns = ("problem", "agent", "runs", "designs", "time a design", "time")
    rows = [
        (r.problem, r.agent, r.runs, f"{r.designs:,}", f"{1e3 * r.seconds_per_design:.3g} ms", duration(r.seconds))
        for r in estimate.rows
    ]
    out = console()
    out.print(table("", columns, rows, columns[2:]))
    cost = f"{estimate.size}: about {duration(estimate.seconds)} with {estimate.workers} at a time."
    out.print(f"{cost}\nHow: {estimate.how}.", markup=False)


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where a sweep was run.")],
    out: Annotated[Path | None, typer.Option(help="The page; DIR/report.html by default.")] = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Write the report of a sweep as one page that opens without a network."""
    from designgym.experiments.report import write_report

    trust_if(trust, directory)
    page = write_report(directory, out)
    if json:
        print_json({"report": page})
    else:
        console().print(f"report: {page.resolve()}", markup=False, soft_wrap=True)
