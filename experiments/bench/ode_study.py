"""Integrators searched on some equations and initial states, judged on others: work at the error that scipy's come to.

A design is judged by geometric means over initial states, of its error at the end and of its work. What scipy's RK45
would have spent at a design's own error is read off RK45's work-precision line, between tolerances by powers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, scipy_design
from designgym.cost_models.solver_schedule.ode_tolerance import OdeTolerance
from designgym.experiments.comparison import CONFIDENCE, Interval

Floats = NDArray[np.float64]
Equation = tuple[str, float]  # name and mu
Speed = tuple[str, float, str, float | None, str]  # what, figure, unit, ratio, what the ratio is to

TRAINING: tuple[Equation, ...] = (("lotka_volterra", 1.0), ("brusselator", 1.0), ("van_der_pol", 1.0))
UNSEEN: tuple[Equation, ...] = (("arenstorf", 1.0), ("neural_ode", 1.0), ("van_der_pol", 5.0))
TOLERANCES = tuple(10.0**-k for k in range(3, 9))
LINE = 10.0 ** -np.arange(1.0, 11.26, 0.25)  # tolerances of RK45's line
ATOL_OVER_RTOL = 1e-3
# Initial states by what sees them: searches, the choice among what these found, the tests.
FIRST_SEARCHED, FIRST_CHOSEN, FIRST_TEST = 1, 1_001, 10_001
MOST_EVALUATIONS = 10_000  # of a searched design
ENOUGH = 10**6  # of one that is judged
RESAMPLES = 1000


def label(equation: Equation) -> str:
    """Return an equation's name for people."""
    name, mu = equation
    return f"{name}, mu {mu:g}" if name == "van_der_pol" else name


@dataclass(frozen=True)
class Several:
    """Integrations of equations from many initial states each: geometric means of errors at the end and of work.

    A design that gives up on one of them has the mean of their violations.
    """

    equations: tuple[Equation, ...] = TRAINING
    starts: tuple[int, ...] = tuple(range(FIRST_SEARCHED, FIRST_SEARCHED + 8))
    most_evaluations: int = MOST_EVALUATIONS

    metrics: tuple[Metric, ...] = (
        Metric("error", "1", "lower", "error at the end, geometric mean over integrations"),
        Metric("work", "1", "lower", "evaluations, with those for Jacobians, geometric mean over integrations"),
    )

    @property
    def version(self) -> str:
        """That of the integrations."""
        return OdeTolerance.version

    def each(self, designs: Columns) -> tuple[Floats, Floats, Floats]:
        """Return the logarithms of error and work, and violations, of every integration: (equations, starts, n)."""
        found = [
            [OdeTolerance(ode, mu, start, self.most_evaluations).evaluate(designs) for start in self.starts]
            for ode, mu in self.equations
        ]
        tables = ([[one[name] for one in row] for row in found] for name in ("error", "work", "violation"))
        error, work, violation = (np.array(table, np.float64) for table in tables)
        return np.log(error), np.log(work), violation

    def evaluate(self, designs: Columns) -> Columns:
        """designs: those of `OdeTolerance`, each (n,)."""
        error, work, violation = self.each(designs)
        # NaN where one of them gave up. Sums in one order: a row must not depend on the batch.
        count = violation.shape[0] * violation.shape[1]
        mean = [sum(table.reshape(count, -1), np.zeros(table.shape[-1])) / count for table in (error, work, violation)]
        return {"error": np.exp(mean[0]), "work": np.exp(mean[1]), "violation": mean[2]}


def scipy_designs(tolerances: Any, method: str = "dp54") -> Columns:
    """Return scipy's control of steps at relative tolerances, each (n,). method: one of METHODS in place of its own."""
    rtol = np.asarray(tolerances, np.float64)
    designs = {name: np.repeat(column, len(rtol)) for name, column in scipy_design().items()}
    number = np.full(len(rtol), METHODS.index(method))
    return designs | {"rtol": rtol, "atol": ATOL_OVER_RTOL * rtol, "method": number}


@dataclass(frozen=True)
class Judged:
    """One set of designs, a design for each tolerance, on test integrations. error, work: logarithms,
    (equations, starts, n), NaN where one gave up.
    """

    name: str
    designs: Columns
    error: Floats
    work: Floats


@dataclass(frozen=True)
class Group:
    """Test equations from the same starts. line: scipy's RK45 at the tolerances LINE; arms: what is compared."""

    name: str
    equations: tuple[Equation, ...]
    starts: tuple[int, ...]
    line: Judged
    arms: tuple[Judged, ...]

    def ratios(self, arm: Judged, rows: NDArray[np.int64]) -> Floats:
        """Return work over what RK45 needs for the same error, logarithms, (equations, n): of some starts.

        rows: the starts to average, (equations, starts) or fewer. NaN beyond the ends of RK45's line.
        """
        place = np.arange(len(self.equations))[:, None]
        error, work = (table[place, rows].mean(axis=1) for table in (arm.error, arm.work))
        line_error, line_work = (table[place, rows].mean(axis=1) for table in (self.line.error, self.line.work))
        lines = zip(line_error, line_work, error, strict=True)
        return work - np.array([work_at(*line) for line in lines])

    def gave_up(self, arm: Judged, tolerance: int, equation: int | None = None) -> tuple[int, int]:
        """Return on how many integrations a design gave up, and of how many."""
        table = arm.error[slice(None) if equation is None else slice(equation, equation + 1), :, tolerance]
        return int(np.isnan(table).sum()), table.size

    @cached_property
    def _drawn(self) -> dict[str, Floats]:
        """The ratios of each arm, of all starts and then of RESAMPLES draws of them, (1 + RESAMPLES, equations, n)."""
        rng, shape = np.random.default_rng(0), (len(self.equations), len(self.starts))
        rows = [np.tile(np.arange(shape[1]), (shape[0], 1)), *rng.integers(shape[1], size=(RESAMPLES, *shape))]
        return {arm.name: np.array([self.ratios(arm, row) for row in rows]) for arm in self.arms}

    def interval(self, arm: Judged, tolerance: int, equation: int | None = None) -> Interval:
        """Return the ratio of one design, of all equations or one, with its bootstrap interval over starts.

        Starts are drawn anew within each equation: the interval tells what other initial states would have given. Draws
        beyond the ends of RK45's line do not count. NaN where they are more than a tenth, and where the design gave up.
        """
        own = slice(None) if equation is None else slice(equation, equation + 1)
        middle, *drawn = np.exp(self._drawn[arm.name][:, own, tolerance].mean(axis=1)).tolist()
        there = [ratio for ratio in drawn if not np.isnan(ratio)]
        if np.isnan(middle) or len(there) < 0.9 * len(drawn):
            return Interval(float("nan"), float("nan"), float("nan"))
        tail = (1.0 - CONFIDENCE) / 2.0
        return Interval(middle, float(np.quantile(there, tail)), float(np.quantile(there, 1.0 - tail)))


def work_at(line_error: Floats, line_work: Floats, error: Floats) -> Floats:
    """Return what a work-precision line spends at errors, all logarithms; NaN beyond its ends.

    line_error, line_work: from the loosest tolerance to the tightest, (m,), NaN where an integration gave up; the line
    is taken at the least error so far.
    """
    there = np.isfinite(line_error)
    falling = np.minimum.accumulate(line_error[there])
    found = np.interp(-error, -falling, line_work[there])
    outside = (error > falling[0]) | (error < falling[-1]) | np.isnan(error)
    return np.where(outside, np.nan, found)


@dataclass(frozen=True)
class Study:
    """What came out. chosen: the searched designs, one for each of TOLERANCES. groups: what they were judged on.

    at_choice: each chosen design's work over RK45's on the states by which it was chosen, (n,): the choice flatters it.
    settings: how the search was made, by name. speeds: see `core`.
    """

    chosen: Columns
    at_choice: Floats
    groups: tuple[Group, ...]
    settings: dict[str, str]
    speeds: tuple[Speed, ...]
    seconds: float


def chosen(front: Columns, choosing: Several) -> tuple[Columns, Floats]:
    """Return the design of least work that comes to RK45's error at each of TOLERANCES, and its work over RK45's.

    front: what searches found, each (n,). choosing: integrations that no search saw, of the equations that it did.
    ValueError where none comes to an error.
    """
    scipys, found = choosing.evaluate(scipy_designs(TOLERANCES)), choosing.evaluate(front)
    rows = []
    for target in scipys["error"]:
        fit = np.flatnonzero(found["error"] <= target)
        if not len(fit):
            least = np.nanmin(found["error"])
            raise ValueError(
                f"no searched design has an error of {target:.3g}, the least is {least:.3g}. Raise budget."
            )
        rows.append(fit[np.argmin(found["work"][fit])])
    return {name: column[rows] for name, column in front.items()}, found["work"][rows] / scipys["work"]


def judged_group(name: str, equations: Sequence[Equation], starts: Sequence[int], arms: dict[str, Columns]) -> Group:
    """Integrate all designs on test equations."""
    over = Several(tuple(equations), tuple(starts), ENOUGH)

    def judged(arm: str, designs: Columns) -> Judged:
        return Judged(arm, designs, *over.each(designs)[:2])

    line = judged("scipy's RK45", scipy_designs(LINE))
    return Group(name, over.equations, over.starts, line, tuple(judged(arm, own) for arm, own in arms.items()))
