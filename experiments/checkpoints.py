"""Checkpoints of runs: an agent at rest, pickled with all that it takes to go on, and its place in the log.

A worker makes them (`CheckpointMaker`) and hands them to the driver in order with the run's trials; the driver keeps
the last one in a file, signed, for loading a pickle can run any code. What cannot be used is left: the run is then
made again from its start.
"""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.files import written_safely
from designgym.experiments.handover import Buffer, Checkpoint, Note
from designgym.experiments.trust import TrustError, sign, signed_here
from designgym.experiments.versions import changed, versions

if TYPE_CHECKING:
    from designgym.experiments.watch import Watch

MAGIC = b"designgym checkpoint 1"
EVERY_S = 60.0
SHARE = 20  # a checkpoint is at least so many times as old as making it took before the next is made


class CheckpointMaker:
    """What an agent calls where it rests. every_s: age at which the last checkpoint makes way for the next; 0: at once.

    None is made of a run that only makes again what is logged. spent_s: seconds that making them took.
    """

    def __init__(self, every_s: float, watch: Watch, buffer: Buffer) -> None:
        self._every_s, self._watch, self._buffer = every_s, watch, buffer
        self._last, self._took = time.perf_counter(), 0.0
        self._versions = versions()
        self.spent_s = 0.0

    def __call__(self, agent: Any) -> None:
        """Make a checkpoint of the agent where one is due."""
        begun = time.perf_counter()
        wait = max(self._every_s, SHARE * self._took) if self._every_s else 0.0
        if begun < self._last + wait or not self._watch.rows or self._watch.resuming:
            return
        try:
            from ray import cloudpickle  # what is defined in no module, as in a notebook, pickles too

            state = cloudpickle.dumps(agent)
        except Exception as error:  # the run does without
            self._every_s = float("inf")
            self._buffer.put_aside(Note(f"no checkpoint: the agent does not pickle: {_line(error)}"))
            return
        self._last = time.perf_counter()
        self._took = self._last - begun
        self._buffer.put_aside(Checkpoint(self._watch.rows, self._versions, state))
        spent = time.perf_counter() - begun
        self.spent_s += spent
        self._watch.pause(spent)


@dataclass(frozen=True)
class Unusable:
    """Why a checkpoint is of no use, in a few words."""

    why: str


def agent_of(checkpoint: Checkpoint) -> Any | Unusable:
    """Return the agent as it stood at a checkpoint, one that is signed. Runs what is in it."""
    differs = changed(checkpoint.versions, versions())
    if differs:
        return Unusable(f"it was made by {differs}")
    try:
        return pickle.loads(checkpoint.state)
    except Exception as error:  # a pickle may raise anything
        return Unusable(f"it does not load: {_line(error)}")


def from_the_start(why: str) -> str:
    """Say that a run is made again from its start, and why."""
    return f"its checkpoint is not used, for {why.rstrip('.')}: it begins at its start"


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def write_checkpoint(path: Path, key: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint of the run `key`, whole or not at all. TrustError where it cannot be signed; WriteError."""
    header = {"key": key, "rows": checkpoint.rows, "versions": checkpoint.versions}
    head = json.dumps(header, sort_keys=True).encode() + b"\n"
    signature = sign(b"".join((MAGIC, b"\n", head, checkpoint.state)))
    with written_safely(path) as file:
        file.writelines((MAGIC, b"\n", signature.encode(), b"\n", head, checkpoint.state))


def read_checkpoint(path: Path, key: str, rows: int) -> Checkpoint | Unusable | None:
    """Return the checkpoint of the run `key`, None where there is no file. rows: how many are logged of the run."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return Unusable(f"it cannot be read: {(error.strerror or str(error)).lower()}")
    magic, _, rest = data.partition(b"\n")
    signature, _, signed = rest.partition(b"\n")
    try:
        ours = magic == MAGIC and signed_here(MAGIC + b"\n" + signed, signature.decode(errors="replace"))
    except TrustError as error:
        return Unusable(str(error))
    if not ours:
        return Unusable("it is damaged, or was not made by this user on this machine")
    head, _, state = signed.partition(b"\n")
    header = json.loads(head)
    if header["key"] != key:
        return Unusable("it is that of another run")
    if header["rows"] > rows:
        return Unusable(f"it stands at trial {header['rows']}, and the log holds {rows}")
    return Checkpoint(header["rows"], header["versions"], state)
