"""Sweeps of a small matrix-multiply problem, logged as the driver logs them but without Ray, for tests of readers."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designgym.agents.testing import problems as agent_problems
from designgym.cost_models.base import Columns, Metric
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    Objective,
    Ordinal,
    Permutation,
    Subset,
)
from designgym.envs.registry import problem_ids, register_problem
from designgym.experiments.index import index_of
from designgym.experiments.log import SweepDirectory
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import make_spec
from designgym.experiments.tasks import Ended, Task
from designgym.experiments.worker import run_trials

PROBLEM = "ReportTiling-v0"
KINDS = "ReportKinds-v0"
LONG = "ReportAcceleratorWithAVeryLongNameForItsNetworkOnChip-v0"
HOSTILE = "</script><script>document.documentElement.dataset.hacked = 1</script><img src=x onerror=alert(1)>%{x} & \"'"


@dataclass(frozen=True)
class Tiling:
    """C[m, n] = A[m, k] @ B[k, n] through one buffer: the larger of compute and traffic, a roofline.

    Source: Williams, Waterman and Patterson, CACM 52(4), 2009, doi:10.1145/1498765.1498785.
    """

    hostile: bool = False
    size: int = 1024
    version = "1"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        meaning = HOSTILE if self.hostile else "time of one multiply"
        return (
            Metric("latency_s", HOSTILE if self.hostile else "s", "lower", meaning),
            Metric("energy_j", "J", "lower", "energy of one multiply"),
            Metric("throughput", "1/s", "higher", "multiplies a second"),
        )

    def evaluate(self, designs: Columns) -> Columns:
        size = float(self.size)
        m, n, k, kb = (designs[name].astype(np.float64) for name in ("tile_m", "tile_n", "tile_k", "buffer_kb"))
        pays = np.where(designs["flow"] == 1, 0.8, 1.0)
        used = 2.0 * (m * k + k * n + m * n) / 1024.0
        traffic = 2.0 * pays * (size**3 / n + size**3 / m + size**2 * (size / k) ** 0.5)
        clock = designs["clock_hz"] / 1e9
        latency = np.maximum(2 * size**3 / (4e12 * clock), traffic / 2e11) * (1.0 + 0.05 * np.log2(kb / 32.0))
        energy = 2 * size**3 * 1e-12 * (0.5 + 0.5 * clock) ** 2 + traffic * 2e-11 * (1.0 + kb / 512.0)
        violation = np.maximum(0.0, used / kb - 1.0)
        return {"latency_s": latency, "energy_j": energy, "throughput": 1.0 / latency, "violation": violation}


def tiling(
    title: str = "", hostile: bool = False, objective: Objective = Objective(minimize=("latency_s",))
) -> DesignProblem:
    """127,008 designs of six parameters; about half do not fit their buffer."""
    tiles = (8, 16, 32, 64, 128, 256)
    space = DesignSpace(
        Ordinal("tile_m", tiles, unit="element", meaning="rows of C per tile"),
        Ordinal("tile_n", tiles, unit="element", meaning="columns of C per tile"),
        Ordinal("tile_k", tiles, unit="element", meaning=HOSTILE if hostile else "depth per tile"),
        Ordinal("buffer_kb", (32, 64, 128, 256, 512, 1024), unit=HOSTILE if hostile else "KiB"),
        Categorical("flow", ("row", HOSTILE if hostile else "column")),
        Integer("clock_hz", 400_000_000, 1_600_000_000, 25_000_000, unit="Hz", meaning="clock"),
    )
    return DesignProblem(space, Tiling(hostile), objective)


def kinds(kind: str = "conditional") -> DesignProblem:
    """Return a problem with conditions, orders and subsets, or with continuous parameters."""
    return agent_problems()[kind]


@dataclass(frozen=True)
class LongNames:
    """The distance from two corners of the unit cube, under names that leave little room."""

    space: DesignSpace
    metrics = (
        Metric("end_to_end_latency_of_the_whole_network_s", "s", "lower", "time from the first word to the last"),
        Metric("energy_including_off_chip_memory_accesses_j", "J", "lower", "energy"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        unit = self.space.encode(designs)
        found = [1e-3 * (0.2 + ((unit - corner) ** 2).mean(axis=1)) for corner in (0.8, 0.2)]
        return dict(zip((metric.name for metric in self.metrics), found, strict=True)) | {"violation": 0.0 * found[0]}


def long_names(workload: str = "", several: bool = False) -> DesignProblem:
    """Every kind of parameter, two of them under conditions, with long names and long values."""
    rows = "number_of_processing_elements_along_the_"
    space = DesignSpace(
        Integer(f"{rows}rows", 4, 256, 4, unit="processing elements"),
        Integer(f"{rows}columns", 4, 256, 4, unit="processing elements"),
        Categorical("interconnect", ("crossbar_with_virtual_channels_and_credits", "two_dimensional_torus", "mesh")),
        Categorical("routingAlgorithmWithoutUnderscores", ("deterministicDimensionOrdered", "adaptiveMinimalRouting")),
        Integer("virtual_channels_per_port", 1, 16, when=("interconnect", {"mesh"})),
        Float("leakage_allowed_at_most_w", 1e-6, 1e-3, log=True, unit="W", when=("interconnect", {"mesh"})),
        Permutation("banks", tuple(f"bank_{i}" for i in range(10))),
        Subset("links", 24, 5),
    )
    model = LongNames(space)
    names = tuple(metric.name for metric in model.metrics)
    return DesignProblem(space, model, Objective(minimize=names if several else names[:1]))


def register() -> None:
    for name, function in ((PROBLEM, "tiling"), (KINDS, "kinds"), (LONG, "long_names")):
        if name not in problem_ids():
            register_problem(name, f"{__name__}:{function}")


def log_sweep(directory: Path, given: dict[str, Any], priced: dict[int, int] | None = None) -> Path:
    """Run a sweep in this process and log it. priced: for some runs, by number, batches after which they are cut."""
    register()
    spec = make_spec(given)
    all_runs = runs(spec)
    with closing(SweepDirectory(directory)) as opened:
        opened.describe(spec.text, index_of(spec, all_runs, [], 1, None))
        for number, run in enumerate(all_runs):
            _log_run(opened, run, (priced or {}).get(number))
    return directory


def _log_run(opened: SweepDirectory, run: RunSpec, most: int | None) -> None:
    files, meta = opened.run(run.key), dict(run.definition)
    task = Task(
        run.key, run.agent.cls, dict(run.agent.hyperparameters), run.seed, run.budget, run.problem.start,
        run.seconds, None,
    )  # fmt: skip
    if most == 0:
        return
    writer, ended = None, None
    for batches, item in enumerate(run_trials(run.problem.problem, task), start=1):
        if isinstance(item, Ended):
            ended = item
            break
        writer = writer or files.next_part(item.schema, meta)
        writer.append(item)
        if batches == most:
            break
    assert writer is not None
    writer.close()
    if ended is not None:
        rows, _ = files.read()
        files.finish(rows, meta | {"ended": ended.reason, "elapsed_s": ended.elapsed_s, "best": None})
