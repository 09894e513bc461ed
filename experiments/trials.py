"""The trials of a sweep as Arrow tables: of all runs together, or run by run where they do not fit in memory."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.experiments.files import LogError
from designgym.experiments.log import read_index
from designgym.experiments.parts import RunFiles

if TYPE_CHECKING:
    import pyarrow as pa


def load_trials(directory: Path | str, damage: dict[str, str] | None = None) -> pa.Table:
    """Return all trials of a sweep, finished runs and unfinished ones, as one table, run after run.

    A row with fresh = false is a repeat, kept for agents that are told their log: who counts designs leaves it out.
    To a run's columns it adds the dictionary columns problem and agent (labels) and seed. A design column that a
    problem does not have is null there. A run with a damaged file is left out, and a warning names the file; damage,
    where given, takes that warning by the run's key. LogError where no trials are left.
    """
    import pyarrow as pa

    directory = Path(directory)
    damage = {} if damage is None else damage
    tables = [rows for _, rows in run_tables(directory, damage)]
    if not tables:
        raise no_trials(directory, damage)
    # One dictionary a column: Arrow's own files take no more.
    return pa.concat_tables(unified(tables), promote_options="permissive").unify_dictionaries()


def no_trials(directory: Path | str, damage: Mapping[str, str]) -> LogError:
    """Return the error that says why there are none. damage: by run, why it cannot be read."""
    return LogError(next(iter(damage.values()), f"{directory} holds no trials yet. Run its sweep first."))


def run_tables(
    directory: Path | str, damage: dict[str, str], keys: Container[str] | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Yield key and trials of each run that has some, one in memory at a time, with the columns of `load_trials`.

    damage: takes why a run cannot be read, by its key; such a run is not yielded, and a warning says why.
    keys: of the runs that are wanted, all if None.
    """
    directory = Path(directory)
    for run in read_index(directory)["runs"]:
        if keys is not None and run["key"] not in keys:
            continue
        try:
            rows, _ = RunFiles(directory, run["key"]).read()
        except LogError as error:
            damage[run["key"]] = str(error)
            warnings.warn(f"left out: {error}", stacklevel=3)
            continue
        if rows is not None:
            yield run["key"], _labelled(rows, run)


def _labelled(rows: pa.Table, run: Mapping[str, Any]) -> pa.Table:
    import pyarrow as pa

    for place, (name, value) in enumerate(
        (("problem", run["problem"]), ("agent", run["label"]), ("seed", run["seed"])), start=1
    ):
        value = pa.scalar(value, pa.string() if isinstance(value, str) else pa.int64())
        column = pa.repeat(value, rows.num_rows).dictionary_encode()
        rows = rows.add_column(place, name, column)
    return rows


def unified(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Turn a column that is names in one problem and numbers in another into texts everywhere."""
    import pyarrow as pa

    kinds: dict[str, set[bool]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(pa.types.is_dictionary(field.type))
    mixed = {name for name, found in kinds.items() if len(found) > 1}
    return [_as_texts(table, mixed & set(table.schema.names)) for table in tables] if mixed else list(tables)


def _as_texts(table: pa.Table, names: set[str]) -> pa.Table:
    import pyarrow as pa

    for name in names:
        texts = table.column(name).cast(pa.string()).dictionary_encode()
        table = table.set_column(table.schema.get_field_index(name), name, texts)
    return table
