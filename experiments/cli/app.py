"""The command `designgym`: its sub-commands, and how their errors are printed."""

import os
import sys
import warnings
from typing import Any, NoReturn

import typer

from designgym.experiments.cli import (
    benching,
    catalog,
    dataset,
    evaluating,
    lottery,
    new,
    pricing,
    searching,
    simulators,
    surrogate,
    sweeping,
    training,
    verifying,
)
from designgym.experiments.cli.console import fail

STOPPED = 130  # what Typer makes of Ctrl-C

_FORMAT_WARNING = warnings.formatwarning

app = typer.Typer(
    name="designgym",
    help="A gym for design-space exploration: price designs, search them with agents, compare the agents honestly.",
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
    training.train,
    evaluating.evaluate,
    verifying.verify,
    lottery.lottery,
    new.new,
):
    app.command(name=command.__name__.rstrip("_"))(command)
app.add_typer(benching.bench)
app.add_typer(dataset.dataset)
app.add_typer(simulators.simulators)
app.add_typer(surrogate.surrogate)


def _one_line(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
    """A warning to the user, such as of an odd workload file, without the line of code that gave it."""
    if category is UserWarning:
        return f"designgym: {message}\n"
    return _FORMAT_WARNING(message, category, *where, **more)


def main() -> None:
    """Run the command line; bad input is one line on stderr and exit code 2. DESIGNGYM_DEBUG=1 shows tracebacks."""
    warnings.formatwarning = _one_line
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except Exception as error:
        if os.environ.get("DESIGNGYM_DEBUG"):
            raise
        _explain(error)
    if code == STOPPED:
        print("stopped.", file=sys.stderr)
    sys.exit(code or 0)


def _usage(error: Any) -> str:
    """Say what is wrong with what was given, and what that was: where Pydantic reads it, Typer leaves it out."""
    message = str(error.format_message())
    if not hasattr(error.__cause__, "errors"):
        return message
    return f"{message.partition(', unable to parse')[0]}, got {error.__cause__.errors()[0]['input']!r}"


def _explain(error: Exception) -> NoReturn:
    """Say in one line what is wrong, and leave: code 2 for bad input, 1 for code that broke and machines that fail."""
    if hasattr(error, "format_message"):  # Typer's usage errors; where their class lies depends on Typer's version
        command = getattr(getattr(error, "ctx", None), "command_path", "designgym")
        fail(f"{_usage(error).rstrip('.')}. See {command} --help.")
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        fail(f"{error.filename}: {error.strerror.lower()}. Check the path.")
    if isinstance(error, ValueError | OSError | ImportError):
        fail(str(error) or type(error).__name__, code=getattr(error, "exit_code", 2))
    fail(f"{type(error).__name__}: {str(error).rstrip('.')}. DESIGNGYM_DEBUG=1 shows where.", code=1)
