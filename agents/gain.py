"""Boxes of what no known design dominates: what a new one can gain. See `_gain_kernel`."""

import numpy as np
from numpy.typing import NDArray

from designgym.envs.pareto import crowding_distance, nondominated

Floats = NDArray[np.float64]
MOST = {2: 24, 3: 10}  # losses of a front that boxes are cut by: the least crowded ones
FEWEST = 5  # of four objectives and more


def boxes(losses: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Return the edges, (boxes, k) each, of boxes that cover what is below the reference and not dominated by losses.

    losses: (n, k), n may be 0. They do not overlap.
    """
    k = len(reference)
    inside = losses[(losses < reference).all(axis=1)]
    inside = inside[nondominated(inside)] if len(inside) else inside
    inside = np.unique(inside, axis=0)
    most = MOST.get(k, FEWEST)
    if k > 1 and len(inside) > most:
        inside = inside[np.argsort(-crowding_distance(inside, np.zeros(len(inside), np.int64)), kind="stable")[:most]]
    lower, upper = _cut(inside, reference)
    return np.array(lower).reshape(-1, k), np.array(upper).reshape(-1, k)


def _cut(losses: Floats, reference: Floats) -> tuple[list[Floats], list[Floats]]:
    """Slice along the last loss: between two values only what lies below the first of them dominates."""
    if len(reference) == 1:
        best = min(losses[:, 0].min(initial=np.inf), reference[0])
        return [np.array([-np.inf])], [np.array([best])]
    order = np.argsort(losses[:, -1], kind="stable")
    losses = losses[order]
    edges = np.unique(np.append(losses[:, -1], reference[-1]))
    lower: list[Floats] = []
    upper: list[Floats] = []
    low = -np.inf
    for high in edges:
        under = losses[losses[:, -1] <= low, :-1]
        under = under[nondominated(under)] if len(under) else under
        for one, other in zip(*_cut(under, reference[:-1]), strict=True):
            lower.append(np.append(one, low))
            upper.append(np.append(other, high))
        low = high
    return lower, upper


def reference_of(losses: Floats) -> Floats:
    """Return the point from which gains are measured: see `Optimum.reference`. losses: feasible ones, (n, k), n > 0."""
    front = losses[nondominated(losses)]
    worst, extent = front.max(axis=0), np.ptp(front, axis=0)
    beyond = worst + 0.1 * np.where(extent > 0, extent, np.maximum(np.abs(worst), 1e-9))
    reference: Floats = np.maximum(beyond, np.median(losses, axis=0))
    return reference
