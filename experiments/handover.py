"""Hand a run's trials from the thread that makes them to the one that sends them off, a fifth of a second at a time."""

import threading
import time

from designgym.experiments.rows import Heard

GATHER_S = 0.2  # rows are handed out when the first of them is this old
GATHER_ROWS = 50_000  # or when there are this many; an agent that is further ahead waits


class Abandoned(BaseException):
    """Nobody takes this run's trials any more. Not an Exception, so that no agent takes it for an error of its own."""


class Buffer:
    """Rows between the agent's thread and the generator. It holds little: an agent that runs ahead waits."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._heard: list[Heard] = []
        self._rows = 0
        self._since = 0.0
        self._ended = self._abandoned = False

    def put(self, heard: Heard) -> float:
        """Add rows; return the seconds waited for room, which are not the agent's."""
        begun = time.perf_counter()
        with self._condition:
            self._condition.wait_for(lambda: self._rows < GATHER_ROWS or self._abandoned)
            if self._abandoned:
                raise Abandoned
            if not self._heard:
                self._since = time.perf_counter()
            self._heard.append(heard)
            self._rows += len(heard.evaluations)
            if len(self._heard) == 1 or self._rows >= GATHER_ROWS:
                self._condition.notify_all()
        return time.perf_counter() - begun

    def take(self) -> list[Heard]:
        """Wait until rows have gathered, and return them; [] once the run has ended and all are taken."""
        with self._condition:
            self._condition.wait_for(lambda: self._heard or self._ended)
            left = self._since + GATHER_S - time.perf_counter()
            if self._heard and left > 0:
                self._condition.wait_for(lambda: self._ended or self._rows >= GATHER_ROWS, left)
            taken, self._heard, self._rows = self._heard, [], 0
            self._condition.notify_all()
            return taken

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
