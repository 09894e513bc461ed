"""Initial states of three bodies: drawn from a seed as in the published study, or read from a table.

Saz Ulibarrena and Portegies Zwart, Communications in Nonlinear Science and Numerical Simulation, 2025,
doi:10.1016/j.cnsns.2025.108723, arXiv:2502.12809: three suns in a plane, one at rest, two at 10 km/s, some 5 to 20 AU
apart. Units: AU, year, solar mass.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.reference_table import given, measured, read_rows, whole

Floats = NDArray[np.float64]

KM_PER_S = 0.2109495265569  # in AU / yr, as in the reference tables: 6e-11 less than 31,557,600 / 149,597,870.7
SPEED = 10.0 * KM_PER_S
MASSES = np.ones((1, 3))
COLUMNS = ("x0x", "x0y", "x1x", "x1y", "x2x", "x2y", "v0x", "v0y", "v1x", "v1y", "v2x", "v2y")


def drawn(rng: np.random.Generator) -> Floats:
    """Return an initial state: three positions, three velocities, their centre of mass at rest at the origin, (12,)."""
    u = rng.random(4)
    x = np.array([[0.0, 0.0], [5.0 + 15.0 * u[0], 10.0 * u[1]], [-10.0 * u[2], 5.0 + 15.0 * u[3]]])
    v = np.array([[0.0, SPEED], [-SPEED, 0.0], [0.0, 0.0]])
    return np.concatenate([(x - x.mean(axis=0)).ravel(), (v - v.mean(axis=0)).ravel()])


@lru_cache(256)
def of_seeds(first: int, count: int) -> Floats:
    """Return the initial states that `default_rng(seed)` draws for seeds from the first on, (count, 12)."""
    found = np.array([drawn(np.random.default_rng(seed)) for seed in range(first, first + count)])
    found.flags.writeable = False
    return found


def of_table(path: str | Path) -> dict[int, Floats]:
    """Return the initial states of a table by its column `seed`, a whole number; the others are COLUMNS.

    ValueError in one line names the file, the row (the header is row 1) and what is wrong.
    """
    file, found = Path(path), dict[int, Floats]()
    for row, cells in read_rows(file, ("seed", *COLUMNS), "initial conditions"):
        empty = [name for name in COLUMNS if not given(cells, name)]
        if empty:
            raise ValueError(f"{file} row {row}: {empty[0]} must be a number, got none. Fill it in.")
        seed = whole(file, row, cells, "seed", least=0)
        state = np.array([measured(file, row, cells, name) for name in COLUMNS])
        if not np.isfinite(state).all() or len(np.unique(state[:6].reshape(3, 2), axis=0)) < 3:
            raise ValueError(f"{file} row {row}: bodies must be at three places, in finite numbers. Correct it.")
        if seed in found:
            raise ValueError(f"{file} row {row}: seed {seed} must be there once, got it again. Number it otherwise.")
        found[seed] = state
    if not found:
        raise ValueError(f"{file}: the table must have at least one row of initial conditions, got none. Add one.")
    return found


@lru_cache(16)
def file_states(path: str) -> Floats:
    """Return the initial states of a table in its order, (rows, 12); see `of_table`."""
    found = np.array(list(of_table(path).values()))
    found.flags.writeable = False
    return found
