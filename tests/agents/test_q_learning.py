"""Q-learning: what its two kinds of value learn, and what it finds."""

from dataclasses import dataclass

import numpy as np
import pytest

from designgym.agents import search
from designgym.agents.q_learning import QLearning
from designgym.agents.q_values import Linear, QTable, Reading, Tabular
from designgym.agents.sequences import Sequences
from designgym.agents.testing import CONDITIONAL, FLAT, Bowl
from designgym.cost_models.base import Columns, Metric, batch_length
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective, make_problem

LATENCY = Objective(minimize=("latency_s",))
VALUES = 10
FOUR = DesignSpace(
    Categorical("a", tuple("abcdefghij")),
    Integer("b", 0, 9),
    Categorical("c", tuple("abcdefghij")),
    Integer("d", 0, 9),
)


@dataclass(frozen=True)
class WeaklyCoupled:
    """Each parameter costs on its own, and each two of them a fifth as much together."""

    instance: int
    metrics = (Metric("latency_s", "s", "lower", "10 + each parameter's own cost + a fifth for each two"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        rng, columns = np.random.default_rng(self.instance), [designs[name] for name in "abcd"]
        cost = np.full(batch_length(designs), 10.0)
        for i, column in enumerate(columns):
            cost += rng.normal(0.0, 1.0, VALUES)[column]
            for other in columns[:i]:
                cost += rng.normal(0.0, 0.2, (VALUES, VALUES))[column, other]
        return {"latency_s": cost, "violation": np.zeros(len(cost))}


@pytest.mark.parametrize("kind", ["tabular", "linear"])
@pytest.mark.parametrize("instance", range(3))
def test_it_finds_the_optimum_of_ten_thousand_weakly_coupled_designs(kind: str, instance: int) -> None:
    problem = DesignProblem(FOUR, WeaklyCoupled(instance), LATENCY)
    assert FOUR.size == 10**4
    optimum = min(problem.evaluate(chunk).losses.min() for chunk in FOUR.enumerate())
    trials = search(problem, "q_learning", 2000, seed=instance, kind=kind)
    assert len(trials) == 2000
    assert trials.evaluations.losses.min() == optimum


@pytest.mark.parametrize("kind", ["tabular", "linear"])
def test_one_step_values_come_to_what_the_best_continuation_is_worth(kind: str) -> None:
    # Without traces and with whole prefixes as states, this is Watkins's Q-learning, and its fixed point is known:
    # for additive worth both kinds can hold it exactly.
    space = DesignSpace(Categorical("a", ("x", "y", "z")), Categorical("b", ("x", "y")), Integer("c", 0, 3))
    problem = DesignProblem(space, Bowl(space), LATENCY)
    agent = QLearning(problem, np.random.default_rng(0), kind=kind, memory=64, trace=0.0, rate=0.7)
    every = np.array([[a, b, c] for a in range(3) for b in range(2) for c in range(4)])
    own = [np.array([0.3, -1.0, 0.4]), np.array([2.0, 0.5]), np.array([0.1, 0.2, -0.7, 0.9])]
    worth = sum(values[every[:, j]] for j, values in enumerate(own))
    for _ in range(600):
        agent._sweep(every, np.ones(every.shape, bool), worth)
    for j in range(3):
        reading = agent._q.read(np.array([j]), every, np.ones(every.shape, bool))
        found = agent._q.table.values(reading)[:, 0, : len(own[j])]
        before = sum((values[every[:, i]] for i, values in enumerate(own[:j])), np.zeros(len(every)))
        after = sum(values.max() for values in own[j + 1 :])
        assert found == pytest.approx(before[:, None] + own[j] + after, abs=0.02)


def test_a_table_learns_the_mean_of_what_reads_an_entry_whatever_their_number() -> None:
    table = QTable(3, 4)
    reading = Reading(np.zeros((400, 1, 0), np.int64), np.ones((400, 1, 1), np.int64))
    chosen, worth = np.repeat([0, 2, 3], [200, 150, 50])[:, None], np.repeat([1.0, 3.0, -2.0, 0.0], 100)[:, None]
    for _ in range(60):
        errors = worth - np.take_along_axis(table.values(reading)[:, 0], chosen, axis=1)
        table.learn(reading, chosen, errors, chosen < 3, 0.5)
    assert table.values(reading)[0, 0] == pytest.approx([2.0, 0.0, (100 * -2.0 + 50 * 0.0) / 150, 0.0])


def test_large_tables_learn_as_small_ones() -> None:
    rng = np.random.default_rng(0)
    small, large = QTable(30, 4), QTable(3000, 4)
    for _ in range(5):
        reading = Reading(rng.integers(0, 120, (9, 2, 3)), rng.integers(0, 30, (9, 2, 2)))
        chosen, errors, matter = rng.integers(0, 4, (9, 2)), rng.normal(size=(9, 2)), rng.random((9, 2)) < 0.7
        for table in (small, large):
            table.learn(reading, chosen, errors, matter, 0.5)
        assert large.values(reading) == pytest.approx(small.values(reading))
        assert np.abs(small.values(reading)).max() > 0.1


@pytest.mark.parametrize("features", [Tabular, Linear])
def test_states_differ_by_what_mattered_before_them_and_by_nothing_else(features: type[Tabular] | type[Linear]) -> None:
    sequences = Sequences(CONDITIONAL, 32)
    q, steps = features(sequences, 64), np.arange(len(sequences))
    rng = np.random.default_rng(0)
    chosen = sequences.draw(200, lambda j, chosen, awake: rng.random((200, sequences.most)))
    _, awake = sequences.masks(chosen)
    reading = q.read(steps, chosen, awake, learn=True)
    q.table.learn(reading, chosen, rng.normal(size=chosen.shape), awake, 0.5)
    values = q.table.values(reading)
    for j in steps:
        other = np.where(awake, chosen, 7)
        other[:, j:] = 5
        again = q.table.values(q.read(np.array([j]), other, awake))[:, 0]
        assert (again == values[:, j]).all()
        assert j == 0 or len(np.unique(again, axis=0)) > 1


def test_states_that_were_never_learned_promise_nothing() -> None:
    q = Tabular(Sequences(FLAT, 32), 2)
    chosen, awake = np.array([[1, 2, 0, 3], [1, 1, 0, 3]]), np.ones((2, 4), bool)
    reading = q.read(np.array([2]), chosen[:1], awake[:1], learn=True)
    q.table.learn(reading, chosen[:1, 2:3], np.ones((1, 1)), awake[:1, :1], 0.5)
    assert q.table.values(q.read(np.array([2]), chosen, awake))[:, 0, 0].tolist() == [0.5, 0.0]
    assert len(q._states[2]) == 1


def test_pairs_are_left_out_where_they_would_take_too_much_memory() -> None:
    space = DesignSpace(*(Categorical(f"x{i}", tuple(f"v{k}" for k in range(600))) for i in range(6)))
    assert Linear(Sequences(space, 8), 64).pairs == 1
    trials = search(DesignProblem(space, Bowl(space), LATENCY), "q_learning", 40, seed=0)
    assert space.contains(trials.designs).all()


def test_exploration_falls_by_half_as_stated_and_no_further_than_the_least() -> None:
    problem = DesignProblem(FLAT, Bowl(FLAT), LATENCY)
    agent = QLearning(problem, np.random.default_rng(0), explore=0.4, least=0.06, half=10)
    found = []
    for _ in range(4):
        found.append(agent._explore)
        designs = FLAT.sample(10, np.random.default_rng(1))
        agent.tell(designs, problem.evaluate(designs))
    assert found == pytest.approx([0.4, 0.2, 0.1, 0.06])


@pytest.mark.parametrize("kind", ["tabular", "linear"])
def test_it_comes_closer_than_random_search(kind: str) -> None:
    problem = make_problem("NKLandscape-v0", letters=3, n=12, k=1, instance=100)

    def found(agent: str, **settings: str) -> float:
        return float(
            np.mean([search(problem, agent, 400, 1000 + s, **settings).evaluations.losses.min() for s in range(4)])
        )

    assert found("q_learning", kind=kind) < found("random")  # minus the fitness
