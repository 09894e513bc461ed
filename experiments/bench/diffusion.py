"""Searched schedules of diffusion samplers beside stock ones and tuned grids, all by the same number of priced designs.

Solver, grid and schedule are chosen on training noise alone, noise_seed=2 of `DiffusionSampling-v0`, and scored on two
further sets of noise. The tuned grids have one parameter, as solver_gmm_fair.csv of the project's reference tables has
them, where stock, tuned and searched samplers cost 20, 410 and 6,600 designs; here all that a method may price is
`budget`. The bounded study searches the least RMS among designs whose median error is no worse than that of the best
stock pair: a few noises near the basins' boundaries rule the RMS, which can be had for a worse median.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.solver_schedule.diffusion_sampling import DiffusionSampling
from designgym.cost_models.solver_schedule.mixtures import mixture
from designgym.cost_models.solver_schedule.paths import path_of
from designgym.cost_models.solver_schedule.sampler import Schedule, errors, noises, reference, sampled, summary
from designgym.cost_models.solver_schedule.stock import Sampler, stock, tuned
from designgym.experiments.commands import problem_of_log

ID = "DiffusionSampling-v0"
PATH = "vp"
MODELS = ("ring2d", "gmm8d")
EVALUATIONS = (4, 5, 6, 8, 10)
AGENTS = ("random", "local_search", "genetic", "evolution", "bayesian", "predictor_search")
FURTHER = (1, 11)  # seeds of the noise that schedules are scored on
POINTS = 2048  # of each further set
GAIN = 1.1  # what a searched schedule is to gain on the tuned grid
PLAIN, BOUNDED = "rms", "bounded"  # the studies
STOCK, TUNED = "stock", "tuned"
AT_ONCE = 64  # schedules in memory

Say = Callable[[str], None]


@dataclass(frozen=True)
class Cell:
    """One comparison: a model and a number of evaluations."""

    model: str
    evaluations: int


@dataclass(frozen=True)
class Errors:
    """Endpoint errors of one schedule over one set of noise."""

    rms: float
    median: float
    flip_fraction: float


@dataclass(frozen=True, eq=False)
class Scored:
    """What one method chose in one cell. seed: of an agent's run, -1 for others. priced: designs it chose among.

    training: over the noise it was chosen on; further: over the sets of FURTHER.
    """

    cell: Cell
    study: str
    arm: str
    seed: int
    solver: str
    grid: str
    schedule: Schedule
    priced: int
    training: Errors
    further: tuple[Errors, ...]


@dataclass(frozen=True)
class Outcome:
    """All that was compared. bounds: the median that the bounded study allows, by cell. agents: in their order."""

    cells: tuple[Cell, ...]
    agents: tuple[str, ...]
    seeds: int
    budget: int
    bounds: dict[Cell, float]
    scored: tuple[Scored, ...]
    seconds: float

    def of(self, cell: Cell, study: str, arm: str) -> list[Scored]:
        """Return what a method chose in a cell, one for each seed."""
        return [one for one in self.scored if (one.cell, one.study, one.arm) == (cell, study, arm)]

    def gain(self, cell: Cell, study: str, arm: str, over: str = TUNED) -> tuple[float, ...]:
        """Return by what factor RMS is lower than another method's, over each further set: the mean over seeds.

        Geometric means of an agent's runs; NaN where it found nothing.
        """
        own, (other,) = self.of(cell, study, arm), self.of(cell, study, over)
        if not own:
            return (math.nan,) * len(FURTHER)
        return tuple(
            other.further[i].rms / math.exp(np.mean([math.log(one.further[i].rms) for one in own]))
            for i in range(len(FURTHER))
        )

    def won(self, study: str, arm: str) -> int:
        """In how many cells a method gains GAIN or more on the tuned grid over all further sets."""
        return sum(min(self.gain(cell, study, arm)) >= GAIN for cell in self.cells)


def priced(model: str, schedules: Sequence[Schedule], points: int, seed: int) -> list[Errors]:
    """Return the endpoint errors of schedules of one number of evaluations."""
    path, mixed = path_of(PATH), mixture(model)
    noise, truth = noises(mixed.dimensions, points, seed), reference(path, model, points, seed)
    found: list[Errors] = []
    for first in range(0, len(schedules), AT_ONCE):
        columns = summary(errors(sampled(path, mixed, list(schedules[first : first + AT_ONCE]), noise), truth))
        found += [Errors(*(float(value) for value in row)) for row in zip(*columns.values(), strict=True)]
    return found


def compare(
    agents: Sequence[str],
    cells: Sequence[Cell],
    seeds: int,
    budget: int,
    out: Path,
    workers: int | None = None,
    silent: bool = False,
    say: Say = lambda line: None,
) -> Outcome:
    """Choose in every cell by every method, and score what was chosen. out: keeps the sweeps, and goes on from them.

    KeyboardInterrupt where it was stopped: the same call goes on from there.
    """
    begun = time.perf_counter()
    scored, bounds = list[Scored](), dict[Cell, float]()
    for cell in cells:
        say(f"{cell.model}, {cell.evaluations} evaluations: stock pairs and tuned grids")
        chosen = _baselines(cell, budget)
        bounds[cell] = next(one.training.median for one in chosen if one.arm == STOCK)
        scored += chosen
    for study in (PLAIN, BOUNDED):
        options = [_options(cell, bounds[cell] if study == BOUNDED else None) for cell in cells]
        scored += _searched(study, agents, cells, options, seeds, budget, out / study, workers, silent)
    seconds = time.perf_counter() - begun
    return Outcome(tuple(cells), tuple(agents), seeds, budget, bounds, tuple(scored), seconds)


def _options(cell: Cell, bound: float | None) -> dict[str, Any]:
    options: dict[str, Any] = {"model": cell.model, "evaluations": cell.evaluations}
    if bound is not None:
        options["objective"] = {"minimize": ["rms"], "subject_to": [f"median <= {bound!r}"]}
    return options


def _baselines(cell: Cell, budget: int) -> list[Scored]:
    """Return the best stock pair and the best tuned grid of each study."""
    path, problem = path_of(PATH), DiffusionSampling(cell.model, PATH, cell.evaluations)
    found: list[Scored] = []
    bound = math.inf
    for arm, samplers in ((STOCK, stock(path, cell.evaluations)), (TUNED, tuned(path, cell.evaluations, budget))):
        came_to = priced(cell.model, [one.schedule for one in samplers], problem.points, problem.noise_seed)
        best = min(range(len(samplers)), key=lambda i: came_to[i].rms)
        if arm == STOCK:
            bound = came_to[best].median
        within = [i for i in range(len(samplers)) if came_to[i].median <= bound]
        chosen = {PLAIN: best} | ({BOUNDED: min(within, key=lambda i: came_to[i].rms)} if within else {})
        for study, i in chosen.items():
            found.append(_scored(cell, study, arm, -1, samplers[i], len(samplers), came_to[i]))
    return found


def _scored(cell: Cell, study: str, arm: str, seed: int, sampler: Sampler, count: int, training: Errors) -> Scored:
    further = tuple(priced(cell.model, [sampler.schedule], POINTS, noise)[0] for noise in FURTHER)
    return Scored(
        cell, study, arm, seed, sampler.solver, sampler.grid, sampler.schedule, count, training, further
    )  # fmt: skip


def _searched(
    study: str,
    agents: Sequence[str],
    cells: Sequence[Cell],
    options: Sequence[dict[str, Any]],
    seeds: int,
    budget: int,
    out: Path,
    workers: int | None,
    silent: bool,
) -> Iterable[Scored]:
    """Sweep over the cells, and yield the best feasible design of each run."""
    from designgym.experiments.driver import sweep
    from designgym.experiments.log import load_sweep
    from designgym.experiments.report.trials import trials_of
    from designgym.experiments.spec import make_spec
    from designgym.experiments.trials import run_tables

    problems = [{"id": ID, "options": one} for one in options]
    spec = make_spec(
        {"name": f"diffusion-{study}", "problems": problems, "agents": list(agents), "seeds": seeds, "budget": budget}
    )
    if sweep(spec, out, workers=workers, silent=silent).interrupted:
        raise KeyboardInterrupt
    logged = load_sweep(out)
    runs = {run.key: run for run in logged.runs}
    for key, table in run_tables(out, {}):
        run, trials = runs[key], trials_of(table, 0)
        rows = np.flatnonzero(trials.feasible)
        if not len(rows):
            continue
        best = int(rows[np.argmin(trials.losses[rows, 0])])
        problem = problem_of_log(logged.problems[run.problem])
        model = problem.cost_model
        assert isinstance(model, DiffusionSampling)
        schedule = model.schedule(problem.space.parse(trials.design(best)))
        cell = Cell(model.model, model.evaluations)
        training = Errors(*(float(trials.metrics[name][best]) for name in ("rms", "median", "flip_fraction")))
        sampler = Sampler(" ".join(schedule.solvers), "free", schedule)
        yield _scored(cell, study, run.agent, run.seed, sampler, len(trials), training)
