"""Rows on their way to another process: in packets, and what the driver holds of a log that it hands out."""

import pyarrow as pa
import pytest
import tiny_problems
from runs_in_process import same_trials, spec_of, undisturbed

from designgym.experiments import packets
from designgym.experiments.driver import sweep
from designgym.experiments.ledger import Active, Ledger
from designgym.experiments.log import SweepDirectory
from designgym.experiments.progress import Progress, best_of
from designgym.experiments.runs import RunSpec, runs


@pytest.fixture
def run(monkeypatch) -> RunSpec:
    tiny_problems.registered(monkeypatch)
    (made,) = runs(spec_of(agents=["random"], budget=700))
    return made


def test_rows_cross_in_packets_of_bounded_size(run, monkeypatch) -> None:
    rows, _ = undisturbed(run)
    tables = [pa.Table.from_batches([batch]) for batch in rows.to_batches(max_chunksize=9)]
    (whole,) = packets.packets(tables)
    monkeypatch.setattr(packets, "PACKET_BYTE", 20_000)
    sent = list(packets.packets(tables))
    assert len(sent) > 3
    largest = max(packet.size for packet in packets.packets(tables[:1]))
    assert all(20_000 <= packet.size < 20_000 + largest for packet in sent[:-1])
    assert same_trials(packets.rows_of([whole]), rows)
    assert same_trials(packets.rows_of(sent), rows)
    assert list(packets.packets([])) == []
    assert packets.rows_of([]) is None


def test_a_packet_is_taken_as_soon_as_it_is_large_enough(run, monkeypatch) -> None:
    monkeypatch.setattr(packets, "PACKET_BYTE", 1)
    rows, _ = undisturbed(run)
    taken = []

    def tables():
        for first in range(0, 30, 10):
            taken.append(first)
            yield rows[first : first + 10]

    for number, packet in enumerate(packets.packets(tables())):
        assert len(taken) == number + 1
        assert packets.rows_of([packet]).num_rows == 10
    assert len(taken) == 3


def test_a_run_is_found_and_begun_batch_by_batch(run, tmp_path) -> None:
    rows, _ = undisturbed(run)
    directory = SweepDirectory(tmp_path)
    files = directory.run(run.key)
    for part, versions in ((rows[:300], {"numpy": "1"}), (rows[300:650], {"numpy": "2"})):
        writer = files.next_part(rows.schema, {"versions": versions})
        for batch in part.to_batches(max_chunksize=50):
            writer.append(batch)
        writer.close()
    heard = []
    progress = Progress([run], 1, silent=True)
    progress.logged = lambda *said: heard.append(said)
    ledger = Ledger(directory, progress)
    found = ledger.find(run)
    assert isinstance(found, Active)
    assert (found.logged, found.rows, ledger.trials) == (650, 650, 650)
    assert heard == [(run, 650, best_of(rows[:650], run))]
    begun = list(ledger.begin(found))
    assert [table.num_rows for table in begun] == [50] * 13
    assert found.meta == {"versions": {"numpy": "2"}}
    directory.close()
    assert same_trials(pa.concat_tables(begun), rows[:650])


def test_a_run_goes_on_from_many_packets(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(packets, "PACKET_BYTE", 5_000)
    rows, ended = undisturbed(run)
    directory = SweepDirectory(tmp_path / "out")
    writer = directory.run(run.key).next_part(rows.schema, {"versions": {}})
    for batch in rows[:500].to_batches(max_chunksize=20):
        writer.append(batch)
    writer.close()
    directory.close()
    outcome = sweep(spec_of(agents=["random"], budget=700), tmp_path / "out", workers=1, silent=True)
    assert (outcome.finished, outcome.failed) == (1, ())
    found, meta = directory.run(run.key).read()
    assert same_trials(found, rows)
    assert meta["ended"] == ended.reason
