"""What simulators came to is kept on disk: who recalls it, who pays again, and that trials never depend on it."""

import sqlite3
import threading
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tiny_problems
from runs_in_process import same_trials
from test_executor import made, ordered

from designgym.cost_models.base import Failure
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective
from designgym.experiments.executor import Id, Threads
from designgym.experiments.flight import numbered
from designgym.experiments.parts import RunFiles
from designgym.experiments.results import Remembering, Results, ResultsError, key_of, results_at, results_file
from designgym.experiments.rows import to_batch
from designgym.experiments.slow_here import search_here, trials_here
from designgym.experiments.tasks import task_of


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


@dataclass(frozen=True)
class StoredModel(tiny_problems.SlowModel):
    """The slow model, worth remembering. It sleeps for what its design says, so that times are equal too."""

    stored = True


def stored_run(paid: Path, agent: str = "local_search"):
    run = made(agent)
    model = StoredModel(paid=str(paid))
    problem = replace(run.problem, problem=replace(run.problem.problem, cost_model=model))
    return replace(run, problem=problem)


def flown(run, results, workers=1):
    *rows, last = trials_here(run.problem.problem, task_of(run), 6, workers=workers, results=results)
    numbers, heard = numbered(rows)
    import pyarrow as pa

    return ordered(pa.Table.from_batches([to_batch(run.problem.problem, run.key, numbers, heard)])), last


def lines(paid: Path) -> int:
    return len(paid.read_text().split()) if paid.exists() else 0


def test_a_second_run_pays_for_nothing_but_failures_and_makes_the_same_trials(tmp_path) -> None:
    paid = tmp_path / "paid"
    run = stored_run(paid, "random")
    first, _ = flown(run, Results(tmp_path / "kept.sqlite"))
    failed = sum(status == "failed" for status in first.column("status").to_pylist())
    assert lines(paid) == 40
    assert failed > 0, "the seed brings a failure along"
    paid.unlink()
    again, last = flown(run, Results(tmp_path / "kept.sqlite"), workers=3)
    assert lines(paid) == failed, "failures alone are tried again"
    assert same_trials(again, first)
    assert last.reason == "budget", "what is recalled counts in the budget"


def test_other_agents_share_what_is_kept(tmp_path) -> None:
    paid, results = tmp_path / "paid", Results(tmp_path / "kept.sqlite")
    for agent in ("random", "local_search", "genetic"):
        flown(stored_run(paid, agent), results)
    numbers = paid.read_text().split()
    failing = {str(n) for n in range(tiny_problems.SPACE.size) if n % 67 in (1, 2)}
    dear = [n for n in numbers if n not in failing]
    assert len(set(dear)) == len(dear)


def test_without_results_or_without_the_wish_nothing_is_kept(tmp_path) -> None:
    paid = tmp_path / "paid"
    flown(stored_run(paid), None)
    flown(stored_run(paid), None)
    assert lines(paid) == 80
    kept = Results(tmp_path / "kept.sqlite")
    flown(made(), kept)
    assert not kept.path.exists(), "a model that does not say stored = True"


SMALL = DesignSpace(Integer("rows", 1, 4), Categorical("flow", ("os", "ws")))
TURNED = DesignSpace(Categorical("flow", ("ws", "os")), Integer("rows", 1, 4))


def test_a_key_knows_names_and_not_their_places() -> None:
    model = tiny_problems.SlowModel()
    same = [key_of(model, space, space.parse({"rows": 2, "flow": "os"})) for space in (SMALL, TURNED)]
    assert same[0] == same[1]
    other = [
        key_of(model, SMALL, SMALL.parse({"rows": 2, "flow": "ws"})),
        key_of(model, SMALL, SMALL.parse({"rows": 3, "flow": "os"})),
        key_of(tiny_problems.TinyModel(), SMALL, SMALL.parse({"rows": 2, "flow": "os"})),
    ]
    assert same[0] not in other


def test_a_new_version_is_priced_anew(tmp_path) -> None:
    @dataclass(frozen=True)
    class Renewed(StoredModel):
        version = "renewed"

    paid, results = tmp_path / "paid", Results(tmp_path / "kept.sqlite")
    run = stored_run(paid)
    flown(run, results)
    problem = replace(run.problem.problem, cost_model=Renewed(paid=str(paid)))
    flown(replace(run, problem=replace(run.problem, problem=problem)), results)
    assert lines(paid) == 80


class _Held:
    """An executor that finishes what it is told to."""

    def __init__(self) -> None:
        self.submitted, self.done, self.errors = [], [], {}

    def submit(self, id, designs) -> None:
        self.submitted.append(id)

    def finished(self):
        while self.done:
            yield self.done.pop(0)


def test_a_design_under_way_is_handed_out_once(tmp_path) -> None:
    problem = DesignProblem(tiny_problems.SPACE, StoredModel(), Objective(minimize=("latency_s",)))
    held = _Held()
    executor = Remembering(held, {"p": problem}, Results(tmp_path / "kept.sqlite"), lambda: None)
    design = tiny_problems.SPACE.unrank(range(3, 4))
    one, other, late = (Id("p", run, 0) for run in ("a", "b", "c"))
    executor.submit(one, design)
    executor.submit(other, design)
    assert held.submitted == [one]
    assert list(executor.finished()) == []
    columns = {**tiny_problems.TinyModel().evaluate(design), "slept_s": np.zeros(1)}
    held.done.append((one, columns))
    assert [id for id, _ in executor.finished()] == [one, other]
    executor.submit(late, design)
    ((id, found),) = executor.finished()
    assert id == late
    assert held.submitted == [one]
    assert {name: float(column[0]) for name, column in found.items()} == {
        name: float(column[0]) for name, column in columns.items()
    }
    failed = tiny_problems.SPACE.unrank(range(4, 5))
    executor.submit(one, failed)
    executor.submit(other, failed)
    held.errors[one] = Failure("it crashed")
    held.done.append((one, {name: np.full(1, np.inf if name == "violation" else np.nan) for name in columns}))
    assert [id for id, _ in executor.finished()] == [one, other]
    assert executor.errors == {one: Failure("it crashed"), other: Failure("it crashed")}
    executor.submit(late, failed)
    assert held.submitted == [one, one, late], "a failure is not kept"


def test_results_of_several_processes_lie_in_one_file(tmp_path) -> None:
    """Two that keep at the same time both find everything."""
    path, model = tmp_path / "kept.sqlite", StoredModel()

    def keep(first: int) -> None:
        results = Results(path)
        for n in range(first, first + 50):
            results.keep(f"{n}", model, {"latency_s": np.array([n / 7]), "violation": np.zeros(1)})

    threads = [threading.Thread(target=partial(keep, first)) for first in (0, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [Results(path).find(f"{n}") for n in range(75)]
    assert [one["latency_s"][0] for one in found] == [n / 7 for n in range(75)], "bit for bit"


def test_a_damaged_file_is_said_in_one_line(tmp_path) -> None:
    path = tmp_path / "kept.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(
        ResultsError, match=r"kept\.sqlite, which keeps results, cannot be used: .*--results off"
    ) as said:
        Results(path).find("a")
    assert "\n" not in str(said.value)
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE results (key TEXT)")
    with pytest.raises(ResultsError, match="cannot be used"):
        Results(tmp_path / "other.sqlite").find("a")


def test_where_results_lie(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DESIGNGYM_CACHE_DIR", raising=False)
    assert results_file() == tmp_path / "cache" / "designgym" / "results.sqlite"
    monkeypatch.setenv("DESIGNGYM_CACHE_DIR", str(tmp_path))
    assert results_file() == tmp_path / "results.sqlite"
    assert results_at("off") is None
    assert results_at(str(tmp_path / "x")).path == tmp_path / "x"


def test_a_model_whose_program_is_not_there_says_so_before_the_first_trial(tmp_path) -> None:
    @dataclass(frozen=True)
    class Missing(StoredModel):
        def check_ready(self) -> None:
            raise ValueError("the simulator is not installed. Install it.")

    problem = DesignProblem(tiny_problems.SPACE, Missing(), Objective(minimize=("latency_s",)))
    with pytest.raises(ValueError, match="not installed"):
        search_here(problem, "random", 4)


# -- what a failure leaves --------------------------------------------------------------------------------------------


def test_a_failed_trial_keeps_its_log(tmp_path) -> None:
    files = RunFiles(tmp_path, "key")
    (tmp_path / "runs").mkdir()
    files.note_failure(3, Failure("exit code 7", "segmentation fault at step 12\n"))
    files.note_failure(5, Failure("no time left"))
    assert files.failures.read_text() == "trial 3: exit code 7\ntrial 5: no time left\n"
    assert files.log_of(3).read_text() == "segmentation fault at step 12\n"
    assert not files.log_of(5).exists()


def test_a_run_in_this_process_says_what_failed() -> None:
    problem = DesignProblem(tiny_problems.SPACE, StoredModel(), Objective(minimize=("latency_s",)))
    heard: list[tuple[int, Failure]] = []
    start = tiny_problems.SPACE.unrank(range(0, 3))
    trials = search_here(problem, "random", 4, start=start, failed=lambda number, why: heard.append((number, why)))
    assert len(trials) == 4
    ((number, failure),) = heard
    assert number == 1
    assert failure.reason == "ArithmeticError: design 1 cannot be simulated"
    assert "Traceback" in failure.log
    threads = Threads({"": problem.cost_model}, 1, lambda: None)
    threads.close()
