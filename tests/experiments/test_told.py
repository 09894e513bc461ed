"""Agents that are told their log: the same trials wherever a run is cut, repeats logged, a quick continuation."""

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import tiny_problems
from runs_in_process import same_trials, undisturbed

from designgym.agents.base import Agent, ToldBefore, run
from designgym.envs import MeteredProblem
from designgym.experiments.replay import told_before
from designgym.experiments.rows import designs_of, evaluations_of
from designgym.experiments.runs import runs
from designgym.experiments.spec import make_spec
from designgym.experiments.tasks import Failed, task_of
from designgym.experiments.worker import run_trials

BUDGET = 60
START = [{"rows": 3, "dataflow": "ws", "stages": 2}, {"rows": 64, "order": "k,n,m"}]


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


def made(agent="climber", **keys):
    given = {"name": "s", "problems": ["Tiny"], "agents": [agent], "seeds": 1, "budget": BUDGET, **keys}
    (one,) = runs(make_spec(given))
    return one


@pytest.mark.parametrize("kept", [1, 2, 3, 17, 40, 71, None])
@pytest.mark.parametrize("start", [[], START], ids=["anywhere", "from designs"])
def test_a_told_run_ends_in_the_same_trials_wherever_it_was_cut(kept, start) -> None:
    run = made(start=start)
    whole, ended = undisturbed(run)
    fresh = whole.column("fresh").to_numpy(zero_copy_only=False)
    assert fresh.sum() == BUDGET
    assert 10 < (~fresh).sum() == ended.repeats, "repeats are told, and so logged"
    assert ended.asked == ended.timed == whole.num_rows
    kept = whole.num_rows if kept is None else kept
    rest, again = undisturbed(run, whole[:kept])
    joined = whole[:kept] if rest is None else pa.concat_tables([whole[:kept], rest])
    assert same_trials(joined, whole)
    assert (again.reason, again.asked, again.repeats) == (ended.reason, ended.asked, ended.repeats)
    told = told_before(whole[:kept], run.problem.problem.space)
    assert again.timed == again.asked - (len(told.designs["rows"]) if told else 0)


def test_repeats_at_the_end_of_a_log_are_kept() -> None:
    """A log whose last asks were all priced before: what the run still asks is logged from there on."""
    run = made()
    whole, _ = undisturbed(run)
    fresh = whole.column("fresh").to_numpy(zero_copy_only=False)
    asks = whole.column("ask").to_numpy()
    only_repeats = [ask for ask in range(2, asks[-1]) if not fresh[asks == ask].any()]
    assert only_repeats, "the test needs an ask of repeats alone"
    for ask in only_repeats:
        for kept in (np.searchsorted(asks, ask), np.searchsorted(asks, ask, side="right")):
            rest, _ = undisturbed(run, whole[:kept])
            assert same_trials(pa.concat_tables([whole[:kept], rest]), whole)


def test_the_log_is_told_at_once() -> None:
    run_spec = made()
    whole, _ = undisturbed(run_spec)
    problem = run_spec.problem.problem
    heard = []
    fresh = whole.filter(whole.column("fresh"))
    logged = designs_of(fresh, problem.space), evaluations_of(fresh, problem)
    metered = MeteredProblem(problem, BUDGET + 20, heard.append, logged)
    agent = tiny_problems.Climber(metered, np.random.default_rng(0))
    told = ToldBefore(designs_of(whole, problem.space), int(whole.column("ask")[-1].as_py()) + 1)
    assert run(agent, told=told) == "budget"
    asks = [answer.ask for answer in heard]
    assert metered.spent() == BUDGET + 20
    assert asks[0] == told.asks, "asks are counted on"
    assert agent.tells <= 1 + len(set(asks))


def test_a_design_that_differs_stops_a_told_run() -> None:
    whole, _ = undisturbed(made())
    other = made(seeds=[5])
    *_, last = run_trials(other.problem.problem, task_of(other), whole[:42])
    assert isinstance(last, Failed)
    assert last.replay
    assert "differs from the logged one" in last.error


def test_closeness_ends_a_told_run_however_it_is_continued() -> None:
    run = made()
    whole, _ = undisturbed(run)
    losses = np.where(
        whole.column("feasible").to_numpy(zero_copy_only=False), whole.column("loss.latency_s").to_numpy(), np.inf
    )
    task = replace(task_of(run), stop_loss=float(np.minimum.accumulate(losses)[30]))
    *batches, ended = run_trials(run.problem.problem, task)
    stopped = pa.Table.from_batches(batches)
    assert ended.reason == "regret"
    assert stopped.num_rows < whole.num_rows
    for kept in (1, stopped.num_rows // 2, stopped.num_rows - 1, stopped.num_rows):
        *rest, again = run_trials(run.problem.problem, task, stopped[:kept])
        assert again.reason == "regret"
        assert same_trials(pa.concat_tables([stopped[:kept], *(pa.Table.from_batches([b]) for b in rest)]), stopped)


def test_only_its_own_loop_tells_a_log() -> None:
    with pytest.raises(TypeError, match="must leave search\\(\\) as it is to be told"):

        class _Both(Agent):
            told = True

            def search(self) -> None: ...

    problem = MeteredProblem(tiny_problems.tiny(), 10)
    agent = tiny_problems.Counter(problem, np.random.default_rng(0))
    with pytest.raises(ValueError, match="only a told agent can be told a log, got Counter"):
        run(agent, told=ToldBefore(problem.space.unrank(range(3)), 1))


def test_an_agent_that_is_asked_again_counts_everything_it_asked() -> None:
    run = made("local_search", budget=40)
    whole, ended = undisturbed(run)
    rest, again = undisturbed(run, whole[:25])
    assert rest.num_rows == 15
    assert (again.asked, again.repeats, again.timed) == (ended.asked, ended.repeats, ended.asked)
    assert 0 < ended.agent_s <= ended.elapsed_s


def test_a_told_run_of_5000_trials_goes_on_within_two_seconds(monkeypatch) -> None:
    monkeypatch.setattr(tiny_problems.Climber, "batch", 50)
    run = made(problems=[{"id": "SystolicArray"}], budget=5010)
    *batches, _ = run_trials(run.problem.problem, replace(task_of(run), budget=5000))
    logged = pa.Table.from_batches(batches)
    begun = time.perf_counter()
    stream = run_trials(run.problem.problem, task_of(run), logged)
    next(stream)
    assert time.perf_counter() - begun < 2.0
    stream.close()
