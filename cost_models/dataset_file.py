"""A dataset as a directory with data.parquet: written whole or not at all, and checked as it is read.

One row a distinct design, problem and fidelity. Columns: design.<column> (a category and a permutation by name, as in
the trial log), metric.<name>, violation, fidelity, problem, agent, run, index (the design's place in that run, where
it is known). The schema's metadata says in JSON what is needed to read them without the design space: columns, metrics,
problems with options and parameters, sources. Each field's own metadata holds its unit and meaning.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import ColumnSpec, Metric
from designgym.cost_models.dataset import Dataset, Origin
from designgym.cost_models.dataset_rows import digest_of, refuse_unsound, sorted_rows

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
FILE = "data.parquet"
META = b"designgym.dataset"
META_CRC = b"designgym.dataset-crc32"
TEXTS = ("fidelity", "agent", "run")


class DatasetError(ValueError):
    """A dataset cannot be read or written. One line; it names the file."""


def write_dataset(dataset: Dataset, directory: Path | str) -> Dataset:
    """Write a dataset, in place of one that is there, and return it as it was written: its rows sorted, its sha256.

    The rows are sorted by problem, fidelity and design, so that the same rows make the same file in whatever order they
    come. ValueError where two rows are of one design, or break what `Dataset` says; DatasetError where the directory
    holds something else or cannot be written.
    """
    refuse_unsound(dataset)
    dataset = sorted_rows(dataset)
    dataset = replace(dataset, sha256=digest_of(dataset))
    _write(_table(dataset), Path(directory))
    return dataset


def read_dataset(path: Path | str) -> Dataset:
    """Return what a dataset's directory, or its file, holds. DatasetError where it is missing, damaged or foreign."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise DatasetError(f"{path} holds no dataset: it has no {FILE}. Give what `designgym dataset` wrote with -o.")
    try:
        found = pq.read_schema(file).metadata or {}
        text = found[META]
        meta = json.loads(text)
        written = meta["format"]
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        raise _damaged(file) from None
    if written != FORMAT:
        raise DatasetError(f"{file} must be of format {FORMAT}, got {written}. Use the designgym that wrote it.")
    try:
        if str(zlib.crc32(text)).encode() != found[META_CRC]:
            raise ValueError("checksum of the metadata")
        dataset = _dataset(pq.read_table(file, page_checksum_verification=True, memory_map=False), meta)
        if digest_of(dataset) != meta["sha256"]:
            raise ValueError("checksum of the rows")
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError):
        raise _damaged(file) from None
    return replace(dataset, sha256=meta["sha256"])


def _damaged(file: Path) -> DatasetError:
    return DatasetError(f"{file} is damaged or no dataset. Restore it, or make it again with `designgym dataset`.")


# -- out --------------------------------------------------------------------------------------------------------------


def _table(dataset: Dataset) -> pa.Table:
    """Return the rows with their names, units and metadata."""
    import pyarrow as pa

    columns: list[tuple[pa.Field, Any]] = []

    def add(name: str, array: Any, unit: str = "", meaning: str = "") -> None:
        array = array if isinstance(array, pa.Array) else pa.array(array)
        columns.append((pa.field(name, array.type, metadata={"unit": unit, "meaning": meaning}), array))

    for spec in dataset.specs:
        parameter = parameter_of(dataset.origins[0], spec.name)
        named = _named(spec, parameter, dataset.designs[spec.name])
        add(f"design.{spec.name}", named, parameter.get("unit", ""), parameter.get("meaning", ""))
    for metric in dataset.declared:
        add(f"metric.{metric.name}", dataset.metrics[metric.name], metric.unit, metric.meaning)
    add("violation", dataset.violation, "", "how far the design is from buildable, 0 where it can be built")
    labels = [origin.label for origin in dataset.origins]
    add("problem", _dictionary(dataset.problem, labels))
    for name in TEXTS:
        texts, places = np.unique(getattr(dataset, name), return_inverse=True)
        add(name, _dictionary(places, texts.tolist()))
    if dataset.index is not None:
        add("index", dataset.index, "", "place of the design among those of its run")
    text = json.dumps(_meta(dataset), sort_keys=True).encode()
    schema = pa.schema([field for field, _ in columns], {META: text, META_CRC: str(zlib.crc32(text)).encode()})
    return pa.Table.from_arrays([array for _, array in columns], schema=schema)


def _meta(dataset: Dataset) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "sha256": dataset.sha256,
        "columns": [asdict(spec) for spec in dataset.specs],
        "metrics": [asdict(metric) for metric in dataset.declared],
        "problems": [asdict(origin) for origin in dataset.origins],
        "sources": list(dataset.sources),
    }


def _named(spec: ColumnSpec, parameter: Mapping[str, Any], column: NDArray[Any]) -> Any:
    """Return a column as the log has it: a category over all its choices, a permutation over the orders there are."""
    if spec.kind == "categorical":
        return _dictionary(column, parameter["choices"])
    if spec.kind != "permutation":
        return column
    from designgym.cost_models.permutations import orders_of_ranks

    ranks, places = np.unique(column, return_inverse=True)
    items = parameter["items"]
    return _dictionary(places, [",".join(items[i] for i in order) for order in orders_of_ranks(ranks, len(items))])


def _dictionary(places: NDArray[Any], names: Any) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int32)), pa.array(list(names), pa.string()))


def _write(table: pa.Table, directory: Path) -> None:
    """Write the file in its place whole, or leave everything as it was."""
    import pyarrow.parquet as pq

    _refuse_foreign(directory)
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    scratch = ""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=directory, prefix=f".{FILE}.", delete=False) as file:
            scratch = file.name
            how: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True, "store_schema": True}
            pq.write_table(table, file, **how)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, directory / FILE)
    except BaseException as error:
        with suppress(OSError):  # a folder that holds something stays, and all above it
            if scratch:
                os.unlink(scratch)
            for folder in made:
                folder.rmdir()
        if isinstance(error, OSError):
            reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
            raise DatasetError(f"{directory} cannot be written: {reason}. Choose another directory.") from error
        raise


def _refuse_foreign(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise DatasetError(f"{directory} is a file. Choose a directory for the dataset.")
    strangers = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
    if strangers and FILE not in strangers:
        raise DatasetError(f"{directory} holds other files ({strangers[0]}) and no dataset. Choose another directory.")


# -- in ---------------------------------------------------------------------------------------------------------------


def _dataset(table: pa.Table, meta: Mapping[str, Any]) -> Dataset:
    specs = tuple(ColumnSpec(**one) for one in meta["columns"])
    declared = tuple(Metric(**one) for one in meta["metrics"])
    problems = [{**one, "parameters": tuple(one["parameters"])} for one in meta["problems"]]
    origins = tuple(Origin(**one) for one in problems)
    designs = {
        spec.name: _numbers(spec, parameter_of(origins[0], spec.name), table.column(f"design.{spec.name}"))
        for spec in specs
    }
    problem = _coded(table.column("problem"), {origin.label: i for i, origin in enumerate(origins)})
    texts = {name: _texts(table.column(name)) for name in TEXTS}
    index = _plain(table.column("index")) if "index" in table.schema.names else None
    return Dataset(
        specs, declared, designs, {one.name: _plain(table.column(f"metric.{one.name}")) for one in declared},
        _plain(table.column("violation")), problem, texts["fidelity"], texts["agent"], texts["run"], origins,
        tuple(meta["sources"]), index=index,
    )  # fmt: skip


def parameter_of(origin: Origin, column: str) -> dict[str, Any]:
    """Return the parameter that a column belongs to, as the log writes it. KeyError where there is none."""
    for parameter in origin.parameters:
        if column in parameter["columns"]:
            return parameter
    raise KeyError(f"column {column!r} must belong to a parameter of {origin.label}, got none.")


def _numbers(spec: ColumnSpec, parameter: Mapping[str, Any], column: pa.ChunkedArray) -> NDArray[Any]:
    if spec.kind == "categorical":
        return _coded(column, {name: i for i, name in enumerate(parameter["choices"])})
    if spec.kind == "permutation":
        return _ranks(column, parameter["items"])
    return _plain(column)


def _plain(column: pa.ChunkedArray) -> NDArray[Any]:
    # A copy: Arrow's own memory may not be written to.
    return np.array(column.combine_chunks().to_numpy(zero_copy_only=False))


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], pa.Array]:
    """Return each row's place in a dictionary, and the dictionary, of which Arrow may keep what occurs only."""
    array = column.unify_dictionaries().combine_chunks()
    return array.indices.to_numpy(zero_copy_only=False).astype(np.int64), array.dictionary


def _coded(column: pa.ChunkedArray, number_of: Mapping[str, int]) -> NDArray[np.int64]:
    places, names = _codes(column)
    return np.array([number_of[name] for name in names.to_pylist()], np.int64)[places]


def _texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    places, names = _codes(column)
    return np.array(names.to_pylist(), np.str_)[places]


def _ranks(column: pa.ChunkedArray, items: list[str]) -> NDArray[np.int64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    from designgym.cost_models.permutations import ranks_of_orders

    places, names = _codes(column)
    flat = pc.split_pattern(names, ",").flatten()
    order = pc.index_in(flat, value_set=pa.array(items, pa.string())).to_numpy(zero_copy_only=False)
    return ranks_of_orders(order.astype(np.int64).reshape(len(names), len(items)))[places]
