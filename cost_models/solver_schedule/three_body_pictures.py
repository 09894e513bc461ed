"""What time steps of three bodies look like: orbits, the length of the steps along them, error against evaluations.

Beside the designs stands the shipped policy of the nearest bound, whose steps are learned, see `three_body_policy`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.pictures import Axis, Picture, Series
from designgym.cost_models.solver_schedule.three_body import MOST_EVALUATIONS, integrations, steps_taken
from designgym.cost_models.solver_schedule.three_body_policy import Policy, played, shipped

Floats = NDArray[np.float64]

MOST_DRAWN = 600  # points of a line
FARTHEST_AU = 40.0
LEAST_STEP_YR = 1e-9


def pictures_of(
    names: Sequence[str], methods: Sequence[int], plans: Floats, states: Floats, bound: float
) -> tuple[Picture, ...]:
    """Return the pictures. methods: places in METHODS. plans: eta or dt in years, (designs, 1). states: (n, 12)."""
    policy = nearest_policy(bound)
    learned = f"learned, for a bound of {policy.bound:.0e}"
    named = [*names, learned]
    taken = [
        steps_taken(method, plan, states[0], MOST_EVALUATIONS)
        for method, plan in zip([*methods, 0], [*plans, policy.plan(states[0])], strict=True)
    ]
    found = integrations(methods, plans, states)
    by_policy = played([policy], states)
    spent, error = (
        np.concatenate([found[name], by_policy[name]]) for name in ("force_evals", "energy_error")
    )  # fmt: skip
    return orbits(named, taken), step_lengths(named, taken), errors(named, spent, error)


def nearest_policy(bound: float) -> Policy:
    """Return the shipped policy whose bound is nearest in the logarithm."""
    return min(shipped().values(), key=lambda policy: abs(np.log(policy.bound / bound)))


def orbits(names: Sequence[str], taken: Sequence[tuple[Floats, Floats]]) -> Picture:
    """Return the orbits, a panel for each. taken: what `steps_taken` returns."""
    marks = []
    for panel, (_, states) in enumerate(taken):
        rows = few(len(states))
        for body in range(3):
            at = states[rows, 2 * body : 2 * body + 2]
            at = at[(np.abs(at) < FARTHEST_AU).all(axis=1)]
            if len(at):
                marks.append(Series(f"body {body}", at[:, 0].copy(), at[:, 1].copy(), "lines", panel))
    meaning = (
        "The three bodies' orbits from the first initial state, for 10 yr or until the evaluations are spent. Where "
        f"they differ, close encounters were missed or overshot. What lies beyond {FARTHEST_AU:g} AU is left out."
    )
    return Picture("Orbits", meaning, tuple(marks), Axis("x / AU"), Axis("y / AU"), tuple(names), equal=True)


def step_lengths(names: Sequence[str], taken: Sequence[tuple[Floats, Floats]]) -> Picture:
    """Return the length of steps as time goes on."""
    marks = []
    for name, (lengths, _) in zip(names, taken, strict=True):
        rows = few(len(lengths))
        marks.append(Series(name, np.cumsum(lengths)[rows], np.maximum(lengths[rows], LEAST_STEP_YR), "lines"))
    meaning = (
        "Along the same orbits: steps shorten where two bodies meet. A step that ends an interval of a tenth of a year "
        "is cut."
    )
    return Picture("Length of steps", meaning, tuple(marks), Axis("time / yr"), Axis("step / yr", log=True))


def errors(names: Sequence[str], spent: Floats, error: Floats) -> Picture:
    """Return the error of the energy against evaluations, a point for each initial state."""
    marks = tuple(Series(name, x, y) for name, x, y in zip(names, spent, error, strict=True))
    meaning = (
        "Each point is an initial state: its force evaluations and the relative error of the energy at the end. Lower "
        "and further left is better; an integration that spent all evaluations counts as an error of 1 at least."
    )
    x, y = Axis("force evaluations", log=True), Axis("error of the energy", log=True)
    return Picture("Error and evaluations", meaning, marks, x, y)


def few(n: int) -> NDArray[np.int64]:
    """Return places among n for a line."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_DRAWN)).astype(np.int64))
