"""Ray workers for slow models: what is sent where, and what becomes of it when a worker is killed or kills itself."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_problems
from test_resume import descendants

from designgym.experiments import ray_workers
from designgym.experiments.executor import Id
from designgym.experiments.ray_workers import RayWorkers, WorkerError


class Bench:
    """A few workers, and what came back from them."""

    def __init__(self, model, count: int = 2) -> None:
        self.done: dict[int, dict] = {}
        self._woken = threading.Event()
        self.workers = RayWorkers({"tiny": model}, count, self._woken.set)

    def send(self, numbers) -> None:
        for number in numbers:
            self.workers.submit(Id("tiny", "run", number), tiny_problems.SPACE.unrank([number]))

    def wait(self, reached) -> None:
        deadline = time.monotonic() + 60
        while not reached():
            assert time.monotonic() < deadline
            self._woken.wait(0.05)
            self._woken.clear()
            for id, metrics in self.workers.finished():
                assert id.number not in self.done, "once each"
                self.done[id.number] = metrics

    def errors(self) -> dict[int, str]:
        return {id.number: error for id, error in self.workers.errors.items()}


@pytest.fixture
def made(ray):
    opened = []

    def make(count: int = 2, **options) -> Bench:
        opened.append(Bench(tiny_problems.SlowModel(**options), count))
        return opened[-1]

    yield make
    for bench in opened:
        bench.workers.close()


def pricing() -> list[int]:
    """Processes that price."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            name = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue
        if name.startswith(b"ray::_Pricer"):
            found.append(pid)
    return found


def test_a_design_waits_behind_the_one_at_work_while_others_are_left(made) -> None:
    bench = made(design_s=1.0)
    assert not bench.workers.takes(1), "one starts"
    for number in (3, 4):
        bench.wait(lambda: bench.workers.takes(1))
        bench.send([number])
    assert not bench.workers.takes(2), "the last ones go to whoever is free first"
    assert bench.workers.takes(3)
    bench.send([5, 6])
    assert not bench.workers.takes(99)
    bench.wait(lambda: len(bench.done) == 4)
    assert not bench.errors()


def test_a_killed_worker_costs_no_design(made, tmp_path) -> None:
    paid = tmp_path / "paid"
    bench = made(design_s=0.4, paid=str(paid))
    bench.workers.takes(9)
    bench.send(range(3, 13))
    bench.wait(lambda: len(bench.done) >= 2)
    for pid in pricing():
        os.kill(pid, signal.SIGKILL)
    bench.workers.takes(9)
    bench.wait(lambda: bench.workers.takes(2) or len(bench.done) == 10)
    bench.wait(lambda: len(bench.done) == 10)
    assert not bench.errors()
    truth = tiny_problems.SlowModel().evaluate
    for number, metrics in bench.done.items():
        expected = truth(tiny_problems.SPACE.unrank([number]))
        assert metrics["latency_s"] == expected["latency_s"]
    assert len(paid.read_text().split()) <= 12, "no finished evaluation is paid again but one whose answer was killed"


@pytest.mark.parametrize("place", [0, 1])
def test_a_design_that_kills_its_process_is_the_one_that_fails(made, place) -> None:
    """Also where it dies so soon after the design before it that this one's answer may be lost on its way."""
    numbers = [3, 4, 5, 6]
    bench = made(kills=numbers[place])
    bench.workers.takes(9)
    bench.wait(lambda: bench.workers.takes(9))
    bench.send(numbers)
    bench.wait(lambda: bench.workers.takes(9) and len(bench.done) == 4)
    assert {number for number, metrics in bench.done.items() if np.isinf(metrics["violation"])} == {numbers[place]}
    assert list(bench.errors()) == [numbers[place]]
    assert "its process died 3 times: The actor is dead because" in bench.errors()[numbers[place]].reason


def test_a_design_sent_to_processes_that_died_idle_is_not_what_killed_them(made, monkeypatch) -> None:
    """As when a machine is lost: its idle workers' end goes unseen until they are sent something."""
    monkeypatch.setattr(ray_workers, "DEATHS", 2)
    bench = made()
    bench.workers.takes(2)
    bench.wait(lambda: all(worker.started for worker in bench.workers._workers))
    assert len(pricing()) == 2
    for pid in pricing():
        os.kill(pid, signal.SIGKILL)
    bench.send([3])
    bench.wait(lambda: bench.workers.takes(0) and len(bench.done) == 1)
    assert np.isfinite(bench.done[3]["violation"])
    assert not bench.errors()


@pytest.mark.parametrize("count", [1, 2])
def test_a_death_while_idle_is_no_designs(made, monkeypatch, count) -> None:
    monkeypatch.setattr(ray_workers, "DEATHS", 1)
    bench = made(count)
    bench.workers.takes(count)
    bench.wait(lambda: [worker.started for worker in bench.workers._workers] == [True] * count)
    for number in (3, 4):
        dying = pricing()
        assert len(dying) == count
        for pid in dying:
            os.kill(pid, signal.SIGKILL)
        time.sleep(2 * ray_workers.IDLE_S)
        assert bench.workers.takes(1), "nothing has been heard of it yet"
        bench.send([number])
        bench.wait(lambda done=number - 2: bench.workers.takes(count) and len(bench.done) == done)
        bench.wait(lambda: not any(worker.asked for worker in bench.workers._workers))
        assert np.isfinite(bench.done[number]["violation"])
    assert not bench.errors()


class Unloadable(tiny_problems.SlowModel):
    def __reduce__(self):
        return int, ("no number",)


def test_workers_that_cannot_start_stop_the_sweep_in_one_line(ray) -> None:
    bench = Bench(Unloadable())
    with pytest.raises(WorkerError, match=r"no worker starts: .*no number.*\. Mend that: ") as stopped:
        bench.wait(lambda: bench.workers.takes(9))
    assert "\n" not in str(stopped.value)
    bench.workers.close()
