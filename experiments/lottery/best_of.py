"""What the best of k settings is expected to end at, when k of the N settings that were tried had been drawn.

A setting is picked by one score and reported by another, so that luck in picking is never reported. The average over
all subsets of k is exact by order statistics: the unbiased estimator of Tang et al., ACL 2020, arXiv:2004.13705, which
mends Dodge et al., EMNLP 2019, arXiv:1909.03004.
"""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rank_weights(settings: int, k: int) -> Floats:
    """Return the chance that the r-th best of `settings` is the best of a random subset of k, r = 1 ..., (settings,).

    That is C(settings - r, k - 1) / C(settings, k): the other k - 1 lie below it. ValueError unless 1 <= k <= settings.
    """
    if not 1 <= k <= settings:
        raise ValueError(f"k must be in [1, {settings}], got {k}. Draw more settings, or ask for fewer.")
    subsets = comb(settings, k)
    return np.array([comb(settings - rank, k - 1) / subsets for rank in range(1, settings + 1)])


def weight_table(settings: int) -> Floats:
    """Return `rank_weights` for k = 1 ... settings, row by row, (settings, settings)."""
    return np.array([rank_weights(settings, k) for k in range(1, settings + 1)])


def best_of(picked_by: Floats, scores: Floats, weights: Floats | None = None) -> Floats:
    """Return the expected score of the best of k = 1 ... N settings, averaged over all subsets of k.

    picked_by: (..., N), lower is better; equal ones are picked at random. scores: (..., N), what a pick is reported
    by. weights: `weight_table(N)`, where it is at hand. Returns (..., N).
    """
    weights = weight_table(picked_by.shape[-1]) if weights is None else weights
    return scores_in_order(picked_by, scores) @ weights.T


def scores_in_order(picked_by: Floats, scores: Floats) -> Floats:
    """Return the scores with the best pick first; those whose `picked_by` are equal all get their mean, (..., N)."""
    shape = np.broadcast_shapes(picked_by.shape, scores.shape)
    keys = np.broadcast_to(picked_by, shape).reshape(-1, shape[-1])
    order = np.argsort(keys, axis=1, kind="stable")
    keys = np.take_along_axis(keys, order, 1)
    ordered = np.take_along_axis(np.broadcast_to(scores, shape).reshape(keys.shape), order, 1)
    starts = np.ones(keys.shape, bool)
    starts[:, 1:] = keys[:, 1:] != keys[:, :-1]
    group = np.cumsum(starts.ravel()) - 1
    if group[-1] + 1 < group.size:
        ordered = (np.bincount(group, ordered.ravel()) / np.bincount(group))[group]
    return ordered.reshape(shape)
