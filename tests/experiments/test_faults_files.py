"""Files of a sweep's log that are torn by hand, have flipped bytes, or find no room on the disk."""

import json
import random
import resource
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import tiny_problems
from runs_in_process import assert_as_undisturbed, same_trials, undisturbed

from designgym.experiments import LogError, load_sweep, load_trials
from designgym.experiments.cli import main
from designgym.experiments.driver import sweep
from designgym.experiments.index import index_of
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import RunFiles
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import SweepSpec, make_spec

KIB = 1024


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


def spec_of(**keys) -> SweepSpec:
    agents = ["random", "climber", {"name": "genetic", "hyperparameters": {"population": 16}}, "counter"]
    return make_spec({"name": "s", "problems": ["Tiny"], "agents": agents, "seeds": 2, "budget": 120, **keys})


def half_logged(path: Path, spec: SweepSpec, parts: int = 3) -> tuple[RunSpec, ...]:
    """Log most of each run, in several parts of a few batches, as sessions that ended early leave it."""
    all_runs = runs(spec)
    with closing(SweepDirectory(path)) as directory:
        directory.describe(spec.text, index_of(spec, all_runs, [], 1, None))
        for run in all_runs:
            rows, _ = undisturbed(run)
            most = rows.num_rows - 10
            for part in range(parts):
                chosen = rows[part * most // parts : (part + 1) * most // parts]
                writer = directory.run(run.key).next_part(rows.schema, run.definition)
                for batch in chosen.to_batches(max_chunksize=8):
                    writer.append(batch)
                writer.close()
    return all_runs


# -- torn by hand -----------------------------------------------------------------------------------------------------


def test_part_files_torn_anywhere_are_made_whole(ray, tmp_path) -> None:
    rng = random.Random(7)
    out = tmp_path / "out"
    all_runs = half_logged(out, spec_of())
    for run in all_runs:
        path = rng.choice(RunFiles(out, run.key).parts)
        path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])
    kept = load_trials(out).num_rows
    outcome = sweep(spec_of(), out, silent=True)
    assert (outcome.finished, outcome.failed) == (len(all_runs), ())
    assert outcome.trials > kept
    assert_as_undisturbed(out, all_runs)


@pytest.mark.parametrize("torn", [0, 1, 2])
def test_every_cut_of_a_part_leaves_a_beginning_of_the_run(tmp_path, torn) -> None:
    rng = random.Random(torn)
    (run,) = half_logged(tmp_path / "out", spec_of(agents=["random"], seeds=1, budget=80))
    truth, _ = undisturbed(run)
    files = RunFiles(tmp_path / "out", run.key)
    path = files.parts[torn]
    whole = path.read_bytes()
    for _ in range(40):
        path.write_bytes(whole[: rng.randrange(len(whole))])
        rows, _ = files.read()
        count = 0 if rows is None else rows.num_rows
        assert count < truth.num_rows
        assert rows is None or same_trials(rows, truth[:count])


# -- flipped bytes ----------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))


def test_damaged_files_are_named_and_the_other_runs_reported(ray, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    spec = spec_of(agents=["random", "counter"])
    assert sweep(spec, out, silent=True).finished == 4
    whole = load_trials(out)
    damaged, other, *_ = runs(spec)
    path = RunFiles(out, damaged.key).parquet
    flip(path)
    broken = path.read_bytes()
    with pytest.warns(UserWarning, match=f"{damaged.key}.parquet is damaged"):
        left = load_trials(out)
    assert left.num_rows == whole.num_rows * 3 // 4
    assert damaged.key not in left.column("run").unique().to_pylist()
    with pytest.raises(LogError, match=f"{damaged.key}.parquet is damaged"):
        RunFiles(out, damaged.key).read()

    with pytest.warns(UserWarning, match=f"{damaged.key}.parquet is damaged"):
        assert _main(["report", str(out)]) == 0
    page = (out / "report.html").read_text()
    assert f"{damaged.key}.parquet is damaged" in page
    assert "1 damaged" in page
    assert path.read_bytes() == broken, "whoever has a good copy may restore it"

    file = tmp_path / "sweep.yaml"
    file.write_text(json.dumps({**spec.model_dump(mode="json", exclude_none=True), "seeds": 2}))
    capsys.readouterr()
    with pytest.warns(UserWarning, match=f"{damaged.key}.parquet is damaged"):
        assert _main(["sweep", str(file), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert f"failed: {damaged.title}: {path} is damaged" in said.err
    assert "3 of 4 runs finished" in said.out
    assert path.read_bytes() == broken

    path.unlink()  # as the message says
    assert sweep(spec, out, silent=True).failed == ()
    assert_as_undisturbed(out, runs(spec))
    assert other.key in load_trials(out).column("run").unique().to_pylist()


def test_a_damaged_part_fails_its_run_and_the_others_go_on(ray, tmp_path) -> None:
    out = tmp_path / "out"
    spec = spec_of(agents=["random", "counter"])
    all_runs = half_logged(out, spec)
    files = RunFiles(out, all_runs[0].key)
    flip(files.parts[0])
    states = {run.key: run for run in load_sweep(out).runs}
    assert states[files.key].state == "damaged"
    assert f"{files.parts[0]} is damaged" in states[files.key].damage
    outcome = sweep(spec, out, silent=True)
    assert (outcome.finished, outcome.failed) == (3, (all_runs[0].title,))
    assert f"{files.parts[0]} is damaged" in outcome.errors[0]
    files.drop_parts()
    assert sweep(spec, out, silent=True).finished == 4
    assert_as_undisturbed(out, all_runs)


def _main(arguments: list[str]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["designgym", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


# -- no room ----------------------------------------------------------------------------------------------------------


class Disk:
    """A file system of its own, of a given size."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mount(self, kib: int, *options: str) -> bool:
        size = ",".join((*options, f"size={kib}k"))
        command = ["mount", "-t", "tmpfs", "-o", size, "none", str(self.path)]
        return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    found = Disk(tmp_path / "disk")
    found.path.mkdir()
    if not found.mount(64):
        pytest.skip("a file system cannot be mounted here")
    yield found
    subprocess.run(["umount", str(found.path)], check=True)


def test_a_full_disk_stops_the_sweep_in_one_line_and_room_lets_it_go_on(ray, disk, monkeypatch) -> None:
    spec = spec_of(problems=[{"id": "Tiny", "options": {"design_s": 5e-4}}], budget=900)
    out = disk.path / "out"
    kept = []
    for kib in (96, 288):
        assert disk.mount(kib, "remount")
        with pytest.raises(LogError, match=r"cannot be written: no space left on device\. Make room: ") as stopped:
            sweep(spec, out, silent=True)
        assert "\n" not in str(stopped.value)
        assert stopped.value.exit_code == 1, "the machine's fault, not the user's"
        kept.append(sum(run.trials for run in load_sweep(out).runs))
    assert kept == sorted(kept)
    assert kept[-1] > 0
    assert disk.mount(64 * KIB, "remount")
    assert sweep(spec, out, silent=True).failed == ()
    monkeypatch.setattr(tiny_problems.time, "sleep", lambda _: None)  # the truth need not dawdle
    assert_as_undisturbed(out, runs(spec))
    assert not list(out.rglob("*.tmp")) + list(out.rglob("*.arrow"))


@pytest.mark.parametrize("room", [1_000, 7_000, 12_345, 20_480, 33_333])
def test_a_batch_without_room_is_taken_back_whole(tmp_path, room) -> None:
    """A limit on the size of files stops a write at any byte, in the middle of a batch."""
    (run,) = runs(spec_of(agents=["random"], seeds=1, budget=300))
    rows, _ = undisturbed(run)
    batches = rows.to_batches(max_chunksize=10)
    files = RunFiles(tmp_path, run.key)
    written = 0

    def write() -> None:
        nonlocal written
        with closing(files.next_part(rows.schema, {})) as writer:
            for batch in batches:
                writer.append(batch)
                written += batch.num_rows

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(LogError, match=r"cannot be written: file too large\. Make room") as stopped:
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(stopped.value)
    found, _ = files.read()
    assert (0 if found is None else found.num_rows) == written < rows.num_rows
    writer = files.next_part(rows.schema, {})
    for batch in rows[written:].to_batches():
        writer.append(batch)
    writer.close()
    assert same_trials(files.read()[0], rows)
