"""What a choice promises after those before it: sums of weights, of one for each state or of one for each feature.

Both kinds are one table a step: the tabular kind reads one entry of it, the linear kind several and adds them up. Many
entries are learned at a time by simultaneous iterative reconstruction (Gilbert, J. Theor. Biol. 36, 1972,
doi:10.1016/0022-5193(72)90180-4): each moves by the mean of its share of the errors of those who read it, which can not
overshoot however many they are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.agents.sequences import Bools, Floats, Ints, Sequences

WIDE = 16  # a table of more entries than so many for each that is read is not gone through
MOST_PAIRS = 2**22  # weights of pairs of choices; more memory than these take is not worth it


@dataclass(frozen=True)
class Reading:
    """Which entries n states read. fixed: whatever is chosen, (n, f); rows: of `most` entries, by choice, (n, r).

    Row 0 holds nothing but 0: it stands for what a state does not have.
    """

    fixed: Ints
    rows: Ints

    def take(self, rows: Bools) -> "Reading":
        """Return those of some states."""
        return Reading(self.fixed[rows], self.rows[rows])


class QTable:
    """Entries of one step, which are read and learned."""

    def __init__(self, size: int, most: int) -> None:
        self._entries, self._most = np.zeros(size), most  # memory that is never read is never taken

    def values(self, reading: Reading) -> Floats:
        """Return what each choice promises, (n, most)."""
        by_choice = self._entries[reading.rows[:, :, None] * self._most + np.arange(self._most)].sum(axis=1)
        values: Floats = by_choice + self._entries[reading.fixed].sum(axis=1)[:, None]
        return values

    def learn(self, reading: Reading, chosen: Ints, errors: Floats, rate: float) -> None:
        """Let what was read of the choices, (n,), move against its errors, (n,)."""
        read = np.concatenate([reading.fixed, reading.rows * self._most + chosen[:, None]], axis=1)
        # Entries below `most` are row 0.
        shares = errors / np.maximum((read >= self._most).sum(axis=1), 1)
        places, size = read.ravel(), len(self._entries)
        entries: Any = slice(None)
        if size > WIDE * len(places):  # most of the table is left alone
            entries, places = np.unique(places, return_inverse=True)
            size = len(entries)
        counts = np.bincount(places, minlength=size)
        sums = np.bincount(places, np.repeat(shares, read.shape[1]), size)
        self._entries[entries] += rate * sums / np.maximum(counts, 1)
        self._entries[: self._most] = 0.0

    def reserve(self, rows: int) -> None:
        """Let it have at least so many rows."""
        if rows * self._most > len(self._entries):
            self._entries = np.concatenate([self._entries, np.zeros(rows * self._most)])


class Tabular:
    """A state is its step and the last `memory` choices, each of which has a row of its own once it was learned."""

    def __init__(self, sequences: Sequences, memory: int) -> None:
        self._memory = memory
        self._rows: list[dict[bytes, int]] = [{} for _ in sequences.steps]
        self._tables = [QTable(2 * sequences.most, sequences.most) for _ in sequences.steps]

    def read(self, j: int, chosen: Ints, awake: Bools, learn: bool = False) -> tuple[QTable, Reading]:
        """Return step j's table and what states read of it; states that were never learned read 0s. learn: they begin.

        chosen, awake: choices and where they matter, (n, steps); what stands from step j on counts for nothing.
        """
        known = self._rows[j]
        before = slice(max(0, j - self._memory), j)
        # An idle choice is none of the choices there are.
        states = np.ascontiguousarray(np.where(awake[:, before], chosen[:, before], -1))
        rows = np.zeros((len(chosen), 1), np.int64)
        for i, state in enumerate(states):
            key = state.tobytes()
            rows[i] = known.setdefault(key, len(known) + 1) if learn else known.get(key, 0)
        self._tables[j].reserve(len(known) + 1)
        return self._tables[j], Reading(np.zeros((len(chosen), 0), np.int64), rows)


class Linear:
    """Features: the choice, each choice before it, and pairs of it with the last `memory` ones (fewer where too many).

    Each step has weights of its own.
    """

    def __init__(self, sequences: Sequences, memory: int) -> None:
        steps, self._most = len(sequences), sequences.most
        self._memory = min(memory, max(0, steps - 1), MOST_PAIRS // (steps * self._most**2))
        # Rows of `most` entries: the empty one, the choice's own, one for each earlier step, then those of the pairs.
        self._pairs = 2 + steps
        rows = [self._pairs + min(self._memory, j) * self._most for j in range(steps)]
        self._tables = [QTable(count * self._most, self._most) for count in rows]

    def read(self, j: int, chosen: Ints, awake: Bools, learn: bool = False) -> tuple[QTable, Reading]:
        """Return step j's table and what states read of it.

        chosen, awake: choices and where they matter, (n, steps); what stands from step j on counts for nothing.
        """
        before, matter = chosen[:, :j], awake[:, :j]
        fixed = np.where(matter, (2 + np.arange(j)) * self._most + before, 0)
        own = np.ones((len(chosen), 1), np.int64)
        count = min(self._memory, j)
        latest = slice(j - count, j)
        places = self._pairs + np.arange(count) * self._most + before[:, latest]
        return self._tables[j], Reading(fixed, np.concatenate([own, np.where(matter[:, latest], places, 0)], axis=1))
