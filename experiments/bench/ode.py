"""`designgym bench ode`: integrators searched, and judged beside scipy's where search did not look; speeds.

What a design would be worth elsewhere is the question, so three sets of initial states are kept apart: those that
searches see, those by which one design a tolerance is chosen among their fronts, and those of the tests.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule.ode_integrator import METHODS, integrations, scipy_design
from designgym.cost_models.solver_schedule.ode_problems import ode_problem
from designgym.cost_models.solver_schedule.ode_reference import reference
from designgym.envs import DesignProblem
from designgym.envs.solver_schedule.ode_tolerance import SPACE, WORK_AND_PRECISION
from designgym.experiments.bench.core import best_seconds
from designgym.experiments.bench.ode_study import (
    FIRST_CHOSEN,
    FIRST_SEARCHED,
    FIRST_TEST,
    TOLERANCES,
    TRAINING,
    UNSEEN,
    Several,
    Speed,
    Study,
    chosen,
    judged_group,
    label,
    scipy_designs,
)

AGENTS = ("bayesian", "genetic")
DEFAULT = {"searches": 2, "budget": 2000, "starts": 32, "training_starts": 8}
QUICK = {"searches": 1, "budget": 300, "starts": 6, "training_starts": 4}
PAGE = "ode.html"
SPEED_DESIGNS, SPEED_RTOL = 20_000, 1e-6


def run(
    agents: Sequence[str],
    searches: int | None,
    budget: int | None,
    starts: int | None,
    out: Path | None,
    quick: bool,
    silent: bool,
    as_json: bool,
) -> None:
    """Search, judge, print, and write DIR/ode.html and DIR/figures.parquet."""
    from designgym.experiments.bench.ode_page import print_study, write_study
    from designgym.experiments.cli.console import print_json
    from designgym.experiments.index import command_line

    settings = dict(QUICK if quick else DEFAULT)
    for what, value in (("searches", searches), ("budget", budget), ("starts", starts)):
        if value is not None and value < 1:
            raise ValueError(f"{what} must be at least 1, got {value}. Raise it.")
        settings[what] = value or settings[what]
    if out is None:
        out = Path(tempfile.mkdtemp(prefix="designgym-ode-"))
    out.mkdir(parents=True, exist_ok=True)
    study = studied(agents or AGENTS, **settings, say=lambda line: None if silent else print(line, file=sys.stderr))
    rows = figures(study)
    write_figures(rows, out / "figures.parquet")
    write_study(study, out / PAGE, command_line())
    if as_json:
        print_json({"page": str(out / PAGE), "figures": str(out / "figures.parquet"), "rows": rows})
    else:
        print_study(study, out / PAGE, out / "figures.parquet")


def studied(
    agents: Sequence[str], searches: int, budget: int, starts: int, training_starts: int, say: Callable[[str], None]
) -> Study:
    """Search, choose and judge. starts: initial states of each test equation."""
    begun = time.perf_counter()
    speeds = measured_speeds()
    say("speeds measured")
    training = Several(TRAINING, tuple(range(FIRST_SEARCHED, FIRST_SEARCHED + training_starts)))
    front = searched(training, agents, searches, budget, say)
    best, ratios = chosen(front, Several(TRAINING, tuple(range(FIRST_CHOSEN, FIRST_CHOSEN + 2 * training_starts))))
    arms = {
        "searched": best,
        "Tsitouras, scipy's control": scipy_designs(TOLERANCES, "tsit54"),
        "scipy's RK23": scipy_designs(TOLERANCES, "bs32"),
    }
    tests = range(FIRST_TEST, FIRST_TEST + starts)
    groups = []
    for name, equations in (("unseen equations", UNSEEN), ("equations of the search", TRAINING)):
        groups.append(judged_group(name, equations, tests, arms))
        say(f"judged on {name}")
    told = {
        "agents": ", ".join(agents), "searches of each": str(searches), "designs a search": f"{budget:,}",
        "search saw": f"{', '.join(map(label, TRAINING))}, {training_starts} initial states each",
        "chosen by": f"{2 * training_starts} other initial states of each of these",
        "judged on": f"{starts} further initial states each",
    }  # fmt: skip
    return Study(best, ratios, tuple(groups), told, speeds, time.perf_counter() - begun)


def searched(
    training: Several, agents: Sequence[str], searches: int, budget: int, say: Callable[[str], None]
) -> Columns:
    """Return the designs on the fronts of all searches together, by error and work on the training integrations."""
    from designgym.agents import search
    from designgym.envs.pareto import nondominated

    problem = DesignProblem(SPACE, training, WORK_AND_PRECISION)
    fronts = []
    for agent in agents:
        for seed in range(searches):
            fronts.append(search(problem, agent=agent, budget=budget, seed=seed).front)
            say(f"searched by {agent}, seed {seed}: a front of {len(fronts[-1])} designs")
    best = nondominated(np.concatenate([front.evaluations.losses for front in fronts]))
    return {name: np.concatenate([front.designs[name] for front in fronts])[best] for name in fronts[0].designs}


def measured_speeds() -> tuple[Speed, ...]:
    """Time integrations of Lotka-Volterra at rtol 1e-6: in batches, one by one, and by scipy's `solve_ivp`."""
    import numba
    from scipy.integrate import solve_ivp

    problem = ode_problem("lotka_volterra")
    truth, scale = reference("lotka_volterra", 1.0, 0)
    start = problem.initial(0)

    def slope(t: float, y: Any) -> list[float]:
        return [1.5 * y[0] - y[0] * y[1], -3.0 * y[1] + y[0] * y[1]]

    def ours(n: int, method: str) -> float:
        design = scipy_design(rtol=SPEED_RTOL, atol=1e-3 * SPEED_RTOL) | {"method": np.array([METHODS.index(method)])}
        designs = {name: np.repeat(column, n) for name, column in design.items()}
        return n / best_seconds(lambda: integrations(problem, designs, start, truth, scale, 10**6))

    def scipys() -> Any:
        return solve_ivp(slope, (0.0, problem.end), start, rtol=SPEED_RTOL, atol=1e-3 * SPEED_RTOL)

    scipy_rate = 1.0 / best_seconds(scipys)
    threads, what = numba.get_num_threads(), "Lotka-Volterra, rtol 1e-6"
    unit, other = "integrations/s", "solve_ivp"
    rates = [
        (f"{what}: scipy's solve_ivp, RK45", scipy_rate),
        (f"{what}: dp54, the same steps, one by one", ours(1, "dp54")),
        (f"{what}: dp54, {SPEED_DESIGNS:,} at once on {threads} threads", ours(SPEED_DESIGNS, "dp54")),
        (f"{what}: tsit54, {SPEED_DESIGNS:,} at once on {threads} threads", ours(SPEED_DESIGNS, "tsit54")),
    ]
    return tuple((name, rate, unit, rate / scipy_rate if place else None, other) for place, (name, rate) in
                 enumerate(rates))  # fmt: skip


def figures(study: Study) -> list[dict[str, Any]]:
    """Return every figure as a row: work at equal error by arm, tolerance and equation, None where none; speeds."""
    rows: list[dict[str, Any]] = []
    for group in study.groups:
        for arm in group.arms:
            names = SPACE.describe(arm.designs)
            for place, rtol in enumerate(TOLERANCES):
                design = json.dumps({name: column[place] for name, column in names.items()})
                for equation in (None, *range(len(group.equations))):
                    own = slice(None) if equation is None else slice(equation, equation + 1)
                    ratio = group.interval(arm, place, equation)
                    failed, of = group.gave_up(arm, place, equation)
                    rows.append({
                        "figure": "work_at_equal_error", "group": group.name, "arm": arm.name, "rtol": rtol,
                        "equation": "all" if equation is None else label(group.equations[equation]),
                        "middle": ratio.middle, "low": ratio.low, "high": ratio.high,
                        "error": float(np.exp(arm.error[own, :, place].mean())),
                        "work": float(np.exp(arm.work[own, :, place].mean())),
                        "unit": "over scipy's RK45", "gave_up": failed, "integrations": of, "design": design,
                    })  # fmt: skip
    for what, figure, unit, over, to in study.speeds:
        rows.append({"figure": what, "middle": figure, "unit": unit})
        if over is not None:
            rows.append({"figure": f"{what}: ratio", "middle": over, "unit": f"over {to}"})
    return [dict.fromkeys(rows[0]) | {name: _known(value) for name, value in row.items()} for row in rows]


def _known(value: Any) -> Any:
    """Return None in place of NaN, which is no JSON."""
    return None if isinstance(value, float) and np.isnan(value) else value


def write_figures(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the figures as one Parquet file, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    scratch = path.with_name(path.name + ".tmp")
    pq.write_table(pa.Table.from_pylist(rows), scratch)
    scratch.replace(path)
