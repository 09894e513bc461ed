"""The command `designgym`: its sub-commands, and how their errors are printed."""

import os
import sys

import typer

from designgym.experiments.cli import catalog, pricing, searching, studies, sweeping
from designgym.experiments.cli.console import fail

app = typer.Typer(
    name="designgym",
    help="A gym for design-space exploration: price designs, search them with agents, compare the agents honestly.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    catalog.list_,
    catalog.show,
    pricing.price,
    pricing.optimum,
    pricing.validate,
    searching.run,
    sweeping.sweep,
    sweeping.report,
    studies.bench,
):
    app.command(name=command.__name__.rstrip("_"))(command)


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2. DESIGNGYM_DEBUG=1 shows tracebacks."""
    try:
        app()
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get("DESIGNGYM_DEBUG"):
            raise
        fail(str(error))
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        sys.exit(130)
