"""Single runs without Ray: continued, cut, stopped where they are close enough, and with a slow taker."""

import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tiny_problems
from runs_in_process import AGENTS, same_trials, spec_of, undisturbed

from designgym.envs import optimum
from designgym.experiments import handover, worker
from designgym.experiments.rows import to_batch
from designgym.experiments.runs import runs
from designgym.experiments.tasks import Ended, Failed, task_of
from designgym.experiments.watch import CloseEnough, of_fidelity
from designgym.experiments.worker import run_trials


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


@pytest.mark.parametrize("agent", AGENTS, ids=str)
@pytest.mark.parametrize("kept", [1, 17, 40, 60])
def test_a_continued_run_ends_in_the_same_trials(agent, kept) -> None:
    (run,) = runs(spec_of(agents=[agent]))
    whole, ended = undisturbed(run)
    assert whole.num_rows == 60
    rest, again = undisturbed(run, whole[:kept])
    joined = whole[:kept] if rest is None else pa.concat_tables([whole[:kept], rest])
    assert same_trials(joined, whole)
    assert again.reason == ended.reason == "budget"
    elapsed = joined.column("elapsed_s").to_pylist()
    assert elapsed == sorted(elapsed)


@pytest.mark.parametrize("kept", [1, 5, 8, 9, 20, 33, 50])
def test_a_continued_run_of_two_fidelities_logs_each_trial_once(kept) -> None:
    (run,) = runs(spec_of(problems=["TinyCheap"], agents=["screener"], budget=60))
    whole, _ = undisturbed(run)
    fidelity = whole.column("fidelity").to_pylist()
    assert fidelity[:10] == ["cheap"] * 8 + ["faithful"] * 2
    rest, _ = undisturbed(run, whole[:kept])
    assert same_trials(pa.concat_tables([whole[:kept], rest]), whole)


def test_what_is_logged_is_not_priced_again(tmp_path) -> None:
    trap = tmp_path / "trap"
    (run,) = runs(spec_of(problems=[{"id": "Tiny", "options": {"trap": str(trap)}}]))
    whole, ended = undisturbed(run)
    problem = run.problem.problem
    metered = undisturbed(run, whole)
    assert metered[0] is None
    assert metered[1].reason == ended.reason
    trap.touch()
    # The kernels are loaded by pricing one design, so the trap shows that logged trials need no other.
    *rest, last = run_trials(problem, task_of(run), whole)
    assert not rest
    assert isinstance(last, Failed)
    assert "trap" in last.error


def test_a_space_smaller_than_the_budget_ends_complete() -> None:
    (run,) = runs(spec_of(agents=["random"], budget=10**6))
    rows, ended = undisturbed(run)
    assert ended.reason in ("complete", "repeats")
    (run,) = runs(spec_of(agents=["exhaustive"], budget=10**6))
    rows, ended = undisturbed(run)
    assert (rows.num_rows, ended.reason) == (tiny_problems.SPACE.size, "complete")


def test_repeats_are_free_and_leave_no_rows() -> None:
    (run,) = runs(spec_of(budget=30))
    rows, _ = undisturbed(run)
    assert rows.num_rows == 30
    designs = zip(*(rows.column(f"design.{name}").to_pylist() for name in tiny_problems.SPACE.columns), strict=True)
    assert len(set(designs)) == 30
    assert rows.column("ask").to_pylist() == [0] * 4 + [i for i in range(1, 7) for _ in range(4)] + [7] * 2


def test_start_comes_first() -> None:
    start = [{"rows": 3, "dataflow": "ws", "stages": 2}, {"rows": 64, "order": "k,n,m"}]
    for agent in AGENTS:
        (run,) = runs(spec_of(agents=[agent], start=start, budget=20))
        rows, _ = undisturbed(run)
        assert rows.num_rows == 20
        assert rows.column("design.rows").to_pylist()[:2] == [3, 64]
        assert rows.column("design.order").to_pylist()[1] == "k,n,m"
        assert rows.column("ask").to_pylist()[:3] == [0, 0, 1]


def test_seconds_cut_a_run() -> None:
    (run,) = runs(spec_of(problems=[{"id": "Tiny", "options": {"design_s": 0.002}}], budget=10_000, seconds=0.3))
    rows, ended = undisturbed(run)
    assert ended.reason == "seconds"
    assert 0.3 <= ended.elapsed_s < 0.6
    assert 20 < rows.num_rows <= 150
    elapsed = rows.column("elapsed_s").to_pylist()
    assert elapsed[-5] < 0.3 <= elapsed[-1], "the batch in which time ran out is the last"
    again, over = undisturbed(run, rows)
    assert again is None, "nothing is priced once the logged time is up"
    assert over.reason == "seconds"


def test_a_run_stops_when_close_enough_however_it_is_continued() -> None:
    (run,) = runs(spec_of(agents=["local_search"], budget=500))
    everything, _ = undisturbed(run)
    feasible = everything.column("feasible").to_numpy(zero_copy_only=False)
    losses = np.where(feasible, everything.column("loss.latency_s").to_numpy(), np.inf)
    goal = float(np.sort(np.unique(losses))[3])
    first = int(np.argmax(losses <= goal))
    for agent in ("local_search", {"name": "counter", "hyperparameters": {"width": 7}}):
        (run,) = runs(spec_of(agents=[agent], budget=500))
        task = replace(task_of(run), stop_loss=goal)
        *batches, ended = run_trials(run.problem.problem, task)
        whole = pa.Table.from_batches(batches)
        reached = whole.column("loss.latency_s").to_numpy() <= goal
        reached &= whole.column("feasible").to_numpy(zero_copy_only=False)
        if agent == "local_search":
            assert ended.reason == CloseEnough.reason
            assert whole.num_rows == first + 1
        asks = whole.column("ask").to_pylist()
        if reached.any():
            assert asks[int(np.argmax(reached))] == asks[-1], "the ask that reached it is the last"
        for kept in {1, whole.num_rows // 2, whole.num_rows - 1, whole.num_rows}:
            *rest, again = run_trials(run.problem.problem, task, whole[:kept])
            assert same_trials(pa.concat_tables([whole[:kept], *(pa.Table.from_batches([b]) for b in rest)]), whole)
            assert again.reason == ended.reason


def test_stop_at_regret_is_measured_against_the_true_optimum(monkeypatch) -> None:
    truth = optimum.find_optimum(tiny_problems.tiny())
    monkeypatch.setattr(optimum, "known_optimum", lambda *_: truth)
    (run,) = runs(spec_of(agents=["local_search"], budget=2000, stop_at_regret=0.05))
    rows, ended = undisturbed(run)
    assert ended.reason == "regret"
    feasible = rows.column("feasible").to_numpy(zero_copy_only=False)
    regrets = optimum.regret(np.where(feasible, rows.column("loss.latency_s").to_numpy(), np.inf), truth)
    assert regrets[-1] <= 0.05
    assert (regrets[:-1] > 0.05).all()
    assert rows.num_rows > 1


def test_a_slow_taker_holds_the_agent_back(monkeypatch) -> None:
    monkeypatch.setattr(handover, "GATHER_ROWS", 100)
    (run,) = runs(spec_of(agents=[{"name": "counter", "hyperparameters": {"width": 50}}], budget=3000))
    stream = run_trials(run.problem.problem, task_of(run))
    sizes = []
    for _ in range(5):
        sizes.append(next(stream).num_rows)
        time.sleep(0.1)
    assert max(sizes) <= 150, "no more gathers than the bound and one batch"
    rows = sum(sizes)
    for item in stream:
        rows += 0 if isinstance(item, Ended) else item.num_rows
        last = item
    assert rows == 3000 or last.reason == "complete"
    assert last.elapsed_s < 0.4, "waiting for the taker is not the agent's time"


def test_sending_trials_off_is_not_charged_to_the_agent(monkeypatch) -> None:
    monkeypatch.setattr(handover, "GATHER_S", 0.005)
    sizes = []

    def busily(*given: Any) -> Any:
        until = time.perf_counter() + 0.05
        while time.perf_counter() < until:  # holding the interpreter, as making batches does
            pass
        sizes.append(len(given[-1]))
        return to_batch(*given)

    monkeypatch.setattr(worker, "to_batch", busily)
    (run,) = runs(spec_of(problems=[{"id": "Tiny", "options": {"design_s": 0.001}}], budget=200))
    *_, last = run_trials(run.problem.problem, task_of(run))
    assert len(sizes) > 10
    assert last.agent_s < 0.2 < 0.05 * len(sizes)
    assert last.elapsed_s < 0.8 * 0.05 * len(sizes)


class Watched(threading.Condition):
    """Notes how long it is waited on, and refuses to wait for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait_for(self, predicate: Any, timeout: float | None = None) -> Any:
        assert timeout is not None or predicate(), "nobody will come"
        self.waits.append(timeout)
        return super().wait_for(predicate, timeout)


def rows(count: int = 3) -> Any:
    return SimpleNamespace(evaluations=range(count))


def test_an_agent_that_thinks_for_long_holds_its_rows_back_for_a_fifth_of_a_second_at_most() -> None:
    buffer, heard = handover.Buffer(), rows()
    buffer._condition = watched = Watched()
    buffer.put(heard)
    assert buffer.take() == [heard]
    assert 0 < watched.waits[-1] <= 0.2


def test_a_taker_that_is_kept_up_holds_back_no_more_than_the_bound_and_one_batch(monkeypatch) -> None:
    monkeypatch.setattr(handover, "GATHER_ROWS", 100)
    monkeypatch.setattr(handover, "GATHER_S", 0.0)
    buffer, gone = handover.Buffer(), []

    def agent() -> None:
        try:
            for _ in range(5):
                buffer.put(rows(80))
                gone.append(80)
        except handover.Abandoned:
            gone.append(-1)

    thread = threading.Thread(target=agent, daemon=True)
    thread.start()
    deadline = time.monotonic() + 5
    while len(gone) < 2:  # it is due, but nobody waits for its rows: it goes on until the buffer is full
        assert time.monotonic() < deadline
        time.sleep(0.001)
    time.sleep(0.05)
    assert gone == [80, 80]
    assert len(buffer.take()) == 2
    time.sleep(0.05)
    assert gone == [80, 80], "a batch is being made"
    buffer.abandon()
    thread.join(5)
    assert gone == [80, 80, -1], "an agent that waits ends at once when its rows are not taken any more"


def test_a_taker_that_leaves_ends_the_thread() -> None:
    (run,) = runs(spec_of(problems=[{"id": "Tiny", "options": {"design_s": 0.002}}], budget=4000))
    stream = run_trials(run.problem.problem, task_of(run))
    next(stream)
    stream.close()
    deadline = time.monotonic() + 5
    while any(thread.name == f"run {run.key}" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_errors_of_the_agents_thread_arrive(tmp_path) -> None:
    trap = tmp_path / "trap"
    trap.touch()
    (run,) = runs(spec_of(problems=[{"id": "Tiny", "options": {"trap": str(trap)}}]))
    rows, failed = undisturbed(run)
    assert rows is None
    assert failed.error == "ArithmeticError: the model fell into its trap"
    assert "tiny_problems.py" in failed.traceback


def test_rows_of_one_fidelity_are_not_copied() -> None:
    (run,) = runs(spec_of(problems=["TinyCheap"], agents=["screener"]))
    rows, _ = undisturbed(run)
    cheap, faithful = (of_fidelity(rows, fidelity) for fidelity in ("cheap", "faithful"))
    assert cheap.num_rows + faithful.num_rows == rows.num_rows
    assert cheap.column("index").to_pylist()[:8] == list(range(8))
    assert faithful.column("index").to_pylist()[:2] == [8, 9]
    assert of_fidelity(faithful, "faithful") is faithful
    assert of_fidelity(faithful, "cheap").num_rows == 0
