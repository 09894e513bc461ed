"""What is kept of a problem's trials as they stream by, run after run: little, however many there are."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import nondominated
from designgym.experiments.report.trials import Trials, joined

Floats = NDArray[np.float64]
MOST_OF_A_RUN = 2000  # of a run's best designs; more only tie with the last of them
PENDING = 20_000  # rows gathered before what cannot be needed is dropped
MOST_TOLD_APART = 4096  # values of a column that are told apart; more are numbers on a fine scale


class Sample:
    """At most `most` trials, drawn uniformly of all that were added; all of them where there are no more.

    Each trial draws a number by its run's key, and those with the least are kept: the same log gives the same sample.
    """

    def __init__(self, most: int, seed: int = 0) -> None:
        self._most, self._seed = most, seed
        self._parts: list[tuple[Floats, Trials]] = []
        self._bound, self._pending = np.inf, 0
        self.of = 0  # trials that were added

    def add(self, trials: Trials, key: str) -> None:
        """Add some trials of one run."""
        draws = np.random.default_rng([self._seed, zlib.crc32(key.encode())]).random(len(trials))
        rows = np.flatnonzero(draws < self._bound)
        self.of += len(trials)
        self._parts.append((draws[rows], trials.take(rows)))
        self._pending += len(rows)
        if self._pending > 2 * self._most + PENDING:
            self._prune()

    def _prune(self) -> None:
        if not self._parts:
            return
        draws, trials = np.concatenate([d for d, _ in self._parts]), joined([t for _, t in self._parts])
        if len(draws) > self._most:
            self._bound = float(np.partition(draws, self._most)[self._most])
            kept = np.flatnonzero(draws < self._bound)
            draws, trials = draws[kept], trials.take(kept)
        self._parts, self._pending = [(draws, trials)], len(draws)

    def trials(self) -> Trials | None:
        """Return the sample, run by run and in the order priced; None where nothing was added."""
        self._prune()
        return self._parts[0][1] if self._parts else None


class BestRows:
    """The trials with the least loss: those of the `most` best distinct designs, in every run that has them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[Trials] = []
        self._bound, self._pending, self._after = np.inf, 0, 0

    def add(self, trials: Trials) -> None:
        """Add the trials of one run."""
        loss = trials.losses[:, 0]
        rows = np.flatnonzero(trials.feasible & (loss <= self._bound))
        if len(rows) > MOST_OF_A_RUN:
            rows = np.sort(rows[np.argsort(loss[rows], kind="stable")[:MOST_OF_A_RUN]])
        if len(rows):
            self._parts.append(trials.take(rows))
            self._pending += len(rows)
        if self._pending > PENDING + 2 * self._after:
            self._prune()

    def _prune(self) -> None:
        if not self._parts:
            return
        trials = joined(self._parts)
        best = first_distinct(np.lexsort((trials.number, trials.losses[:, 0])), trials.codes, self._most)
        if len(best) == self._most:
            self._bound = float(trials.losses[best[-1], 0])
            trials = trials.take(np.flatnonzero(trials.losses[:, 0] <= self._bound))
        self._parts, self._pending, self._after = [trials], len(trials), len(trials)

    def trials(self) -> Trials | None:
        """Return the trials, run by run; None where no feasible one was added."""
        self._prune()
        return self._parts[0] if self._parts else None


class FrontRows:
    """The trials that no other one dominates, those with equal losses included."""

    def __init__(self) -> None:
        self._parts: list[Trials] = []
        self._pending, self._after = 0, 0

    def add(self, trials: Trials) -> None:
        """Add the nondominated trials of one run."""
        self._parts.append(trials)
        self._pending += len(trials)
        if self._pending > PENDING + 2 * self._after:
            self._prune()

    def _prune(self) -> None:
        if self._parts:
            trials = joined(self._parts)
            trials = trials.take(np.flatnonzero(nondominated(trials.losses)))
            self._parts, self._pending, self._after = [trials], len(trials), len(trials)

    def trials(self) -> Trials | None:
        """Return the trials, run by run; None where none were added."""
        self._prune()
        return self._parts[0] if self._parts and len(self._parts[0]) else None


def front_of(trials: Trials) -> Trials:
    """Return the feasible trials that no other one dominates."""
    rows = np.flatnonzero(trials.feasible)
    return trials.take(rows[nondominated(trials.losses[rows])])


def first_distinct(rows: NDArray[np.int64], codes: Floats, most: int) -> list[int]:
    """Return the first `most` rows whose designs differ, in order."""
    seen: dict[bytes, int] = {}
    for row in rows.tolist():
        seen.setdefault(codes[row].tobytes(), row)
        if len(seen) == most:
            break
    return list(seen.values())


class BestByValue:
    """The least loss found with each value of one column, inf where nothing feasible was."""

    def __init__(self, parameter: dict[str, Any]) -> None:
        self._low: Any = parameter.get("low")
        self._high: Any = parameter.get("high")
        self.logarithm = bool(parameter.get("log")) and bool(self._low)
        self.least: dict[Any, float] = {}
        self.fine = False
        self.dropped = False

    def add(self, values: NDArray[Any], loss: Floats, names: tuple[str, ...] | None) -> None:
        """Add trials of one run. names: of values that are indices into them. loss: inf where not feasible."""
        if self.dropped:
            return
        if self.fine:
            values = self._rounded(values)
        different, best = _least(values, loss)
        for value, least in zip(different.tolist(), best.tolist(), strict=True):
            key = names[value] if names is not None else value
            self.least[key] = min(least, self.least.get(key, np.inf))
        if len(self.least) > MOST_TOLD_APART and not self.fine:
            if names is not None or self._low is None or self._high is None:
                self.least, self.dropped = {}, True
                return
            found, self.least, self.fine = self.least, {}, True
            self.add(np.array(list(found)), np.array(list(found.values())), None)

    def _rounded(self, values: NDArray[Any]) -> Floats:
        """Return the middles of the parts of the column's scale that values lie in."""
        low, high = float(self._low), float(self._high)
        into, back = (np.log, np.exp) if self.logarithm else (np.asarray, np.asarray)
        a, b = float(into(low)), float(into(high))
        place = np.clip(np.floor((into(values.astype(np.float64)) - a) / (b - a) * 1000), 0, 999)
        return np.asarray(back(a + (place + 0.5) * (b - a) / 1000))


def _least(values: NDArray[Any], loss: Floats) -> tuple[NDArray[Any], Floats]:
    """Return the different values and the least loss of each."""
    if values.dtype.kind in "iu" and len(values) and int(values.max()) - int(values.min()) < MOST_TOLD_APART:
        low = int(values.min())
        place = (values - low).astype(np.int64)
        there = np.flatnonzero(np.bincount(place))
        best = np.full(there[-1] + 1, np.inf)
        np.minimum.at(best, place, loss)
        return there + low, best[there]
    different, place = np.unique(values, return_inverse=True)
    best = np.full(len(different), np.inf)
    np.minimum.at(best, place, loss)
    return different, best
