"""The systems of a heat equation with a conductivity that varies in time, stepped by Crank and Nicolson's rule.

Khodak, Chow, Balcan and Talwalkar, "Learning to Relax", ICLR 2024, arXiv:2310.02246, section 4, with the initial state
and the heat source of its code, github.com/mkhodak/learning-to-relax: on the unit square, 0 on its boundary,
u_t = kappa(t) (u_xx + u_yy) + f(t, x), kappa(t) = max(.1 sin 2 pi t, -10 sin 2 pi t). u(0) is a bump of radius 1/4 in
the middle; f is 32 times a bump of radius 1/8 that goes round the middle at a distance of 1/4, eight times a unit of
time. A bump is exp(1 - 1 / (1 - d^2)), d the distance over the radius.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dstn, idstn

from designgym.cost_models.solver_schedule.linear_systems import TOLERANCE, Systems

Floats = NDArray[np.float64]

STEP = 1e-3  # unit of time
CONDUCTIVITIES = (0.0, 10.0)  # their range
AT_A_TIME = 256  # steps whose sources are transformed at once


def conductivity(time: Floats) -> Floats:
    """Return kappa at these times, in [0, 10]."""
    wave = np.sin(2.0 * np.pi * time)
    found: Floats = np.maximum(0.1 * wave, -10.0 * wave)
    return found


def bump(n: int, x: Floats, y: Floats, radius: float) -> Floats:
    """Return bumps around (x, y), (m,), at the inner points of the grid, (m, n, n), rows by x."""
    points = np.arange(1, n + 1) / (n + 1)
    squares = (points[:, None] - x[:, None, None]) ** 2 + (points - y[:, None, None]) ** 2
    inside = 1.0 - squares / radius**2
    found: Floats = np.where(inside > 0, np.exp(1.0 - 1.0 / np.maximum(inside, 1e-12)), 0.0)
    return found


def source(n: int, time: Floats) -> Floats:
    """Return the heat source at these times, (m,), at the inner points of the grid, (m, n, n)."""
    angle = 16.0 * np.pi * time
    return 32.0 * bump(n, 0.5 + np.cos(angle) / 4.0, 0.5 + np.sin(angle) / 4.0, 0.125)


@lru_cache(2)
def heat_systems(n: int, instances: int) -> Systems:
    """Return the systems of so many steps of .001 from time 0, each to be solved from the state before.

    They are divided by what neighbours enter with, so that their shift is 2 / (dt kappa (n + 1)^2), kappa at the middle
    of the step, which is what is observed (the paper's code observes it at the step's start). The state advances by the
    exact solution, found by a sine transform: systems do not depend on how they are solved. A residual is to be below
    1e-8 times the right side, as MATLAB's pcg has it, which that code calls.
    """
    middle: Floats = (np.arange(instances, dtype=np.float64) + 0.5) * STEP
    kappa = conductivity(middle)
    factor = 0.5 * STEP * kappa * (n + 1) ** 2  # of the stencil, 4 on the diagonal
    residual, limit = np.empty((instances, n * n)), np.empty(instances)
    wave = 2.0 - 2.0 * np.cos(np.pi * np.arange(1, n + 1) / (n + 1))
    stencil = wave[:, None] + wave  # its eigenvalues
    state = dstn(bump(n, np.array([0.5]), np.array([0.5]), 0.25)[0], 1)
    for first in range(0, instances, AT_A_TIME):
        block = slice(first, first + AT_A_TIME)
        heat = STEP * dstn(source(n, middle[block]), 1, axes=(1, 2))
        right, gap = np.empty_like(heat), np.empty_like(heat)
        for k, strength in enumerate(factor[block]):
            right[k] = (1.0 - strength * stencil) * state + heat[k]
            gap[k] = right[k] - (1.0 + strength * stencil) * state
            state = right[k] / (1.0 + strength * stencil)
        scaled = 1.0 / factor[block, None, None]
        residual[block] = (scaled * idstn(gap, 1, axes=(1, 2))).reshape(len(gap), -1)
        limit[block] = TOLERANCE * np.sqrt(np.sum((scaled * idstn(right, 1, axes=(1, 2))) ** 2, axis=(1, 2)))
    return Systems(n, 1.0 / factor, residual, limit, kappa)
