"""A problem's true optimum: what it is, how far from it a search ended, and where the known ones are kept.

Known optima are package data, `data/optima.json` beside the function that makes the problem.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.envs.problem import DesignProblem

if TYPE_CHECKING:
    from designgym.envs.optimum_search import Progress

__all__ = ["Optimum", "find_optimum", "known_fronts", "known_optimum", "regret", "store_optimum"]

FILE = "optima.json"


@dataclass(frozen=True)
class Optimum:
    """The best of all designs of a problem; with several objectives, the front of those that none dominates.

    designs: by name, None where idle; with their losses and all their metrics, row by row; in rank order, of designs
    with equal losses the first only, none where nothing is feasible. One with an infinite loss is never among them.
    ties: how many more designs share these losses. valid, feasible: how many designs are so.
    median_losses: of the feasible designs, per objective: of all where median_of == feasible, else of that many that
    came from a uniform sample.
    reference: per objective, a tenth of the front's extent beyond its worst (Ishibuchi, Imada, Setoguchi and Nojima,
    Evolutionary Computation 26(3), 2018, doi:10.1162/evco_a_00226), or the median where that is worse, so that a
    search gains as soon as it beats the median; of a front without extent, a tenth of the worst's own size.
    hypervolume: what the front dominates within the reference.
    """

    objectives: tuple[str, ...]
    valid: int
    feasible: int
    designs: tuple[dict[str, Any], ...]
    losses: tuple[tuple[float, ...], ...]
    all_metrics: tuple[dict[str, float], ...]
    ties: int
    median_losses: tuple[float, ...]
    median_of: int
    reference: tuple[float, ...]
    hypervolume: float
    cost_model: str
    version: str

    @property
    def loss(self) -> float:
        """The least loss of the first objective; NaN where nothing is feasible."""
        return min((row[0] for row in self.losses), default=float("nan"))

    @property
    def median_loss(self) -> float:
        """The median of the first objective's loss."""
        return self.median_losses[0]

    @property
    def design(self) -> dict[str, Any]:
        """The first of the designs; empty where nothing is feasible."""
        return self.designs[0] if self.designs else {}

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the first of the designs; empty where nothing is feasible."""
        return self.all_metrics[0] if self.all_metrics else {}

    @property
    def front_losses(self) -> NDArray[np.float64]:
        """The losses, float64 (designs, objectives)."""
        return np.array(self.losses, np.float64).reshape(-1, len(self.objectives))

    @property
    def ideal(self) -> NDArray[np.float64]:
        """The least of each loss on the front, (objectives,)."""
        return self.front_losses.min(axis=0)

    @property
    def nadir(self) -> NDArray[np.float64]:
        """The largest of each loss on the front, (objectives,)."""
        return self.front_losses.max(axis=0)

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts, lists and numbers; `from_json` takes them back."""
        return asdict(self)

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> Optimum:
        """Inverse of to_json, before or after a trip through JSON."""
        nested = {"losses": tuple(tuple(row) for row in found["losses"])}
        plain = {key: tuple(value) if isinstance(value, list | tuple) else value for key, value in found.items()}
        return Optimum(**(plain | nested))


def find_optimum(problem: DesignProblem, chunk: int | None = None, progress: Progress | None = None) -> Optimum:
    """Price every valid design: see `designgym.envs.optimum_search`."""
    from designgym.envs.optimum_search import CHUNK
    from designgym.envs.optimum_search import find_optimum as find

    return find(problem, CHUNK if chunk is None else chunk, progress)


def regret(found: Any, optimum: Optimum) -> NDArray[np.float64]:
    """Return how far short of the optimum a search is, of the shape of `found`.

    found: with one objective, the best feasible loss so far, inf or NaN while there is none; regret is then
    (found - optimum) / (median feasible loss - optimum). With several, the hypervolume so far, measured from
    `optimum.reference`; regret is 1 - found / optimum's. Both are 0 at the optimum, 1 while nothing feasible is found.
    """
    found = np.asarray(found, np.float64)
    if len(optimum.objectives) > 1:
        return np.clip(1.0 - np.nan_to_num(found) / optimum.hypervolume, 0.0, 1.0)
    gap = optimum.median_loss - optimum.loss
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(found == optimum.loss, 0.0, (found - optimum.loss) / gap)
    return np.where(np.isfinite(found), share, 1.0)


# -- known optima -----------------------------------------------------------------------------------------------------


def known_optimum(problem_id: str, options: Mapping[str, Any], problem: DesignProblem) -> Optimum | None:
    """Return the stored optimum of a registered problem made with these options; None where there is none.

    It must have been found for the same options (defaults filled in), objective, and version of the cost model.
    """
    path = _package_file(problem_id)
    wanted = _key(problem_id, options, problem)
    entries = _read(path) if path is not None else []
    found = [entry for entry in entries if {name: entry.get(name) for name in wanted} == wanted]
    return Optimum.from_json(found[0]["optimum"]) if found else None


def known_fronts(problem_id: str, problem: DesignProblem) -> tuple[Optimum, ...]:
    """Return the stored fronts of all designs of a problem's space, by two metrics or more and without a bound.

    They may have been found for another objective, or another problem of the package: what counts is the version of the
    cost model, and a space as large that has all their designs. None for a space with constraints.
    """
    path = _package_file(problem_id)
    if path is None or problem.space.constraints:
        return ()
    found = []
    for entry in _read(path):
        model = (entry.get("cost_model"), entry.get("version"))
        objective = entry.get("objective", {})
        if model != (type(problem.cost_model).__name__, problem.cost_model.version) or objective.get("subject_to"):
            continue
        optimum = Optimum.from_json(entry["optimum"])
        if len(optimum.objectives) > 1 and optimum.valid == problem.space.size and _in_space(optimum, problem):
            found.append(optimum)
    return tuple(found)


def _in_space(optimum: Optimum, problem: DesignProblem) -> bool:
    names = {name: [design.get(name) for design in optimum.designs] for name in optimum.design}
    if set(names) != set(problem.space.columns):
        return False
    try:
        return bool(problem.space.contains(problem.space.parse(names)).all())
    except ValueError:
        return False


def store_optimum(
    optimum: Optimum,
    problem_id: str,
    options: Mapping[str, Any],
    problem: DesignProblem,
    path: Path | None = None,
) -> Path:
    """Write an optimum, and the command that finds it, into a file of known ones, the package's own if none is given.

    One found with an older version of the cost model is replaced. The file is written whole or not at all.
    """
    path = _package_file(problem_id) if path is None else path
    if path is None:
        raise ValueError(f"{problem_id} belongs to no package whose data could hold its optimum. Give a path.")
    key = _key(problem_id, options, problem)
    entry = {**key, "command": _command(key["problem"], options), "optimum": optimum.to_json()}
    same = [name for name in key if name != "version"]
    others = [other for other in _read(path) if any(other.get(name) != key[name] for name in same)]
    entries = sorted([*others, entry], key=lambda e: json.dumps([e[name] for name in same]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False, encoding="utf-8") as file:
        json.dump(entries, file, indent=1, allow_nan=False)
        file.write("\n")
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    return path


def _key(problem_id: str, options: Mapping[str, Any], problem: DesignProblem) -> dict[str, Any]:
    """Return what must agree, as JSON gives it back. Neither reward nor weights move an optimum."""
    from designgym.envs.registry import full_id, problem_options

    objective = {name: list(getattr(problem.objective, name)) for name in ("minimize", "maximize", "subject_to")}
    filled = {**problem_options(problem_id), **options}
    key = {
        "problem": full_id(problem_id),
        # What these two options came to is told by the rest of the key.
        "options": {name: filled[name] for name in sorted(filled) if name not in ("objective", "cost_model")},
        "objective": objective,
        "cost_model": type(problem.cost_model).__name__,
        "version": problem.cost_model.version,
    }
    plain: dict[str, Any] = json.loads(json.dumps(key, default=str))
    return plain


def _command(problem_id: str, options: Mapping[str, Any]) -> str:
    from designgym.envs.registry import problem_options

    defaults = problem_options(problem_id)
    words = ["designgym", "optimum", problem_id]
    for name, value in options.items():
        if value != defaults.get(name):
            text = value if isinstance(value, str) else json.dumps(value, default=_told)
            words += ["--set", shlex.quote(f"{name}={text}")]
    return " ".join(words)


def _told(value: Any) -> Any:
    """Return an option as JSON can hold it: an objective by its fields."""
    return asdict(value) if hasattr(value, "__dataclass_fields__") else str(value)


def _package_file(problem_id: str) -> Path | None:
    """Return the data file of the package whose function makes the problem; None where that is in no package."""
    from designgym.envs.registry import problem_function

    package = problem_function(problem_id).__module__.rpartition(".")[0]
    return Path(str(resources.files(package))) / "data" / FILE if package else None


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} must hold a JSON list of optima: {error}. Restore it, or delete it.") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path} must hold a JSON list of optima. Restore it, or delete it.")
    return entries
