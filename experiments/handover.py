"""Hand a run's trials from the thread that makes them to the one that sends them off, within a fifth of a second."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from designgym.experiments.rows import Heard

GATHER_S = 0.2  # rows are handed out when the first of them is this old, or half as old and another comes
GATHER_ROWS = 50_000  # or when there are this many


class Abandoned(BaseException):
    """Nobody takes this run's trials any more. Not an Exception, so that no agent takes it for an error of its own."""


@dataclass(frozen=True)
class Checkpoint:
    """An agent at rest, pickled. rows: of the run's log that it stands at. versions: of what made it."""

    rows: int
    versions: dict[str, str]
    state: bytes


@dataclass(frozen=True)
class Note:
    """One line for whoever watches the sweep."""

    text: str


@dataclass(frozen=True)
class PolicyFiles:
    """What an agent has learned by the end of its run, as its own files, by name."""

    files: dict[str, bytes]


Aside = Checkpoint | PolicyFiles | Note  # what comes with the rows of a run, in its place among them


class Buffer:
    """Rows between the agent's thread and the generator: at most GATHER_ROWS and one batch.

    Rows are handed over while the agent waits in `put`, wherever it comes there in time: making batches is Python as
    its asking is, of which one runs at a time, and each would be charged with the other's work. A generator that is
    kept up elsewhere does not hold it back until the buffer is full.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._heard: list[Heard | Aside] = []
        self._rows = 0
        self._since = 0.0
        self._aside = False
        self._due = self._ended = self._abandoned = False
        self._taking = self._making = False  # the generator waits for rows, or makes a batch of those taken

    def put(self, heard: Heard) -> float:
        """Add rows; return the seconds waited, which are not the agent's. Abandoned where nobody takes them now."""
        begun = time.perf_counter()
        with self._condition:
            self._wait(lambda: not self._making and self._rows < GATHER_ROWS)
            if not self._heard:
                self._since = begun
                self._condition.notify_all()
            self._heard.append(heard)
            self._rows += len(heard.evaluations)
            if self._rows >= GATHER_ROWS or begun >= self._since + GATHER_S / 2:
                self._hand_out()
        return time.perf_counter() - begun

    def put_aside(self, item: Aside) -> None:
        """Add what is no row, in its place among them; waits until an earlier one is taken, for they may be large."""
        with self._condition:
            self._wait(lambda: not self._making and not self._aside)
            self._heard.append(item)
            self._aside = True
            self._hand_out()

    def _hand_out(self) -> None:
        self._due = True
        self._condition.notify_all()
        if self._taking:
            self._wait(lambda: not self._due and not self._making)

    def _wait(self, until: Callable[[], bool]) -> None:
        self._condition.wait_for(lambda: self._abandoned or until())
        if self._abandoned:
            raise Abandoned

    def take(self) -> list[Heard | Aside]:
        """Wait until rows have gathered, and return all there is; [] once the run has ended and all is taken.

        `made` must follow when a batch is made of them.
        """
        with self._condition:
            self._taking = True
            self._condition.wait_for(lambda: self._heard or self._ended)
            # An agent that thinks for long does not hold its rows back.
            left = self._since + GATHER_S - time.perf_counter()
            if self._heard and left > 0:
                self._condition.wait_for(lambda: self._ended or self._due, left)
            taken, self._heard, self._rows = self._heard, [], 0
            self._taking = self._due = self._aside = False
            self._making = bool(taken)
            return taken

    def made(self) -> None:
        """A batch is made of what was taken: the agent may go on."""
        with self._condition:
            self._making = False
            self._condition.notify_all()

    def end(self) -> None:
        """No more rows will come."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()

    def abandon(self) -> None:
        """No more rows will be taken."""
        with self._condition:
            self._abandoned = True
            self._condition.notify_all()
