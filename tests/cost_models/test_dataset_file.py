"""A dataset on disk: everything comes back, the same rows make the same file, and what is wrong is said in a line."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from priced_rows import SPACE, dataset, origin

from designgym.cost_models.dataset_file import FILE, META, META_CRC, DatasetError, read_dataset, write_dataset
from designgym.cost_models.dataset_rows import digest_of
from designgym.cost_models.permutations import orders_of_ranks, ranks_of_orders


def assert_same(one, other) -> None:
    for name in ("specs", "declared", "origins", "sources", "sha256"):
        assert getattr(one, name) == getattr(other, name), name
    columns = {**one.designs, **one.metrics}
    for name, column in columns.items():
        got = {**other.designs, **other.metrics}[name]
        assert got.dtype == column.dtype, name
        assert np.array_equal(got, column, equal_nan=column.dtype.kind == "f"), name
    for name in ("violation", "problem", "fidelity", "agent", "run", "index"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_everything_comes_back(tmp_path) -> None:
    given = dataset(origins=(origin(), origin("Small-v0(workload=b)", workload="b")))
    written = write_dataset(given, tmp_path / "deep" / "data")
    assert_same(written, read_dataset(tmp_path / "deep" / "data"))
    assert_same(written, read_dataset(tmp_path / "deep" / "data" / FILE))
    assert [path.name for path in (tmp_path / "deep" / "data").iterdir()] == [FILE], "no scratch stays"
    assert sorted(map(str, given.designs["clock_hz"])) == sorted(map(str, written.designs["clock_hz"]))
    empty = write_dataset(given.take(slice(0)), tmp_path / "empty")
    assert_same(empty, read_dataset(tmp_path / "empty"))


def test_rows_read_as_names_with_units_by_anybody_who_reads_parquet(tmp_path) -> None:
    written = write_dataset(dataset(), tmp_path / "data")
    table = pq.read_table(tmp_path / "data" / FILE)
    names = SPACE.describe(written.designs)
    for name in SPACE.columns:
        assert table.column(f"design.{name}").to_pylist() == names[name]
    assert pa.types.is_dictionary(table.schema.field("design.dataflow").type)
    assert table.schema.field("metric.latency_s").metadata[b"unit"] == b"s"
    assert table.schema.field("design.clock_hz").metadata[b"unit"] == b"Hz"
    assert table.column("problem").to_pylist() == ["Small-v0"] * 200
    meta = json.loads(table.schema.metadata[META])
    assert meta["sources"] == ["sweeps/a", "sweeps/b"]
    assert meta["problems"][0]["version"] == "1"


def test_the_same_rows_have_the_same_hash_in_any_order(tmp_path) -> None:
    given = dataset()
    one = write_dataset(given, tmp_path / "one")
    other = write_dataset(given.take(np.random.default_rng(1).permutation(len(given))), tmp_path / "other")
    assert one.sha256 == other.sha256
    assert (tmp_path / "one" / FILE).read_bytes() == (tmp_path / "other" / FILE).read_bytes()
    # Who found a design is no part of what it comes to.
    assert write_dataset(replace(given, agent=np.full(len(given), "x")), tmp_path / "x").sha256 == one.sha256


@pytest.mark.parametrize("what", ["metric", "violation", "design", "fidelity", "unit", "version", "fewer"])
def test_other_rows_have_another_hash(tmp_path, what) -> None:
    given = write_dataset(dataset(), tmp_path / "one")
    row = int(np.argmax(given.feasible))
    if what == "metric":
        given.metrics["latency_s"][row] *= 1 + 1e-15
    elif what == "violation":
        given.violation[row] = 1e-300
    elif what == "design":
        given.designs["clock_hz"][row] *= 1 + 1e-15
    elif what == "fidelity":
        given.fidelity[row] = "cheap" if given.fidelity[row] == "faithful" else "faithful"
    elif what == "unit":
        given = replace(given, declared=(replace(given.declared[0], unit="ms"), given.declared[1]))
    elif what == "version":
        given = replace(given, origins=(replace(given.origins[0], version="2"),))
    else:
        given = given.take(slice(1, None))
    assert write_dataset(given, tmp_path / "two").sha256 != given.sha256


def test_a_dataset_that_is_there_is_replaced_and_a_foreign_folder_is_not(tmp_path) -> None:
    write_dataset(dataset(10), tmp_path / "data")
    write_dataset(dataset(20), tmp_path / "data")
    assert len(read_dataset(tmp_path / "data")) == 20
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    with pytest.raises(DatasetError, match=r"holds other files \(chapter.tex\) and no dataset. Choose another"):
        write_dataset(dataset(10), tmp_path / "thesis")
    with pytest.raises(DatasetError, match="is a file"):
        write_dataset(dataset(10), tmp_path / "thesis" / "chapter.tex")


def test_what_cannot_be_written_leaves_everything_as_it_was(tmp_path, monkeypatch) -> None:
    before = write_dataset(dataset(10), tmp_path / "data")

    def full(*_args, **_how) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    for name in ("data", "new/deep"):
        with pytest.raises(DatasetError, match=r"cannot be written: no space left on device\. Choose another"):
            write_dataset(dataset(20), tmp_path / name)
    monkeypatch.undo()
    assert_same(before, read_dataset(tmp_path / "data"))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FILE]


def outcome(path) -> str:
    """What reading comes to: the hash of the rows that are there, if they are taken."""
    try:
        return digest_of(read_dataset(path))
    except DatasetError as error:
        return "damaged" if "is damaged or no dataset" in str(error) else str(error)


def test_missing_damaged_and_foreign_files_are_named_in_one_line(tmp_path) -> None:
    with pytest.raises(DatasetError, match=r"holds no dataset: it has no data\.parquet"):
        read_dataset(tmp_path)
    whole = write_dataset(dataset(), tmp_path / "data")
    file = tmp_path / "data" / FILE
    sound = file.read_bytes()
    rng = np.random.default_rng(0)
    for cut in (0, 10, len(sound) // 2, len(sound) - 1):
        file.write_bytes(sound[:cut])
        with pytest.raises(DatasetError, match=r"data.parquet is damaged or no dataset"):
            read_dataset(tmp_path / "data")
    for place in rng.integers(4, len(sound) - 8, 30).tolist():
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 0x5A]) + sound[place + 1 :])
        # A byte on which nothing depends, such as one of a statistic, may be another.
        assert outcome(tmp_path / "data") in ("damaged", whole.sha256)
    pq.write_table(pa.table({"x": [1]}), file)
    with pytest.raises(DatasetError, match="is damaged or no dataset"):
        read_dataset(tmp_path / "data")


def test_rows_and_metadata_that_somebody_changed_are_found(tmp_path) -> None:
    write_dataset(dataset(), tmp_path / "data")
    file = tmp_path / "data" / FILE
    table = pq.read_table(file)
    place = table.schema.get_field_index("metric.latency_s")
    changed = pa.array(table.column(place).to_numpy() * 0.5)
    pq.write_table(table.set_column(place, table.schema.field(place), changed), file)
    with pytest.raises(DatasetError, match="is damaged"):
        read_dataset(tmp_path / "data")
    meta = json.loads(table.schema.metadata[META])
    meta["problems"][0]["objective"] = {"minimize": ["accuracy"]}
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, META: json.dumps(meta)}), file)
    with pytest.raises(DatasetError, match="is damaged"):
        read_dataset(tmp_path / "data")
    meta["format"] = 2
    pq.write_table(table.replace_schema_metadata({META: json.dumps(meta), META_CRC: b"0"}), file)
    with pytest.raises(DatasetError, match=r"must be of format 1, got 2. Use the designgym that wrote it"):
        read_dataset(tmp_path / "data")


def test_what_no_dataset_may_hold_is_refused(tmp_path) -> None:
    given = dataset()
    twice = given.take(np.array([3, 4, 3]))
    with pytest.raises(ValueError, match=r"each design of a problem once, got rows=\d+.* twice"):
        write_dataset(twice, tmp_path / "data")
    failed = replace(given, violation=np.where(given.violation == 0, np.inf, 0.0))
    with pytest.raises(ValueError, match="violation must be finite and at least 0, got inf"):
        write_dataset(failed, tmp_path / "data")
    unpriced = replace(given, metrics={**given.metrics, "latency_s": np.full(len(given), np.nan)})
    with pytest.raises(ValueError, match="metric latency_s must be a number where violation is 0"):
        write_dataset(unpriced, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_orders_and_their_ranks() -> None:
    ranks = np.arange(24)
    orders = orders_of_ranks(ranks, 4)
    assert sorted(orders.tolist()) == orders.tolist()
    assert len({tuple(order) for order in orders.tolist()}) == 24
    assert np.array_equal(ranks_of_orders(orders), ranks)
    last = np.array([2_432_902_008_176_640_000 - 1])  # 20! - 1
    assert orders_of_ranks(last, 20).tolist() == [list(range(19, -1, -1))]
    assert np.array_equal(ranks_of_orders(orders_of_ranks(last, 20)), last)


def test_reading_needs_no_design_space(tmp_path) -> None:
    write_dataset(dataset(), tmp_path / "data")
    code = (
        "import sys; from designgym.cost_models.dataset_file import read_dataset; "
        f"print(len(read_dataset({str(tmp_path / 'data')!r})), [m for m in sys.modules if 'designgym.envs' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["200", "[]\n"]
