"""What omegas look like: iterations of each system against what may be observed of it, beside the best there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.pictures import Axis, Picture, Series
from designgym.cost_models.solver_schedule.linear_systems import asymptotic_omega

if TYPE_CHECKING:
    from designgym.cost_models.solver_schedule.relaxation import Relaxation

MOST_DRAWN = 300  # systems
SHOWN = {"poisson": "shift of the diagonal", "heat": "conductivity"}


def pictures_of(
    model: Relaxation, omegas: NDArray[np.float64], names: Sequence[str], among: Sequence[float]
) -> tuple[Picture, ...]:
    """Return one picture. omegas: of designs that have these names. among: those that hindsight may choose from."""
    systems = model.systems()
    places = np.unique(np.linspace(0, model.instances - 1, min(MOST_DRAWN, model.instances)).astype(int))
    places = places[np.argsort(systems.context[places], kind="stable")]
    seen = systems.context[places]

    def solved(omega: NDArray[np.float64] | float) -> NDArray[np.float64]:
        whole = np.broadcast_to(np.asarray(omega, np.float64), places.shape).copy()
        return np.maximum(model.solve(systems, places, whole), 1).astype(np.float64)

    best = np.min([solved(omega) for omega in among], axis=0)
    marks = [Series("the best omega of each system", seen, best, quiet=True)]
    if model.equation == "poisson":
        marks.append(Series("Young's omega", seen, solved(asymptotic_omega(systems.shift[places], model.side))))
    marks += [Series(name, seen, solved(float(omega))) for name, omega in zip(names, omegas, strict=True)]
    meaning = (
        f"A point is a system, {len(places):,} of {model.instances:,}: what one omega for all of them costs. Faint, "
        "behind: the best omega of each, which nobody knows before it is solved."
    )
    if model.equation == "poisson":
        meaning += " Young's is the best after infinitely many sweeps, and follows from the shift."
    x, y = Axis(SHOWN[model.equation]), Axis("iterations", log=True)
    return (Picture("Iterations of each system", meaning, tuple(marks), x, y),)
