"""Walk through the valid designs of a space, in order or at random, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from designgym.cost_models.base import Columns, batch_length
from designgym.envs.ranking import INT64, Forest, rows_of

if TYPE_CHECKING:
    from designgym.envs.space import DesignSpace

MOST_DRAWS_PER_DESIGN = 10**6
SMALLEST_DRAW, LARGEST_DRAW = 1024, 10**6  # designs at a time


def enumerate_valid(space: DesignSpace, forest: Forest, chunk: int) -> Iterator[Columns]:
    """Yield each valid design once, in rank order, at most `chunk` at a time; memory stays at a few chunks.

    The last parameters are unranked once, as a block that is repeated under each choice of the others.
    """
    space._refuse_floats("enumerate")
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}.")
    return _batches(space, forest, chunk)


def _batches(space: DesignSpace, forest: Forest, chunk: int) -> Iterator[Columns]:
    front, block = forest.split(chunk)
    head = Forest(forest.roots[:front])
    tail: Columns = {}
    Forest(forest.roots[front:]).unrank(np.arange(block), tail)
    heads, at_once = int(head.size), chunk // block
    for start in range(0, heads, at_once):
        stop = min(start + at_once, heads)
        # Python ints where int64 cannot hold the ranks.
        ranks = np.arange(start, stop) if heads < INT64 else np.array([*range(start, stop)], object)
        outer: Columns = {}
        head.unrank(ranks, outer)
        columns = {name: np.repeat(column, block) for name, column in outer.items()}
        columns |= {name: np.tile(column, stop - start) for name, column in tail.items()}
        columns = _valid(space, {name: columns[name] for name in space.columns})
        if batch_length(columns):
            yield columns


def sample_valid(space: DesignSpace, forest: Forest, n: int, rng: np.random.Generator) -> Columns:
    """Draw canonical designs, drop the invalid ones, until n are there; RuntimeError where almost all are invalid."""
    if not space.constraints or n < 1:
        return _draw(space, forest, n, rng)
    found: list[Columns] = []
    have, drawn = 0, 0
    while have < n:
        count = min(max(2 * (n - have), SMALLEST_DRAW), LARGEST_DRAW)
        columns = _valid(space, _draw(space, forest, count, rng))
        found.append(columns)
        have += batch_length(columns)
        drawn += count
        if drawn > MOST_DRAWS_PER_DESIGN * (have + 1):
            raise RuntimeError(
                f"found {have} of {n} valid designs in {drawn} draws: the constraints {space.constraints} leave "
                "almost nothing. Loosen them, or make their parameters depend on each other with when=."
            )
    return {name: np.concatenate([columns[name] for columns in found])[:n] for name in space.columns}


def _draw(space: DesignSpace, forest: Forest, n: int, rng: np.random.Generator) -> Columns:
    out: Columns = {}
    forest.draw(n, rng, out)
    return {name: out[name] for name in space.columns}


def _valid(space: DesignSpace, designs: Columns) -> Columns:
    return rows_of(designs, space.constraint_violation(designs) == 0) if space.constraints else designs


def rows_to_draw(space: DesignSpace, designs: Columns) -> Columns:
    """Return designs for a space to draw from, canonical; ValueError for none, and for one that is not in the space."""
    inside = space.contains(designs)
    if not inside.size or not inside.all():
        got = "none" if not inside.size else f"{int((~inside).sum())} of {inside.size} that are not"
        raise ValueError(f"drawn_from must be designs of the space, got {got}. Leave those out.")
    canonical = space.canonical(designs)
    return {name: canonical[name].copy() for name in space.columns}
