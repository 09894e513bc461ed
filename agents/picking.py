"""Which candidates to ask next: a pool, half of it near the most promising of the other half, and the best of both."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.archive import Archive
from designgym.agents.candidates import Candidates, Pool, some
from designgym.agents.gaussian_process import RankProcess
from designgym.agents.places import PlaceSet

PARENTS = 2  # for each candidate to take from a pool, as many of its first half are what its second half begins at


class Picker:
    """Picks candidates of highest expected improvement that were not seen before.

    size: candidates of a pool for each that is taken. Where designs are digits and all are valid, one call does all.
    """

    def __init__(
        self, candidates: Candidates, archive: Archive, process: RankProcess, seen: PlaceSet, size: int
    ) -> None:
        from designgym.agents import _queue_kernel as kernel

        self._kernel = kernel
        self._candidates, self._archive, self._process, self._seen, self._size = (
            candidates,
            archive,
            process,
            seen,
            size,
        )

    def pick(self, rows: NDArray[np.int64], target: float, count: int) -> tuple[Any, NDArray[np.float64]]:
        """Return designs to price next, the best first, in the archive's form, and their places; at most (count,).

        rows: of the archive, what candidates begin at, the last one most often. target: the score to exceed.
        """
        half, starts = count * self._size // 2, self._archive.take(rows)
        if self._candidates.plain:
            made = self._candidates.state, starts, half, *self._candidates.settings, self._seen.table
            return self._kernel.pick(*made, *self._process.state, target, PARENTS * count, count)
        first = self._near(starts, self._archive.places[rows], half)
        best = self._process.most_improving(first.mean, first.nearest, target, PARENTS * count)
        if not len(best):
            return first.designs, first.places
        pool = first.join(self._near(some(first.designs, best), first.places[best], half, first.places))
        picked = self._process.promising(pool.places, pool.mean, pool.nearest, target, count)
        return some(pool.designs, picked), pool.places[picked]

    def _near(
        self, designs: Any, places: NDArray[np.float64], count: int, known: NDArray[np.float64] | None = None
    ) -> Pool:
        """Half of a pool: candidates near some designs, of which the last counts most, that were not asked before.

        known: places of the other half, (m, width), all new, which are left out too.
        """
        pool, where, start = self._candidates.near(designs, count)
        if known is None:
            rows = self._seen.new(where)
        else:
            rows = self._seen.new(np.concatenate([known, where]), len(known)) - len(known)
        return Pool(some(pool, rows), where[rows], *self._process.predict(where[rows], places, start[rows]))
