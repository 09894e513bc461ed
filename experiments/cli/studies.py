"""`designgym bench`: what this machine does, figures side by side in one run."""

from typing import Annotated, Any

import typer

from designgym.experiments.cli.console import Json, console, print_json, table


def bench(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="cost-models or core.")],
    simulator_python: Annotated[
        str | None,
        typer.Option("--scalesim-python", help="Python of an environment with the scalesim package, to compare with."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure speeds: `cost-models` prices designs, `core` samples, meters, steps and breeds them."""
    from designgym.cost_models.registry import nearest

    studies = {"cost-models": _cost_models, "core": _core}
    if name not in studies:
        raise ValueError(f"no study {name!r}. {nearest(name, studies)}")
    result = studies[name](simulator_python)
    columns = ("what", "figure", "unit", "ratio", "to")
    if json:
        print_json({**result, "rows": [dict(zip(columns, row, strict=True)) for row in result["rows"]]})
        return
    out = console()
    for note in result.get("notes", ()):
        out.print(note, markup=False)
    rows = [[f"{cell:,.4g}" if isinstance(cell, float) else cell or "" for cell in row] for row in result["rows"]]
    out.print(table("", columns, rows, ("figure", "ratio")))


def _cost_models(simulator_python: str | None) -> dict[str, Any]:
    from designgym.cost_models.accelerator.bench import measure

    return measure(simulator_python)


def _core(_: str | None) -> dict[str, Any]:
    from designgym.experiments.benchmarks import core

    return core()
