"""From log to dataset: the trials of any sweeps as distinct designs of one space, with what they came to.

A design counts once a problem and fidelity. Failed trials are left out, and so is what `verify` priced again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.dataset import Dataset
from designgym.envs import Categorical, DesignSpace, Float, Integer, Objective, Ordinal, Permutation, Subset
from designgym.envs.objective import ROUNDING
from designgym.envs.ranking import rows_of
from designgym.experiments.dataset_found import Conflict, Found
from designgym.experiments.dataset_problems import Gathering, problems_of
from designgym.experiments.log import LoggedRun, Sweep, load_sweep
from designgym.experiments.parts import RunFiles
from designgym.experiments.rows import FIDELITIES, designs_of
from designgym.experiments.trials import run_tables

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[int, int], None]
KINDS = {kind.__name__: kind for kind in (Integer, Ordinal, Categorical, Permutation, Subset, Float)}


@dataclass(frozen=True)
class Gathered:
    """What `gather` came to. trials: rows read; repeated: of these, designs that were there already.

    failed: rows of evaluations that failed; illegal: rows of designs that hold no value of a parameter. left_out: why a
    problem or a damaged run of a sweep was left out.
    """

    dataset: Dataset
    trials: int
    repeated: int
    failed: int
    illegal: int
    left_out: tuple[str, ...]


def gather(directories: Sequence[Path | str], problem: str = "", progress: Progress | None = None) -> Gathered:
    """Return the distinct designs that sweeps have priced, feasible or not, in finished runs and in those under way.

    problem: the id or label of those wanted, all if empty; they must share a space and its metrics, and may differ in
    options such as the workload. The run that found a design is the one that priced it after the fewest others.
    progress: called with trials read and in all. ValueError, in one line, where spaces, metrics, versions of a cost
    model, or the numbers of one design differ.
    """
    sweeps = [load_sweep(path) for path in dict.fromkeys(map(Path, directories))]
    gathering = problems_of(sweeps, problem)
    reader = _Reader(gathering, progress)
    for sweep in sweeps:
        reader.read(sweep)
    if not reader.runs:
        places = ", ".join(str(sweep.directory) for sweep in sweeps)
        raise ValueError(f"{places}: no trials of {gathering.named} are there yet. Run the sweep first.")
    dataset = reader.dataset(tuple(str(sweep.directory) for sweep in sweeps))
    if not len(dataset):
        raise ValueError(f"all {reader.trials:,} trials of {gathering.named} failed. A dataset needs one that did not.")
    repeated = reader.trials - reader.failed - reader.illegal - len(dataset)
    left_out = (*gathering.left_out, *reader.damage.values())
    return Gathered(dataset, reader.trials, repeated, reader.failed, reader.illegal, left_out)


def space_of(parameters: Sequence[Mapping[str, Any]]) -> DesignSpace:
    """Return the space of parameters as the log writes them, without constraints, which it does not."""
    made = []
    for one in parameters:
        fields = {key: _frozen(value) for key, value in one.items() if key not in ("kind", "columns")}
        if one["kind"] not in KINDS:
            raise ValueError(
                f"{one['name']} must be one of {', '.join(KINDS)}, got {one['kind']}. Leave its sweep out."
            )
        made.append(KINDS[one["kind"]](**fields))
    return DesignSpace(*made)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


class _Reader:
    """Reads the trials of sweeps, run by run."""

    def __init__(self, gathering: Gathering, progress: Progress | None) -> None:
        self._gathering, self._progress = gathering, progress
        self._space = space_of(gathering.origins[0].parameters)
        self._found: dict[tuple[int, str], Found] = {}
        self._expected = sum(run.trials for runs in gathering.runs for run in runs.values())
        self.runs: list[tuple[Path, LoggedRun]] = []
        self.damage: dict[str, str] = {}
        self.trials = self.failed = self.illegal = 0

    def read(self, sweep: Sweep) -> None:
        """Read the runs of a sweep that are wanted."""
        runs = self._gathering.runs_of(sweep)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="left out: ")  # `damage` says it to whoever reads the result
            self._read(sweep, runs)

    def _read(self, sweep: Sweep, runs: Mapping[str, LoggedRun]) -> None:
        for key, table in run_tables(sweep.directory, self.damage, runs.keys()):
            self.runs.append((sweep.directory, runs[key]))
            origin = self._gathering.origin_of(sweep, runs[key].problem)
            objective = sweep.problems[runs[key].problem].objective
            self._take(table, origin, Objective(**{k: _frozen(v) for k, v in objective.items() if k != "kind"}))
            if self._progress is not None:
                self._progress(self.trials, max(self._expected, self.trials))

    def _take(self, table: pa.Table, origin: int, objective: Objective) -> None:
        def column(name: str) -> Any:
            return table.column(name).combine_chunks().to_numpy(zero_copy_only=False)

        designs, violation = designs_of(table, self._space), column("violation")
        names = [metric.name for metric in self._gathering.metrics]
        metrics = {name: column(f"metric.{name}") for name in names}
        legal, failed = self._space.illegal(designs) == 0, np.isinf(violation)
        fidelity = table.column("fidelity").combine_chunks()
        priced_by = np.array(fidelity.dictionary.to_pylist())[fidelity.indices.to_numpy(zero_copy_only=False)]
        self.trials += len(violation)
        self.failed += int(failed.sum())
        self.illegal += int((~legal & ~failed).sum())
        for one in FIDELITIES:
            rows = legal & ~failed & (priced_by == one)
            if rows.any():
                taken = {name: values[rows] for name, values in metrics.items()}
                own = objective.of_model(taken, violation[rows])
                canonical = self._space.canonical(rows_of(designs, rows))
                found = self._found.setdefault((origin, one), Found(self._space, names))
                try:
                    error = ROUNDING * violation[rows]
                    found.add(canonical, taken, own, column("index")[rows], len(self.runs) - 1, error)
                except Conflict as conflict:
                    raise self._said(conflict, origin) from None

    def _said(self, conflict: Conflict, origin: int) -> ValueError:
        places = conflict.other, len(self.runs) - 1
        files = [_file(*self.runs[place]) for place in places]
        label = self._gathering.origins[origin].label
        apart = len({self.runs[place][0] for place in places}) > 1
        remedy = (
            "Gather them apart." if apart else "Make the cost model say the same each time, and run the sweep anew."
        )
        return ValueError(
            f"{files[0]} and {files[1]} price one design of {label} differently: {conflict.design} has "
            f"{conflict.metric} {conflict.was!r} in the first and {conflict.now!r} in the second. "
            f"{remedy}"
        )

    def dataset(self, sources: tuple[str, ...]) -> Dataset:
        """Return what was found."""
        metrics = self._gathering.metrics
        agents = np.array([run.label for _, run in self.runs])
        keys = np.array([run.key for _, run in self.runs])
        kept = sorted(self._found)
        parts = [self._found[one].columns() for one in kept]
        counts = [len(self._found[one]) for one in kept]
        run = _joined([part[4] for part in parts], np.int64)
        return Dataset(
            self._space.specs(), metrics,
            {name: _joined([part[0][name] for part in parts], dtype) for name, dtype in self._space.dtypes.items()},
            {one.name: _joined([part[1][one.name] for part in parts], np.float64) for one in metrics},
            _joined([part[2] for part in parts], np.float64),
            np.repeat(np.array([origin for origin, _ in kept], np.int64), counts),
            np.repeat(np.array([fidelity for _, fidelity in kept], np.str_), counts),
            agents[run], keys[run], self._gathering.origins, sources,
            index=_joined([part[3] for part in parts], np.int64),
        )  # fmt: skip


def _joined(parts: Sequence[Any], dtype: Any) -> Any:
    return np.concatenate([*parts, np.empty(0, dtype)]).astype(dtype, copy=False)


def _file(directory: Path, run: LoggedRun) -> Path:
    """Return where a run's trials lie."""
    files = RunFiles(directory, run.key)
    return files.parquet if files.parquet.exists() else files.folder
