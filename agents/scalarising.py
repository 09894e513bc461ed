"""Several objectives as one: the augmented Chebyshev distance from the best of each, with weights drawn anew.

Source: Knowles, "ParEGO", IEEE TEVC 10(1), 2006, doi:10.1109/TEVC.2005.851274; logarithms where losses are positive,
since rewards take them too.
"""

import numpy as np
from numpy.typing import NDArray

SHARE_OF_SUM = 0.05  # of the weighted sum beside the largest part: no weakly dominated design ties with a better one

FAR = 1e3  # how far an infinite loss is beyond the largest finite one, in spans; not so far that rounding eats the rest
Floats = NDArray[np.float64]


def draw_weights(objectives: int, rng: np.random.Generator) -> Floats:
    """Return weights drawn uniformly among those that add up to 1, (objectives,)."""
    return rng.dirichlet(np.ones(objectives))


def scales(losses: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return where each objective begins and how far it goes to its median, (k,), and which are taken in logarithms.

    losses: (n, k) of the feasible designs that are known, n at least 1.
    """
    positive = np.asarray((losses > 0).all(axis=0))
    taken = _taken(losses, positive)
    low = taken.min(axis=0)
    return low, np.maximum(np.median(taken, axis=0) - low, 1e-12), positive


def chebyshev_rewards(losses: Floats, weights: Floats, scale: tuple[Floats, Floats, NDArray[np.bool_]]) -> Floats:
    """Return minus the augmented Chebyshev distance of each row of losses, (n, k), from the best of each, (n,)."""
    low, span, positive = scale
    parts = weights * ((_taken(losses, positive) - low) / span)
    return -(parts.max(axis=1) + SHARE_OF_SUM * parts.sum(axis=1))


def _taken(losses: Floats, positive: NDArray[np.bool_]) -> Floats:
    losses = _finite(losses)
    return np.where(positive, np.log(np.where(positive, np.maximum(losses, 1e-300), 1.0)), losses)


def _finite(losses: Floats) -> Floats:
    """Return losses whose infinite ones are far beyond the others of their column: differences are numbers then."""
    infinite = np.isinf(losses)
    if not infinite.any():
        return losses
    high = np.where(infinite, -np.inf, losses).max(axis=0)
    low = np.where(infinite, np.inf, losses).min(axis=0)
    high, low = np.where(np.isfinite(high), high, 1.0), np.where(np.isfinite(low), low, 1.0)
    beyond = FAR * np.maximum(high - low, np.maximum(np.abs(high), np.abs(low)))
    beyond = np.where(beyond > 0, beyond, FAR)
    return np.where(infinite, np.where(losses > 0, high + beyond, low - beyond), losses)
