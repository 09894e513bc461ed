"""Sequences of linear systems on a grid, each a 5-point Laplacian plus a shift of its diagonal.

Shifted Poisson systems as in Khodak, Chow, Balcan and Talwalkar, "Learning to Relax", ICLR 2024, arXiv:2310.02246. A
system's unknowns lie inside a square of n by n, with 0 around it; the diagonal is 4 + shift, neighbours enter with -1.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.registry import nearest

Floats = NDArray[np.float64]

TOLERANCE = 1e-8  # of a residual, relative
FIRST_SEED = 100  # sequence k is drawn from default_rng(FIRST_SEED + k)
SHIFTS = {"high": (0.5, 1.5), "low": (2.0, 6.0)}  # variance: parameters of a beta distribution
LEAST_SHIFT, SHIFT_RANGE, AT = -0.15, 0.6, 10  # of the distributions, the first on a grid of ten by ten


@dataclass(frozen=True)
class Systems:
    """T systems, each to be solved from its own first guess.

    shift: (T,). residual: of the first guess, (T, n * n), row by row. limit: a solution's residual has a norm below it,
    (T,). context: what may be observed of a system before it is solved, (T,).
    """

    n: int
    shift: Floats
    residual: Floats
    limit: Floats
    context: Floats


def least_shift(n: int) -> float:
    """Return the lower end of the shifts on a grid of n by n: as far from where systems turn indefinite, relatively."""
    return LEAST_SHIFT * (1.0 - np.cos(np.pi / (n + 1))) / (1.0 - np.cos(np.pi / (AT + 1)))


def shift_range(n: int, lowest: float | None = None) -> tuple[float, float]:
    """Return the least and the largest shift of `poisson_systems`."""
    low = least_shift(n) if lowest is None else float(lowest)
    return low, low + SHIFT_RANGE


def jacobi_radius(shift: Floats | float, n: int) -> Floats:
    """Return beta, the spectral radius of Jacobi's iteration: relaxation converges where it is below 1."""
    found: Floats = 4.0 * np.cos(np.pi / (n + 1)) / (4.0 + np.asarray(shift, np.float64))
    return found


def asymptotic_omega(shift: Floats | float, n: int) -> Floats:
    """Return Young's omega, the best after infinitely many sweeps: 1 + (beta / (1 + sqrt(1 - beta^2)))^2.

    1 where systems are indefinite. Source: Young, Iterative Solution of Large Linear Systems, 1971, section 6.2.
    """
    beta = np.minimum(jacobi_radius(shift, n), 1.0)
    found: Floats = 1.0 + (beta / (1.0 + np.sqrt(1.0 - beta * beta))) ** 2
    return found


@lru_cache(2)
def poisson_systems(n: int, distribution: str, instances: int, seed: int, lowest: float | None = None) -> Systems:
    """Draw shifted Poisson systems from default_rng(100 + seed): all shifts first, then right sides by rejection.

    distribution: of shifts, lowest + .6 * Beta(.5, 1.5), "high" variance, or + .6 * Beta(2, 6), "low". A right side is
    standard normal, drawn again while its norm is above n. The first guess is 0.
    """
    if distribution not in SHIFTS:
        raise ValueError(f"unknown distribution {distribution!r} of shifts. {nearest(distribution, SHIFTS)}")
    rng = np.random.default_rng(FIRST_SEED + seed)
    shift = shift_range(n, lowest)[0] + SHIFT_RANGE * rng.beta(*SHIFTS[distribution], instances)
    rows: list[Floats] = []
    missing = instances
    while missing > 0:
        # Two draws a row or so: drawn many at a time they come in the order in which they would one by one.
        drawn = rng.standard_normal((2 * missing + 16, n * n))
        kept = drawn[np.einsum("ij,ij->i", drawn, drawn) <= n * n][:missing]
        rows.append(kept)
        missing -= len(kept)
    residual = np.concatenate([np.empty((0, n * n)), *rows])
    limit = TOLERANCE * np.sqrt(np.einsum("ij,ij->i", residual, residual))
    return Systems(n, shift, residual, limit, shift)
