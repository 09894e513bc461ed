"""Three bodies under their own gravity, integrated for ten years: force evaluations, and what the energy then misses.

Sources: see `_three_body_kernel` and `three_body_starts`. Time steps that a policy chooses are in `three_body_policy`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.pictures import Picture
from designgym.cost_models.solver_schedule import three_body_starts

METHODS = ("hermite_fixed_eta", "hermite_fixed_dt", "leapfrog_fixed_dt")
ETAS = np.logspace(-4.0, -1.0, 10)  # what a policy chooses from
MOST_EVALUATIONS = 30_000
REFERENCE_STARTS = 10  # those of the reference tables: seeds 1 to 10
SHARE = 0.9  # of initial states, in the metric energy_error_q90
PARALLEL_FROM = 64  # integrations: one takes some hundred microseconds
STATES_A_CHUNK = 256  # that a thread carries an interval on at a time
NO_RECORD = np.empty((0, 13))
FOUND = ("force_evals", "energy_error", "largest_error", "published_return", "finished")

METRICS = (
    Metric("force_evals", "1", "lower", "evaluations of all forces, mean over initial states"),
    Metric("energy_error", "1", "lower", "relative error of the energy at the end, median over initial states"),
    Metric("energy_error_q90", "1", "lower", "the same, which nine in ten initial states do not exceed"),
    Metric("kept", "1", "higher", "share of initial states whose error at the end is at most the bound"),
    Metric("published_return", "1", "higher", "sum of the published rewards, mean over initial states"),
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FIRST = np.zeros(1, np.int64)


def integrations(
    method: Any,
    plans: Floats,
    states: Floats,
    most_evaluations: int = MOST_EVALUATIONS,
    masses: Floats = three_body_starts.MASSES,
    record: Floats = NO_RECORD,
) -> dict[str, Floats]:
    """Integrate each initial state by each plan; return the columns FOUND, each (plans, states).

    method: places in METHODS, (plans,). plans: eta of the intervals, one for all or one each, or dt in years,
    (plans, 1 or 100). states: (states, 12). The other arguments: see `integrated`. Evaluations that did not suffice are
    all spent, and leave an error of 1 at least.
    """
    from designgym.cost_models.solver_schedule import _three_body_kernel as kernel

    n, m = len(plans), len(states)
    methods = np.repeat(np.asarray(method, np.int64), m)
    plan, start = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
    run = kernel.integrated.parallel if n * m >= PARALLEL_FROM and threads() > 1 else kernel.integrated.serial
    found = run(methods, plan, start, np.asarray(plans, np.float64), states, masses, most_evaluations, record)
    return {name: column.reshape(n, m) for name, column in zip(FOUND, found, strict=True)}


def advanced(states: Floats, eta: Floats, first: Floats, decision: Integers, most: Integers) -> Floats:
    """Carry states, (n, 12), an interval on in place, each by its own eta; return what came of each, (5, n).

    eta, first, decision, most, each (n,): the eta, the energy that its episode began with, the number of the decision,
    counted from 1, and the evaluations that there may be. Rows are evaluations, the relative error of the energy after
    them, its -log10, the published reward, and whether the interval was come through. Row i depends on state i alone.
    """
    from designgym.cost_models.solver_schedule._three_body_lanes_kernel import carried

    order = FIRST[None] if len(states) == 1 else np.argsort(eta, kind="stable")[None]
    tasks, came = np.array([eta, first, decision, most], np.float64), np.empty((5, len(states)))
    chunks = -(-len(states) // STATES_A_CHUNK)
    run = carried.parallel if chunks > 1 else carried
    run(FIRST if chunks == 1 else np.arange(chunks), chunks, order, tasks, came, states, three_body_starts.MASSES)
    return came


def steps_taken(
    method: int, plan: Floats, state: Floats, most: int = 1_000_000, masses: Floats = three_body_starts.MASSES
) -> tuple[Floats, Floats]:
    """Return the length of each step in years, (steps,), and the state after it, (steps, 12), of one integration.

    plan: (1 or 100,), see `integrations`. most: evaluations.
    """
    evaluations = integrations([method], plan[None], state[None], most, masses)["force_evals"][0, 0]
    record = np.full((int(evaluations), 13), np.nan)
    integrations([method], plan[None], state[None], most, masses, record)
    steps = record[~np.isnan(record[:, 0])]
    return steps[:, 0], steps[:, 1:]


@dataclass(frozen=True)
class ThreeBody:
    """Integrations for 10 yr of three suns from some initial states, by steps of one eta or of one length.

    starts, first_seed: initial states are those of so many seeds from this one on, see `three_body_starts`; init: a
    file of them instead, with the columns x0x, x0y, ..., v2y in AU and AU / yr. bound: on the relative error of the
    energy, for the metric `kept`. most_evaluations: an integration that needs more spends them all and counts as an
    error of 1 at least. Errors are told between 1e-16 and 1e16.
    Error: none in evaluations, which on the ten initial states of tests/reference/solver_schedule are those of all 280
    rows of solver_threebody_fixed.csv; errors of the energy are within .1 % of its rows of eta >= .01, below which they
    are chaotic: a change in the last digit of a state moves them by factors.
    Source: Saz Ulibarrena and Portegies Zwart, 2025, doi:10.1016/j.cnsns.2025.108723, arXiv:2502.12809; for Hermite's
    method Makino and Aarseth, PASJ 44, 141, 1992.
    """

    starts: int = REFERENCE_STARTS
    first_seed: int = 1
    init: str = ""
    bound: float = 1e-4
    most_evaluations: int = MOST_EVALUATIONS

    metrics: tuple[Metric, ...] = METRICS
    version = "1"

    def __post_init__(self) -> None:
        for what, value, least in (
            ("starts", self.starts, 1), ("first_seed", self.first_seed, 0),
            ("most_evaluations", self.most_evaluations, 1),
        ):  # fmt: skip
            if value < least or value != int(value):
                raise ValueError(f"{what} must be an integer of at least {least}, got {value}. Choose one.")
        if not 0 < self.bound < np.inf:
            raise ValueError(f"bound must be above 0, got {self.bound}. Choose one, such as 1e-4.")
        if self.init:
            three_body_starts.file_states(self.init)  # what is wrong is refused at once

    @property
    def states(self) -> Floats:
        """The initial states, (starts, 12)."""
        if self.init:
            return three_body_starts.file_states(self.init)
        return three_body_starts.of_seeds(self.first_seed, self.starts)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: method (a place in METHODS), eta and dt_yr, each (n,), of which a method takes its own."""
        method = np.asarray(designs["method"], np.int64)
        plan = np.where(method == 0, designs["eta"], designs["dt_yr"])
        # Designs that are alike are integrated once: an integration takes as long as a thousand lookups.
        alike, places = np.unique(np.stack([method, plan]), axis=1, return_inverse=True)
        found = integrations(alike[0], alike[1][:, None], self.states, self.most_evaluations)
        return {name: column[places.ravel()] for name, column in self.summary(found).items()}

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Orbits, lengths of steps, error against evaluations: see `Draws` and `three_body_pictures`."""
        from designgym.cost_models.solver_schedule.three_body_pictures import pictures_of

        if not len(names):
            return ()
        method = np.asarray(designs["method"], np.int64)
        plans = np.where(method == 0, designs["eta"], designs["dt_yr"])[:, None]
        return pictures_of(names, method.tolist(), plans, self.states, self.bound)

    def summary(self, found: dict[str, Floats]) -> Columns:
        """Return the metrics, each (plans,), of what integrations came to, see `integrations`."""
        errors = np.sort(found["energy_error"], axis=1)
        count = errors.shape[1]
        return {
            "force_evals": found["force_evals"].mean(axis=1),
            "energy_error": 0.5 * (errors[:, (count - 1) // 2] + errors[:, count // 2]),
            "energy_error_q90": errors[:, int(np.ceil(SHARE * count - 1e-9)) - 1],
            "kept": (errors <= self.bound).mean(axis=1),
            "published_return": found["published_return"].mean(axis=1),
            "violation": np.zeros(len(errors)),
        }


def threads() -> int:
    """Return how many threads compiled loops may use."""
    import numba

    return int(numba.get_num_threads())
