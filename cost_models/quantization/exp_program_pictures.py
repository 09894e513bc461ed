"""What programs for 2^x look like: their relative error over [0, 1]."""

from collections.abc import Sequence

import numpy as np

from designgym.cost_models.pictures import Axis, Picture, Series
from designgym.cost_models.quantization.exp_fitting import constants_of, fit_programs
from designgym.cost_models.quantization.straight_line import Programs, exact_errors

DRAWN = 241  # points of a curve
LEAST = 1e-3  # of the largest error: what is smaller is drawn so


def pictures_of(programs: Programs, names: Sequence[str]) -> tuple[Picture, ...]:
    """Return one picture of the programs of these names, worked out exactly."""
    fitted, x = fit_programs(programs), np.linspace(0.0, 1.0, DRAWN)
    marks = []
    for row, name in enumerate(names):
        if np.isnan(fitted.errors[row]):  # it has a pole, and no curve
            continue
        errors = np.abs(exact_errors(programs, row, constants_of(programs, fitted, row), x.tolist()))
        marks.append(Series(name, x, np.maximum(errors, LEAST * errors.max()), "lines"))
    meaning = (
        "A line is a program: the size of its relative error at each x, its constants those that make the largest one "
        "least. The best constants level the peaks: one more than there are constants, where each has a say of its own."
    )
    return (Picture("Relative error of 2^x", meaning, tuple(marks), Axis("x"), Axis("relative error", log=True)),)
