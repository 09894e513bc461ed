"""In how many parameters designs differ: of a category all or nothing, of an ordered parameter in part."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from designgym.agents.places import Places
from designgym.envs import Categorical, DesignSpace

Floats = NDArray[np.float64]
WHOLE = 0.25  # of an ordered parameter's range: so far apart values differ as much as any two categories
PAIRS = 256  # random designs that are compared for `typical`


class Differences:
    """Compares places of a space's designs. parameters: how many may differ. width: numbers of a place."""

    def __init__(self, space: DesignSpace, places: Places) -> None:
        from designgym.agents import _difference_kernel as kernel

        self._kernel, self._space, self._places, self._group = kernel, space, places, places.group
        ordered = np.array([not isinstance(p, Categorical) for p in space.parameters])[self._group]
        self._scale = np.where(ordered, 1.0 / WHOLE, 1.0)
        self.parameters, self.width = int(self._group[-1]) + 1, len(self._group)

    @cached_property
    def typical(self) -> float:
        """In how many parameters two random designs differ; constraints aside where they leave too few to draw."""
        rng = np.random.default_rng(0)
        try:
            designs = self._space.sample(2 * PAIRS, rng)
        except RuntimeError:
            designs = DesignSpace(*self._space.parameters).sample(2 * PAIRS, rng)
        drawn = self._places.of(designs)
        return float(self._kernel.mean_difference(drawn[:PAIRS], drawn[PAIRS:], self._group, self._scale))

    def nearest(self, places: Floats, others: Floats) -> Floats:
        """Return in how many parameters each place, (m, width), differs from the nearest other, (k, width); (m,)."""
        least: Floats = self._kernel.nearest(places, others, self._group, self._scale)
        return least
