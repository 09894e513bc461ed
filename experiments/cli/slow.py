"""What commands say of many designs: how many are priced, at what rate, and where a failed one's log lies."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from designgym.experiments.cli.console import console


class FailureNotes:
    """Prints why evaluations failed, a line each; what they said last lies in files of a folder made for it."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def say(self, number: int, failure: Any, out: Any) -> None:
        """number: of the design, from 0. failure: a `Failure`. out: the console to print to."""
        where = ""
        if failure.log:
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="designgym-failed-"))
            path = self._folder / f"design-{number + 1}.txt"
            path.write_text(failure.log, encoding="utf-8")
            where = f" Its log: {path}"
        out.print(f"failed design {number + 1}: {failure.reason.rstrip('.')}.{where}", markup=False, soft_wrap=True)


class Counted:
    """A bar on stderr with rate and time left; nothing when piped or silent, but for failures. what: is counted."""

    def __init__(self, what: str, silent: bool) -> None:
        self._what, self._silent, self._notes = what, silent, FailureNotes()
        self._bar: Any = None
        self._out = console(stderr=True)

    def __enter__(self) -> Counted:
        if not self._silent and self._out.is_terminal:
            self._bar = _bar(self._what, self._out)
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def heard(self, done: int, of: int) -> None:
        """Take in how many are done, and of how many."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=of)

    def failed(self, number: int, failure: Any) -> None:
        """Say why an evaluation failed."""
        self._notes.say(number, failure, self._out if self._bar is None else self._bar.console)


def _bar(what: str, out: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.3g} a second" if speed else "")

    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()
    return Progress(*columns, console=out, transient=True)
