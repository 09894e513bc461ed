"""Paths of a given number of increasing steps, in order of what their steps cost in sum.

Source: Bellman's recursion, and for the paths after the first Jimenez and Marzal's recursive enumeration ("Computing
the K shortest paths", WAE 1999, doi:10.1007/3-540-48318-7_4): the next path to a point extends the next one to the
point before its last.
"""

import heapq
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]  # steps made, and where


class ShortestPaths:
    """Iterates over paths from 0 to m, (steps + 1,) each, the cheapest first; of equal ones, the one through less.

    costs: of a step from i to j, (m + 1, m + 1), inf where there is none. Finding the first path takes steps m^2
    operations, every other one about steps log m.
    """

    def __init__(self, costs: NDArray[np.float64], steps: int) -> None:
        self._costs, self._steps, self._end = costs, steps, len(costs) - 1
        best = np.full((steps + 1, len(costs)), np.inf)
        best[0, 0] = 0.0
        before = np.zeros(best.shape, np.int64)
        for k in range(1, steps + 1):
            through = best[k - 1][:, None] + costs
            before[k] = through.argmin(axis=0)
            best[k] = through.min(axis=0)
        self._best, self._before = best, before
        # Of each point the paths known, cheapest first, as (sum, point before, its rank there), and what may come next.
        self._paths: dict[Point, list[tuple[float, int, int]]] = {(0, 0): [(0.0, -1, 0)]}
        self._next: dict[Point, list[tuple[float, int, int]]] = {}

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.int64]]]:
        """Yield the sum and the points of one path after another."""
        rank, end = 0, (self._steps, self._end)
        while self._has(end, rank):
            yield self._known(end)[rank][0], self._points(end, rank)
            rank += 1

    def _known(self, point: Point) -> list[tuple[float, int, int]]:
        """The paths found to a point so far, the cheapest from the recursion."""
        if point not in self._paths:
            k, j = point
            total = float(self._best[k, j])
            self._paths[point] = [(total, int(self._before[k, j]), 0)] if total < np.inf else []
        return self._paths[point]

    def _has(self, point: Point, rank: int) -> bool:
        """Find paths to a point up to this rank, at most one more than is known; whether there are as many."""
        stack = []  # points whose next path needs a next path to the one before: no recursion, for paths may be long
        while point[0] > 0 and rank >= len(self._known(point)) > 0:
            stack.append(point)
            _, i, r = self._known(point)[-1]
            point, rank = (point[0] - 1, i), r + 1
        found = rank < len(self._known(point))
        for follower in reversed(stack):
            found = self._extend(follower)
        return found

    def _extend(self, point: Point) -> bool:
        """Find the next path to a point, where the paths before it are known as far as they matter."""
        k, j = point
        _, last, rank = self._known(point)[-1]
        if point not in self._next:
            others = np.flatnonzero(np.isfinite(self._best[k - 1] + self._costs[:, j]))
            sums = (self._best[k - 1] + self._costs[:, j])[others]
            heap = [(s, i, 0) for s, i in zip(sums.tolist(), others.tolist(), strict=True) if i != last]
            heapq.heapify(heap)
            self._next[point] = heap
        further = self._known((k - 1, last))
        if rank + 1 < len(further):
            heapq.heappush(self._next[point], (further[rank + 1][0] + float(self._costs[last, j]), last, rank + 1))
        if not self._next[point]:
            return False
        self._paths[point].append(heapq.heappop(self._next[point]))
        return True

    def _points(self, point: Point, rank: int) -> NDArray[np.int64]:
        """Return the points of a known path."""
        out = np.empty(point[0] + 1, np.int64)
        for k in range(point[0], 0, -1):
            out[k] = point[1]
            _, i, rank = self._known(point)[rank]
            point = (k - 1, i)
        out[0] = point[1]
        return out
