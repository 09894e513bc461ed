"""Quasi-random search: scrambled Sobol' points, which fill the unit cube more evenly than random ones.

Source: Sobol', 1967, doi:10.1016/0041-5553(67)90144-9; direction numbers of Joe and Kuo, 2008, doi:10.1137/070709359;
scrambled as in Matoušek, 1998, doi:10.1006/jcom.1998.0489. The points are SciPy's.
"""

from typing import Any

import numpy as np
from scipy.stats import qmc

from designgym.agents.base import Agent
from designgym.agents.moves import rows_of, valid_rows
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace, Evaluations, Problem

BITS = 52  # of a coordinate: one for every value that a parameter may have
BLOCKS = 64  # blocks without a new valid design before designs are drawn at random


class QuasiRandom(Agent):
    """Walks along one Sobol' sequence over the digits of the space, and skips what is invalid or was asked before.

    Each choice of each digit is equally likely, so a branch of conditional parameters gets its share whatever the
    number of its designs, where `random` gives every design the same. Where 64 blocks of points bring nothing new,
    designs are drawn as `random` draws them, so a space is searched to its end. ValueError beyond 21,201 digits.
    """

    summary = "quasi-random search: scrambled Sobol' points without repeats"
    hyperparameters = DesignSpace(
        Categorical(
            "points",
            ("scrambled", "plain"),
            meaning="scrambled: evenly spread, different for every seed; plain: the same, and from a corner, for all",
        )
    )
    batch = 256  # a power of two: such a block of points is balanced in every digit

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        count = len(self.space.cardinalities)
        if count > qmc.Sobol.MAXDIM:
            raise ValueError(
                f"quasi_random needs a space of at most {qmc.Sobol.MAXDIM:,} digits, as many as Sobol' points have "
                f"coordinates, got {count:,}. Use random."
            )
        scrambled = self.settings["points"] == "scrambled"
        self._points = qmc.Sobol(count, scramble=scrambled, bits=BITS, seed=int(self.rng.integers(2**63)))
        self._seen = Seen(self.space)
        self._waiting: Columns = {}

    def ask(self, n: int) -> Columns:
        # Points are drawn a block at a time whatever n is: runs that ask in other portions ask the same designs.
        for _ in range(BLOCKS):
            if self._waiting and batch_length(self._waiting):
                designs, self._waiting = rows_of(self._waiting, slice(n)), rows_of(self._waiting, slice(n, None))
                return designs
            self._waiting = self._new(valid_rows(self.space, self.space.decode(self._points.random(self.batch))))
        designs = self.space.sample(n, self.rng)
        new = self._new(designs)
        return new if batch_length(new) else designs

    def _new(self, designs: Columns) -> Columns:
        return rows_of(designs, self._seen.add(designs)) if batch_length(designs) else designs

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Nothing to learn but what not to ask."""
        self._seen.add(designs)
