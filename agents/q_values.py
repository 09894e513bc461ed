"""What a choice promises after those before it: sums of weights, of one for each state or of one for each feature.

Both kinds read entries of one table: the tabular kind one for a choice, the linear kind several, which it adds up. Many
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
    """What is read of a table for n states of each of some steps.

    fixed: entries, whatever is chosen, (n, steps, f); rows: of `most` entries, one for each choice, (n, steps, r). Row
    0, and entry 0 in it, stand for what a state does not have.
    """

    fixed: Ints
    rows: Ints


class QTable:
    """Rows of `most` entries, all 0 at first; those of row 0 stay so."""

    def __init__(self, rows: int, most: int) -> None:
        self._rows = np.zeros((rows, most))  # memory that is never read is never taken

    def reserve(self, rows: int) -> None:
        """Let it have at least so many rows."""
        if rows > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros((rows, self._rows.shape[1]))])

    def values(self, reading: Reading) -> Floats:
        """Return what each choice promises, (n, steps, most)."""
        fixed = self._rows.ravel()[reading.fixed].sum(axis=2)
        values: Floats = self._rows[reading.rows].sum(axis=2) + fixed[:, :, None]
        return values

    def learn(self, reading: Reading, chosen: Ints, errors: Floats, matter: Bools, rate: float) -> None:
        """Let what was read of the choices move against its errors, each (n, steps), where they matter."""
        entries, most = self._rows.ravel(), self._rows.shape[1]
        read = np.concatenate([reading.fixed, reading.rows * most + chosen[:, :, None]], axis=2)
        read = np.where(matter[:, :, None], read, 0)
        shares = errors / np.maximum((read >= most).sum(axis=2), 1)  # below `most` lies row 0
        places, size = read.ravel(), len(entries)
        touched: Any = slice(None)
        if size > WIDE * len(places):  # most of the table is left alone
            touched, places = np.unique(places, return_inverse=True)
            size = len(touched)
        counts = np.bincount(places, minlength=size)
        sums = np.bincount(places, np.repeat(shares, read.shape[2]), size)
        entries[touched] += rate * sums / np.maximum(counts, 1)
        self._rows[0] = 0.0


class Tabular:
    """A state is its step and the last `memory` choices, each of which has a row of its own once it was learned."""

    def __init__(self, sequences: Sequences, memory: int) -> None:
        self._memory = memory
        self._states: list[dict[bytes, int]] = [{} for _ in sequences.steps]
        self._known = 1  # rows in use
        self.table = QTable(16, sequences.most)

    def read(self, steps: Ints, chosen: Ints, awake: Bools, learn: bool = False) -> Reading:
        """Return what n states of each of these steps read; states that were never learned read 0. learn: they begin.

        chosen, awake: choices and where they matter, (n, all steps); what stands from a step on does not count for it.
        """
        rows = np.zeros((len(chosen), len(steps), 1), np.int64)
        known_choices = np.where(awake, chosen, -1)  # an idle choice is none of the choices there are
        for k, j in enumerate(steps.tolist()):
            states, before = self._states[j], np.ascontiguousarray(known_choices[:, max(0, j - self._memory) : j])
            for i, key in enumerate(map(bytes, before)):
                row = states.get(key, 0)
                if learn and not row:
                    row = states[key] = self._known
                    self._known += 1
                rows[i, k] = row
        self.table.reserve(self._known)
        return Reading(np.zeros((len(chosen), len(steps), 0), np.int64), rows)


class Linear:
    """Features: the choice, each choice before it, and pairs of it with the last `pairs` ones (fewer where too many).

    Each step has weights of its own.
    """

    def __init__(self, sequences: Sequences, pairs: int) -> None:
        steps, self._most = len(sequences), sequences.most
        self.pairs = min(pairs, steps - 1, MOST_PAIRS // (steps * self._most**2))
        # A step's rows: the choice's own, one for each step before it, then those of pairs, the latest choice first.
        self._rows = 1 + steps + self.pairs * self._most
        self._places = np.arange(steps)
        self.table = QTable(1 + steps * self._rows, self._most)

    def read(self, steps: Ints, chosen: Ints, awake: Bools, learn: bool = False) -> Reading:
        """Return what n states of each of these steps read.

        chosen, awake: choices and where they matter, (n, all steps); what stands from a step on does not count for it.
        """
        first = 1 + steps[:, None] * self._rows
        before = steps[:, None] - 1 - self._places  # how many choices ago, (steps, all steps)
        matter, choice = awake[:, None, :] & (before >= 0), chosen[:, None, :]
        fixed = np.where(matter, (first + 1 + self._places) * self._most + choice, 0)
        own = np.broadcast_to(first, (len(chosen), len(steps), 1))
        if not self.pairs:
            return Reading(fixed, own)
        paired = first + 1 + len(self._places) + before * self._most + choice
        return Reading(fixed, np.concatenate([own, np.where(matter & (before < self.pairs), paired, 0)], axis=2))
