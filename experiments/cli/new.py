"""`designgym new`: a cost model, an environment or an agent of one's own, ready to run and to change."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from designgym.experiments.cli.console import Json, console, print_json


def new(
    kind: Annotated[Literal["env", "cost-model", "agent"], typer.Argument(help="What to write.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, such as my-space.")],
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where to; designgym-NAME by default. New or empty.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a small distribution with one environment, cost model or agent, and its test."""
    from designgym.experiments.new import piece, write_piece

    made = piece(kind, name)
    directory = Path(made.distribution) if directory is None else directory
    written = write_piece(made, directory)
    if json:
        print_json({"id": made.id, "directory": str(directory), "files": [str(path) for path in written]})
        return
    out = console()
    for path in written:
        out.print(f"wrote {path}", markup=False, soft_wrap=True)
    out.print("\nNext:", markup=False)
    for command in (
        f'pip install -e "{directory.absolute() if directory.is_absolute() else f"./{directory}"}[test]"',
        f"designgym show {made.id}",
        f"pytest {directory / 'tests'}",
    ):
        out.print(f"  {command}", markup=False, soft_wrap=True)
