"""A sweep's directory: who may write to it, what it says about the sweep, and its trials as one Arrow table.

DIR/sweep.yaml (the specification as given), DIR/sweep.json (every run with its definition, metrics, parameters,
versions, command), DIR/lock, and the runs' files (`designgym.experiments.parts`).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from designgym.experiments.parts import LogError, RunFiles, damaged, read_meta, replace_safely
from designgym.experiments.rows import priced_in

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.cost_models.base import Metric

FORMAT = 1
OWN = frozenset({"sweep.yaml", "sweep.json", "lock", "sweep.yaml.tmp", "sweep.json.tmp"})


@dataclass(frozen=True)
class LoggedRun:
    """One run as the log knows it. problem, label: labels of problem and agent, with the settings that differ.

    state: "finished", "failed", "started" or "waiting". trials: designs priced. ended: why it ended, "" while it has
    not. elapsed_s: time within the run up to its last trial, or to its end.

    Of a finished run, else 0: asked (designs, repeats included), repeats, agent_s (time in the agent's own ask and
    tell) and timed (designs asked meanwhile; fewer than asked where a told agent was continued).
    """

    key: str
    problem: str
    options: dict[str, Any]
    agent: str
    hyperparameters: dict[str, Any]
    label: str
    seed: int
    budget: int
    definition: dict[str, Any]
    state: str
    ended: str
    trials: int
    elapsed_s: float
    asked: int = 0
    repeats: int = 0
    agent_s: float = 0.0
    timed: int = 0


@dataclass(frozen=True)
class LoggedProblem:
    """One problem as the log knows it. parameters: each with kind, name, unit, meaning, columns and its values."""

    label: str
    id: str
    given: dict[str, Any]
    options: dict[str, Any]
    objective: dict[str, Any]
    metrics: tuple[Metric, ...]
    parameters: tuple[dict[str, Any], ...]
    size: int | float
    start: dict[str, list[Any]] | None


@dataclass(frozen=True)
class Sweep:
    """A sweep as its directory tells it. spec: the specification as mappings; command: the last one that ran it."""

    directory: Path
    name: str
    spec: dict[str, Any]
    runs: tuple[LoggedRun, ...]
    problems: dict[str, LoggedProblem]
    versions: dict[str, str]
    command: str
    sessions: tuple[dict[str, Any], ...]

    @property
    def metrics(self) -> dict[str, tuple[Metric, ...]]:
        """Metrics with units, by problem."""
        return {label: problem.metrics for label, problem in self.problems.items()}

    @property
    def parameters(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """Parameters with units and values, by problem."""
        return {label: problem.parameters for label, problem in self.problems.items()}


class SweepDirectory:
    """A sweep's directory, open for writing: held by one process until `close`, or until that process is gone.

    LogError when another process holds it, when it belongs to something else, or when it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._check_is_ours()
        self._made = [folder for folder in (path, *path.parents) if not folder.exists()]
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = open(path / "lock", "a+", encoding="utf-8")  # noqa: SIM115
            self._take_lock()
            (path / "runs").mkdir(exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise LogError(f"{path} cannot be written: {reason}. Choose another output directory.") from None

    def _check_is_ours(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise LogError(f"{self.path} is a file. Choose a directory for the sweep's output.")
        if not self.path.is_dir() or (self.path / "sweep.json").exists():
            return
        strangers = sorted({entry.name for entry in self.path.iterdir()} - OWN - {"runs"})
        if strangers:
            raise LogError(
                f"{self.path} holds other files ({strangers[0]}) and no sweep. Choose another output directory."
            )

    def _take_lock(self) -> None:
        import fcntl

        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "another process"
            self._lock.close()
            raise LogError(
                f"{self.path} is in use by another sweep ({holder}). Wait for it, or choose another output directory."
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._lock.flush()

    def run(self, key: str) -> RunFiles:
        """Return the files of one run."""
        return RunFiles(self.path, key)

    def sessions(self) -> list[dict[str, Any]]:
        """Return when, by which command and with which versions the sweep was run so far."""
        if not (self.path / "sweep.json").exists():
            return []
        sessions = read_index(self.path).get("sessions")
        if not isinstance(sessions, list):
            raise damaged(self.path / "sweep.json")
        return sessions

    def describe(self, text: str, index: dict[str, Any]) -> None:
        """Write the specification and what it was resolved to."""
        _write_text(self.path / "sweep.yaml", text)
        _write_text(self.path / "sweep.json", json.dumps(index, indent=1) + "\n")

    def close(self) -> None:
        """Let others in. Where nothing was written, nothing is left: what was made for the sweep goes again."""
        if not (self.path / "sweep.json").exists():
            with suppress(OSError):  # a folder that holds something stays, and all above it
                (self.path / "runs").rmdir()
                (self.path / "lock").unlink()
                for folder in self._made:
                    folder.rmdir()
        self._lock.close()


def _write_text(path: Path, text: str) -> None:
    scratch = path.with_name(path.name + ".tmp")
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    replace_safely(scratch, path)


def read_index(directory: Path) -> dict[str, Any]:
    """Return what DIR/sweep.json holds."""
    path = Path(directory) / "sweep.json"
    if not path.exists():
        raise LogError(f"{directory} holds no sweep: it has no sweep.json. Give the output directory of a sweep.")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        written = index["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise damaged(path) from None
    if written != FORMAT:
        raise LogError(f"{path} must be of format {FORMAT}, got {written}. Use the designgym that wrote it.")
    return dict(index)


def load_sweep(directory: Path | str) -> Sweep:
    """Return what a sweep consists of and how far each run is. LogError names a file that cannot be used."""
    directory = Path(directory)
    index = read_index(directory)
    try:
        problems = {label: _problem(label, found) for label, found in index["problems"].items()}
        runs = tuple(_run(directory, found, problems) for found in index["runs"])
        last = index["sessions"][-1]
        return Sweep(
            directory, index["name"], index["spec"], runs, problems, last["versions"], last["command"],
            tuple(index["sessions"]),
        )  # fmt: skip
    except (KeyError, TypeError, IndexError, AttributeError):
        raise damaged(directory / "sweep.json") from None


def _problem(label: str, found: dict[str, Any]) -> LoggedProblem:
    from designgym.cost_models.base import Metric

    metrics = tuple(Metric(**metric) for metric in found["metrics"])
    size = float("inf") if found["size"] is None else found["size"]
    return LoggedProblem(
        label, found["id"], found["given"], found["options"], found["objective"], metrics,
        tuple(found["parameters"]), size, found["start"],
    )  # fmt: skip


def _run(directory: Path, found: dict[str, Any], problems: dict[str, LoggedProblem]) -> LoggedRun:
    import pyarrow.compute as pc

    files = RunFiles(directory, found["key"])
    state, ended, trials, elapsed, meta = "waiting", "", 0, 0.0, {}
    if files.parquet.exists():
        trials, meta = read_meta(files.parquet)
        state, ended, elapsed = "finished", meta["ended"], meta["elapsed_s"]
        trials = meta.get("trials", trials)
    else:
        rows, _ = files.read()
        if rows is not None:
            state, trials, elapsed = "started", priced_in(rows), float(pc.max(rows.column("elapsed_s")).as_py())
        if files.error.exists():
            state = "failed"
    return LoggedRun(
        found["key"], found["problem"], problems[found["problem"]].options, found["agent"], found["hyperparameters"],
        found["label"], found["seed"], found["budget"], found["definition"], state, ended, trials, elapsed,
        meta.get("asked", 0), meta.get("repeats", 0), meta.get("agent_s", 0.0), meta.get("timed", 0),
    )  # fmt: skip


def load_trials(directory: Path | str) -> pa.Table:
    """Return all trials of a sweep, finished runs and unfinished ones, as one table, run after run.

    A row with fresh = false is a repeat, kept for agents that are told their log: who counts designs leaves it out.
    To a run's columns it adds the dictionary columns problem and agent (labels) and seed. A design column that a
    problem does not have is null there. LogError names a damaged file.
    """
    import pyarrow as pa

    directory = Path(directory)
    tables = []
    for run in read_index(directory)["runs"]:
        rows, _ = RunFiles(directory, run["key"]).read()
        if rows is not None:
            tables.append(_labelled(rows, run))
    if not tables:
        raise LogError(f"{directory} holds no trials yet. Run its sweep first.")
    return pa.concat_tables(_unified(tables), promote_options="permissive")


def _labelled(rows: pa.Table, run: Mapping[str, Any]) -> pa.Table:
    import pyarrow as pa

    for place, (name, value) in enumerate(
        (("problem", run["problem"]), ("agent", run["label"]), ("seed", run["seed"])), start=1
    ):
        value = pa.scalar(value, pa.string() if isinstance(value, str) else pa.int64())
        column = pa.repeat(value, rows.num_rows).dictionary_encode()
        rows = rows.add_column(place, name, column)
    return rows


def _unified(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Turn a column that is names in one problem and numbers in another into texts everywhere."""
    import pyarrow as pa

    kinds: dict[str, set[bool]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(pa.types.is_dictionary(field.type))
    mixed = {name for name, found in kinds.items() if len(found) > 1}
    return [_as_texts(table, mixed & set(table.schema.names)) for table in tables] if mixed else list(tables)


def _as_texts(table: pa.Table, names: set[str]) -> pa.Table:
    import pyarrow as pa

    for name in names:
        texts = table.column(name).cast(pa.string()).dictionary_encode()
        table = table.set_column(table.schema.get_field_index(name), name, texts)
    return table
