"""Candidates of `surrogate_search`: the whole of a small space, else half of them near the best, half anywhere."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.archive import Archive
from designgym.agents.candidates import Candidates, merged, some
from designgym.agents.places import Places, PlaceSet
from designgym.envs import DesignSpace

Floats = NDArray[np.float64]
Made = tuple[Any, Floats]  # designs in the archive's form, and their places, (n, width)
ENOUGH = 0.95  # share of the candidates that must be new and different, else more are made
TRIES = 16  # times at most; of ordered parameters two to four do, of few labels moves repeat themselves
LEAST = 0.002  # share of them that a try must bring: where constraints leave little, more tries bring nothing
WHOLE = 1.25  # times as many designs are all looked at, where a space has no more
CHUNK = 1 << 15


class SurrogatePool:
    """Makes `size` candidates, half of them moves of incumbents, and keeps those that are different and were not asked.

    Of a space of at most WHOLE times as many designs all are candidates.
    """

    def __init__(
        self, space: DesignSpace, places: Places, archive: Archive, candidates: Candidates, seen: PlaceSet, size: int
    ) -> None:
        self._space, self._places, self._archive = space, places, archive
        self._candidates, self._seen, self._size = candidates, seen, size
        self._whole = space.size <= WHOLE * size
        self._all: Made | None = None

    def draw(self, starts: Any) -> tuple[Any, Floats, int]:
        """Return candidates, their places, and how many, the first ones, are moves of incumbents; 0 of a whole space.

        starts: incumbents in the archive's form, the best last.
        """
        if self._whole:
            return *self._fresh(self._everything()), 0
        made = self._gathered(self._size // 2, lambda n: self._candidates.near(starts, 2 * n)[:2])
        near = len(made[1])
        return *self._gathered(self._size, self._candidates.scattered, made), near

    def near(self, starts: Any, n: int, besides: Floats) -> Made:
        """Return at most n moves of starts that were not asked and are not among `besides`, places all new."""
        if self._whole:
            return some(starts, slice(0)), besides[:0]
        designs, where, _ = self._candidates.near(starts, n)
        rows = self._seen.new(np.concatenate([besides, where]), len(besides)) - len(besides)
        return some(designs, rows), where[rows]

    def _gathered(self, n: int, make: Callable[[int], Made], made: Made | None = None) -> Made:
        """Return n different designs that were not asked, those made already first, or nearly as many."""
        for _ in range(TRIES):
            before = 0 if made is None else len(made[1])
            more = make(n - before)
            made = self._fresh(more if made is None else _joined([made, more]))
            if len(made[1]) >= ENOUGH * n or len(made[1]) - before < LEAST * n:
                break
        assert made is not None
        return some(made[0], slice(n)), made[1][:n]

    def _fresh(self, made: Made) -> Made:
        rows = self._seen.new(np.ascontiguousarray(made[1]))
        return some(made[0], rows), made[1][rows]

    def _everything(self) -> Made:
        if self._all is None:
            parts = [(self._archive.own(chunk), self._places.of(chunk)) for chunk in self._space.enumerate(CHUNK)]
            self._all = _joined(parts)
        return self._all


def _joined(parts: list[Made]) -> Made:
    return merged([designs for designs, _ in parts]), np.concatenate([where for _, where in parts])
