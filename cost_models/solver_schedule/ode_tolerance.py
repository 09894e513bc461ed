"""Adaptive integration of an ordinary differential equation: what a method, tolerances and step control cost and miss.

Sources: see `ode_integrator` and `ode_problems`. The solver's own estimates of its local error and of stiffness as
figures of a run follow Pal et al., "Opening the Blackbox", ICML 2021, arXiv:2105.03918.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.solver_schedule.ode_integrator import SAMPLES, integrations
from designgym.cost_models.solver_schedule.ode_problems import OdeProblem, ode_problem
from designgym.cost_models.solver_schedule.ode_reference import reference

METRICS = (
    Metric("error", "1", "lower", "error at the end: root mean square over components, each over its largest size"),
    Metric("largest_error", "1", "lower", f"largest error at {SAMPLES} uniform times, by the method's dense output"),
    Metric("work", "1", "lower", "evaluations of the right side, a Jacobian counted as one for each component"),
    Metric("evaluations", "1", "lower", "evaluations of the right side, none for Jacobians"),
    Metric("jacobians", "1", "lower", "evaluations of the Jacobian"),
    Metric("steps", "1", "lower", "accepted steps"),
    Metric("rejected", "1", "lower", "rejected steps"),
    Metric("local_error", "1", "lower", "the solver's own largest estimate of a step's error, scaled as errors are"),
    Metric("stiffness", "1", "lower", "the solver's own largest estimate of the fastest rate, per unit of time"),
)
LEAST_VIOLATION = 2.0**-52
HOW = ("", "all evaluations were spent", "the step came down to rounding")


@dataclass(frozen=True)
class OdeTolerance:
    """Integrations of one problem from one initial state, against a reference of rounding's accuracy.

    ode, mu: see `ode_problem`. start: 0 for the standard initial state, else one drawn near it by this seed.
    most_evaluations: of the right side; an integration gives up before it makes more. What gives up has a violation,
    the share of the interval that is left, and no metrics.
    Error: none in steps and evaluations, which are those of scipy's RK23 and RK45: exact on all 36 rows marked ok of
    tests/reference/solver_schedule/solver_ivp_scipy.csv, with errors at the end within .3 % of theirs. The reference is
    within 2e-14 where it is not stiff (1e-10 on Arenstorf's orbit), 2e-12 where it is.
    """

    ode: str = "lotka_volterra"
    mu: float = 1.0
    start: int = 0
    most_evaluations: int = 10_000

    metrics: tuple[Metric, ...] = METRICS
    version = "1"

    def __post_init__(self) -> None:
        ode_problem(self.ode, self.mu)  # what is wrong is refused at once
        for what, value, least in (("start", self.start, 0), ("most_evaluations", self.most_evaluations, 1)):
            if value < least or value != int(value):
                raise ValueError(f"{what} must be an integer of at least {least}, got {value}. Choose one.")

    @property
    def problem(self) -> OdeProblem:
        """What is integrated."""
        return ode_problem(self.ode, self.mu)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: method, rtol, atol, controller, gain_i, gain_p, gain_d, safety, min_factor, max_factor, first_step
        and first_fraction, each (n,); see `scipy_design`.
        """
        found = self._integrations(designs)
        failed = found["ended"] > 0
        left = np.maximum(1.0 - found["time"] / self.problem.end, LEAST_VIOLATION)
        found["work"] = found["evaluations"] + len(self.problem.start) * found["jacobians"]
        out: Columns = {metric.name: np.where(failed, np.nan, found[metric.name]) for metric in METRICS}
        return out | {"violation": np.where(failed, left, 0.0)}

    def reason(self, design: Columns) -> str:
        """Say where and why an integration, a batch of one, gave up; "" where it came to its end."""
        found = self._integrations(design)
        how = HOW[int(found["ended"][0])]
        return f"at time {found['time'][0]:.4g} of {self.problem.end:.6g} {how}" if how else ""

    def _integrations(self, designs: Columns) -> dict[str, Any]:
        truth, scale = reference(self.ode, self.mu, self.start)
        start = self.problem.initial(self.start)
        return integrations(self.problem, designs, start, truth, scale, self.most_evaluations)
