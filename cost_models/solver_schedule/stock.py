"""Samplers as libraries ship them: one solver throughout, on one grid by name or on one with a single parameter.

What a searched schedule is compared with. Sources of solvers and grids: see `solvers` and `Path.grid`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from designgym.cost_models.solver_schedule.paths import GRIDS, Path
from designgym.cost_models.solver_schedule.patterns import END, NAMES, Patterns
from designgym.cost_models.solver_schedule.sampler import Schedule
from designgym.cost_models.solver_schedule.solvers import SOLVERS, pattern

STOCK_GRIDS = GRIDS[:4]
POWERS, RHOS = (1.0, 6.0), (1.0, 20.0)  # of the power grid in t and of the Karras grid, as searched in `parametric`


@dataclass(frozen=True, eq=False)
class Sampler:
    """A schedule with the names of its solver and of its grid, by which others can make it."""

    solver: str
    grid: str
    schedule: Schedule


def stock_solvers(path: Path, evaluations: int) -> dict[str, tuple[str, ...]]:
    """Return the solvers of each step by the name of a solver that starts, and may end ("_lof"), at lower orders.

    Of names that come to the same steps the first is left, and none that the path does not allow.
    """
    patterns, found = Patterns(path.name, evaluations), dict[tuple[str, ...], str]()
    for name in SOLVERS:
        for ending in ("", "_lof"):
            steps = spelled(pattern(name + ending, evaluations))
            if _stands(patterns, steps):
                found.setdefault(steps, name + ending)
    return {name: steps for steps, name in found.items()}


def spelled(steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the one spelling of steps: after DDIM the second-order step of noise is that of data."""
    before = ("", *steps)
    return tuple("dpmpp2m" if (a, b) == ("ddim", "dpm2m") else b for a, b in zip(before, steps, strict=False))


def slots(steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the name at each evaluation's slot: Heun's step takes two of them."""
    return tuple(name for step in steps for name in ((step, END) if step == "heun" else (step,)))


def _stands(patterns: Patterns, steps: tuple[str, ...]) -> bool:
    names = slots(steps)
    known = all(name in patterns.choices(slot) for slot, name in enumerate(names, 1))
    return known and not patterns.faults(np.array([[NAMES.index(name) for name in names]]))[0]


def stock(path: Path, evaluations: int) -> list[Sampler]:
    """Return every solver on every stock grid: uniform_t, quadratic_t, logsnr and karras7."""
    return [
        Sampler(name, grid, Schedule(path.grid(grid, len(steps)), steps))
        for name, steps in stock_solvers(path, evaluations).items()
        for grid in STOCK_GRIDS
    ]


def tuned(path: Path, evaluations: int, budget: int) -> list[Sampler]:
    """Return the stock samplers and every solver on grids with one parameter, so many in all, at most `budget`.

    Powers in t are spread evenly, the roots of Karras' grid evenly in their logarithm. ValueError where the budget
    leaves fewer than two of each to a solver.
    """
    solvers, fixed = stock_solvers(path, evaluations), stock(path, evaluations)
    each = (budget - len(fixed)) // (2 * len(solvers))
    if each < 2:
        least = len(fixed) + 4 * len(solvers)
        raise ValueError(f"budget must be at least {least} for {len(solvers)} solvers, got {budget}. Raise it.")
    return fixed + [sampler for name, steps in solvers.items() for sampler in _on_tuned_grids(path, name, steps, each)]


def _on_tuned_grids(path: Path, name: str, steps: tuple[str, ...], each: int) -> Iterator[Sampler]:
    for grid, values in (("power", np.linspace(*POWERS, each)), ("karras", np.geomspace(*RHOS, each))):
        for value in values.tolist():
            yield Sampler(name, f"{grid} {value:.4g}", Schedule(path.grid(grid, len(steps), value), steps))
