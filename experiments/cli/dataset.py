"""`designgym dataset`: the trials of sweeps, or designs priced for the purpose, as one dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from designgym.experiments.cli.console import Json, ResultsFile, Set, assignments, console, print_json, table
from designgym.experiments.cli.slow import Counted
from designgym.experiments.quantities import share

GATHER = "gather"
Out = Annotated[Path, typer.Option("-o", "--out", metavar="DATA", help="Directory of the dataset; replaces one there.")]


class _GathersByDefault(TyperGroup):
    """A group whose first word may be a directory as well as a sub-command: then it gathers."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = [GATHER, *args]
        return super().parse_args(ctx, args)


dataset = typer.Typer(
    name="dataset",
    cls=_GathersByDefault,
    help="Gather the trials of sweeps into one dataset: designgym dataset DIR... -o DATA. "
    "Or price designs for one: designgym dataset sample ID -n 20000 -o DATA. "
    "A problem takes it as --set cost_model=dataset:DATA.",
    subcommand_metavar="DIR... -o DATA | sample ID -o DATA",
    rich_markup_mode=None,
)


@dataset.command(GATHER)
def gather(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Where sweeps were run, finished or not.")
    ],
    out: Out,
    problem: Annotated[
        str, typer.Option(metavar="ID|LABEL", help="The problem that is meant, where sweeps have several spaces.")
    ] = "",
    json: Json = False,
) -> None:
    """Gather the designs of sweeps; a DIR alone does that."""
    from designgym.cost_models.dataset_file import write_dataset
    from designgym.experiments.dataset import gather as gather_trials

    with Counted("trials", json) as watch:
        found = gather_trials(directories, problem, watch.heard)
    written = write_dataset(found.dataset, out)
    told = {"trials": found.trials, "repeated": found.repeated, "failed": found.failed, "illegal": found.illegal}
    if json:
        print_json(_result(written, out) | told | {"left_out": found.left_out})
        return
    notes = [f"left out: {line}" for line in found.left_out]
    if found.failed:
        notes.append(f"left out: {found.failed:,} trials whose evaluation failed")
    if found.illegal:
        notes.append(f"left out: {found.illegal:,} trials of designs that hold no value of a parameter")
    _print(written, out, f"{found.trials:,} trials, {found.repeated:,} of them of designs found before", notes)


@dataset.command("sample")
def sample(
    name: Annotated[str, typer.Argument(metavar="ID", help="A problem.")],
    out: Out,
    n: Annotated[int, typer.Option("-n", help="Distinct designs.")] = 20_000,
    how: Annotated[
        str,
        typer.Option(
            metavar="sobol|random|from-agents",
            help="Evenly over each parameter's choices; uniformly over the designs; or dense where searches go: a "
            "quarter each from runs of random, local_search, genetic and simulated_annealing.",
        ),
    ] = "sobol",
    set_: Set = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Seed of the points, or of the first run of each agent.")] = 0,
    workers: Annotated[int, typer.Option(help="Designs of a slow cost model that are priced at a time.")] = 1,
    results: ResultsFile = None,
    json: Json = False,
) -> None:
    """Price distinct designs of a problem for a dataset."""
    from designgym.cost_models.dataset_file import write_dataset
    from designgym.experiments.dataset_sample import sample as sample_designs
    from designgym.experiments.pricing import Slowly
    from designgym.experiments.results import results_at

    with Counted("designs", json) as watch:
        slowly = Slowly(workers, results_at(results), watch.heard, watch.failed)
        found = sample_designs(name, n, how, assignments(set_, "--set"), seed, slowly)
    written = write_dataset(found.dataset, out)
    if json:
        told = {"missing": found.missing, "failed": found.failed}
        print_json(_result(written, out) | told | {"agents": found.shares, "refused": found.refused})
        return
    notes = [f"left out: {agent}: {why}" for agent, why in found.refused.items()]
    if found.failed:
        notes.append(f"left out: {found.failed:,} designs whose evaluation failed")
    if found.missing:
        notes.append(f"the space has no more: {found.missing:,} designs fewer than the {n:,} asked for")
    _print(written, out, ", ".join(f"{count:,} from {agent}" for agent, count in found.shares.items()), notes)


def _result(written: Any, out: Path) -> dict[str, Any]:
    rows = [
        {"problem": label, "fidelity": fidelity, "rows": rows, "feasible": feasible, "cost_model": model,
         "version": version}
        for label, fidelity, rows, feasible, model, version in _problems(written)
    ]  # fmt: skip
    return {
        "dataset": out, "rows": len(written), "feasible_share": float(written.feasible.mean()), "problems": rows,
        "sources": written.sources, "sha256": written.sha256,
    }  # fmt: skip


def _problems(written: Any) -> Iterator[tuple[str, str, int, int, str, str]]:
    """Yield label, fidelity, rows, feasible ones, cost model and version of each problem of a dataset."""
    for place, origin in enumerate(written.origins):
        for fidelity in ("faithful", "cheap"):
            rows = (written.problem == place) & (written.fidelity == fidelity)
            if rows.any():
                version = origin.version if fidelity == "faithful" else origin.cheap
                model = origin.cost_model if fidelity == "faithful" else ""
                yield origin.label, fidelity, int(rows.sum()), int((rows & written.feasible).sum()), model, version


def _print(written: Any, out: Path, what: str, notes: list[str]) -> None:
    columns = ("problem", "fidelity", "designs", "feasible", "cost model", "version")
    rows = [
        (label, fidelity, f"{rows:,}", share(feasible / rows), model, version)
        for label, fidelity, rows, feasible, model, version in _problems(written)
    ]
    shown = console()
    shown.print(table("", columns, rows, ("designs", "feasible")))
    for note in notes:
        shown.print(note, style="yellow", markup=False, soft_wrap=True)
    shown.print(f"{len(written):,} distinct designs ({what})", markup=False, soft_wrap=True)
    shown.print(f"dataset: {out.resolve()} (sha256 {written.sha256[:16]})", markup=False, soft_wrap=True)
