"""What simulators came to, on disk: looked up before a design is handed out, shared by all runs and sweeps of a user.

A result is kept under what it follows from: the class and the version of the cost model, which stands for everything
that it reads, and the design by the names of its values. Failures are not kept. One SQLite file holds all of them;
the process that hands designs out reads and writes it, and workers never see it. A result counts in a run's budget as
a fresh one does, so what the file holds never changes which trials a run makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from designgym.cost_models.base import Columns, CostModel, Failure
from designgym.envs import DesignProblem, DesignSpace
from designgym.experiments.executor import Executor, Id

FORMAT = 1
BUSY_S = 30.0  # how long to wait for another process that writes
OFF = "off"


class ResultsError(ValueError):
    """The file of results cannot be used. One line."""


def results_file() -> Path:
    """Return where results lie by default: $DESIGNGYM_CACHE_DIR, else $XDG_CACHE_HOME/designgym, else ~/.cache."""
    if given := os.environ.get("DESIGNGYM_CACHE_DIR"):
        return Path(given) / "results.sqlite"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "designgym" / "results.sqlite"


def keeps_results(model: CostModel) -> bool:
    """Whether what a cost model comes to is worth keeping on disk: it says `stored = True`, as simulators do."""
    return bool(getattr(model, "stored", False))


def key_of(model: CostModel, space: DesignSpace, design: Columns) -> str:
    """Return what the result of a design, a batch of one, is kept under: 64 hexadecimal digits."""
    names = {name: values[0] for name, values in space.describe(space.canonical(design)).items()}
    told = [FORMAT, type(model).__name__, model.version, names]
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), default=lambda value: value.item())
    return hashlib.sha256(text.encode()).hexdigest()


class Results:
    """The file of results. It is made when first written to. ResultsError where it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: sqlite3.Connection | None = None

    def find(self, key: str) -> Columns | None:
        """Return what is kept under a key, every metric and "violation", each (1,); None where nothing is."""
        if self._open is None and not self.path.exists():
            return None
        row = self._run("SELECT metrics FROM results WHERE key = ?", (key,))
        if not row:
            return None
        return {name: np.array([value]) for name, value in json.loads(row[0][0]).items()}

    def keep(self, key: str, model: CostModel, columns: Columns) -> None:
        """Keep what one design came to; what is there already stays. It is on disk once this returns."""
        values = {name: float(column[0]) for name, column in columns.items()}
        row = (key, type(model).__name__, model.version, json.dumps(values))
        self._run("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, unixepoch())", row)

    def _run(self, statement: str, values: tuple[str, ...]) -> list[tuple[str]]:
        try:
            if self._open is None:
                self._open = self._connected()
            with self._open:
                return self._open.execute(statement, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise ResultsError(
                f"{self.path}, which keeps results, cannot be used: {error}. Move it away, or give --results {OFF}."
            ) from None

    def _connected(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One thread hands designs out, but not always the one that made this.
        connection = sqlite3.connect(self.path, timeout=BUSY_S, check_same_thread=False)
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, cost_model TEXT, version TEXT, "
                "metrics TEXT, made_at INTEGER) WITHOUT ROWID"
            )
        return connection

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None


def results_at(given: str | None) -> Results | None:
    """Return the results that an option --results means: a file, None for the usual one, "off" for none."""
    return None if given == OFF else Results(Path(given) if given else results_file())


class Remembering:
    """An executor that answers what is kept, hands on the rest, each design once at a time, and keeps what it came to.

    Before the first design of a model that has `check_ready`, that is called: it raises where its program is not there.

    problems: by label. results: None keeps nothing and recalls nothing. wake: called when something has finished.
    known: further results, by key, such as what a run had priced that was opened again. recalled: designs answered
    without a process of their own.
    """

    def __init__(
        self,
        executor: Executor,
        problems: Mapping[str, DesignProblem],
        results: Results | None,
        wake: Callable[[], None],
    ) -> None:
        self._executor, self._problems, self._results, self._wake = executor, problems, results, wake
        self._found: deque[tuple[Id, Columns]] = deque()
        self._keys: dict[Id, str] = {}
        self._waiting: dict[str, list[Id]] = {}  # who else asked for a design that is under way
        self._ready: set[str] = set()  # problems whose simulator is known to be there
        self.errors: dict[Id, Failure] = {}
        self.known: dict[str, Columns] = {}
        self.recalled = 0

    def submit(self, id: Id, designs: Columns) -> None:
        """Answer a batch of one from what is kept, or from the same design that is under way; else hand it on."""
        problem = self._problems[id.problem]
        kept = self._results is not None and keeps_results(problem.cost_model)
        if not kept and not self.known:
            self._hand_on(id, designs)
            return
        key = key_of(problem.cost_model, problem.space, designs)
        if key in self._waiting:
            self._waiting[key].append(id)
            self.recalled += 1
        elif (found := self._find(key, kept)) is not None:
            self._found.append((id, found))
            self.recalled += 1
            self._wake()
        else:
            self._keys[id], self._waiting[key] = key, []
            self._hand_on(id, designs)

    def _hand_on(self, id: Id, designs: Columns) -> None:
        if id.problem not in self._ready:
            # What is not there fails every design: that is no trial, and is said before the first.
            getattr(self._problems[id.problem].cost_model, "check_ready", lambda: None)()
            self._ready.add(id.problem)
        self._executor.submit(id, designs)

    def finished(self) -> Iterator[tuple[Id, Columns]]:
        """Yield what has finished since, without waiting."""
        while self._found:
            yield self._found.popleft()
        for id, columns in self._executor.finished():
            failure = self._executor.errors.pop(id, None)
            key = self._keys.pop(id, None)
            others = [] if key is None else self._waiting.pop(key)
            if key is not None and not np.isinf(columns["violation"]).any():
                self._keep(key, self._problems[id.problem].cost_model, columns)
            for one in (id, *others):
                if failure is not None:
                    self.errors[one] = failure
                yield one, columns

    def _find(self, key: str, kept: bool) -> Columns | None:
        found = self.known.get(key)
        return self._results.find(key) if found is None and kept and self._results is not None else found

    def _keep(self, key: str, model: CostModel, columns: Columns) -> None:
        if self._results is not None and keeps_results(model):
            self._results.keep(key, model, columns)
