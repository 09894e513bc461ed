"""How much each parameter of a design space matters for a metric, learned from logged trials.

Permutation importance of a random forest on held-out designs: how much of the forest's explained variance is lost when
one parameter's values are shuffled. Source: Breiman, Machine Learning 45, 2001, doi:10.1023/A:1010933404324.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_DESIGNS = 3000
LEAST_DESIGNS = 40
TREES = 60
REPEATS = 5
LARGEST_ONE_HOT = 24


@dataclass(frozen=True)
class Importance:
    """What was learned from `designs` designs about one target.

    drop: for each parameter the explained variance that is lost by shuffling it, and `spread` its standard deviation
    over shuffles, (parameters,). explained: R^2 of the whole forest on held-out designs; near 0 nothing may be read
    from the drops. They add up to no particular number: parameters that act together are counted in each.
    logarithm: whether the logarithm of the target was explained.
    """

    parameters: tuple[str, ...]
    drop: NDArray[np.float64]
    spread: NDArray[np.float64]
    explained: float
    designs: int
    logarithm: bool


def features_of(column: NDArray[Any]) -> NDArray[np.float64]:
    """Return one column as features, (n, m): numbers as they are, names one-hot, or numbered where there are many.

    A None or NaN (an idle parameter) becomes a value below all others.
    """
    if column.dtype.kind in "biuf":
        numbers = column.astype(np.float64)
        finite = numbers[np.isfinite(numbers)]
        floor = finite.min() - 1.0 if len(finite) else 0.0
        return np.where(np.isfinite(numbers), numbers, floor)[:, None]
    _, codes = np.unique(np.array([str(value) for value in column]), return_inverse=True)
    if len(codes) and codes.max() < LARGEST_ONE_HOT:
        return np.eye(codes.max() + 1)[codes]
    return codes.astype(np.float64)[:, None]


def parameter_importance(
    parameters: Mapping[str, Sequence[NDArray[Any]]], target: NDArray[np.float64], seed: int = 0
) -> Importance | None:
    """Fit a forest on part of the designs, shuffle each parameter on the rest; None below 40 designs or no variation.

    parameters: the columns of each, (n,), numbers or names. target: float64 (n,), of which NaN rows are dropped; its
    logarithm is explained where all of it is positive. At most 3,000 designs are used, drawn by the seed.
    """
    target = np.asarray(target, np.float64)
    rows = np.flatnonzero(np.isfinite(target))
    rng = np.random.default_rng(seed)
    if len(rows) > MOST_DESIGNS:
        rows = np.sort(rng.choice(rows, MOST_DESIGNS, replace=False))
    if len(rows) < LEAST_DESIGNS or target[rows].min() == target[rows].max():
        return None
    logarithm = bool(target[rows].min() > 0)
    y = np.log(target[rows]) if logarithm else target[rows]
    blocks = [np.hstack([features_of(np.asarray(c)[rows]) for c in columns]) for columns in parameters.values()]
    order = rng.permutation(len(rows))
    held_out, fitted = order[: len(rows) // 3], order[len(rows) // 3 :]
    if y[held_out].min() == y[held_out].max():
        return None
    drop, explained = _drops(blocks, y, fitted, held_out, rng)
    return Importance(tuple(parameters), drop.mean(axis=1), drop.std(axis=1), explained, len(rows), logarithm)


def _drops(
    blocks: list[NDArray[np.float64]],
    y: NDArray[np.float64],
    fitted: NDArray[np.int64],
    held_out: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], float]:
    """Return the loss of explained variance by parameter and shuffle, (parameters, repeats), and the whole forest's."""
    from sklearn.ensemble import RandomForestRegressor

    x = np.hstack(blocks)
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1)
    forest.fit(x[fitted], y[fitted])
    n = len(held_out)

    def explained(features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return R^2 for each copy of the held-out designs, (copies,)."""
        errors = (forest.predict(features).reshape(-1, n) - y[held_out]) ** 2
        return np.asarray(1.0 - errors.mean(axis=1) / y[held_out].var())

    whole = float(explained(x[held_out])[0])
    drops = np.empty((len(blocks), REPEATS))
    start = 0
    for row, block in zip(drops, blocks, strict=True):
        stop = start + block.shape[1]
        # All shuffles of a parameter in one batch: a call of the forest costs more than its rows.
        shuffled = np.tile(x[held_out], (REPEATS, 1))
        order = np.concatenate([rng.permutation(n) for _ in range(REPEATS)])
        shuffled[:, start:stop] = x[held_out][order, start:stop]
        row[:] = whole - explained(shuffled)
        start = stop
    return drops, whole
