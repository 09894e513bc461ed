"""A cost model that is somebody's program: a YAML file says how it is called and how its output is read.

Each design is run in a directory of its own under limits (`process`), with nothing of the design in its arguments and
files but numbers and names that were checked or escaped (`templates`). What goes wrong is a failed evaluation with a
reason of one line and the end of what the program printed; what the file calls infeasible is a result.

Error: the program's own. Cost: about 20 ms a design beside the program, 30 more where regular expressions are read.
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from designgym.cost_models.base import Columns, Failure, Metric, batch_length
from designgym.cost_models.simulators.content import Stamp
from designgym.cost_models.simulators.process import Outcome, run_process
from designgym.cost_models.simulators.read_process import read_all
from designgym.cost_models.simulators.spec import ReadEntry, SimulatorSpec
from designgym.cost_models.simulators.templates import Structure, Template
from designgym.cost_models.simulators.trial_directory import Unreadable, put, read_inside, trial_directory
from designgym.cost_models.simulators.written import Value

LOG_BYTE = 64 << 10  # kept of the ends of standard output and standard error together
PRINTED = ("stdout", "stderr")
Values = Callable[[Columns], Sequence[dict[str, Value]]]


@dataclass(frozen=True)
class Answer:
    """What one evaluation came to: the metrics, or how infeasible it is, or why it failed."""

    numbers: tuple[float, ...] = ()
    violation: float = 0.0
    failure: Failure | None = None


@dataclass(frozen=True)
class CommandCostModel:
    """Prices each design by a run of a program. Made by `command_cost_model`.

    values: columns to one mapping a design, of each parameter to its value, names as names; it pickles. version: of all
    that a result depends on but the design. Two models of one version are equal.
    """

    slow: ClassVar[bool] = True
    stored: ClassVar[bool] = True  # its results may be kept by version and design

    spec: SimulatorSpec = field(repr=False, compare=False)
    metrics: tuple[Metric, ...] = field(compare=False)
    version: str
    values: Values = field(repr=False, compare=False)
    arguments: tuple[Template, ...] = field(repr=False, compare=False)
    files: tuple[tuple[str, Template | Structure], ...] = field(repr=False, compare=False)
    inputs: tuple[tuple[str, Path], ...] = field(repr=False, compare=False)
    stamps: tuple[Stamp, ...] = field(repr=False, compare=False)

    def evaluate(self, designs: Columns) -> Columns:
        """Return every metric and "violation", float64 (n,): NaN and inf where the program failed."""
        return self.evaluate_reporting(designs)[0]

    def evaluate_reporting(self, designs: Columns) -> tuple[Columns, tuple[Failure | None, ...]]:
        """The same, and of each design why its evaluation failed, None where it did not."""
        answers = [self._answer(values) for values in self.values(designs)] if batch_length(designs) else []
        columns = {metric.name: np.full(len(answers), np.nan) for metric in self.metrics}
        columns["violation"] = np.array([answer.violation for answer in answers], np.float64)
        for row, answer in enumerate(answers):
            for metric, number in zip(self.metrics, answer.numbers, strict=False):
                columns[metric.name][row] = number
        return columns, tuple(answer.failure for answer in answers)

    def _answer(self, values: dict[str, Value]) -> Answer:
        """Run it, and again as often as is allowed while it fails."""
        for attempt in range(self.spec.retries + 1):
            answer = self._once(values)
            if answer.failure is None or attempt == self.spec.retries:
                break
        return answer

    def _once(self, values: dict[str, Value]) -> Answer:
        changed = [one.path for one in self.stamps if not one.unchanged()]
        if changed:
            return self._failed(f"{changed[0]} has changed since the model was made; start again")
        try:
            with trial_directory(self.spec.name) as trial:
                put(trial.path, {name: made.filled(values) for name, made in self.files}, dict(self.inputs))
                arguments = [made.filled(values) for made in self.arguments]
                passing = self.spec.keep == "never"
                outcome = run_process(arguments, trial.path, self.spec.limited, self._environment(), passing)
                answer = self._judged(outcome, trial.path)
                trial.kept = self.spec.keep == "all" or (self.spec.keep == "failed" and answer.failure is not None)
        except OSError as error:
            return self._failed(f"its directory cannot be used: {error}")
        if trial.kept and answer.failure is not None:
            where = Failure(f"{answer.failure.reason}; its directory is {trial.path}", answer.failure.log)
            return replace(answer, failure=where)
        return answer

    def _environment(self) -> dict[str, str]:
        own = self.spec.environment
        return {**{name: os.environ[name] for name in own.from_user if name in os.environ}, **own.set}

    def _judged(self, outcome: Outcome, directory: Path) -> Answer:
        """Decide between a result, an infeasible design and a failure."""
        spec = self.spec
        if outcome.exit_code is None:
            return self._failed(outcome.reason, outcome)
        entries = [metric for metric in spec.metrics.values() if metric.constant is None]
        wanted = entries if outcome.exit_code in spec.success else []
        violation = [spec.infeasible.violation] if spec.infeasible.violation is not None else []
        patterns = [
            {"source": source, "pattern": pattern} for pattern in spec.infeasible.patterns for source in PRINTED
        ]
        jobs = patterns + [_job(entry) for entry in (*violation, *wanted)]
        answers = _read(jobs, outcome, directory, spec.parse_seconds)
        found, answers = answers[: len(patterns)], answers[len(patterns) :]
        if unknown := [one for one in found if isinstance(one, str)]:
            return self._failed(unknown[0], outcome)
        if outcome.exit_code in spec.infeasible.exit_codes or any(found):
            return self._infeasible(answers[: len(violation)], outcome)
        if outcome.exit_code not in spec.success:
            return self._failed(outcome.reason, outcome)
        return self._priced(answers[len(violation) :], outcome)

    def _infeasible(self, read: list[Any], outcome: Outcome) -> Answer:
        if not read:
            return Answer(violation=1.0)
        if isinstance(read[0], str):
            return self._failed(f"it says that the design is infeasible, but not by how much: {read[0]}", outcome)
        if not read[0] > 0:
            return self._failed(f"it says that the design is infeasible, but by {read[0]:g}", outcome)
        return Answer(violation=float(read[0]))

    def _priced(self, read: list[Any], outcome: Outcome) -> Answer:
        numbers: list[float] = []
        left = iter(read)
        for name, metric in self.spec.metrics.items():
            value = next(left) if metric.constant is None else metric.constant
            if isinstance(value, str):
                return self._failed(f"{name}: {value}", outcome)
            numbers.append(value * metric.scale)
            if not math.isfinite(numbers[-1]):
                return self._failed(f"{name}: {value:g} times {metric.scale:g} is no finite number", outcome)
        return Answer(tuple(numbers))

    def _failed(self, why: str, outcome: Outcome | None = None) -> Answer:
        reason = " ".join(f"{self.spec.name}: {why}".split())
        return Answer(violation=math.inf, failure=Failure(reason, log_of(outcome) if outcome else ""))


def _job(entry: ReadEntry) -> dict[str, Any]:
    if entry.regex is not None:
        return {"source": entry.source, "regex": entry.regex, "which": entry.which}
    if entry.csv is not None:
        table = entry.csv
        return {"source": entry.source, "csv": table.column, "row": table.row, "delimiter": table.delimiter}
    return {"source": entry.source, "json": entry.json_path}


def _read(jobs: list[dict[str, Any]], outcome: Outcome, directory: Path, seconds: float) -> list[Any]:
    """Do all jobs at once; those whose file cannot be read are answered by why."""
    texts, why = {"stdout": outcome.stdout, "stderr": outcome.stderr}, {}
    for name in {job["source"] for job in jobs} - texts.keys():
        try:
            texts[name] = read_inside(directory, name)
        except Unreadable as error:
            why[name] = str(error)
    readable = [job for job in jobs if job["source"] in texts]
    answers = iter(read_all(readable, texts, seconds) if readable else ())
    return [why[job["source"]] if job["source"] in why else next(answers) for job in jobs]


def log_of(outcome: Outcome) -> str:
    """Return the ends of what a program printed, together at most 64 kB in UTF-8."""
    printed = [(name, getattr(outcome, name)) for name in PRINTED if getattr(outcome, name)]
    room = LOG_BYTE // max(1, len(printed)) - 32  # for the heads
    return "\n".join(f"{name}:\n{_end(data, room)}" for name, data in printed)


def _end(data: bytes, room: int) -> str:
    # What is no UTF-8 takes more bytes once it is replaced.
    text = data[-room:].decode("utf-8", "replace").encode()
    return f"{'... ' if len(data) > room else ''}{text[-room:].decode('utf-8', 'ignore').rstrip()}"
