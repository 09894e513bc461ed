"""DIR/verified.parquet: what the best designs of a sweep came to under other options than search saw, and what is lost.

A row is one design of one agent by one objective. Its columns: set (the options, as text), problem (label), environment
(id), agent (label), objective, place (1 for the agent's best in search), run, seed and number (where it was found
first), loss.searched and loss.verified of that objective, feasible and violation (when verified), design.*, and every
metric as searched.* and verified.*. A column that a problem does not have is null there. The trial log holds none of
it: what was verified is never told to an agent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.files import LogError
from designgym.experiments.finished import check_bytes, read_parquet, write_parquet
from designgym.experiments.trials import unified

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "verified.parquet"
FORMAT = 1
FEWEST = 3  # designs below which a rank correlation says nothing

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """The n best designs of one agent by one objective, "" for those of all agents: losses in search and verified.

    options: the set, as text. rows: theirs in the table, the best in search first. searched, verified: (n,); verified
    is inf where a design is not feasible there. infeasible: how many are not.
    """

    options: str
    problem: str
    agent: str
    objective: str
    rows: NDArray[np.int64]
    searched: Floats
    verified: Floats
    infeasible: int

    @property
    def place(self) -> int:
        """Place that the best design in search takes among the n when verified, from 1; equal ones share it."""
        return 1 + int((self.verified < self.verified[0]).sum())

    @property
    def correlation(self) -> float:
        """Kendall's tau-b of the losses: 1 where the order stays, -1 where it is turned round; NaN where it is none."""
        from scipy.stats import kendalltau

        constant = any((losses == losses[0]).all() for losses in (self.searched, self.verified))
        if len(self.searched) < FEWEST or constant:
            return math.nan
        return float(kendalltau(self.searched, self.verified).statistic)


def ratio(searched: float, verified: float) -> float:
    """Return a metric when verified over what it was in search; NaN unless both have one sign. Losses do as well."""
    return verified / searched if searched * verified > 0 and math.isfinite(verified) else math.nan


def comparisons(table: pa.Table) -> Iterator[Comparison]:
    """Yield the comparisons of a table, all agents together before each of them, in order of the options' text."""
    texts = {name: table.column(name).to_pylist() for name in ("set", "problem", "agent", "objective")}
    losses = {name: table.column(f"loss.{name}").to_numpy() for name in ("searched", "verified")}
    feasible = np.array(table.column("feasible").to_pylist(), bool)
    verified = np.where(feasible, losses["verified"], np.inf)
    designs = _designs(table)
    groups: dict[tuple[str, str, str], dict[str, list[int]]] = {}
    for row, (options, problem, agent, objective) in enumerate(zip(*texts.values(), strict=True)):
        groups.setdefault((options, problem, objective), {}).setdefault(agent, []).append(row)
    for (options, problem, objective), agents in sorted(groups.items(), key=lambda item: item[0][0]):
        together = _best_of_all(list(agents.values()), losses["searched"], designs)
        for agent, found in [("", together), *agents.items()]:
            rows = np.array(found, np.int64)
            rows = rows[np.argsort(losses["searched"][rows], kind="stable")]
            yield Comparison(
                options, problem, agent, objective, rows, losses["searched"][rows], verified[rows],
                int((~feasible[rows]).sum()),
            )  # fmt: skip


def _designs(table: pa.Table) -> list[tuple[Any, ...]]:
    names = [name for name in table.column_names if name.startswith("design.")]
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def _best_of_all(agents: list[list[int]], searched: Floats, designs: list[tuple[Any, ...]]) -> list[int]:
    """Return the rows of the best distinct designs over all agents, as many as the agent with most has."""
    rows = sorted((row for rows in agents for row in rows), key=lambda row: (searched[row], row))
    distinct: dict[tuple[Any, ...], int] = {}
    for row in rows:
        distinct.setdefault(designs[row], row)
    return list(distinct.values())[: max(map(len, agents))]


# -- the file ---------------------------------------------------------------------------------------------------------


def read_verified(directory: Path | str) -> pa.Table | None:
    """Return what was verified of a sweep, None where nothing was. LogError where the file is damaged."""
    path = Path(directory) / NAME
    if not path.exists():
        return None
    try:
        check_bytes(path)
        table, meta = read_parquet(path)
    except LogError:
        raise LogError(f"{path} is damaged. Delete it, and verify again.") from None
    if meta.get("format") != FORMAT:
        raise LogError(f"{path} must be of format {FORMAT}, got {meta.get('format')}. Delete it, and verify again.")
    return table


def add_verified(directory: Path, new: pa.Table) -> Path:
    """Put rows beside those of other sets, in place of older ones of the same set and problem; return the file.

    The file is whole or as it was, and two processes that add to it come one after the other. WriteError, LogError.
    """
    import fcntl
    import os

    path = directory / NAME
    held = os.open(directory, os.O_RDONLY)  # a lock on the directory itself leaves no file behind
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        old = read_verified(directory)
        write_parquet(path, new if old is None else _beside(old, new), {"format": FORMAT})
    finally:
        os.close(held)
    return path


def _beside(old: pa.Table, new: pa.Table) -> pa.Table:
    import pyarrow as pa

    again = set(_keys(new))
    kept = old.filter(pa.array([key not in again for key in _keys(old)]))
    return joined([kept, new]) if kept.num_rows else new


def _keys(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table.column("set").to_pylist(), table.column("problem").to_pylist(), strict=True))


def joined(tables: list[pa.Table]) -> pa.Table:
    """Return tables one after another; a column that one does not have is null there."""
    import pyarrow as pa

    return pa.concat_tables(unified(tables), promote_options="permissive").unify_dictionaries()
