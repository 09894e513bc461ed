"""The trial log: rows and back, torn tails, damage, locks, and what a directory says about its sweep."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tiny_problems

from designgym.envs import Evaluations
from designgym.experiments import load_sweep, load_trials
from designgym.experiments.files import packed
from designgym.experiments.index import index_of
from designgym.experiments.log import LogError, SweepDirectory
from designgym.experiments.parts import RunFiles, read_parquet, read_part
from designgym.experiments.rows import Heard, checksum, designs_of, empty_table, evaluations_of, to_batch
from designgym.experiments.runs import runs
from designgym.experiments.spec import make_spec
from designgym.experiments.streams import BATCH_CRC

PROBLEM = tiny_problems.tiny()
META = {"ended": "budget", "elapsed_s": 1.0, "best": None, "note": "é"}


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


def heard(count: int, ask: int = 0, seed: int = 0, fidelity: str = "faithful") -> Heard:
    designs = PROBLEM.space.sample(count, np.random.default_rng(seed + ask))
    return Heard(designs, PROBLEM.evaluate(designs), fidelity, ask, 0.5 * ask)


def batches(count: int, rows: int = 50) -> list[pa.RecordBatch]:
    return [to_batch(PROBLEM, "k" * 16, i * rows, [heard(rows, i)]) for i in range(count)]


def write(files: RunFiles, parts: list[list[pa.RecordBatch]]) -> None:
    for part in parts:
        writer = files.next_part(part[0].schema, META)
        for batch in part:
            writer.append(batch)
        writer.close()


def table(made: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(made)


# -- rows ---------------------------------------------------------------------------------------------------------


def test_rows_hold_what_was_heard_and_give_it_back() -> None:
    asked = [heard(7), heard(1, 1), heard(30, 2)]
    rows = table([to_batch(PROBLEM, "key", 100, asked)])
    assert rows.column("index").to_pylist() == [*range(100, 138)]
    assert rows.column("ask").to_pylist() == [0] * 7 + [1] + [2] * 30
    assert rows.column("elapsed_s").to_pylist() == [0.0] * 7 + [0.5] + [1.0] * 30
    designs = designs_of(rows, PROBLEM.space)
    evaluations = evaluations_of(rows, PROBLEM)
    joined = Evaluations.concatenate([h.evaluations for h in asked])
    for name in PROBLEM.space.columns:
        expected = np.concatenate([h.designs[name] for h in asked])
        np.testing.assert_array_equal(designs[name], expected)
        assert designs[name].dtype == expected.dtype
    for name in ("losses", "violation", "feasible", "reward"):
        np.testing.assert_array_equal(getattr(evaluations, name), getattr(joined, name))
    for name, column in joined.metrics.items():
        np.testing.assert_array_equal(evaluations.metrics[name], column)


def test_names_and_numbers_are_both_there(tmp_path) -> None:
    files = RunFiles(tmp_path, "key")
    made = batches(3)
    write(files, [made])
    files.finish(files.read()[0], META)
    for rows in (table(made), files.read()[0]):
        designs = designs_of(rows, PROBLEM.space)
        names = PROBLEM.space.describe(designs)
        dataflow = rows.column("design.dataflow").combine_chunks()
        assert dataflow.to_pylist() == names["dataflow"]
        np.testing.assert_array_equal(dataflow.indices.to_numpy(), designs["dataflow"])
        assert rows.column("design.order").to_pylist() == names["order"]
        np.testing.assert_array_equal(rows.column("design.rows").to_numpy(), designs["rows"])


def test_status_tells_failed_from_infeasible() -> None:
    one = heard(3)
    violation = np.array([0.0, 2.0, np.inf])
    feasible = violation == 0
    evaluations = Evaluations(
        one.evaluations.metrics, one.evaluations.losses, violation, feasible, np.array([1.0, -150, -200])
    )
    rows = to_batch(PROBLEM, "key", 0, [Heard(one.designs, evaluations, "faithful", 0, 0.0)])
    assert rows.column("status").to_pylist() == ["ok", "infeasible", "failed"]


def test_a_value_that_does_not_exist_is_refused_by_name() -> None:
    one = heard(3)
    one.designs["dataflow"][1] = 9
    with pytest.raises(ValueError, match=r"dataflow = 9"):
        to_batch(PROBLEM, "key", 0, [one])


def test_an_empty_table_has_the_columns_of_a_full_one() -> None:
    assert empty_table(PROBLEM, "key").schema == batches(1)[0].schema
    assert empty_table(PROBLEM, "key").num_rows == 0


def test_the_checksum_sees_every_column() -> None:
    rows = table(batches(2))
    crc = checksum(rows)
    assert checksum(rows.combine_chunks()) == crc
    for i, name in enumerate(rows.schema.names):
        if not pa.types.is_dictionary(rows.schema.field(i).type) or name in ("design.dataflow", "design.order"):
            mixed = rows.set_column(i, rows.schema.field(i), rows.column(i).take(pa.array([1, 0, *range(2, 100)])))
            if mixed != rows:
                assert checksum(mixed) != crc, name
    assert checksum(rows.rename_columns([f"{name}x" for name in rows.schema.names])) != crc


# -- files --------------------------------------------------------------------------------------------------------


def test_parts_follow_each_other_and_end_as_one_file(tmp_path) -> None:
    files = RunFiles(tmp_path, "key")
    made = batches(5)
    write(files, [made[:2], made[2:3], made[3:]])
    assert [path.name for path in files.parts] == ["part-000.arrow", "part-001.arrow", "part-002.arrow"]
    rows, meta = files.read()
    assert rows == table(made)
    assert meta == META
    files.error.write_text("earlier")
    files.finish(rows, META | {"ended": "complete"})
    assert not files.folder.exists()
    assert not files.error.exists()
    again, meta = files.read()
    assert checksum(again) == checksum(rows)
    assert meta["ended"] == "complete"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["key.parquet"]


def test_any_cut_of_a_stream_leaves_whole_batches(tmp_path) -> None:
    """A driver that dies may leave any prefix of its last write."""
    files = RunFiles(tmp_path, "key")
    made = batches(3, rows=5)
    writer = files.next_part(made[0].schema, META)
    sizes = [0]
    for batch in made:
        writer.append(batch)
        sizes.append(files.parts[0].stat().st_size)
    whole = files.parts[0].read_bytes()
    assert len(whole) == sizes[-1], "every append reaches the operating system"
    writer.close()
    cut = tmp_path / "cut.arrow"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        rows, meta = read_part(cut)
        expected = sum(length >= size for size in sizes[1:])
        assert (rows.num_rows if rows is not None else 0) == 5 * expected, length
        assert meta == (META if rows is not None else {})
    cut.write_bytes(whole[: sizes[2] + 100] + bytes(4096))  # what a power cut may leave
    assert read_part(cut)[0].num_rows == 10


def test_a_torn_part_is_continued_by_the_next(tmp_path) -> None:
    files = RunFiles(tmp_path, "key")
    made = batches(3)
    write(files, [made])
    path = files.parts[0]
    path.write_bytes(path.read_bytes()[:-2000])
    write(files, [made[2:]])
    assert files.read()[0] == table(made)
    path.unlink()
    with pytest.raises(LogError, match="must hold parts 0 to 1, got 1 of them"):
        files.read()


def test_flipped_bytes_never_pass_for_trials(tmp_path) -> None:
    """A flip anywhere is an error that names the file, or touches nothing that is read."""
    files = RunFiles(tmp_path, "key")
    made = batches(4, rows=20)
    write(files, [made])
    part = files.parts[0]
    truth = table(made)
    refused = flips(part, lambda: read_part(part)[0], truth)
    assert refused > 0.85, "of all flips 88 % are refused: the rest are padding and offsets that nobody follows"
    files.finish(truth, META)
    refused = flips(files.parquet, lambda: read_parquet(files.parquet)[0], truth)
    assert refused > 0.7, "the rest are statistics and padding"


def flips(path: Path, read, truth: pa.Table) -> float:
    data = path.read_bytes()
    refused = 0
    places = range(0, len(data) - 16, max(1, len(data) // 300))
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        message = ""
        try:
            rows = read()
        except LogError as error:
            message = str(error)
        if message:
            assert str(path) in message
            assert "\n" not in message
            refused += 1
        else:
            assert checksum(rows) == checksum(truth), place
    path.write_bytes(data)
    return refused / len(places)


def test_flips_in_a_stream_that_nobody_closed_cost_its_last_batch_at_most(tmp_path) -> None:
    files = RunFiles(tmp_path, "key")
    made = batches(4, rows=20)
    write(files, [made])
    path = files.parts[0]
    data = path.read_bytes()[:-8]
    for place in range(0, len(data), 61):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :])
        try:
            rows = read_part(path)[0]
        except LogError:
            continue
        assert rows.num_rows in (60, 80), place
        assert checksum(rows) == checksum(table(made)[: rows.num_rows])


def test_any_flipped_bit_before_the_first_batch_is_found_or_means_nothing(tmp_path) -> None:
    """Names and types of columns among them: an int64 taken for a double would be read without complaint."""
    files = RunFiles(tmp_path, "key")
    (made,) = batches(1, rows=2)
    write(files, [[made]])
    path = files.parts[0]
    data, truth = path.read_bytes(), table([made]).to_pylist()
    first = data.index(BATCH_CRC)
    read = 0
    for place in range(first):
        for bit in (1, 8):
            path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
            try:
                rows = read_part(path)[0]
            except LogError:
                continue
            read += 1
            assert rows is None or rows.to_pylist() == truth[: rows.num_rows], (place, bit)
            assert rows is None or rows.schema.types == made.schema.types, (place, bit)
    assert read < first, "most are found"


def test_a_part_without_the_sum_of_its_columns_still_reads(tmp_path) -> None:
    (made,) = batches(1, rows=3)
    schema = made.schema.with_metadata(packed(META))
    with pa.ipc.new_stream(tmp_path / "part.arrow", schema) as early:
        sums = {BATCH_CRC: str(checksum(made)).encode()}
        early.write_batch(made.replace_schema_metadata(schema.metadata), custom_metadata=sums)
    rows, meta = read_part(tmp_path / "part.arrow")
    assert rows.replace_schema_metadata(None).equals(table([made]))
    assert meta == META


@pytest.mark.parametrize("content", [b"hello, world, this is no Arrow file at all", b"PAR1", b"\x00" * 64, b"{}"])
def test_files_of_another_kind_are_named(tmp_path, content) -> None:
    files = RunFiles(tmp_path, "key")
    files.folder.mkdir(parents=True)
    (files.folder / "part-000.arrow").write_bytes(content)
    with pytest.raises(LogError, match=r"part-000\.arrow is damaged"):
        files.read()
    files.parquet.write_bytes(content)
    with pytest.raises(LogError, match=r"key\.parquet is damaged"):
        files.read()


def test_an_arrow_stream_from_elsewhere_is_no_part(tmp_path) -> None:
    path = tmp_path / "part-000.arrow"
    rows = table(batches(1))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, rows.schema) as writer:
        writer.write_table(rows)
    with pytest.raises(LogError, match=r"part-000\.arrow is damaged"):
        read_part(path)


# -- directories --------------------------------------------------------------------------------------------------

SPEC = {"name": "s", "problems": ["Tiny"], "agents": ["random", "counter"], "seeds": 2, "budget": 40}


def opened(path: Path, **keys) -> SweepDirectory:
    spec = make_spec({**SPEC, **keys})
    directory = SweepDirectory(path)
    directory.describe(spec.text, index_of(spec, runs(spec), directory.sessions(), 2, None))
    return directory


def test_two_sweeps_on_one_directory(tmp_path) -> None:
    first = opened(tmp_path / "out")
    with pytest.raises(LogError, match=rf"out is in use by another sweep \(process {os.getpid()} on "):
        SweepDirectory(tmp_path / "out")
    first.close()
    opened(tmp_path / "out").close()
    assert len(load_sweep(tmp_path / "out").sessions) == 2


def test_directories_that_cannot_be_used(tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(LogError, match="file is a file"):
        SweepDirectory(file)
    with pytest.raises(LogError, match="cannot be written: not a directory"):
        SweepDirectory(file / "out")
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("mine")
    with pytest.raises(LogError, match=r"holds other files \(chapter.tex\)"):
        SweepDirectory(thesis)
    assert [path.name for path in thesis.iterdir()] == ["chapter.tex"]
    with pytest.raises(LogError, match="cannot be written"):
        SweepDirectory(Path("/proc/designgym"))
    for load in (load_sweep, load_trials):
        with pytest.raises(LogError, match="holds no sweep"):
            load(thesis)


def test_a_directory_tells_about_its_sweep(tmp_path) -> None:
    directory = opened(tmp_path, start=[{"rows": 3, "dataflow": "ws", "stages": 2}])
    sweep = load_sweep(tmp_path)
    assert (sweep.name, len(sweep.runs), sweep.spec["budget"]) == ("s", 4, 40)
    assert {run.state for run in sweep.runs} == {"waiting"}
    assert sweep.versions["designgym"]
    assert "python" in sweep.versions
    assert sweep.command
    problem = sweep.problems["Tiny-v0"]
    assert next((m.name, m.unit, m.better) for m in problem.metrics) == ("latency_s", "s", "lower")
    units = {p["name"]: (p["kind"], p["unit"], p["meaning"], p["columns"]) for p in problem.parameters}
    assert units["rows"] == ("Integer", "PE", "rows of the array", ["rows"])
    assert problem.size == tiny_problems.SPACE.size
    assert problem.start["dataflow"] == ["ws"]
    assert (tmp_path / "sweep.yaml").read_text() == make_spec(sweep.spec).text
    run = sweep.runs[0]
    write(directory.run(run.key), [[to_batch(PROBLEM, run.key, 0, [heard(30)])]])
    directory.run(run.key).error.write_text("it broke")
    finished = sweep.runs[1]
    rows = table([to_batch(PROBLEM, finished.key, 0, [heard(40)])])
    directory.run(finished.key).finish(rows, META)
    directory.close()
    states = {run.key: (run.state, run.ended, run.trials, run.elapsed_s) for run in load_sweep(tmp_path).runs}
    assert states[run.key] == ("failed", "", 30, 0.0)
    assert states[finished.key] == ("finished", "budget", 40, 1.0)


def test_all_trials_as_one_table(tmp_path) -> None:
    with pytest.raises(LogError, match="holds no sweep"):
        load_trials(tmp_path)
    directory = opened(tmp_path, problems=["Tiny", "TinyTwo"], seeds=1)
    with pytest.raises(LogError, match="no trials yet"):
        load_trials(tmp_path)
    one, _, two, _ = load_sweep(tmp_path).runs
    write(directory.run(one.key), [[to_batch(PROBLEM, one.key, 0, [heard(30)])]])
    problem = tiny_problems.tiny_two()
    designs = problem.space.sample(20, np.random.default_rng(0))
    rows = to_batch(problem, two.key, 0, [Heard(designs, problem.evaluate(designs), "faithful", 0, 1.0)])
    directory.run(two.key).finish(table([rows]), META)
    directory.close()
    trials = load_trials(tmp_path)
    assert trials.num_rows == 50
    assert trials.column("problem").to_pylist() == ["Tiny-v0"] * 30 + ["TinyTwo-v0"] * 20
    assert trials.column("agent").to_pylist() == ["random"] * 50
    assert trials.column("seed").to_pylist() == [0] * 50
    assert trials.column("loss.area_mm2").null_count == 30, "Tiny-v0 does not minimise the area"
    assert pa.types.is_dictionary(trials.schema.field("run").type)


def test_a_damaged_index_is_named(tmp_path) -> None:
    opened(tmp_path).close()
    index = tmp_path / "sweep.json"
    good = index.read_text()
    for bad in (good[:-30], "[]", json.dumps({**json.loads(good), "runs": [{}]}), "\x00"):
        index.write_text(bad)
        with pytest.raises(LogError, match=r"sweep\.json is damaged"):
            load_sweep(tmp_path)
    index.write_text(good.replace('"format": 1', '"format": 99'))
    with pytest.raises(LogError, match="format 1, got 99"):
        load_trials(tmp_path)
