"""Find numbers in what a simulator printed: by regular expression, JSON path or CSV column.

`read_process` runs this module by itself, so it imports little, and nothing of designgym.
"""

from __future__ import annotations

import marshal
import math
import re
import resource
import sys

TYPE_CHECKING = False  # see `launcher`
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any
else:
    import _signal as signal

MEMORY_BYTE = 2 << 30
STEP = re.compile(r"\[(-?\d+)\]|(?:^|\.)([^.\[\]]+)")


class Unread(ValueError):
    """What was looked for is not there, or no number. One line."""


def main() -> None:
    """Read jobs, texts and a time limit, answer the jobs. It ends by itself once its time is up, whoever has died."""
    jobs, texts, seconds = marshal.loads(sys.stdin.buffer.read())
    whole = math.ceil(seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTE, MEMORY_BYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process, in C code too
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.setitimer(signal.ITIMER_REAL, seconds)
    sys.stdout.buffer.write(marshal.dumps([answer(job, texts) for job in jobs]))


def answer(job: dict[str, Any], texts: dict[str, bytes]) -> float | bool | str:
    """Do one job."""
    text = texts[job["source"]].decode("utf-8", "replace")
    try:
        if "pattern" in job:
            return re.search(job["pattern"], text, re.MULTILINE) is not None
        if "regex" in job:
            return number(by_regex(text, job["regex"], job["which"]))
        if "json" in job:
            return number(by_json(text, job["json"]))
        return by_csv(text, job["csv"], job["row"], job["delimiter"])
    except Unread as error:
        return f"{job['source']}: {error}"
    except (RecursionError, MemoryError, OverflowError) as error:
        return f"{job['source']}: reading it ended in a {type(error).__name__}"


def by_regex(text: str, pattern: str, which: str) -> str:
    """Return what the group of the first or the last match holds."""
    matches = re.finditer(pattern, text, re.MULTILINE)
    found = next(matches, None)
    for later in matches if which == "last" else ():
        found = later
    if found is None or found[1] is None:
        raise Unread(f"nothing matches {pattern!r}")
    return found[1]


def by_json(text: str, path: str) -> Any:
    """Return what a path such as results.cycles, [0].x or layers[-1].cycles leads to; '' is the whole."""
    import json

    try:
        value = json.loads(text)
    except ValueError as error:
        raise Unread(f"it is no JSON: {error}") from None
    for step in steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise Unread(f"there is no {step!r} of {path!r} in its JSON") from None
    return value


def steps(path: str) -> list[int | str]:
    """Return the keys and indices of a path. ValueError where it is none."""
    found, at = [], 0
    while at < len(path):
        step = STEP.match(path, at)
        if step is None or step.end() == at:
            raise ValueError(f"a JSON path must be as in results.cycles, [0].x or layers[-1].cycles, got {path!r}.")
        found.append(int(step[1]) if step[1] else step[2])
        at = step.end()
    return found


def by_csv(text: str, column: str, row: int | str, delimiter: str) -> float:
    """Return a number of a table with a header: of one row, or the sum, mean, least or greatest of all."""
    import csv
    import io

    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise Unread(f"it is no CSV: {error}") from None
    rows = [cells for cells in rows if cells]
    header = [cell.strip() for cell in rows[0]] if rows else []
    if header.count(column) != 1:
        raise Unread(f"{'no' if column not in header else 'more than one'} column {column!r} in its header")
    at, below = header.index(column), rows[1:]
    index = 0 if row == "first" else -1 if row == "last" else row
    wanted = below if isinstance(index, str) else below[index : index + 1 or None]
    if not wanted or any(len(cells) <= at for cells in wanted):
        raise Unread(f"column {column!r} has no row {row!r}")
    values = [number(cells[at]) for cells in wanted]
    whole: dict[str, Callable[[list[float]], float]] = {
        "sum": math.fsum, "mean": lambda all_: math.fsum(all_) / len(all_), "min": min, "max": max,
    }  # fmt: skip
    return whole[index](values) if isinstance(index, str) else values[0]


def number(found: Any) -> float:
    """Return a finite number; Unread where it is none. A text is read as Python reads a float, without '_'."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise Unread(f"a {type(found).__name__} stands where a number should")
    try:
        if isinstance(found, str) and "_" in found:
            raise ValueError
        value = float(found)
    except (ValueError, OverflowError):
        raise Unread(f"{_short(found)} stands where a number should") from None
    if not math.isfinite(value):
        raise Unread(f"{_short(found)} stands where a finite number should")
    return value


def _short(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= 40 else f"{text[:37]}..."
