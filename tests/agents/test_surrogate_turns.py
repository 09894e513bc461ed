"""surrogate_search by turns with local_search: when, how often, and that neither leads the other astray."""

from typing import Any

import numpy as np
import pytest

from designgym.agents import make_agent
from designgym.agents.local_search import LocalSearch
from designgym.agents.moves import rows_of
from designgym.agents.places import Places, PlaceSet
from designgym.agents.surrogate_turns import Turns
from designgym.agents.testing import FLAT, problems
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Problem, make_problem

FEW: dict[str, Any] = {"first": 8, "candidates": 1024}


def told(turns: Turns, problem: Problem, designs: Columns) -> None:
    turns.tell(Places(problem.space).of(designs), designs, problem.evaluate(designs))


def drawn(problem: Problem, n: int, seed: int = 0) -> Columns:
    return problem.space.sample(n, np.random.default_rng(seed))


def watched(agent: Any, monkeypatch: pytest.MonkeyPatch) -> list[Columns]:
    """Return a list that designs of the chain are added to as they are taken."""
    taken: list[Columns] = []
    take = agent._turns.take

    def kept(*how: Any) -> Columns | None:
        made: Columns | None = take(*how)
        taken.extend([made] if made is not None else [])
        return made

    monkeypatch.setattr(agent._turns, "take", kept)
    return taken


def searched(agent: Any, problem: Problem, asks: int, idle: int | None = None) -> int:
    """Ask and tell so many times, as if nothing had improved for `idle` trials; return how many designs."""
    count = 0
    for _ in range(asks):
        agent._idle = agent._idle if idle is None else idle
        designs = agent.ask(agent.batch)
        agent.tell(designs, problem.evaluate(designs))
        count += batch_length(designs)
    return count


@pytest.mark.parametrize("pace", [8, 1024])
@pytest.mark.parametrize(("id", "share"), [("SystolicArray-v0", 1 / 2), ("SolverPattern-v0", 7 / 8)])
def test_half_of_the_designs_are_the_chains_while_the_search_is_stuck_and_more_where_all_are_labels(
    pace: int, id: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = make_problem(id)
    agent: Any = make_agent("surrogate_search", problem, 0, pace=pace, most=4, **FEW)
    searched(agent, problem, 8)
    taken, count = watched(agent, monkeypatch), 0
    while count < 160:
        count += searched(agent, problem, 1, idle=10**6)
    # However many a model chooses at a time, up to four.
    assert abs(len(taken) - count * share) <= 4 * share / (1 - share)


@pytest.mark.parametrize(("name", "idle"), [("flat", 0), ("two objectives", 10**6)])
def test_before_it_is_stuck_and_with_several_objectives_models_choose_alone(
    name: str, idle: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = problems()[name]
    agent: Any = make_agent("surrogate_search", problem, 0, **FEW)
    taken = watched(agent, monkeypatch)
    assert searched(agent, problem, 12, idle) >= 12
    assert not taken


def test_no_more_is_owed_than_models_chose_and_most_at_a_time() -> None:
    problem = problems()["flat"]
    turns, places = Turns(problem, np.random.default_rng(0), 3), Places(FLAT)
    new = PlaceSet().new
    told(turns, problem, drawn(problem, 4))
    assert turns.take(places.of, new) is None
    for owed, got in ((1, 1), (9, 3)):
        turns.owe(owed)
        assert sum(turns.take(places.of, new) is not None for _ in range(10)) == got
    often = Turns(problem, np.random.default_rng(0), 3, each=2)
    told(often, problem, drawn(problem, 4))
    for owed, got in ((1, 2), (9, 6)):
        often.owe(owed)
        assert sum(often.take(places.of, new) is not None for _ in range(10)) == got


@pytest.mark.parametrize("name", ["flat", "conditional", "continuous"])
def test_the_chain_is_local_search_on_the_same_trials(name: str) -> None:
    problem = problems()[name]
    places, others = Places(problem.space), drawn(problem, 30, 1)
    turns, alone = Turns(problem, np.random.default_rng(5), 8), LocalSearch(problem, np.random.default_rng(5))
    for row in range(30):
        other = rows_of(others, slice(row, row + 1))
        told(turns, problem, other)
        alone.note(other, problem.evaluate(other))
        turns.owe(1)
        design = turns.take(places.of, PlaceSet().new)
        assert design is not None
        expected = alone.ask(1)
        assert all(np.array_equal(design[column], expected[column]) for column in expected)
        told(turns, problem, design)
        alone.tell(expected, problem.evaluate(expected))


def test_local_search_goes_on_at_a_better_design_of_others_and_at_no_worse_one() -> None:
    problem = problems()["flat"]
    designs = drawn(problem, 200)
    order = np.argsort(problem.evaluate(designs).reward)
    worst, middle, best = (rows_of(designs, order[[row]]) for row in (0, 100, -1))
    agent = LocalSearch(problem, np.random.default_rng(0))

    def changes(of: Columns) -> int:
        asked = agent.ask(1)
        return sum(int(asked[name][0] != column[0]) for name, column in of.items())

    agent.note(middle, problem.evaluate(middle))
    assert sum(changes(middle) for _ in range(10)) <= 15, "moves of what it was told"
    agent.note(worst, problem.evaluate(worst))
    assert sum(changes(middle) for _ in range(10)) <= 15, "not of what is worse"
    agent.note(best, problem.evaluate(best))
    assert sum(changes(best) for _ in range(10)) <= 15


def test_local_search_asks_nothing_that_others_asked() -> None:
    problem = problems()["flat"]
    agent = LocalSearch(problem, np.random.default_rng(0))
    designs = drawn(problem, 400)
    agent.note(designs, problem.evaluate(designs))
    known = set(map(int, FLAT.rank(designs)))
    for _ in range(40):
        design = agent.ask(1)
        assert int(FLAT.rank(design)[0]) not in known
        agent.tell(design, problem.evaluate(design))
        known.add(int(FLAT.rank(design)[0]))
