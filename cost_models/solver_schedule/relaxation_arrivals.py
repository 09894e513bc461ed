"""Sequences of linear systems that arrive one after another, many sequences side by side, each solved as it comes.

Khodak, Chow, Balcan and Talwalkar, "Learning to Relax", ICLR 2024, arXiv:2310.02246. Systems: see `linear_systems`.
"""

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule.linear_systems import (
    FIRST_SEED,
    SHIFT_RANGE,
    SHIFTS,
    TOLERANCE,
    Systems,
    jacobi_radius,
    shift_range,
)
from designgym.cost_models.solver_schedule.relaxation import LEAST_VIOLATION, MOST_ITERATIONS, Relaxation

AHEAD = 32  # systems of a sequence that are drawn at a time: 2 MB for 64 sequences on ten by ten unknowns

Floats = NDArray[np.float64]


class Arrivals:
    """count sequences of a model, each at a place of its own; row i depends on sequence i alone.

    Shifted systems are drawn as they arrive, the same as `poisson_systems` draws at once: many whole sequences would
    not fit into memory. The heat equation has one sequence, which all share.
    """

    def __init__(self, count: int, model: Relaxation) -> None:
        self._model, self._rows = model, np.arange(count)
        self._places = np.zeros(count, np.int64)  # of the systems that have arrived
        self._drawn: Systems | None = None  # those at hand
        if model.equation == "poisson":
            held, n = AHEAD * count, model.side
            self._drawn = Systems(n, np.zeros(held), np.zeros((held, n * n)), np.zeros(held), np.zeros(0))
            self._violation, self._shifts = np.zeros(held), np.zeros((count, model.instances))
            self._generators = [np.random.default_rng(0)] * count
            self._left = [np.empty((0, n * n))] * count  # right sides that were drawn beyond those at hand

    def begin(self, row: int, seed: int) -> None:
        """Begin the sequence that a seed draws; the heat equation has but one."""
        self._places[row] = 0
        if self._drawn is not None:
            model, rng = self._model, np.random.default_rng(FIRST_SEED + seed)
            beta = rng.beta(*SHIFTS[model.distribution], model.instances)
            self._shifts[row] = shift_range(model.side, model.lowest)[0] + SHIFT_RANGE * beta
            self._generators[row], self._left[row] = rng, np.empty((0, model.side**2))
            self._draw(row, self._drawn)

    def _draw(self, row: int, into: Systems) -> None:
        """Draw the next systems of a sequence, AHEAD of them: standard normal right sides by rejection."""
        kept, width = [self._left[row]], into.residual.shape[1]
        while sum(map(len, kept)) < AHEAD:
            drawn = self._generators[row].standard_normal((AHEAD, width))
            kept.append(drawn[np.einsum("ij,ij->i", drawn, drawn) <= width])
        right = np.concatenate(kept)
        self._left[row] = right[AHEAD:].copy()
        first, coming = AHEAD * row, self._shifts[row, self._places[row] : self._places[row] + AHEAD]
        into.residual[first : first + AHEAD] = right[:AHEAD]
        into.limit[first : first + AHEAD] = TOLERANCE * np.sqrt(np.einsum("ij,ij->i", right[:AHEAD], right[:AHEAD]))
        into.shift[first : first + len(coming)] = coming
        beyond = jacobi_radius(coming, self._model.side) - 1.0
        violation = np.where(beyond < 0.0, 0.0, np.maximum(beyond, LEAST_VIOLATION))
        self._violation[first : first + len(coming)] = violation

    @property
    def over(self) -> NDArray[np.bool_]:
        """Which sequences have no system left, (count,)."""
        return self._places == self._model.instances

    def contexts(self) -> Floats:
        """Return what is observed of the systems that have arrived, (count,); of the last one where none is left."""
        places = np.minimum(self._places, self._model.instances - 1)
        return self._model.systems().context[places] if self._drawn is None else self._shifts[self._rows, places]

    def solve(self, omega: Floats) -> Columns:
        """Solve the systems that have arrived, each under its omega in (0, 2), (count,); let the next ones arrive.

        Returns iterations, unsolved and violation, each (count,), as `Relaxation` has them, of each system by itself.
        """
        if self._drawn is None:  # which are never indefinite
            violation, counts = np.zeros(len(omega)), self._model.solve(self._model.systems(), self._places, omega)
            self._places += 1
        else:
            offset = self._places % AHEAD
            held = AHEAD * self._rows + offset
            violation, counts = self._violation[held], self._model.solve(self._drawn, held, omega)
            self._places += 1
            if (spent := offset == AHEAD - 1).any():
                for row in np.flatnonzero(spent & ~self.over).tolist():
                    self._draw(row, self._drawn)
        iterations = np.minimum(counts, MOST_ITERATIONS).astype(np.float64)
        unsolved = (counts > MOST_ITERATIONS).astype(np.float64)
        if violation.any():
            iterations[violation > 0] = unsolved[violation > 0] = np.nan
        return {"iterations": iterations, "unsolved": unsolved, "violation": violation}
