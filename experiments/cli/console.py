"""What every command shares: options, tables, numbers with units, JSON, one-line errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
ResultsFile = Annotated[
    str | None,
    typer.Option(
        "--results",
        metavar="FILE",
        help="Where simulators' results are kept and recalled; results.sqlite in the cache directory by default; "
        "off: nowhere.",
    ),
]
Trust = Annotated[bool, typer.Option("--trust", help="Run commands that the log names and this command line does not.")]
Set = Annotated[list[str], typer.Option("--set", metavar="OPTION=VALUE", help="An option of the problem; repeatable.")]


def console(stderr: bool = False) -> Console:
    """Return a console; a pipe gets plain text of full width."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=160)


def fail(message: str, code: int = 2) -> NoReturn:
    """Print one line to stderr and leave with this exit code."""
    print("designgym: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(code)


def problem_of(name: str, options: dict[str, Any]) -> Any:
    """Make a problem; ValueError in one line for options that it did not foresee, too."""
    from designgym.envs.registry import full_id, make_problem
    from designgym.experiments.commands import name_commands

    name_commands(full_id(name), options)
    try:
        return make_problem(name, **options)
    except (ValueError, OSError):
        raise
    except Exception as error:
        raise ValueError(f"{name} refused its options: {type(error).__name__}: {error}.") from error


def trust_if(given: bool, directory: Path) -> None:
    """Take the commands that a sweep's log names as named here, if the user said so, and print them."""
    if given:
        from designgym.experiments.commands import trust
        from designgym.experiments.log import load_sweep

        for line in trust(load_sweep(directory).problems.values()):
            print(line, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as JSON; NumPy numbers become plain ones, NaN becomes null."""
    print(json.dumps(plain(value), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value made of what JSON knows."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if isinstance(value, str | int | bool | None) else str(value)


def assignments(texts: Iterable[str], what: str) -> dict[str, Any]:
    """Read OPTION=VALUE texts; a value is read as YAML reads a scalar, so 3 is a number and resnet50 a text."""
    from designgym.cost_models.strict_yaml import read_value

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"{what} must be NAME=VALUE, got {text!r}.")
        if name in found:
            raise ValueError(f"{what} {name!r} must be given once, got it twice.")
        found[name] = read_value(value)
    return found


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()) -> Any:
    """Make a table; the columns named in `right` are right-aligned."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(
            column, justify="right" if column in right else "left", overflow="fold", min_width=_longest_word(column)
        )
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    return made


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=1)
