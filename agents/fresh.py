"""Designs that were not asked before, drawn until they are new."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from designgym.agents.moves import rows_of
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace

REDRAWS = 12  # times that a row is drawn again before it is given up

Draw = Callable[[NDArray[np.int64]], Columns]


def drawn_new(space: DesignSpace, seen: Seen, n: int, draw: Draw) -> tuple[Columns, NDArray[np.bool_]]:
    """Draw n canonical designs, each of which is valid, was not asked before and is no earlier row's.

    draw: takes the numbers of the rows to draw, again if need be. Returns n rows and where they are new, bool (n,):
    the others were given up. Nothing is marked as seen.
    """
    designs = draw(np.arange(n))
    fresh = _fresh(space, seen, designs)
    for _ in range(REDRAWS):
        stale = np.flatnonzero(~fresh)
        if not len(stale):
            break
        again = draw(stale)
        designs = {name: column.copy() for name, column in designs.items()}
        for name, column in designs.items():
            column[stale] = again[name]
        fresh = _fresh(space, seen, designs)
    return designs, fresh


def ask_new(
    space: DesignSpace, seen: Seen, n: int, rng: np.random.Generator, draw: Callable[[int, int], Columns]
) -> Columns:
    """Return at most n new designs, marked as seen; where nothing new is found, repeats, by which a run ends.

    draw: takes how many canonical designs to draw, and how often those were drawn before. Where none of it is new,
    uniform designs are tried.
    """
    redraws = -1

    def again(rows: NDArray[np.int64]) -> Columns:
        nonlocal redraws
        redraws += 1
        return draw(len(rows), redraws)

    designs, new = drawn_new(space, seen, n, again)
    if not new.any():
        designs = space.sample(n, rng)
        new = seen.new(designs)
    if new.any():
        designs = rows_of(designs, new)
    seen.add(designs)
    return designs


def _fresh(space: DesignSpace, seen: Seen, designs: Columns) -> NDArray[np.bool_]:
    # In this order: of two equal rows the first counts, and both are valid or neither is.
    fresh = seen.new(designs)
    return fresh & (space.violation(designs) == 0) if space.constraints else fresh
