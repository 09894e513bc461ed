"""Whose commands run: those of simulators' files that this command line names, and no others without a word of trust.

A log, a dataset or a model can be someone else's, and says which file priced it. Making that problem anew would run
what the file says, so it is refused until the user names the file, in an option or in a sweep that they run, or gives
--trust, which prints what will run. Problems that a plug-in brings are code that its user installed, and are trusted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.cost_models.simulators.making import place_of
from designgym.envs import DesignProblem, make_problem
from designgym.envs.cost_model_files import is_cost_model_file
from designgym.envs.registry import full_id

if TYPE_CHECKING:
    from designgym.experiments.log import LoggedProblem

COMMAND = "command:"
FILES = {"Simulator-v0": ("file",)}  # options of problems that are simulators' files themselves

_named: set[Path] = set()  # by this command line: a process is one


class UntrustedCommand(ValueError):
    """A log names a command that this command line does not. One line."""


def command_files(id: str, options: Mapping[str, Any]) -> list[Path]:
    """Return the simulators' files that a problem's options name. id: in any spelling that `make_problem` takes."""
    written = [value for value in options.values() if is_cost_model_file(value) and value.startswith(COMMAND)]
    files = [value.removeprefix(COMMAND) for value in written]
    files += [options[name] for name in FILES.get(_full(id), ()) if isinstance(options.get(name), str)]
    # Not what a link leads to: beside the link its relative paths name other programs.
    return [place_of(file) for file in files]


def _full(id: str) -> str:
    try:
        return full_id(id)
    except ValueError:  # which no problem is made from either
        return id


def name_commands(id: str, options: Mapping[str, Any]) -> None:
    """Take these options as what the user's own command line says."""
    _named.update(command_files(id, options))


def refuse_unnamed(id: str, options: Mapping[str, Any]) -> None:
    """UntrustedCommand where options, as a log has them, name a simulator's file that the user has not."""
    for path in command_files(id, options):
        if path not in _named:
            told = f"{path} says which command prices {id}, and only the log names it."
            raise UntrustedCommand(_printable(f"{told} Look at it, and give --trust to run it."))


def trust(problems: Iterable[LoggedProblem]) -> list[str]:
    """Take the simulators' files of a log as if the user had named them; return what they run, a line each."""
    return [line for logged in problems for line in trust_options(logged.id, logged.given, logged.label)]


def trust_options(id: str, options: Mapping[str, Any], label: str) -> list[str]:
    """The same for the options of one problem that somebody else wrote. label: what the lines call it."""
    lines = [
        _printable(f"trusted: {_command_of(path)} (from {shlex.quote(str(path))}, which prices {shlex.quote(label)})")
        for path in dict.fromkeys(command_files(id, options))
        if path not in _named
    ]
    name_commands(id, options)
    return lines


def problem_of_log(logged: LoggedProblem, options: Mapping[str, Any] = {}) -> DesignProblem:
    """Make a problem as a log has it, with options of the user's own in place of some. UntrustedCommand."""
    given = {name: value for name, value in logged.given.items() if name not in options}
    refuse_unnamed(logged.id, given)
    name_commands(logged.id, options)
    return make_problem(logged.id, **given, **options)


def _command_of(path: Path) -> str:
    """Return what a simulator's file runs, as a shell would be given it, the variables it sees, and files made for it.

    All of it, however long: what was left out could be what does harm.
    """
    from designgym.cost_models.simulators.spec import load_spec

    spec = load_spec(path)
    given = [f"{name}={shlex.quote(value)}" for name, value in spec.environment.set.items()]
    given += [f"your {name}" for name in dict.fromkeys(spec.environment.from_user) if name not in spec.environment.set]
    given += [f"a file {shlex.quote(name)} that it writes" for name in spec.files]
    return shlex.join(spec.command) + (f" with {', '.join(given)}" if given else "")


def _printable(text: str) -> str:
    """Return a text that shows what a terminal takes for an order, such as to go back and write over the line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
