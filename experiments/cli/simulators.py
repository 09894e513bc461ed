"""`designgym simulators`: other people's simulators, each in an environment of its own."""

import sys
from typing import Annotated

import typer

from designgym.experiments.cli.console import Json, console, print_json, table

simulators = typer.Typer(
    name="simulators", help="Install, list and remove simulators that cost models run.", rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A simulator, as `designgym simulators list` names it.")]


@simulators.command("list")
def list_(json: Json = False) -> None:
    """List the simulators there are, and where those that are installed lie."""
    from designgym.experiments.simulators import listing

    rows = listing()
    if json:
        print_json(rows)
        return
    shown = [(row["name"], row["version"], row["state"], row["directory"], row["what"]) for row in rows]
    console().print(table("Simulators", ("name", "version", "state", "directory", "what"), shown))


@simulators.command("install")
def install(
    name: Name,
    python: Annotated[
        str | None, typer.Option(help="Interpreter to make the environment with; by default one that fits.")
    ] = None,
) -> None:
    """Install a simulator into an environment of its own, with pip as it is set up here; nothing if it is ready."""
    from designgym.cost_models.simulators.installed import simulator
    from designgym.experiments.simulators import install as make

    make(simulator(name), python, _say)


@simulators.command("remove")
def remove(name: Name) -> None:
    """Remove a simulator's environment."""
    from designgym.cost_models.simulators.installed import environment_directory, simulator
    from designgym.experiments.simulators import remove as take_away

    wanted = simulator(name)
    gone = take_away(wanted, _say)
    _say(f"{wanted.name} {wanted.version} {'is removed' if gone else 'is not installed'}: "
         f"{environment_directory(wanted)}")  # fmt: skip


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
