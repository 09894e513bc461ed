"""Which candidates to ask next: a pool, half of it near the most promising of the other half, and the best of both.

Under constraints what a candidate is expected to improve counts as much as it is likely to keep them (Schonlau, Welch
and Jones, 1998, doi:10.1214/lnms/1215456182).
"""

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

    size: candidates of a pool for each that is taken. bounds: the process of how well constraints are kept, if there is
    one. Where designs are digits, all are valid and no bound counts, one call does all.
    """

    def __init__(
        self,
        candidates: Candidates,
        archive: Archive,
        process: RankProcess,
        seen: PlaceSet,
        size: int,
        bounds: RankProcess | None = None,
    ) -> None:
        from designgym.agents import _queue_kernel as kernel

        self._kernel = kernel
        self._candidates, self._archive, self._seen, self._size = candidates, archive, seen, size
        self._process, self._bounds = process, bounds

    def pick(
        self, rows: NDArray[np.int64], target: float, count: int, bound: float | None = None
    ) -> tuple[Any, NDArray[np.float64]]:
        """Return designs to price next, the best first, in the archive's form, and their places; at most (count,).

        rows: of the archive, what candidates begin at, the last one most often. target: the score to exceed. bound:
        the score of `bounds` above which constraints are kept, where that counts.
        """
        half, starts = count * self._size // 2, self._archive.take(rows)
        if self._candidates.plain and bound is None:
            made = self._candidates.state, starts, half, *self._candidates.settings, self._seen.table
            return self._kernel.pick(*made, *self._process.state, target, PARENTS * count, count)
        processes = [self._process] if bound is None or self._bounds is None else [self._process, self._bounds]
        first = self._near(processes, starts, self._archive.places[rows], half)
        if not len(first.places):
            return first.designs, first.places
        if bound is None:
            mean, nearest = first.guesses
            best = self._process.most_improving(mean, nearest, target, PARENTS * count)
        else:
            best = self._within(first, target, bound, PARENTS * count)[::-1]
        pool = first.join(self._near(processes, some(first.designs, best), first.places[best], half, first.places))
        if bound is None:
            mean, nearest = pool.guesses
            picked = self._process.promising(pool.places, mean, nearest, target, count)
        else:
            picked = self._within(pool, target, bound, count)
        return some(pool.designs, picked), pool.places[picked]

    def _within(self, pool: Pool, target: float, bound: float, count: int) -> NDArray[np.int64]:
        """Return the rows of the pool that promise most and are likely to keep the constraints, the best first."""
        assert self._bounds is not None
        return self._process.promising_within(self._bounds, pool.places, pool.guesses, target, bound, count)

    def _near(
        self,
        processes: list[RankProcess],
        designs: Any,
        places: NDArray[np.float64],
        count: int,
        known: NDArray[np.float64] | None = None,
    ) -> Pool:
        """Half of a pool: candidates near some designs, of which the last counts most, that were not asked before.

        processes: which guess of them. known: places of the other half, (m, width), all new, which are left out too.
        """
        pool, where, start = self._candidates.near(designs, count)
        if known is None:
            rows = self._seen.new(where)
        else:
            rows = self._seen.new(np.concatenate([known, where]), len(known)) - len(known)
        guesses = [guess for one in processes for guess in one.predict(where[rows], places, start[rows])]
        return Pool(some(pool, rows), where[rows], tuple(guesses))
