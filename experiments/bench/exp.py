"""How near to 2^x searches from scratch come, seed by seed, beside others' best chains.

They stand beside somebody else's best chains, of tests/reference/quantization/quant_exp2_programs.csv. The published
program of 10 operations (Real, Rossini et al., "AutoNumerics-Zero", 2023, arXiv:2312.08472) is general, and no chain. A
search that was finished is read, not run again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from designgym.agents import search
from designgym.cost_models.quantization.exp_fitting import fit_programs
from designgym.cost_models.quantization.straight_line import Programs
from designgym.envs import make_problem
from designgym.experiments.bench.core import Row
from designgym.experiments.files import written_safely

ID, AGENT = "ExpProgram-v0", "genetic"
SEEDS = range(100, 110)  # budgets and populations were chosen on others, below
POPULATIONS = {6: 24, 8: 24, 10: 128}  # larger than the default, 24, where the space is
BUDGETS = {8: 20_000, 10: 40_000}  # distinct designs by operations
QUICK = {6: 5_000}
WANTED = {8: (2e-8, 8), 10: (1e-10, 8)}  # largest error, in so many of ten seeds
KNOWN = {6: 4.419e-06, 8: 1.742e-08, 10: 6.807e-11}  # errors of somebody else's best chains
DRAWN = 2000  # programs that are timed


def exp(quick: bool = False, out: Path | None = None, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Search with all SEEDS, three where quick. out: a directory of finished searches, gone on with.

    Rows are (what, figure, unit, ratio, what it is to).
    """
    rows: list[Row] = list(_speed())
    for operations, budget in (QUICK if quick else BUDGETS).items():
        errors = []
        for seed in SEEDS[:3] if quick else SEEDS:
            found = _search(operations, budget, seed, out)
            errors.append(found["max_relative_error"])
            say(f"{operations} operations, seed {seed}: {errors[-1]:.3e}, {found['program']}, {found['seconds']:.0f} s")
            what = f"{operations} operations, seed {seed}: {found['program']}"
            rows.append(
                (
                    what,
                    errors[-1],
                    "1",
                    errors[-1] / KNOWN[operations],
                    f"somebody else's best chain, {KNOWN[operations]:g}",
                )
            )
        if operations in WANTED:
            bound, seeds = WANTED[operations]
            what = f"{operations} operations: seeds of {len(errors)} that end at {bound:g} or below"
            reached = float(np.sum(np.array(errors) <= bound))
            rows.append((what, reached, "", reached / seeds, f"{seeds} wanted"))
    notes = [
        f"{AGENT} on {ID}; distinct designs by operations {QUICK if quick else BUDGETS}, population {POPULATIONS}",
        "published for a general program of 10 operations: about 1e-14 (arXiv:2312.08472)",
    ]
    return {"notes": notes, "rows": rows}


def _search(operations: int, budget: int, seed: int, out: Path | None) -> dict[str, Any]:
    problem = make_problem(ID, operations=operations)
    population, version = POPULATIONS[operations], problem.cost_model.version
    path = out and out / f"{AGENT}-{population}-{operations}-{budget}-{seed}-{version}.json"
    if path and path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    begun = time.perf_counter()
    best = search(problem, agent=AGENT, budget=budget, seed=seed, population=population).best
    assert best is not None, "some design was priced"
    found = {
        "max_relative_error": float(best.metrics["max_relative_error"]),
        "program": " ".join(str(value) for value in best.design.values()),
        "seconds": time.perf_counter() - begun,
    }
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_safely(path) as file:
            file.write(json.dumps(found).encode())
    return found


def _speed() -> Iterator[Row]:
    """Fit chains drawn at random, on all threads: with many poles, and those without."""
    rng = np.random.default_rng(0)
    for operations in BUDGETS:
        chains = Programs.chains(rng.integers(0, 7, (DRAWN, operations)))
        fit_programs(Programs.chains(rng.integers(0, 7, (2, operations))))  # compiles
        begun = time.perf_counter()
        fitted = fit_programs(chains)
        seconds = time.perf_counter() - begun
        yield f"random chains of {operations} operations", DRAWN / seconds, "1/s", None, ""
        whole = float(np.isfinite(fitted.errors).sum())
        yield f"those of {operations} operations without a pole", whole / seconds, "1/s", None, ""
