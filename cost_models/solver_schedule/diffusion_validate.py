"""Compare samplers with a table of somebody else's: the endpoint error and the distances of each, row by row.

The table's form is that of tests/reference/solver_schedule/solver_gmm_stock.csv: problem, solver, grid or times, nfe.
"""

from pathlib import Path as File
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.reference_table import agreement, given, measured, read_rows, whole
from designgym.cost_models.solver_schedule.distances import frechet2, sliced_w2
from designgym.cost_models.solver_schedule.mixtures import Mixture, mixture
from designgym.cost_models.solver_schedule.paths import Path, path_of
from designgym.cost_models.solver_schedule.sampler import Schedule, errors, noises, reference, sampled, summary
from designgym.cost_models.solver_schedule.solvers import pattern

QUANTITIES = ("rms_endpoint", "median_endpoint", "flip_fraction", "sliced_w2", "frechet2")
REFERENCE = "reference_rk4"
DIGITS = "digits_kde"  # the table's name of every digit as a component
POINTS, DIGITS_POINTS, DIGITS_STEPS, SEED = 2048, 512, 200, 1

Floats = NDArray[np.float64]


def validate(table: str | File) -> dict[str, Any]:
    """Return {"rows": n, "quantities": {name: {"rows", "exact", "within_0.1pct", ..., "worst_error"}}}.

    problem: a mixture, see `mixture`. solver: see `pattern`, or reference_rk4. grid: see `Path.grid`; times in place
    of it are steps + 1 numbers parted by blanks, used as printed. path (vp where there is none) and seed (1) may be
    columns too. 2,048 points, 512 of the digits. Errors are |model - table| / table, NaN for a quantity without rows.
    ValueError in one line names the file, the row (the header is row 1) and what is wrong.
    """
    file = File(table)
    rows = read_rows(file, ("problem", "solver", "nfe"), "samplers")
    if not rows:
        raise ValueError(f"{file}: the table must have at least one row with a sampler, got none. Add one.")
    found = np.array([_priced(file, number, cells) for number, cells in rows])
    told = [[measured(file, number, cells, name) for number, cells in rows] for name in QUANTITIES]
    return {
        "rows": len(rows),
        "quantities": {
            name: agreement(own, np.array(theirs)) for name, own, theirs in zip(QUANTITIES, found.T, told, strict=True)
        },
    }


def _priced(file: File, row: int, cells: dict[str, str]) -> list[float]:
    """Return every quantity of QUANTITIES of one row."""
    try:
        name = cells["problem"].strip()
        name, points, steps = ("digits", DIGITS_POINTS, DIGITS_STEPS) if name == DIGITS else (name, POINTS, 1000)
        model, path = mixture(name), path_of((cells.get("path") or "vp").strip())
        seed = whole(file, row, cells, "seed", least=0) if given(cells, "seed") else SEED
        truth = reference(path, name, points, seed, steps)
        if cells["solver"].strip() == REFERENCE:
            samples = truth
        else:
            noise = noises(model.dimensions, points, seed)
            samples = _sampled(path, model, _schedule(path, whole(file, row, cells, "nfe"), cells), noise)
    except ValueError as error:
        raise error if str(error).startswith(str(file)) else ValueError(f"{file} row {row}: {error}") from None
    found = [float(value[0]) for value in summary(errors(samples[None], truth)).values()]
    far = [measured(file, row, cells, column) for column in QUANTITIES[3:]]
    return [*found, np.nan if np.isnan(far[0]) else sliced_w2(samples, name), frechet2(samples, model)]


def _sampled(path: Path, model: Mixture, schedule: Schedule, noise: Floats) -> Floats:
    try:
        return np.asarray(sampled(path, model, [schedule], noise)[0])
    except ZeroDivisionError:
        raise ValueError(
            f"{schedule.solvers[-1]} can not step to where there is no noise, at an end of the path {path.name}. Give "
            "times inside of it, or a solver that ends with lower order."
        ) from None


def _schedule(path: Path, evaluations: int, cells: dict[str, str]) -> Schedule:
    solvers = pattern(cells["solver"].strip(), evaluations)
    if not given(cells, "times"):
        return Schedule(path.grid((cells.get("grid") or "").strip(), len(solvers)), solvers)
    try:
        times = np.array([float(part) for part in cells["times"].split()])
    except ValueError:
        times = np.empty(0)
    inside = (times >= 0) & (times <= 1) if path.name == "flow" else (times > 0) & np.isfinite(times)
    if len(times) != len(solvers) + 1 or not inside.all() or not (np.diff(times) * (path.end - path.begin) > 0).all():
        raise ValueError(
            f"times must be {len(solvers) + 1} numbers parted by blanks, from about {path.begin:g} to about "
            f"{path.end:g} without a turn, got {cells['times'].strip()!r}. Correct them."
        )
    return Schedule(times, solvers)
