"""A forest that learns how good designs are from how they rank: it predicts scores, not metrics.

Source: Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006,
doi:10.1007/s10994-006-6226-1, as scikit-learn has them. Ranks in place of values: a search compares, and a few failed
designs of huge loss would otherwise be all that the trees see.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec
from designgym.cost_models.learned.features import features

LEAF = 2  # designs that a leaf holds at least

Floats = NDArray[np.float64]


class RankForest:
    """Extremely randomised trees on normal scores of ranks. specs: the columns that it sees; trees: how many."""

    def __init__(self, specs: Sequence[ColumnSpec], trees: int = 64) -> None:
        self._specs, self._trees = tuple(specs), trees
        self._forest: Any = None

    def fit(self, designs: Columns, places: NDArray[np.int64], seed: int) -> None:
        """Learn from designs, (n,) each, and their places, (n,), 0 for the best, at least two of them."""
        from scipy.special import ndtri
        from sklearn.ensemble import ExtraTreesRegressor

        if len(places) < 2:
            raise ValueError(f"at least 2 designs are needed to learn from, got {len(places)}. Price more first.")
        scores = ndtri((np.argsort(np.argsort(places, kind="stable")) + 0.5) / len(places))
        self._forest = ExtraTreesRegressor(self._trees, min_samples_leaf=LEAF, random_state=seed % 2**32)
        self._forest.fit(features(self._specs, designs), scores)

    def predict(self, designs: Columns) -> Floats:
        """Return the predicted scores of designs, (n,): lower is better, about standard normal over those learned."""
        if self._forest is None:
            raise ValueError("a forest predicts what it has learned, got none. Call fit first.")
        return np.asarray(self._forest.predict(features(self._specs, designs)))
