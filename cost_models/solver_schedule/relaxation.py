"""Successive over-relaxation, and conjugate gradients that it preconditions, over a sequence of linear systems.

Khodak, Chow, Balcan and Talwalkar, "Learning to Relax", ICLR 2024, arXiv:2310.02246.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.registry import nearest
from designgym.cost_models.solver_schedule.heat_equation import CONDUCTIVITIES, heat_systems
from designgym.cost_models.solver_schedule.linear_systems import (
    SHIFTS,
    Systems,
    jacobi_radius,
    poisson_systems,
    shift_range,
)
from designgym.cost_models.solver_schedule.relaxation_pictures import pictures_of
from designgym.cost_models.solver_schedule.relaxation_solvers import gradient_steps, sweeps

EQUATIONS = {"poisson": 10, "heat": 24}  # and how many unknowns a side they have by default
OMEGAS = tuple(round(1.0 + 0.05 * k, 2) for k in range(20))
MOST_ITERATIONS = 10_000
MOST_SIDE = 64  # unknowns; the right sides of 5,000 systems are kept, 164 MB at most
LEAST_VIOLATION = 2.0**-52
METRICS = (
    Metric("iterations", "1", "lower", "sweeps of relaxation, or iterations of conjugate gradients, a system: mean"),
    Metric("unsolved", "1", "lower", f"share of systems given up after {MOST_ITERATIONS:,} iterations"),
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Relaxation:
    """What one omega costs on a sequence of linear systems, in iterations.

    equation: "poisson", shifted systems solved by SOR's row-major sweeps (see `poisson_systems`), to a residual of 1e-8
    of the first one; or "heat", Crank and Nicolson's steps of a heat equation, solved by conjugate gradients with SSOR
    (see `heat_systems`), each from the state before to 1e-8 of the right side. n: unknowns a side, 2 to 64; 10 and 24
    by default. distribution, seed, lowest: of the shifts of "poisson" alone, high or low variance, drawn from
    default_rng(100 + seed), `lowest` and up (see `least_shift`). A solve stops at 10,000 iterations, is counted with
    these, and with `unsolved`. Systems so far shifted that they are indefinite are a violation, as is an omega outside
    (0, 2), where nothing converges.
    Error: none found. All 606 counts of tests/reference/solver_schedule/solver_sor_omega.csv are equal, means over five
    sequences equal those of solver_sor_sequence.csv to all four decimals, and counts of conjugate gradients those of
    `scipy.sparse.linalg.cg` on the matrices of SciPy.
    Source: Khodak, Chow, Balcan and Talwalkar, "Learning to Relax", ICLR 2024, arXiv:2310.02246; for SOR and its best
    omega Young, Trans. AMS 76, 92, 1954, doi:10.1090/S0002-9947-1954-0059635-7.
    """

    equation: str = "poisson"
    distribution: str = "high"
    n: int | None = None
    instances: int = 5000
    seed: int = 0
    lowest: float | None = None

    metrics: tuple[Metric, ...] = METRICS
    version = "1"

    def __post_init__(self) -> None:
        if self.equation not in EQUATIONS:
            raise ValueError(f"unknown equation {self.equation!r}. {nearest(self.equation, EQUATIONS)}")
        if self.distribution not in SHIFTS:
            raise ValueError(f"unknown distribution {self.distribution!r}. {nearest(self.distribution, SHIFTS)}")
        whole = {"n": (self.side, 2, MOST_SIDE), "instances": (self.instances, 1, 10**6), "seed": (self.seed, 0, 2**63)}
        for what, (value, least, most) in whole.items():
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
                raise ValueError(f"{what} must be an integer from {least} to {most}, got {value!r}. Choose one.")
        if self.lowest is not None and not -4.0 < self.lowest < np.inf:
            raise ValueError(f"lowest must be above -4, where diagonals are positive, got {self.lowest}. Raise it.")
        if self.equation == "heat":
            for what in ("distribution", "seed", "lowest"):
                if (got := getattr(self, what)) != getattr(Relaxation, what):
                    raise ValueError(
                        f"{what} must be left out for the heat equation, whose systems are not drawn, got {got!r}."
                    )

    @property
    def side(self) -> int:
        """Unknowns along a side of the grid."""
        return EQUATIONS[self.equation] if self.n is None else self.n

    def systems(self, seed: int | None = None) -> Systems:
        """Return the sequence, or the one that another seed draws; the heat equation has but one."""
        if self.equation == "heat":
            return heat_systems(self.side, self.instances)
        seed = self.seed if seed is None else seed
        return poisson_systems(self.side, self.distribution, self.instances, seed, self.lowest)

    @property
    def context_range(self) -> tuple[float, float]:
        """The least and the largest value of what may be observed of a system: its shift, or the conductivity."""
        return CONDUCTIVITIES if self.equation == "heat" else shift_range(self.side, self.lowest)

    def solve(self, systems: Systems, places: Integers, omega: Floats) -> Integers:
        """Return the iterations of systems, by their places, each under its omega, all (m,); 10,001 where unsolved."""
        solver = gradient_steps if self.equation == "heat" else sweeps
        return solver(systems, places, omega, MOST_ITERATIONS)

    def costs(self, seed: int | None = None, omegas: Sequence[float] = OMEGAS) -> Integers:
        """Return the iterations of every system under every omega, (instances, len(omegas)), 10,000 where unsolved.

        The counts of an omega are kept in the process. Fixed policies, hindsight and regret are reckoned from them.
        """
        own = self if seed is None or self.equation == "heat" else replace(self, seed=seed)
        counts = np.stack([_counts(own, float(omega)) for omega in omegas], axis=1)
        return np.minimum(counts, MOST_ITERATIONS)

    def solved(self, place: int, omega: float, seed: int | None = None) -> dict[str, Any]:
        """Return {"metrics", "violation"} of one system under one omega; metrics are NaN where there is a violation."""
        systems = self.systems(seed)
        violation = self._violation(np.array([omega]), systems.shift[place : place + 1])[0]
        if violation > 0:
            return {"metrics": dict.fromkeys(("iterations", "unsolved"), np.nan), "violation": float(violation)}
        count = int(self.solve(systems, np.array([place]), np.array([omega]))[0])
        metrics = {"iterations": float(min(count, MOST_ITERATIONS)), "unsolved": float(count > MOST_ITERATIONS)}
        return {"metrics": metrics, "violation": 0.0}

    def evaluate(self, designs: Columns) -> Columns:
        """designs: omega, (n,)."""
        omega = np.asarray(designs["omega"], np.float64)
        violation = self._violation(omega, self.systems().shift)
        found = {name: np.full(len(omega), np.nan) for name in ("iterations", "unsolved")}
        for one in np.unique(omega[violation == 0]):
            counts = _counts(self, float(one))
            found["iterations"][omega == one] = np.minimum(counts, MOST_ITERATIONS).mean()
            found["unsolved"][omega == one] = (counts > MOST_ITERATIONS).mean()
        return {**found, "violation": violation}

    def _violation(self, omega: Floats, shift: Floats) -> Floats:
        """Return how far relaxation is from converging, (n,): Jacobi's spectral radius over 1, omega beyond (0, 2)."""
        beta = jacobi_radius(shift, self.side).max()
        indefinite = 0.0 if beta < 1.0 else max(beta - 1.0, LEAST_VIOLATION)
        beyond = np.maximum(np.abs(omega - 1.0) - 1.0, LEAST_VIOLATION)
        return indefinite + np.where((omega > 0) & (omega < 2), 0.0, beyond)

    def reason(self, design: Columns) -> str:
        """Say why nothing converges with a design, a batch of one; "" where it does."""
        omega = float(design["omega"][0])
        if not 0 < omega < 2:
            return f"omega must be above 0 and below 2 to converge, got {omega:g}"
        beta = float(jacobi_radius(self.systems().shift, self.side).max())
        if beta >= 1:
            return f"all systems must be definite, Jacobi's spectral radius below 1, got {beta:.6g} for one of them"
        return ""

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """designs: omega, (n,). names: what each is called."""
        return pictures_of(self, np.asarray(designs["omega"], np.float64), names, OMEGAS)


@lru_cache(1024)
def _counts(model: Relaxation, omega: float) -> Integers:
    """Return the iterations of every system of a sequence under one omega, (instances,), not to be written to."""
    every = np.arange(model.instances)
    found = model.solve(model.systems(), every, np.full(model.instances, omega))
    found.setflags(write=False)
    return found
