"""A small problem whose cost model notes where it runs, and dawdles so that there is time to break something."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective

SPACE = DesignSpace(Integer("lanes", 1, 256), Integer("depth", 1, 64), Categorical("flow", ("row", "column")))
PROBLEM = "Noted-v0"


@dataclass(frozen=True)
class NotedModel:
    """notes: a folder where each process that prices says what it is. out: a folder in which it tries to write.

    While there is a file hold-PID in notes, with the id of a process's parent, that process prices nothing and says so;
    where slow, it heeds slow-hold-PID instead.
    """

    design_s: float = 0.0
    notes: str = ""
    out: str = ""
    slow: bool = False

    metrics = (Metric("latency_s", "s", "lower", "time"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        if self.notes:
            self._note()
        lanes, depth = designs["lanes"].astype(np.float64), designs["depth"].astype(np.float64)
        time.sleep(self.design_s * len(lanes))
        return {
            "latency_s": 1e-3 * (256 / lanes + np.abs(depth - 40) + 5 * designs["flow"]),
            "violation": np.maximum(0.0, lanes * depth / 8192 - 1),
        }

    def _note(self) -> None:
        note = Path(self.notes) / f"{os.getpid()}.json"
        hold = Path(self.notes) / f"{'slow-' if self.slow else ''}hold-{os.getppid()}"
        if not note.exists():
            what = {"parent": os.getppid(), "cwd": os.getcwd(), "writes": self._writes(), "held": False}
            replaced(note, what)
        if hold.exists():
            found = json.loads(note.read_text())
            replaced(note, {**found, "held": True})
            while hold.exists():
                time.sleep(0.01)
            replaced(note, found)

    def _writes(self) -> str:
        try:
            (Path(self.out) / f"planted-{os.getpid()}").touch(exist_ok=False)
        except OSError as error:
            return type(error).__name__
        return "yes"


def replaced(path: Path, what: dict) -> None:
    """Write a note that nobody finds half written."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps(what))
    scratch.replace(path)


def noted(design_s: float = 0.0, notes: str = "", out: str = "", slow: bool = False) -> DesignProblem:
    return DesignProblem(SPACE, NotedModel(design_s, notes, out, slow), Objective(minimize=("latency_s",)))


def register() -> None:
    """Make it known in this process, once."""
    from designgym.envs.registry import problem_ids, register_problem

    if PROBLEM not in problem_ids():
        register_problem(PROBLEM, f"{__name__}:noted")
