"""What a sweep costs beside its cost model: trials a second through Ray into the log, memory of the driver, resuming.

Every figure is of a whole sweep: agents in Ray workers ask, a model of nine metrics that costs next to nothing answers,
and the driver writes 21 columns a trial and puts each finished run into one Parquet file. Ray runs before the clock
starts. Targets are those of two cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.registry import agent_names, register_agent
from designgym.cost_models.base import Columns, Metric
from designgym.envs import DesignProblem, DesignSpace, Evaluations, Integer, Objective, Problem
from designgym.envs.registry import problem_ids, register_problem
from designgym.experiments.bench.core import SPACE, Row

PROBLEM, AGENT = "CheapBench-v0", "strider"
STRIDE = 38_833_567  # shares no factor with the size of the space, so that every design comes once
RUN = 500_000  # designs a run of the long sweeps
ONE_A_SECOND, BATCHED_A_SECOND, RESUME_S, DRIVER_MIB, REPORT_S = 1_000, 300_000, 2.0, 2_048, 60.0
EFFICIENCY = {2: 0.95, 8: 0.93}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Cheap:
    """Nine sums over the columns of a design."""

    metrics = tuple(Metric(f"part{i}_s", "s", "lower", "a sum over the design") for i in range(9))
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: columns of the bench's space, each (n,)."""
        total = sum((column.astype(np.float64) for column in designs.values()), np.zeros(len(designs["rows"])))
        return {m.name: 1.0 + total / (i + 1) for i, m in enumerate(self.metrics)} | {"violation": np.zeros(len(total))}


def cheap() -> DesignProblem:
    """62 million designs that are priced at once."""
    return DesignProblem(SPACE, Cheap(), Objective(minimize=("part0_s",)))


class Strider(Agent):
    """Walks through all designs in long strides: an agent that costs next to nothing. width: designs an ask."""

    hyperparameters = DesignSpace(Integer("width", 1, 100_000, default=1000))

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["width"])
        self._next = int(rng.integers(int(self.space.size)))

    def ask(self, n: int) -> Columns:
        size = int(self.space.size)
        ranks = (self._next + STRIDE * np.arange(n, dtype=np.int64)) % size
        self._next = int(self._next + STRIDE * n) % size
        return self.space.unrank(ranks)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Nothing to learn."""


def register() -> None:
    """Make the bench's problem and agent known to this process."""
    if PROBLEM not in problem_ids():
        register_problem(PROBLEM, f"{__name__}:cheap")
    if AGENT not in agent_names():
        register_agent(AGENT, f"{__name__}:Strider")


def run_sweep(folder: Path, width: int, runs: int, budget: int, workers: int, silent: bool = True) -> tuple[int, float]:
    """Run a sweep of striders, and return its trials and seconds."""
    from designgym.experiments.driver import sweep
    from designgym.experiments.spec import make_spec

    register()
    agent = {"name": AGENT, "hyperparameters": {"width": width}}
    spec = make_spec({"name": "bench", "problems": [PROBLEM], "agents": [agent], "seeds": runs, "budget": budget})
    outcome = sweep(spec, folder, workers=workers, silent=silent)
    if outcome.failed:
        raise RuntimeError(outcome.errors[0])
    return outcome.trials, outcome.seconds


def sweeps(quick: bool = False, out: Path | None = None, say: Say = lambda _: None) -> dict[str, Any]:
    """Measure all of it. out: keeps the long sweep there. say: is told what comes next."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [*_rates(Path(folder), quick, say), *_resuming(quick, say)]
        rows += _long(Path(folder), out, quick, say)
    rows += _slow(quick, say)
    notes = [
        "two runs at a time; a ratio above 1 is better than the target beside it",
        "workers busy: of the time from when all have begun, the start of their Python left out, to the last one's end",
    ]
    return {"notes": notes, "rows": rows}


def _rates(folder: Path, quick: bool, say: Say) -> list[Row]:
    from designgym.experiments.cluster import cluster

    rows: list[Row] = []
    with cluster(None, 2):
        run_sweep(folder / "warm", 1000, 2, 20_000, 2)
        for width, budget, target in (
            (1, 3_000 if quick else 20_000, ONE_A_SECOND),
            (1000, 400_000 if quick else 2_000_000, BATCHED_A_SECOND),
        ):
            say(f"designs asked {width} at a time, {2 * budget:,} of them")
            trials, seconds = run_sweep(folder / f"by{width}", width, 2, budget, 2)
            what = f"trials through Ray into the log, {width:,} an ask"
            rows.append((what, trials / seconds, "1/s", trials / seconds / target, f"at least {target:,}"))
    return rows


def _resuming(quick: bool, say: Say) -> list[Row]:
    """Time until a told agent that goes on after n logged trials has priced another."""
    import pyarrow as pa

    from designgym.experiments.runs import runs
    from designgym.experiments.spec import make_spec
    from designgym.experiments.tasks import task_of
    from designgym.experiments.worker import run_trials

    register()
    n = 1_000 if quick else 5_000
    given = {"name": "bench", "problems": [PROBLEM], "seeds": 1, "budget": n}
    walked = {"name": AGENT, "hyperparameters": {"width": 1}}
    (logger,) = runs(make_spec({**given, "agents": [walked]}))
    *batches, _ = run_trials(logger.problem.problem, task_of(logger))
    logged = pa.Table.from_batches(batches)
    rows: list[Row] = []
    for name in ("optuna_tpe",):
        say(f"{name} goes on after {n:,} trials")
        (run,) = runs(make_spec({**given, "agents": [name], "budget": n + 1}))
        if not run.agent.cls.told:
            continue
        seconds = min(_first_trial(run.problem.problem, task_of(run), logged, run_trials) for _ in range(3))
        ratio = RESUME_S / seconds if not quick else None
        rows.append((f"{name} resumes after {n:,} trials", seconds, "s", ratio, f"at most {RESUME_S:g} s at 5,000"))
    return rows


def _first_trial(problem: DesignProblem, task: Any, logged: Any, run_trials: Any) -> float:
    begun = time.perf_counter()
    next(iter(run_trials(problem, task, logged)))
    return time.perf_counter() - begun


def _long(folder: Path, out: Path | None, quick: bool, say: Say) -> list[Row]:
    """Memory of the driver at the end of sweeps of several lengths, and the report of the longest."""
    rows: list[Row] = []
    sizes = (200_000, 1_000_000) if quick else (1_000_000, 5_000_000, 10_000_000)
    where = folder
    for trials in sizes:
        say(f"a sweep of {trials:,} trials")
        where = out if out is not None and trials == sizes[-1] else folder / f"of{trials}"
        found = _in_a_process("sweep", where, trials)
        what = f"driver's largest resident size, {trials:,} trials"
        rows.append((what, found["mib"], "MiB", DRIVER_MIB / found["mib"], f"at most {DRIVER_MIB:,}"))
        rows.append((f"that sweep, {trials // RUN or 1} runs", found["seconds"], "s", None, ""))
    say(f"the report of {sizes[-1]:,} trials")
    found = _in_a_process("report", where, sizes[-1])
    ratio = None if quick else REPORT_S / found["seconds"]
    rows.append((f"report of {sizes[-1]:,} trials", found["seconds"], "s", ratio, f"at most {REPORT_S:g} s at 10 M"))
    rows.append(("that report's largest resident size", found["mib"], "MiB", None, ""))
    return rows


def _in_a_process(what: str, where: Path, trials: int) -> dict[str, float]:
    """Do it in a process of its own, whose memory is nothing else's."""
    command = [sys.executable, "-m", __name__, what, str(where), str(trials)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _slow(quick: bool, say: Say) -> list[Row]:
    from designgym.experiments.bench.slow import slow_efficiency

    rows: list[Row] = []
    for workers in (2,) if quick else (2, 8):
        for distribution in ("constant", "lognormal"):
            for order in ("asked", "completion"):
                say(f"{workers} workers on a sleeping model, {distribution} times, told in order of {order}")
                share = slow_efficiency(workers, distribution, order, designs=200 if quick else None)
                what = f"{workers} workers busy, {distribution} 100 ms, order: {order}"
                rows.append((what, share, "", share / EFFICIENCY[workers], f"at least {EFFICIENCY[workers]}"))
    return rows


def _measured(what: str, where: Path, trials: int) -> dict[str, float]:
    """Return seconds, and this process's largest resident size."""
    begun = time.perf_counter()
    if what == "sweep":
        runs = max(1, trials // RUN)
        run_sweep(where, 1000, runs, trials // runs, 2, silent=not sys.stderr.isatty())
    else:
        from designgym.experiments.report import write_report

        write_report(where)
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "mib": largest_resident_mib()}


def largest_resident_mib() -> float:
    """Return this process's largest resident size so far: VmHWM of proc(5), or getrusage(2) where there is no /proc.

    ru_maxrss starts from what the process that started this one had: it survives exec, which VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (2**20 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
