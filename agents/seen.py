"""Which designs an agent has asked already: a repeat is free, but it teaches nothing."""

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, batch_length
from designgym.envs.memory import Keys, Memory, keys_of
from designgym.envs.space import DesignSpace


class Seen:
    """A set of designs with batched look-up."""

    def __init__(self, space: DesignSpace) -> None:
        self._space = space
        self._memory: Memory | None = None

    def _table(self, designs: Columns) -> tuple[Memory, Keys]:
        keys = keys_of(self._space, designs, np.zeros(batch_length(designs)))
        if self._memory is None:
            self._memory = Memory(keys.shape[1])
        return self._memory, keys

    def add(self, designs: Columns) -> NDArray[np.bool_]:
        """Add the designs; return where each is new, bool (n,); the second of two equal rows is not."""
        memory, keys = self._table(designs)
        before = memory.count
        places, _ = memory.insert(keys, len(keys))
        return places > np.maximum.accumulate(np.append(before - 1, places[:-1]))

    def new(self, designs: Columns) -> NDArray[np.bool_]:
        """Where a design was not added yet and no earlier row equals it, bool (n,); adds nothing."""
        memory, keys = self._table(designs)
        unknown = memory.insert(keys, 0)[0] < 0
        first = np.zeros(len(keys), bool)
        first[np.unique(keys, axis=0, return_index=True)[1]] = True
        return unknown & first
