"""A sweep's directory: who may write to it, and what it says about the sweep.

DIR/sweep.yaml (the specification as given), DIR/sweep.json (every run with its definition, metrics, parameters,
versions, command), DIR/lock, and the runs' files (`designgym.experiments.parts`).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from designgym.experiments.files import LogError, damaged, written_safely
from designgym.experiments.finished import read_meta
from designgym.experiments.kept_policies import POLICIES
from designgym.experiments.parts import RunFiles
from designgym.experiments.rows import priced_in

if TYPE_CHECKING:
    from designgym.cost_models.base import Metric

FORMAT = 1
OWN = frozenset({
    "sweep.yaml", "sweep.json", "lock", "sweep.yaml.tmp", "sweep.json.tmp", "report.html", "verified.parquet",
    "evaluation.json", "evaluation.json.tmp",
})  # fmt: skip


@dataclass(frozen=True)
class LoggedRun:
    """One run as the log knows it. problem, label: labels of problem and agent, with the settings that differ.

    state: "finished", "failed", "started", "waiting", or "damaged" where a file of it cannot be read; damage then says
    which, in one line (a finished run's trials are not looked at for that: `load_trials` does). trials: designs priced;
    cheap: those that a cheap cost model priced besides. ended: why it ended, "" while it has not. elapsed_s: time
    within the run up to its last trial, or to its end.

    Of a finished run, else 0: asked (designs, repeats included), repeats, agent_s (time in the agent's own ask and
    tell) and timed (designs asked meanwhile; fewer than asked where it was told its log, or had a checkpoint).
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
    damage: str = ""
    cheap: int = 0


FIXED = ", fixed policies"  # ends the label of a sequential environment whose fixed policies were searched


@dataclass(frozen=True)
class LoggedProblem:
    """One problem as the log knows it. parameters: each with kind, name, unit, meaning, columns and its values.

    played: whether it is a sequential environment whose trials an agent played. cost_model: the name of its class, ""
    in a log that does not say.
    """

    label: str
    id: str
    given: dict[str, Any]
    options: dict[str, Any]
    objective: dict[str, Any]
    metrics: tuple[Metric, ...]
    parameters: tuple[dict[str, Any], ...]
    size: int | float
    start: dict[str, list[Any]] | None
    played: bool = False
    cost_model: str = ""

    @property
    def fixed(self) -> bool:
        """Whether it is the fixed policies of a sequential environment."""
        return self.label.endswith(FIXED)


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

    def with_damage(self, damage: Mapping[str, str]) -> Sweep:
        """Return it with the damage that reading the trials found. damage: a line by the key of a run."""
        runs = tuple(
            replace(run, state="damaged", damage=damage[run.key]) if run.key in damage else run for run in self.runs
        )
        return replace(self, runs=runs)


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
        strangers = sorted({entry.name for entry in self.path.iterdir()} - OWN - {"runs", POLICIES})
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
    with written_safely(path) as file:
        file.write(text.encode())


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
        tuple(found["parameters"]), size, found["start"], found.get("played", False),
        found.get("cost_model", ""),
    )  # fmt: skip


def _run(directory: Path, found: dict[str, Any], problems: dict[str, LoggedProblem]) -> LoggedRun:
    state, ended, trials, cheap, elapsed, damage = "waiting", "", 0, 0, 0.0, ""
    meta: dict[str, Any] = {}
    try:
        state, ended, trials, cheap, elapsed, meta = _progress(RunFiles(directory, found["key"]))
    except LogError as error:
        state, damage = "damaged", str(error)
    return LoggedRun(
        found["key"], found["problem"], problems[found["problem"]].options, found["agent"], found["hyperparameters"],
        found["label"], found["seed"], found["budget"], found["definition"], state, ended, trials, elapsed,
        meta.get("asked", 0), meta.get("repeats", 0), meta.get("agent_s", 0.0), meta.get("timed", 0), damage,
        cheap,
    )  # fmt: skip


def _progress(files: RunFiles) -> tuple[str, str, int, int, float, dict[str, Any]]:
    """Return state, why it ended, designs priced and cheaply priced, time within the run, metadata where finished."""
    import pyarrow.compute as pc

    if files.parquet.exists():
        trials, meta = read_meta(files.parquet)
        return "finished", meta["ended"], meta.get("trials", trials), meta.get("cheap", 0), meta["elapsed_s"], meta
    rows, _ = files.read()
    state = "failed" if files.error.exists() else "waiting" if rows is None else "started"
    if rows is None:
        return state, "", 0, 0, 0.0, {}
    elapsed_s = float(pc.max(rows.column("elapsed_s")).as_py())
    return state, "", priced_in(rows), priced_in(rows, "cheap"), elapsed_s, {}
