"""Candidates near a few designs, and what a model guesses of them: moves and crosses, in the archive's own form.

Source of the crosses: uniform crossover (Syswerda, ICGA 1989). Moves are those of `moves`, compiled for plain spaces.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from designgym.agents.archive import Archive
from designgym.agents.moves import cross, joined, mutate, rows_of
from designgym.agents.places import Places
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace


class Pool(NamedTuple):
    """Candidates in the archive's form, their places, (n, width), and what processes guess of them, (n,) each.

    guesses: a mean and the correlation with the nearest trial, of each process.
    """

    designs: Any
    places: NDArray[np.float64]
    guesses: tuple[NDArray[np.float32], ...]

    def join(self, other: "Pool") -> "Pool":
        """Return these and others."""
        pairs = zip(self.guesses, other.guesses, strict=True)
        return Pool(
            merged([self.designs, other.designs]),
            np.concatenate([self.places, other.places]),
            tuple(np.concatenate(pair) for pair in pairs),
        )


def some(designs: Any, rows: Any) -> Any:
    """Return these rows of designs in the archive's form."""
    return rows_of(designs, rows) if isinstance(designs, dict) else designs[rows]


def merged(parts: list[Any]) -> Any:
    """Return several batches of designs in the archive's form as one."""
    return joined(*parts) if isinstance(parts[0], dict) else np.concatenate(parts)


class Candidates:
    """Makes candidates of a few starts, designs of which the last counts most.

    elite: share that begin at any of the other starts. crossed: share that take each parameter from where they begin or
    from one of the other starts; the rest change one parameter, and with the chance `further` one more, and so on.
    reach: of an ordered parameter's moves the share that go anywhere.
    """

    def __init__(
        self,
        space: DesignSpace,
        places: Places,
        archive: Archive,
        rng: np.random.Generator,
        *,
        elite: float,
        crossed: float,
        further: float,
        reach: float,
    ) -> None:
        from designgym.agents import _pool_kernel as kernel

        self._kernel, self._space, self._places = kernel, space, places
        self._archive, self._rng = archive, rng
        self._elite, self._crossed, self._further, self._reach = elite, crossed, further, reach
        self.state = rng.integers(2**63, size=1, dtype=np.uint64)  # of the kernel's own generator
        self._cardinalities = np.array(space.cardinalities)
        self._ordered = np.array([not isinstance(p, Categorical) for p in space.parameters])
        self.plain = places.flat and not space.constraints  # whether all rows of digits are designs

    @property
    def settings(self) -> tuple[Any, Any]:
        """Of a plain space: what compiled code makes of starts and of places: see `pick`."""
        shares = self._elite, self._crossed, self._further, self._reach
        return (self._cardinalities, self._ordered, *self._places.tables), shares

    def anywhere(self) -> tuple[Any, NDArray[np.float64]]:
        """Return a design drawn uniformly, in the archive's form, and its places, each a batch of one."""
        if self.plain:
            digits = self._kernel.anywhere(self.state, self._cardinalities)
            return digits, self._places.of_digits(digits)
        design = self._space.sample(1, self._rng)
        return self._archive.own(design), self._places.of(design)

    def scattered(self, n: int) -> tuple[Any, NDArray[np.float64]]:
        """Return n designs drawn uniformly, in the archive's form, and their places, (n, width)."""
        if self.plain:
            counts = self._cardinalities
            digits = self._rng.random((n, len(counts))) * np.where(counts, counts, 1)
            digits = np.where(counts, np.floor(digits), digits)
            return digits, self._places.of_digits(digits)
        designs = self._space.sample(n, self._rng)
        return self._archive.own(designs), self._places.of(designs)

    def near(self, starts: Any, n: int) -> tuple[Any, NDArray[np.float64], NDArray[np.int64]]:
        """Return n candidates, their places, (n, width), and at which of the starts each began, (n,).

        Fewer where some would be illegal or break a constraint.
        """
        if self._places.flat:
            shares = self._elite, self._crossed, self._further, self._reach
            pool, start = self._kernel.candidates(self.state, starts, n, self._cardinalities, self._ordered, *shares)
        else:
            pool, start = self._moved(starts, n)
        if self._space.constraints:
            # Digits are legal values, columns that were told may not be.
            broken = self._space.constraint_violation if self._places.flat else self._space.violation
            valid = broken(self._archive.columns(pool)) == 0
            pool, start = some(pool, valid), start[valid]
        return pool, self._places.of_digits(pool) if self._places.flat else self._places.of(pool), start

    def _moved(self, starts: Columns, n: int) -> tuple[Columns, NDArray[np.int64]]:
        """The same for designs in columns, constraints apart."""
        count, others, rng = len(self._space.parameters), batch_length(starts) - 1, self._rng
        start = np.full(n, others)
        elsewhere = np.flatnonzero(rng.random(n) < self._elite)
        start[elsewhere] = rng.integers(0, max(others, 1), len(elsewhere))
        crossed = rng.random(n) < self._crossed
        mates = rng.integers(0, max(others, 1), int(crossed.sum()))
        changes = np.minimum(rng.geometric(1.0 - self._further, n), count)
        mask = rng.random((n, count)).argsort(axis=1) < changes[:, None]
        moved = mutate(self._space, rows_of(starts, start[~crossed]), mask[~crossed], self._reach, rng)
        children = cross(self._space, rows_of(starts, start[crossed]), rows_of(starts, mates), rng)
        pool = {name: np.concatenate([moved[name], children[name]]) for name in moved}
        return pool, np.concatenate([start[~crossed], start[crossed]])
