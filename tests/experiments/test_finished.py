"""The file of a finished run: written a few rows at a time, and its bytes checked without making sense of them."""

import errno
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_problems
from runs_in_process import same_trials, undisturbed

from designgym.experiments import LogError, finished
from designgym.experiments.cli import main
from designgym.experiments.files import explained
from designgym.experiments.finished import check_bytes, finished_file, read_meta, read_parquet, write_parquet
from designgym.experiments.ledger import Active, Ledger
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import RunFiles
from designgym.experiments.progress import Progress, best_of
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import make_spec


@pytest.fixture
def run(monkeypatch) -> RunSpec:
    tiny_problems.registered(monkeypatch)
    (made,) = runs(make_spec({"name": "s", "problems": ["Tiny"], "agents": ["random"], "seeds": 1, "budget": 700}))
    return made


def test_a_run_is_finished_a_few_rows_at_a_time(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(finished, "GROUP", 64)
    held = []
    write = finished.FinishedWriter.write
    monkeypatch.setattr(
        finished.FinishedWriter,
        "write",
        lambda self, rows: (held.append(self._rows + rows.num_rows), write(self, rows)),
    )
    rows, ended = undisturbed(run)
    directory = SweepDirectory(tmp_path)
    active = Active(run, directory.run(run.key))
    ledger = Ledger(directory, Progress([run], 1, silent=True))
    for batch in rows.to_batches(max_chunksize=9):
        ledger.append(active, batch)
    ledger.finish(active, ended)
    directory.close()
    found, meta = RunFiles(tmp_path, run.key).read()
    assert same_trials(found, rows)
    assert (meta["trials"], meta["best"]) == (700, best_of(rows, run))
    assert max(held) < 64 + 9
    assert pq.read_metadata(active.files.parquet).num_row_groups == 10, "eight batches of nine each"
    assert not active.files.parts


def test_batches_whose_orders_differ_become_one_column(run, tmp_path) -> None:
    rows, _ = undisturbed(run)
    path = tmp_path / "run.parquet"
    with finished_file(path) as file:
        for first in (0, 3, 5):
            chosen = rows[first : first + 2] if first == 3 else rows[first : 700 if first else 3]
            order = chosen.column("design.order").cast(pa.string()).dictionary_encode()
            file.write(chosen.set_column(chosen.schema.get_field_index("design.order"), "design.order", order))
        file.meta = {"seed": 0}
    found, meta = read_parquet(path)
    assert meta == {"seed": 0}
    assert same_trials(found, rows)


def test_nothing_is_there_of_a_file_that_was_not_finished(run, tmp_path) -> None:
    rows, _ = undisturbed(run)

    def broken() -> None:
        with finished_file(tmp_path / "run.parquet") as file:
            file.write(rows)
            raise LogError("a part is damaged")

    with pytest.raises(LogError):
        broken()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [0, 700])
def test_any_flipped_byte_before_the_footer_is_found(run, tmp_path, rows) -> None:
    path = tmp_path / "run.parquet"
    write_parquet(path, undisturbed(run)[0][:rows], {"seed": 0})
    check_bytes(path)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for place in random.Random(0).choices(range(footer), k=60):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        path.write_bytes(bytes(flipped))
        with pytest.raises(LogError, match=r"run\.parquet is damaged"):
            check_bytes(path)


def test_any_flipped_byte_of_the_footer_is_found_by_all_that_read_it(run, tmp_path) -> None:
    path = tmp_path / "run.parquet"
    write_parquet(path, undisturbed(run)[0][:30], {"seed": 0})
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    bits = random.Random(0)
    for place in range(footer, len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bits.randrange(8)
        path.write_bytes(bytes(flipped))
        for read in (check_bytes, read_meta, read_parquet):
            with pytest.raises(LogError, match=r"run\.parquet is damaged"):
                read(path)


def test_a_file_without_a_sum_of_its_footer_is_read(run, tmp_path, monkeypatch) -> None:
    rows, _ = undisturbed(run)
    path = tmp_path / "run.parquet"
    monkeypatch.setattr(finished, "UNSEALED", {})
    monkeypatch.setattr(finished, "sealed", lambda footer: footer)
    write_parquet(path, rows, {"seed": 0})
    assert b"footer" not in path.read_bytes()
    check_bytes(path)
    assert read_meta(path) == (700, {"seed": 0})
    assert same_trials(read_parquet(path)[0], rows)


def test_a_file_with_one_sum_for_all_its_groups_is_read(run, tmp_path, monkeypatch) -> None:
    path = tmp_path / "run.parquet"
    rows, _ = undisturbed(run)
    write_parquet(path, rows, {"seed": 0})
    metadata = {
        name: text
        for name, text in pq.read_metadata(path).metadata.items()
        if name in (b"designgym", b"designgym.meta-crc32")
    }
    metadata[finished.GROUP_CRCS] = str(finished.checksum(rows)).encode()
    pq.write_table(rows.unify_dictionaries().replace_schema_metadata(metadata), path, row_group_size=100)
    check_bytes(path)
    assert same_trials(read_parquet(path)[0], rows)


def test_a_full_disk_ends_the_command_as_a_failure_not_as_bad_input(monkeypatch, tmp_path, capsys) -> None:
    def full(_):
        with explained(tmp_path / "part"):
            raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr("designgym.experiments.spec.load_spec", full)
    monkeypatch.setattr("sys.argv", ["designgym", "sweep", "x.yaml"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert "part cannot be written: no space left on device. Make room: " in capsys.readouterr().err
