"""surrogate_search: what it looks at, how it fills a batch, when it fits, and what it finds."""

import time
from typing import Any

import numpy as np
import pytest

from designgym.agents import agent_class, make_agent, search
from designgym.agents.archive import Archive
from designgym.agents.candidates import Candidates
from designgym.agents.places import Places, PlaceSet
from designgym.agents.quasi_random import QuasiRandom
from designgym.agents.surrogate_pool import SurrogatePool
from designgym.agents.surrogate_process import Prediction
from designgym.agents.surrogate_search import MOVES
from designgym.agents.testing import CONDITIONAL, CONTINUOUS, FLAT, ONE, Bowl, problems
from designgym.cost_models.base import Columns
from designgym.envs import DesignProblem, DesignSpace, Integer, Objective, make_problem

FEW: dict[str, Any] = {"first": 8, "candidates": 1024}


def ranks(space: DesignSpace, columns: Columns) -> list[int]:
    return [int(rank) for rank in space.rank(columns)]


def told(agent: Any, problem: Any, n: int) -> None:
    """Ask and tell until n trials are told."""
    while agent._archive.count < n:
        agent.tell(designs := agent.ask(agent.batch), problem.evaluate(designs))


def test_it_begins_with_sobol_points() -> None:
    problem = problems()["flat"]
    agent = make_agent("surrogate_search", problem, 3)
    first = agent.ask(agent.batch)
    rng = np.random.default_rng(3)
    Candidates(problem.space, Places(problem.space), Archive(FLAT, Places(FLAT)), rng, **MOVES)  # draws once
    expected = QuasiRandom(problem, rng).ask(16)
    assert ranks(FLAT, first) == ranks(FLAT, expected)


@pytest.mark.parametrize(("id", "apart"), [("SystolicArray-v0", 1.0), ("SolverPattern-v0", 0.3)])
def test_it_looks_at_100_000_candidates_half_of_them_moves_of_incumbents(id: str, apart: float) -> None:
    problem = make_problem(id)
    agent: Any = make_agent("surrogate_search", problem, 0)
    told(agent, problem, 16)
    seen: list[tuple[Any, np.ndarray, int]] = []
    draw = agent._pool.draw
    agent._choice._pool.draw = lambda starts: seen.append(draw(starts)) or seen[-1]
    agent.ask(1)
    _, where, near = seen[0]
    assert agent.looked_at >= 100_000
    assert len(np.unique(where, axis=0)) == len(where) >= 100_000, "all are different"
    assert 0.45 <= near / len(where) <= 0.55
    starts = agent._archive.places[agent._incumbents()]
    changes = np.array([(where[i] != starts).sum(axis=1).min() for i in range(0, near, 50)])
    afar = np.array([(where[i] != starts).sum(axis=1).min() for i in range(near, len(where), 50)])
    assert changes.mean() + apart < afar.mean()
    assert not len(set(map(bytes, agent._archive.places)) & set(map(bytes, where))), "none was asked"


def test_where_constraints_leave_little_it_does_not_try_for_more_again_and_again() -> None:
    numbers = [Integer(name, 0, 19) for name in "abcd"]
    space = DesignSpace(*numbers, constraints=("a + b + c + d <= 12",))
    agent: Any = make_agent("surrogate_search", DesignProblem(space, Bowl(space), ONE), 0)
    told(agent, agent.problem, 16)
    tries, near = list[int](), agent._pool._candidates.near
    agent._pool._candidates.near = lambda starts, n: tries.append(n) or near(starts, n)
    _, where, _ = agent._pool.draw(agent._archive.take(agent._incumbents()))
    assert 1500 < len(where) < 1820, "of 1,820 that keep it"
    assert len(tries) <= 6


def test_of_a_small_space_it_looks_at_every_design_that_was_not_asked() -> None:
    problem = problems()["flat"]
    agent: Any = make_agent("surrogate_search", problem, 0)
    told(agent, problem, 16)
    agent.ask(1)
    assert agent.looked_at == FLAT.size - 16


@pytest.mark.parametrize("space", [FLAT, CONDITIONAL, CONTINUOUS])
def test_a_pool_holds_legal_designs_that_lie_where_they_say(space: DesignSpace) -> None:
    places, seen = Places(space), PlaceSet()
    archive = Archive(space, places)
    designs = space.sample(5, np.random.default_rng(1))
    archive.add(archive.own(designs), places.of(designs), np.zeros(5))
    seen.add(places.of(designs))
    candidates = Candidates(space, places, archive, np.random.default_rng(2), **MOVES)
    pool = SurrogatePool(space, places, archive, candidates, seen, 600)
    pool._whole = False
    made, where, near = pool.draw(archive.take(np.arange(5)))
    columns = archive.columns(made)
    assert space.contains(columns).all()
    assert places.of(columns) == pytest.approx(where, abs=1e-12)
    assert 0 < near < len(where)
    more, others = pool.near(archive.take(np.arange(5)), 200, where)
    both = np.concatenate([where, others])
    assert len(np.unique(both, axis=0)) == len(both)
    assert places.of(archive.columns(more)) == pytest.approx(others, abs=1e-12)


def test_designs_of_a_batch_and_those_under_way_are_all_different_and_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    space = DesignSpace(Integer("a", 0, 99), Integer("b", 0, 99))
    problem = DesignProblem(space, Bowl(space), ONE)

    def nearest(count: int) -> float:
        """How far each of some designs under way, asked one by one, is from the nearest of the others."""
        agent: Any = make_agent("surrogate_search", problem, 0, first=8, candidates=16384)
        told(agent, problem, 8)
        asked = [rank for _ in range(count) for rank in ranks(space, agent.ask(1))]
        assert len(set(asked)) == count
        assert not set(asked) & set(ranks(space, agent._archive.columns(agent._archive.take(np.arange(8)))))
        unit = space.encode(space.unrank(np.array(asked)))
        return float(np.mean([np.abs(unit[i] - np.delete(unit, i, axis=0)).max(axis=1).min() for i in range(count)]))

    spread = nearest(8)
    monkeypatch.setattr(Prediction, "take", lambda self, row: None)
    assert spread > 2 * nearest(8)


def test_it_is_asked_again_before_it_is_told_where_parameters_share_labels() -> None:
    problem = make_problem("SolverPattern-v0")
    agent: Any = make_agent("surrogate_search", problem, 0, **FEW)
    told(agent, problem, 24)
    asked = [rank for _ in range(8) for rank in ranks(problem.space, agent.ask(1))]
    assert len(set(asked)) == 8


def test_asked_one_by_one_or_a_batch_at_a_time_it_asks_the_same() -> None:
    problem = problems()["flat"]
    found = []
    for at_once in (False, True):
        agent: Any = make_agent("surrogate_search", problem, 5, **FEW, pace=8)
        rows: list[int] = []
        while len(rows) < 60:
            designs: list[Columns] = [agent.ask(agent.batch)] if at_once else [agent.ask(1) for _ in range(agent.batch)]
            for one in designs:
                rows += ranks(FLAT, one)
            for one in designs:
                agent.tell(one, problem.evaluate(one))
        found.append(rows[:60])
    assert found[0] == found[1]


def test_it_fits_where_errors_drift_and_finds_as_much_as_where_it_always_fits() -> None:
    problem = make_problem("SystolicGemms-v0", objective=Objective(("latency_s",), subject_to=("area_mm2 <= 10",)))
    fits: dict[str, list[int]] = {"drift": [], "always": []}
    losses: dict[str, list[float]] = {"drift": [], "always": []}
    for seed in range(3):
        for way in fits:
            agent: Any = make_agent("surrogate_search", problem, seed, refit=way, **FEW)
            told(agent, problem, 60)
            fits[way].append(agent.models.fits)
            losses[way].append(agent._losses[agent._feasible].min())
            assert agent.models.fits + agent.models.updates == 2 * agent._choices
    assert max(fits["drift"]) < 0.25 * min(fits["always"])
    assert np.mean(losses["drift"]) < 1.3 * np.mean(losses["always"])


@pytest.mark.parametrize("refit", ["drift", "always"])
def test_all_candidates_may_be_chosen_right_after_a_fit_and_later_moves_alone_by_turns(
    refit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = make_problem("SystolicArray-v0")
    agent: Any = make_agent("surrogate_search", problem, 0, refit=refit, **FEW)
    choices, choose = list[tuple[int, bool]](), agent._choice.choose

    def kept(aim: Any, *others: Any) -> Any:
        choices.append((agent.models.fits, aim.local))
        return choose(aim, *others)

    monkeypatch.setattr(agent._choice, "choose", kept)
    told(agent, problem, 60)
    fits = [fits for fits, _ in choices]
    fitted = np.diff(fits, prepend=0) > 0
    local = np.array([local for _, local in choices])
    assert fitted[0]
    assert not local[fitted].any()
    if refit == "drift":
        assert fitted.mean() < 0.5
        assert 0.4 < local[~fitted].mean() < 0.65
    else:
        assert fitted.all()


def test_it_comes_closer_than_random_search_by_far() -> None:
    problem = make_problem("SystolicGemms-v0", objective=Objective(("latency_s",), subject_to=("area_mm2 <= 10",)))
    found = {}
    for agent, settings in (("surrogate_search", FEW), ("random", {})):
        bests = [search(problem, agent, 50, seed=seed, **settings).best for seed in range(3)]
        found[agent] = np.mean([best.metrics["latency_s"] for best in bests if best is not None])
    assert found["surrogate_search"] < 0.6 * found["random"]


def test_several_objectives_are_covered_by_a_front() -> None:
    problem = make_problem("SystolicGemms-v0", tokens=64, objective="latency_s,area_mm2")
    front = search(problem, "surrogate_search", 70, seed=1, **FEW).front
    areas = front.evaluations.losses[:, 1]
    assert len(front) >= 12
    assert areas.max() > 2 * areas.min()


def test_where_nothing_improves_it_trusts_its_models_less_in_turn() -> None:
    agent: Any = make_agent("surrogate_search", problems()["flat"], 0, **FEW, patience=4)
    told(agent, problems()["flat"], 8)
    agent._idle = 3
    assert agent._boldness == 1.0
    agent._idle, found = 4, []
    for agent._choices in range(3):
        found.append(agent._boldness)
    assert sorted(found) == [1.0, 2.0, 4.0]


def test_failed_designs_are_learnt_as_infeasible_and_their_metrics_are_not() -> None:
    class Crashing(Bowl):
        def evaluate(self, designs: Columns) -> Columns:
            priced = super().evaluate(designs)
            failed = designs["kb"] >= 32
            return {
                name: np.where(failed, np.inf if name == "violation" else np.nan, column)
                for name, column in priced.items()
            }

    problem = DesignProblem(FLAT, Crashing(FLAT), Objective(("latency_s",)))
    trials = search(problem, "surrogate_search", 60, seed=0, **FEW)
    failed = np.isinf(trials.evaluations.violation)
    assert failed[:8].mean() >= 0.25, "Sobol' points fail as often as the space does"
    # Later, with the best of the others found, it tries them again.
    assert failed[8:20].mean() < 0.25 * failed[:8].mean(), "though the best would lie among them"


def test_a_design_takes_less_than_a_second() -> None:
    problem = make_problem("SystolicArray-v0")
    agent: Any = make_agent("surrogate_search", problem, 0)
    designs = problem.space.sample(400, np.random.default_rng(0))
    agent.tell(designs, problem.evaluate(designs))
    agent.tell(designs := agent.ask(agent.batch), problem.evaluate(designs))  # compiles, and fits the first time
    count = agent.batch
    begun = time.process_time()
    agent.ask(count)
    assert (time.process_time() - begun) / count < 1.0


def test_users_designs_are_not_asked_again() -> None:
    problem = problems()["flat"]
    agent: Any = agent_class("surrogate_search")(problem, np.random.default_rng(0), **FEW)
    agent.ask(3)  # the others of the first batch wait
    known = FLAT.sample(400, np.random.default_rng(1))
    agent.tell(known, problem.evaluate(known))
    assert not set(ranks(FLAT, known)) & set(ranks(FLAT, agent.ask(20)))


@pytest.mark.parametrize(("name", "closely"), [("NKLandscape-v0", True), ("LowRank-v0", False)])
def test_the_best_is_looked_at_closely_where_all_parameters_are_categories(name: str, closely: bool) -> None:
    problem = make_problem(name)
    agent: Any = make_agent("surrogate_search", problem, 0, first=8, candidates=1024)
    designs = agent.ask(8)
    agent.tell(designs, problem.evaluate(designs))
    assert (agent._targets.warp(0).about is not None) == closely
