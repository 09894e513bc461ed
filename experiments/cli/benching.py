"""`designgym bench`: what this machine does, figures side by side in one run."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, console, print_json, table

bench = typer.Typer(name="bench", help="Measure speeds and agents, side by side in one run.", rich_markup_mode=None)


@bench.command("core")
def core(json: Json = False) -> None:
    """Sample, decode, meter, step and breed designs."""
    from designgym.experiments.bench.core import core as measure

    print_figures(measure(), json)


@bench.command("cost-models")
def cost_models(
    simulator_python: Annotated[
        str | None,
        typer.Option("--scalesim-python", help="Python of an environment with the scalesim package, to compare with."),
    ] = None,
    json: Json = False,
) -> None:
    """Price designs with every cost model, beside NumPy and, where given, beside a simulator."""
    from designgym.cost_models.accelerator.bench import measure

    print_figures(measure(simulator_python), json)


@bench.command("sweeps")
def sweeps(
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: shorter sweeps, fewer cases.")] = False,
    out: Annotated[Path | None, typer.Option(help="Keep the longest sweep there; else it is removed.")] = None,
    json: Json = False,
) -> None:
    """Sweep a cheap model: trials a second, memory of the driver, resuming, slow models; ten million trials in all."""
    from designgym.experiments.bench.sweeps import sweeps as measure

    print_figures(measure(quick, out, lambda line: print(line, file=sys.stderr, flush=True)), json)


@bench.command("agents")
def agents(
    agents: Annotated[list[str], typer.Option("--agents", help="An agent, or a peer's name; repeatable.")] = [],  # noqa: B006
    problems: Annotated[
        list[str], typer.Option("--problems", help="ID, or 'ID:option=value;...', with a known optimum; repeatable.")
    ] = [],  # noqa: B006
    seeds: Annotated[int | None, typer.Option(help="Runs of each agent on each problem; 10 by default.")] = None,
    budget: Annotated[int | None, typer.Option(help="Distinct designs a run may price; 1,000 by default.")] = None,
    peers: Annotated[
        bool, typer.Option("--peers", help="Other people's searchers too; needs the extra peers.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Directory of page, figures and trials; goes on there.")] = None,
    workers: Annotated[int | None, typer.Option(help="Runs at a time; one a core by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute's version: few agents, problems and seeds.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="No progress.")] = False,
    json: Json = False,
) -> None:
    """Compare agents where the true optimum is known: a page, and all figures as Parquet."""
    from designgym.experiments.bench.agents_run import run

    run(agents, problems, seeds, budget, peers, out, workers, quick, silent, json)


def print_figures(result: dict[str, Any], json: bool) -> None:
    """Print a study's rows (what, figure, unit, ratio or None, what the ratio is to) and notes."""
    columns = ("what", "figure", "unit", "ratio", "to")
    if json:
        print_json({**result, "rows": [dict(zip(columns, row, strict=True)) for row in result["rows"]]})
        return
    out = console()
    for note in result.get("notes", ()):
        out.print(note, markup=False)
    rows = [[f"{cell:,.4g}" if isinstance(cell, float) else cell or "" for cell in row] for row in result["rows"]]
    out.print(table("", columns, rows, ("figure", "ratio")))
