"""TabPFN, a transformer that has learned to learn from small tables, where its package is installed.

Hollmann et al., "Accurate predictions on small data with a tabular foundation model", Nature 637, 2025,
doi:10.1038/s41586-024-08328-6. No part of the project needs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.learned.regressors import Recipe

MOST = 10_000  # rows that its authors hold it to be made for

Floats = NDArray[np.float64]


def regressor() -> Recipe:
    """Return the recipe of its regressor. ValueError where the package is not installed."""
    package = _package()

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        return package.TabPFNRegressor(random_state=seed).fit(x, y)

    return Recipe(fit, most=MOST)


def classifier() -> Recipe:
    """Return the recipe of its classifier. ValueError where the package is not installed."""
    package = _package()

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        return package.TabPFNClassifier(random_state=seed).fit(x, y)

    return Recipe(fit, most=MOST)


def _package() -> Any:
    import importlib

    try:
        return importlib.import_module("tabpfn")
    except ImportError as error:
        raise ValueError(
            f"model 'tabpfn' needs the package tabpfn, which cannot be imported ({error}). "
            "pip install tabpfn, or take another model, such as boosting."
        ) from None
