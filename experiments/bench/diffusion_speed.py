"""How many schedules a second the diffusion cost model prices on all cores: RMS, median and flips."""

from __future__ import annotations

import numpy as np

from designgym.envs.registry import make_problem
from designgym.experiments.bench.core import Row, best_seconds

POINTS, EVALUATIONS = 1000, 10
BATCHES = {"ring2d": 512, "gmm8d": 512, "digits": 8}  # schedules priced at a time
LEAST = {"ring2d": 300.0, "gmm8d": 300.0, "digits": 2.0}


def speeds() -> list[Row]:
    """Return rows of a table of figures: schedules a second by model, and their ratio to what is wanted."""
    rows: list[Row] = []
    for model, batch in BATCHES.items():
        problem = make_problem("DiffusionSampling-v0", model=model, evaluations=EVALUATIONS, points=POINTS)
        designs = problem.space.sample(batch, np.random.default_rng(0))
        seconds = best_seconds(lambda p=problem, d=designs: p.evaluate(d))  # type: ignore[misc]
        what = f"{model}: {POINTS:,} points, {EVALUATIONS} evaluations"
        rows.append(
            (what, batch / seconds, "schedules/s", batch / seconds / LEAST[model], f"{LEAST[model]:g} a second")
        )
    return rows
