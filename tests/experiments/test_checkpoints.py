"""Runs that go on from a checkpoint: they make the trials of an undisturbed run, and not the first ones again."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import played_problems
import pyarrow as pa
import pytest
import tiny_problems
from runs_in_process import joined, kept, same_trials, spec_of, undisturbed

from designgym.experiments import checkpoints, trust
from designgym.experiments.checkpoints import read_checkpoint, write_checkpoint
from designgym.experiments.handover import Checkpoint, Note
from designgym.experiments.runs import runs
from designgym.experiments.spec import SpecError
from designgym.experiments.tasks import Ended, Failed, task_of
from designgym.experiments.worker import run_trials

CROSS = {"name": "cross_entropy", "hyperparameters": {"population": 4, "episodes": 2}}
SHORT = {"ppo": {"steps": 32}, "dqn": {"startup": 20}}
STEPPING = {"id": "ThreeBodyStepping", "options": {"reward": "evaluations"}}


@pytest.fixture(autouse=True)
def _names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)
    played_problems.registered(monkeypatch)


# -- a run in this process ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "agent", "budget", "between"),
    [(STEPPING, CROSS, 30, 1), ("Tiny", "resting", 25, 6), ("TinyCheap", "resting", 25, 6)],
    ids=["cross_entropy", "resting", "two fidelities"],
)
def test_a_run_goes_on_from_each_checkpoint(problem, agent, budget, between) -> None:
    """between: designs asked between two rests."""
    (run,) = runs(spec_of(problems=[problem], agents=[agent], budget=budget, checkpoint_s=0))
    whole, expected = undisturbed(run)
    rows, asides, ended = kept(run)
    assert same_trials(rows, whole)
    assert (ended.reason, ended.asked) == (expected.reason, expected.asked)
    assert [one for one in asides if not isinstance(one, Checkpoint)] == []
    assert len(asides) >= 6
    for place in (0, len(asides) // 2, len(asides) - 1):
        one = asides[place]
        for end in sorted({one.rows, min(one.rows + 3, whole.num_rows), whole.num_rows}):
            rest, more, again = kept(run, whole[:end], one)
            assert isinstance(again, Ended), again
            assert same_trials(joined(whole[:end], rest), whole)
            assert (again.reason, again.asked, again.repeats) == (expected.reason, expected.asked, expected.repeats)
            assert again.timed == expected.timed - (place + 1) * between, "what came before it is not asked again"
            assert all(isinstance(item, Checkpoint) for item in more)


@pytest.mark.parametrize(
    ("problem", "name", "budget"), [("SlowWalks", "ppo", 120), ("SlowWalks", "dqn", 120), ("Tiny", "ppo", 200)]
)
def test_a_run_that_trains_goes_on_from_its_checkpoint(problem, name, budget) -> None:
    pytest.importorskip("sb3_contrib", reason="needs the extra rl")
    entry = {"name": name, "hyperparameters": {"envs": 4, "batch": 32, "width": 32} | SHORT[name]}
    (run,) = runs(spec_of(problems=[problem], agents=[entry], budget=budget, checkpoint_s=0))
    whole, asides, expected = kept(run)
    places = [one.rows for one in asides]
    one = asides[len(asides) // 2]
    assert 0 < one.rows < budget, places
    assert whole.num_rows == budget
    end = min(one.rows + 3, budget)
    rest, _, again = kept(run, whole[:end], one)
    assert isinstance(again, Ended), again
    assert same_trials(joined(whole[:end], rest), whole)
    assert (again.asked, again.repeats) == (expected.asked, expected.repeats)
    assert again.timed < expected.timed
    rest, _, again = kept(run, whole[:end])
    assert same_trials(joined(whole[:end], rest), whole), "from its start too"
    assert again.timed == expected.timed


def test_none_is_made_before_its_time_nor_of_what_is_logged() -> None:
    (run,) = runs(spec_of(problems=["SlowWalks"], agents=[CROSS], budget=20))
    assert run.checkpoint_s == 60
    assert kept(run)[1] == []
    at_once = replace(run, checkpoint_s=0.0)
    whole, asides, _ = kept(at_once)
    assert [one.rows for one in asides] == list(range(1, 21))
    _, asides, ended = kept(at_once, whole[:12])
    assert [one.rows for one in asides] == list(range(13, 21)), "of trials that are only made again there is none"
    assert ended.timed == 20
    *items, _ = run_trials(run.problem.problem, task_of(at_once))
    assert all(isinstance(item, pa.RecordBatch) for item in items), "none is made where none is kept"


def test_making_them_is_a_small_share_of_a_run(monkeypatch) -> None:
    class Clock:
        now = 0.0

        def perf_counter(self) -> float:
            return self.now

    class Watch:
        rows, resuming, paused = 5, False, 0.0

        def pause(self, seconds: float) -> None:
            self.paused += seconds

    class Dear:
        def __reduce__(self) -> Any:
            clock.now += 2.0
            return int, ()

    class Buffer(list):
        put_aside = list.append

    clock, watch, buffer = Clock(), Watch(), Buffer()
    monkeypatch.setattr(checkpoints, "time", clock)
    maker = checkpoints.CheckpointMaker(10.0, watch, buffer)
    made = []
    for second in range(1, 200):
        clock.now = max(clock.now, second)
        before = len(buffer)
        maker(Dear())
        made += [second] * (len(buffer) - before)
    assert made[0] == 10
    assert all(after - one >= 2 * checkpoints.SHARE for one, after in pairwise(made))
    assert maker.spent_s == watch.paused == 2.0 * len(made)


def test_a_continued_run_that_comes_to_other_trials_is_stopped() -> None:
    (run,) = runs(spec_of(problems=["SlowWalks"], agents=[CROSS], budget=20, checkpoint_s=0))
    whole, asides, _ = kept(run)
    place = whole.schema.get_field_index("loss.cost")
    costs = whole.column("loss.cost").to_pylist()
    other = whole.set_column(place, "loss.cost", pa.array([*costs[:10], 99.0, *costs[11:]]))
    assert asides[7].rows == 8
    _, _, ended = kept(run, other[:15], asides[7])
    assert isinstance(ended, Failed)
    assert ended.replay
    assert "design 10 of the continued run differs" in ended.error


@pytest.mark.parametrize("spoilt", ["versions", "state"])
def test_one_that_cannot_be_loaded_is_left(spoilt) -> None:
    (run,) = runs(spec_of(problems=["SlowWalks"], agents=[CROSS], budget=20, checkpoint_s=0))
    whole, asides, _ = kept(run)
    one = asides[10]
    bad = {
        "versions": replace(one, versions={**one.versions, "numpy": "1.0"}),
        "state": replace(one, state=b"cno_such_module\nNo\n."),
    }[spoilt]
    rest, [note, *_], ended = kept(run, whole[:14], bad)
    assert same_trials(joined(whole[:14], rest), whole)
    assert ended.timed == 20, "from its start"
    assert isinstance(note, Note)
    assert {"versions": "made by numpy 1.0, now", "state": "does not load: ModuleNotFoundError"}[spoilt] in note.text
    assert note.text.endswith("it begins at its start")


def test_an_agent_that_does_not_pickle_runs_without() -> None:
    (run,) = runs(spec_of(agents=["stubborn"], budget=25, checkpoint_s=0))
    rows, [note], ended = kept(run)
    assert ended.reason == "budget"
    assert same_trials(rows, undisturbed(run)[0])
    assert note.text.startswith("no checkpoint: the agent does not pickle: TypeError: ")


def test_the_time_between_them_is_no_part_of_a_run() -> None:
    keys = {run.key for s in (0, 5.5, 60) for run in runs(spec_of(checkpoint_s=s))}
    assert len(keys) == 1
    with pytest.raises(SpecError, match=r"checkpoint_s must be a number of at least 0 .*, got -1"):
        spec_of(checkpoint_s=-1)


# -- its file ----------------------------------------------------------------------------------------------------------

ONE = Checkpoint(7, {"numpy": "2"}, b"state\nof an agent" * 100)


def test_a_file_holds_what_was_written(tmp_path) -> None:
    path = tmp_path / "checkpoint"
    assert read_checkpoint(path, "key", 7) is None
    write_checkpoint(path, "key", ONE)
    assert read_checkpoint(path, "key", 7) == read_checkpoint(path, "key", 9) == ONE
    assert [found.name for found in tmp_path.iterdir()] == ["checkpoint"]
    assert "stands at trial 7, and the log holds 6" in read_checkpoint(path, "key", 6).why
    assert "of another run" in read_checkpoint(path, "other", 7).why


def test_what_is_torn_or_flipped_or_of_another_machine_is_not_used(tmp_path, monkeypatch) -> None:
    path = tmp_path / "checkpoint"
    write_checkpoint(path, "key", ONE)
    data = path.read_bytes()
    for length in (0, 1, 20, 60, 120, 300, len(data) - 1):
        path.write_bytes(data[:length])
        assert "damaged" in read_checkpoint(path, "key", 7).why
    for place in [*range(0, 200, 3), len(data) - 1]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        assert "damaged" in read_checkpoint(path, "key", 7).why
    path.write_bytes(data)
    assert read_checkpoint(path, "key", 7) == ONE
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "elsewhere"))
    assert "not made by this user on this machine" in read_checkpoint(path, "key", 7).why


def test_signatures_are_of_this_test_alone() -> None:
    assert trust.key_file() != Path.home() / ".local" / "state" / "designgym" / "key"
