"""Runs of slow models in this process: who asks when, what is told when, what fails, how a cut run goes on."""

import json
import threading
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import tiny_problems
from runs_in_process import same_trials, undisturbed

from designgym.envs import DesignSpace, Integer
from designgym.experiments.cli import main
from designgym.experiments.dry_run import dry_run
from designgym.experiments.executor import Id, Threads
from designgym.experiments.flight import numbered
from designgym.experiments.rows import to_batch
from designgym.experiments.runs import runs
from designgym.experiments.slow_here import search_here, trials_here
from designgym.experiments.spec import SpecError, make_spec
from designgym.experiments.tasks import Failed, task_of

AGENTS = ["climber", "local_search", {"name": "genetic", "hyperparameters": {"population": 8}}, "random", "optuna_tpe"]
BUDGET, IN_FLIGHT = 40, 6


@pytest.fixture(autouse=True)
def _tiny_names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)


def made(agent="local_search", options=None, **keys):
    problem = {"id": "TinySlow", "options": options or {}}
    given = {"name": "s", "problems": [problem], "agents": [agent], "seeds": 1, "budget": BUDGET, **keys}
    (run,) = runs(make_spec(given))
    return run


def flown(run, in_flight=IN_FLIGHT, order="asked", workers=1, logged=None, **task):
    """Return a run's new trials, in the order finished, and how it ended."""
    *rows, last = trials_here(run.problem.problem, replace(task_of(run), **task), in_flight, order, workers, logged)
    if not rows:
        return None, last
    numbers, heard = numbered(rows)
    if order == "completion":
        numbers = (0 if logged is None else logged.num_rows) + np.arange(len(heard))
    return pa.Table.from_batches([to_batch(run.problem.problem, run.key, numbers, heard)]), last


def ordered(*tables):
    rows = pa.concat_tables([table for table in tables if table is not None]).unify_dictionaries()
    return rows.take(np.argsort(rows.column("index").to_numpy(), kind="stable")).combine_chunks()


def cut(rows, k, more):
    """The log of a run that was killed: all trials before k, and some of those after it that were under way."""
    index = rows.column("index").to_numpy()
    return rows.filter(pa.array((index < k) | np.isin(index, [k + ahead for ahead in more])))


# -- executors --------------------------------------------------------------------------------------------------------


def test_threads_price_and_say_what_failed() -> None:
    model = tiny_problems.SlowModel()
    done = threading.Semaphore(0)
    executor = Threads({"tiny": model}, 2, done.release)
    for number in (0, 1, 2):
        executor.submit(Id("tiny", "run", number), tiny_problems.SPACE.unrank(range(number, number + 1)))
    for _ in range(3):
        assert done.acquire(timeout=5)
    found = {id.number: metrics for id, metrics in executor.finished()}
    assert sorted(found) == [0, 1, 2]
    assert np.isfinite(found[0]["latency_s"]).all()
    for number in (1, 2):
        assert np.isnan(found[number]["latency_s"]).all()
        assert np.isinf(found[number]["violation"]).all()
    assert executor.errors[Id("tiny", "run", 1)].reason == "ArithmeticError: design 1 cannot be simulated"
    executor.close()


# -- the order of asking and telling ----------------------------------------------------------------------------------


class Single(tiny_problems.Counter):
    """Asks ranks 0, 1, 2, ... one at a time, and notes what it is asked and told."""

    events: list = []  # noqa: RUF012

    def ask(self, n):
        self._next += 1
        self.events.append(("ask", self._next - 1))
        return self.space.unrank(range(self._next - 1, self._next))

    def tell(self, designs, evaluations) -> None:
        self.events += [("tell", rank) for rank in self.space.rank(designs).tolist()]


@pytest.mark.parametrize("in_flight", [1, 4])
def test_ask_m_is_made_when_trial_m_minus_in_flight_was_told(in_flight, monkeypatch) -> None:
    monkeypatch.setattr(Single, "events", [])
    rows, ended = flown(made(options={"design_s": 0.002, "spread": 1.0}), in_flight, workers=4, agent=Single,
                        hyperparameters={})  # fmt: skip
    assert (rows.num_rows, ended.reason) == (BUDGET, "budget")
    expected = [("ask", m) for m in range(in_flight)]
    for m in range(in_flight, BUDGET):
        expected += [("tell", m - in_flight), ("ask", m)]
    assert Single.events == expected + [("tell", m) for m in range(BUDGET - in_flight, BUDGET)]


@pytest.mark.parametrize("agent", AGENTS, ids=str)
def test_the_same_trials_whatever_the_workers(agent) -> None:
    run = made(agent, options={"design_s": 0.02, "spread": 1.0})  # far above what busy cores delay a design by
    alone, ended = flown(run)
    many, again = flown(run, workers=5)
    assert many.column("index").to_pylist() != sorted(many.column("index").to_pylist()), "some overtake others"
    assert same_trials(ordered(alone), ordered(many))
    assert (ended.reason, ended.asked, ended.repeats) == (again.reason, again.asked, again.repeats)
    assert ordered(alone).column("index").to_pylist() == list(range(alone.num_rows))
    fresh = alone.filter(alone.column("fresh")).num_rows
    assert fresh == BUDGET
    if agent == "climber":
        assert alone.num_rows == ended.asked > BUDGET, "the repeats are logged"


def test_one_in_flight_is_a_run_as_any_other() -> None:
    for agent in ("local_search", "climber", {"name": "counter", "hyperparameters": {"width": 1}}):
        run = made(agent)
        slow, ended = flown(run, in_flight=1)
        problem = run.problem.problem
        calm = tiny_problems.SlowModel
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(calm, "evaluate", lambda self, designs, own=calm.evaluate: each(own, self, designs))
            patch.setattr(tiny_problems.Climber, "batch", 1)
            fast, over = undisturbed(run)
        assert problem.cost_model.slow
        drop = [] if agent == "climber" else ["ask"]
        assert same_trials(ordered(slow).drop_columns(drop), fast.drop_columns(drop))
        assert (ended.reason, ended.asked, ended.repeats) == (over.reason, over.asked, over.repeats)


def each(own, model, designs):
    """Price a batch one by one, as an executor does, and failures as it does."""
    from designgym.experiments.executor import attempt

    parts = []
    for row in range(len(designs["rows"])):
        one = {name: column[row : row + 1] for name, column in designs.items()}
        parts.append(
            attempt(type("M", (), {"evaluate": lambda _, d: own(model, d), "metrics": model.metrics})(), one)[0]
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# -- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", AGENTS, ids=str)
@pytest.mark.parametrize(("k", "more"), [(0, [2, 5]), (1, []), (7, [1, 2, 4]), (23, [3]), (38, [1]), (99, [])])
def test_a_slow_run_ends_in_the_same_trials_wherever_it_was_cut(agent, k, more) -> None:
    run = made(agent, start=[{"rows": 3}, {"rows": 5}])
    whole, ended = flown(run)
    whole = ordered(whole)
    kept = cut(whole, k, more)
    rest, again = flown(run, logged=kept, workers=3)
    assert same_trials(ordered(kept, rest), whole)
    assert (again.reason, again.asked, again.repeats) == (ended.reason, ended.asked, ended.repeats)


@pytest.mark.parametrize(("k", "more"), [(3, []), (9, [1]), (17, []), (50, [])])
def test_an_agent_with_a_search_of_its_own_waits_for_each_batch(k, more) -> None:
    run = made("screener", options={"cheap": True})
    whole, ended = flown(run)
    whole = ordered(whole)
    assert whole.column("fidelity").to_pylist()[:10] == ["cheap"] * 8 + ["faithful"] * 2
    kept = cut(whole, k, more)
    rest, again = flown(run, logged=kept, workers=2)
    assert same_trials(ordered(kept, rest), whole)
    assert again.reason == ended.reason


def test_what_is_logged_is_not_priced_again(tmp_path) -> None:
    paid = tmp_path / "paid"
    for agent in ("local_search", "climber"):
        run = made(agent, options={"paid": str(paid)})
        whole, _ = flown(run)
        before = paid.read_text().splitlines()
        assert len(set(before)) == len(before) == BUDGET, "no design is priced twice"
        paid.write_text("")
        kept = cut(ordered(whole), 20, [2, 4])
        flown(run, logged=kept)
        assert len(paid.read_text().splitlines()) == BUDGET - kept.filter(kept.column("fresh")).num_rows
        paid.unlink()


def test_a_design_that_differs_stops_a_continued_run() -> None:
    whole, _ = flown(made("random"))
    _, last = flown(made("random", seeds=[5]), logged=ordered(whole)[:20])
    assert isinstance(last, Failed)
    assert last.replay


def test_results_told_as_they_come(tmp_path) -> None:
    paid = tmp_path / "paid"
    for agent in ("climber", "random"):
        run = made(agent, options={"design_s": 0.002, "spread": 1.0, "paid": str(paid)})
        whole, ended = flown(run, order="completion", workers=4)
        assert ended.reason == "budget"
        assert whole.column("index").to_pylist() == list(range(whole.num_rows))
        asks = whole.filter(whole.column("fresh")).column("ask").to_pylist()
        assert asks != sorted(asks), "one that ended sooner was told sooner"
        rest, again = flown(run, order="completion", workers=4, logged=whole[:15])
        assert again.reason == "budget"
        joined = pa.concat_tables([whole[:15], rest])
        assert joined.column("index").to_pylist() == list(range(joined.num_rows))
        fresh = joined.filter(joined.column("fresh"))
        ranks = zip(*(fresh.column(f"design.{name}").to_pylist() for name in tiny_problems.SPACE.columns), strict=True)
        assert len(set(ranks)) == fresh.num_rows == BUDGET


# -- failures, ends ---------------------------------------------------------------------------------------------------


def test_a_failed_design_counts_once_and_is_told_as_the_worst() -> None:
    run = made({"name": "counter", "hyperparameters": {"width": 1}})
    rows, ended = flown(run)
    rows = ordered(rows)
    assert rows.column("status").to_pylist()[:4] == ["ok", "failed", "failed", "ok"]
    assert ended.reason == "budget"
    assert rows.num_rows == BUDGET
    reward = rows.column("reward").to_numpy()
    assert (reward[1:3] == -200).all()
    assert (np.delete(reward, [1, 2]) > -200).all()
    assert np.isnan(rows.column("metric.latency_s").to_numpy()[1:3]).all()
    assert np.isinf(rows.column("violation").to_numpy()[1:3]).all()


class Outside(tiny_problems.Counter):
    """Asks rows = 1000, 1001, ..., which the space does not have, and now and then one that it has."""

    def ask(self, n):
        self._next += 1
        designs = self.space.unrank(range(self._next, self._next + 1))
        return designs if self._next % 4 == 0 else {**designs, "rows": np.array([1000 + self._next])}


def test_a_design_outside_the_space_is_not_handed_out(tmp_path) -> None:
    paid = tmp_path / "paid"
    rows, ended = flown(made(options={"paid": str(paid)}), agent=Outside, hyperparameters={})
    assert (rows.num_rows, ended.reason) == (BUDGET, "budget")
    outside = ordered(rows).column("design.rows").to_numpy() >= 1000
    assert outside.sum() == 30
    assert len(paid.read_text().splitlines()) == 10
    assert (ordered(rows).column("violation").to_numpy()[outside] >= 1).all()


def test_a_space_that_is_used_up_ends_complete() -> None:
    problem = tiny_problems.tiny_slow()
    small = DesignSpace(Integer("rows", 1, 7), *problem.space.parameters[1:3])

    class Small(tiny_problems.TinyModel):
        slow = True

        def evaluate(self, designs):
            n = len(designs["rows"])
            return super().evaluate({**designs, "order": np.zeros(n), "stages": np.ones(n)})

    trials = search_here(replace(problem, space=small, cost_model=Small()), "random", 1000, in_flight=5, workers=3)
    assert (len(trials), trials.ended) == (small.size, "complete")


def test_closeness_ends_a_slow_run_once_all_that_was_asked_is_priced() -> None:
    run = made()
    whole = ordered(flown(run)[0])
    feasible = whole.column("feasible").to_numpy(zero_copy_only=False)
    losses = np.where(feasible, whole.column("loss.latency_s").to_numpy(), np.inf)
    goal = float(np.minimum.accumulate(losses)[15])
    first = int(np.argmax(losses <= goal))
    rows, ended = flown(run, stop_loss=goal, workers=3)
    assert ended.reason == "regret"
    assert same_trials(ordered(rows), whole[: first + IN_FLIGHT])
    for k in (1, first, first + 2, 99):
        kept = cut(ordered(rows), k, [1])
        rest, again = flown(run, stop_loss=goal, logged=kept)
        assert again.reason == "regret"
        assert same_trials(ordered(kept, rest), ordered(rows))


def test_seconds_cut_a_slow_run() -> None:
    run = made("random", options={"design_s": 0.03}, budget=1000)
    rows, ended = flown(run, in_flight=50, workers=2, seconds=0.4)
    assert ended.reason == "seconds"
    assert 10 < rows.num_rows < 32
    assert ended.elapsed_s < 0.6
    assert ordered(rows).column("index").to_pylist() == list(range(rows.num_rows)), "what was handed out is logged"
    none, again = flown(run, logged=ordered(rows), seconds=0.4)
    assert none is None
    assert again.reason == "seconds"


def test_a_broken_contract_breaks_the_run(monkeypatch) -> None:
    monkeypatch.setattr(
        tiny_problems.SlowModel, "evaluate", lambda self, designs: {m.name: np.full(1, np.nan) for m in self.metrics}
        | {"violation": np.zeros(1)},
    )  # fmt: skip
    _, last = flown(made())
    assert isinstance(last, Failed)
    assert last.model
    assert "SlowModel: latency_s may be NaN only where violation > 0" in last.error


def test_an_error_of_the_agent_ends_the_run() -> None:
    class Stumbles(Single):
        def tell(self, designs, evaluations) -> None:
            raise RuntimeError("it fell")

    rows, last = flown(made(options={"design_s": 0.01}), agent=Stumbles, hyperparameters={}, workers=2)
    assert last.error == "RuntimeError: it fell"
    assert rows.num_rows >= 2, "what was being priced is logged"


def test_a_search_in_process_gives_trials() -> None:
    trials = search_here(tiny_problems.tiny_slow(), "local_search", 30, workers=2)
    assert (len(trials), trials.ended) == (30, "budget")
    assert trials.best is not None
    with pytest.raises(ValueError, match="unknown"):
        search_here(tiny_problems.tiny_slow(), "local_search", 30, patiense=3)


def test_run_prices_a_slow_model_by_threads(capsys) -> None:
    words = ["run", "TinySlow", "--budget", "20", "--json"]
    printed = []
    for more in ([], ["--workers", "3"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["designgym", *words, *more])
            with suppress(SystemExit):
                main()
        printed.append(json.loads(capsys.readouterr().out))
    assert [one["trials"] for one in printed] == [20, 20]
    for wrong, said in ((["--workers", "0"], "at least 1"), (["--set", "cheap=true", "--workers", "x"], "workers")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["designgym", *words, *wrong])
            with pytest.raises(SystemExit) as left:
                main()
        assert left.value.code == 2
        assert said in capsys.readouterr().err


def test_a_dry_run_prices_one_design_of_a_slow_model_for_each_agent(tmp_path) -> None:
    paid = tmp_path / "paid"
    problem = {"id": "TinySlow", "options": {"design_s": 0.05, "paid": str(paid)}}
    agents = ["random", "local_search"]
    estimate = dry_run(make_spec({"name": "s", "problems": [problem], "agents": agents, "seeds": 3, "budget": 100}), 4)
    assert len(paid.read_text().splitlines()) == 2
    assert estimate.designs == 600
    assert 0.8 * 600 * 0.05 / 4 < estimate.seconds < 3 * 600 * 0.05 / 4


# -- the specification ------------------------------------------------------------------------------------------------


def test_in_flight_and_order_are_for_slow_models() -> None:
    given = {"name": "s", "problems": ["TinySlow"], "agents": ["random"], "seeds": 1, "budget": 9}
    fast = {**given, "problems": ["Tiny"]}
    for wrong, said in (
        ({**given, "in_flight": 0}, "in_flight must be an integer of at least 1 .*, got 0"),
        ({**given, "order": "random"}, "order must be asked or completion, got 'random'"),
        ({**fast, "in_flight": 8}, "in_flight is for problems whose cost model is slow, got 8 and no such problem"),
        ({**fast, "order": "asked"}, "order is for problems whose cost model is slow"),
    ):
        with pytest.raises(SpecError, match=said) as refused:
            make_spec(wrong)
        assert "\n" not in str(refused.value)
    (slow,) = runs(make_spec({**given, "in_flight": 8}))
    assert (slow.definition["in_flight"], slow.definition["order"]) == (8, "asked")
    keys = {runs(make_spec({**given, **more}))[0].key for more in
            ({"in_flight": 8}, {"in_flight": 9}, {"in_flight": 8, "order": "completion"})}  # fmt: skip
    assert len(keys) == 3
    both = runs(make_spec({**given, "problems": ["Tiny", "TinySlow"], "in_flight": 8}))
    assert both[0].key == runs(make_spec(fast))[0].key, "a run of a fast model does not depend on it"
