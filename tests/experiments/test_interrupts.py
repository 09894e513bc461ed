"""Ctrl-C at the worst moments: what a sweep says that it holds is what it holds."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_problems
from runs_in_process import undisturbed

from designgym.experiments import driver, load_sweep
from designgym.experiments.driver import sweep
from designgym.experiments.interrupts import uninterrupted
from designgym.experiments.ledger import Active, Ledger
from designgym.experiments.log import SweepDirectory
from designgym.experiments.parts import RunFiles
from designgym.experiments.progress import Progress
from designgym.experiments.runs import RunSpec, runs
from designgym.experiments.spec import SweepSpec, make_spec
from designgym.experiments.streams import PartWriter


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A shell's job in the background, such as these tests may be, ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def spec(monkeypatch) -> SweepSpec:
    tiny_problems.registered(monkeypatch)
    return make_spec({"name": "s", "problems": ["Tiny"], "agents": ["random"], "seeds": 1, "budget": 40})


def ctrl_c_after(monkeypatch, owner, name) -> None:
    """As if the user pressed it when this method has done its work."""
    method = getattr(owner, name)

    def interrupted(self, *given) -> None:
        method(self, *given)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(owner, name, interrupted)


def opened(folder: Path, run: RunSpec) -> tuple[SweepDirectory, Ledger, Active]:
    directory = SweepDirectory(folder)
    return directory, Ledger(directory, Progress([run], 1, silent=True)), Active(run, directory.run(run.key))


def test_a_batch_that_is_written_is_counted(spec, tmp_path, monkeypatch) -> None:
    (run,) = runs(spec)
    rows, _ = undisturbed(run)
    directory, ledger, active = opened(tmp_path, run)
    ctrl_c_after(monkeypatch, PartWriter, "append")
    with pytest.raises(KeyboardInterrupt):
        ledger.append(active, rows.to_batches()[0])
    active.close()
    directory.close()
    found, _ = RunFiles(tmp_path, run.key).read()
    assert ledger.trials == active.logged == found.num_rows == 40


def test_a_run_that_is_put_into_its_file_is_counted(spec, tmp_path, monkeypatch) -> None:
    (run,) = runs(spec)
    rows, ended = undisturbed(run)
    directory, ledger, active = opened(tmp_path, run)
    ledger.append(active, rows.to_batches()[0])
    ctrl_c_after(monkeypatch, RunFiles, "drop_parts")
    with pytest.raises(KeyboardInterrupt):
        ledger.finish(active, ended)
    directory.close()
    assert (ledger.finished, active.files.parquet.exists()) == (1, True)


def test_a_part_that_is_being_closed_is_closed_once(ray, spec, tmp_path, monkeypatch, capsys) -> None:
    with monkeypatch.context() as patch:
        ctrl_c_after(patch, PartWriter, "close")
        assert sweep(spec, tmp_path / "out", workers=1, silent=True).interrupted
    assert "stopped: 0 of 1 runs are finished, and 40 trials are in" in capsys.readouterr().err
    assert sweep(spec, tmp_path / "out", workers=1, silent=True).finished == 1


def test_a_sweep_stopped_before_it_has_counted_claims_no_count(ray, spec, tmp_path, monkeypatch, capsys) -> None:
    assert sweep(spec, tmp_path / "out", workers=1, silent=True).finished == 1
    ctrl_c_after(monkeypatch, driver.Ledger, "find")
    assert sweep(spec, tmp_path / "out", silent=True).interrupted
    said = f"stopped: while still reading what {tmp_path / 'out'} holds. The same command goes on from here.\n"
    assert capsys.readouterr().err == said
    assert load_sweep(tmp_path / "out").runs[0].state == "finished"


def pressed_inside(done: list[str]) -> None:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        done.append("the block")
    done.append("what follows it")


def test_what_stands_outside_is_interrupted_at_once() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):
        pressed_inside(done)
    assert done == ["the block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_may_use_it() -> None:
    seen = []

    def work() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
