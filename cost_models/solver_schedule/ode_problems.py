"""Ordinary differential equations on which solvers are judged, their initial states, and others near these.

Lotka-Volterra; van der Pol; Robertson's kinetics; the Brusselator and Arenstorf's orbit as in Hairer, Norsett and
Wanner, Solving Ordinary Differential Equations I, 1993, sections I.16 and II.0; a neural network as right side (Chen et
al., "Neural Ordinary Differential Equations", NeurIPS 2018, arXiv:1806.07366). The equations are in
`_ode_right_sides_kernel`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.registry import nearest

Floats = NDArray[np.float64]

LEAST_MU, MOST_MU = 0.01, 5e3
STIFF_MU = 20.0  # from here on explicit methods take steps by stability, not accuracy
NONE_VARIED = ((0.0,),)


@dataclass(frozen=True)
class OdeProblem:
    """dy/dt = f(y) from time 0 to `end`. start: the standard initial state. near: draws another one.

    number, parameters: see `right_side`. stiff: whether an implicit method is called for.
    """

    name: str
    number: int
    start: tuple[float, ...]
    end: float
    near: Callable[[Floats, np.random.Generator], Floats]
    parameters: tuple[tuple[float, ...], ...] = NONE_VARIED
    stiff: bool = False

    def initial(self, start: int) -> Floats:
        """Return the standard initial state for 0, else the one that `near` draws from `default_rng(start)`, (n,)."""
        standard = np.array(self.start)
        return standard if start == 0 else self.near(standard, np.random.default_rng(start))

    @property
    def table(self) -> Floats:
        """The parameters as the kernels take them."""
        return np.array(self.parameters)


def by_factors(start: Floats, rng: np.random.Generator) -> Floats:
    """Each component times exp(.2 z), z standard normal."""
    found: Floats = start * np.exp(0.2 * rng.standard_normal(len(start)))
    return found


def by_shifts(start: Floats, rng: np.random.Generator) -> Floats:
    """Each component plus .25 z, z standard normal."""
    found: Floats = start + 0.25 * rng.standard_normal(len(start))
    return found


def further_reacted(start: Floats, rng: np.random.Generator) -> Floats:
    """A share of the first species, uniform in [0, .5), is the third."""
    share = 0.5 * rng.random()
    return np.array([start[0] - share, start[1], start[2] + share])


def otherwise_fast(start: Floats, rng: np.random.Generator) -> Floats:
    """The last component, a velocity, times exp(.005 z), z standard normal."""
    return np.array([*start[:-1], start[-1] * np.exp(0.005 * rng.standard_normal())])


def turned(start: Floats, rng: np.random.Generator) -> Floats:
    """At an angle uniform around the circle, at a radius times exp(.1 z), z standard normal but not above 1."""
    angle = 2.0 * np.pi * rng.random()
    radius = np.hypot(*start) * np.exp(0.1 * min(rng.standard_normal(), 1.0))
    return np.array([radius * np.cos(angle), radius * np.sin(angle)])


ODES = ("lotka_volterra", "van_der_pol", "robertson", "brusselator", "arenstorf", "neural_ode")
_FIXED = (
    OdeProblem("lotka_volterra", 0, (10.0, 5.0), 15.0, by_factors),
    OdeProblem("robertson", 2, (1.0, 0.0, 0.0), 1e4, further_reacted, stiff=True),
    OdeProblem("brusselator", 3, (1.5, 3.0), 20.0, by_factors),
    # The initial velocity to more digits than a double holds is -2.00158510637908252240537862224.
    OdeProblem("arenstorf", 4, (0.994, 0.0, 0.0, -2.0015851063790825), 17.06521656, otherwise_fast),
)


@lru_cache(64)
def ode_problem(name: str, mu: float = 1.0) -> OdeProblem:
    """Return a problem by name. mu: van der Pol's, in [.01, 5e3], 1 for the others; its interval is [0, max(20, 2 mu)].

    ValueError in one line names the nearest problem, or what is wrong with mu.
    """
    if name not in ODES:
        raise ValueError(f"unknown ode {name!r}. {nearest(name, ODES)}")
    if name == "van_der_pol":
        if not LEAST_MU <= mu <= MOST_MU:
            raise ValueError(f"mu must be in [{LEAST_MU:g}, {MOST_MU:g}], got {mu:g}. Choose one of these.")
        return OdeProblem(name, 1, (2.0, 0.0), max(20.0, 2.0 * mu), by_shifts, ((float(mu),),), stiff=mu >= STIFF_MU)
    if mu != 1.0:
        raise ValueError(f"mu must be 1 but for van_der_pol, got {mu:g} for {name}. Leave it out.")
    if name == "neural_ode":
        rows = tuple(tuple(row) for row in network_weights().tolist())
        return OdeProblem(name, 5, (2.0, 0.0), 25.0, turned, rows)
    return next(problem for problem in _FIXED if problem.name == name)


def network_weights() -> Floats:
    """Return the shipped neural network, a row a hidden unit: two weights in, its bias, two weights out.

    Trained by `python -m designgym.experiments.weights.neural_ode`, see there.
    """
    with files("designgym.cost_models.solver_schedule").joinpath("data", "neural_ode.npz").open("rb") as file:
        table: Floats = np.load(file)["units"]
    return table
