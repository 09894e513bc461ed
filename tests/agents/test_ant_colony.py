"""The ant colony: what its trails are, what they learn, and what it finds."""

from dataclasses import dataclass

import numpy as np
import pytest

from designgym.agents import agent_class, search
from designgym.agents.ant_colony import MOST_VALUES, AntColony
from designgym.agents.pheromone import KEPT, Elites, Trails
from designgym.agents.testing import ONE, Bowl
from designgym.cost_models.base import Columns, Metric
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    MeteredProblem,
    Objective,
    Ordinal,
    Permutation,
    RunOver,
)

RNG = np.random.default_rng(0)
LATENCY = Objective(minimize=("latency_s",))
TWELVE = DesignSpace(*(Categorical(f"x{i}", ("a", "b", "c", "d")) for i in range(12)))


@dataclass(frozen=True)
class Additive:
    """Each parameter costs on its own: 1 + i for every step of parameter i away from its best value, 2."""

    columns: tuple[str, ...] = TWELVE.columns
    metrics = (Metric("latency_s", "s", "lower", "sum of the parameters' own costs"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        cost = sum((1 + i) * (designs[name] != 2) for i, name in enumerate(self.columns))
        return {"latency_s": 1.0 + cost, "violation": np.zeros(len(designs[self.columns[0]]))}


ADDITIVE = DesignProblem(TWELVE, Additive(), LATENCY)


@pytest.mark.parametrize("repeat", [0.001, 0.05, 0.9])
def test_pheromones_stay_between_their_bounds_and_add_up_to_one(repeat: float) -> None:
    cardinalities = np.array([2, 7, 1, 30])
    trails = Trails(cardinalities, repeat)
    for _ in range(200):
        choices = (RNG.random((3, 4)) ** 3 * cardinalities).astype(np.int64)
        trails.deposit(choices, RNG.random((3, 4)) < 0.7, np.array([0.5, 0.3, 0.2]), RNG.random())
        if RNG.random() < 0.1:
            trails.smooth(RNG.random())
        assert (trails.values >= trails.least - 1e-12).all()
        assert (trails.values <= trails.most + 1e-12).all()
        assert [trails.of(j).sum() for j in range(4)] == pytest.approx([1.0] * 4)


def test_ants_of_converged_trails_repeat_the_best_as_often_as_stated() -> None:
    cardinalities, best = np.array([2, 3, 4, 5, 6, 7, 8, 9]), np.array([[1, 0, 3, 2, 0, 6, 1, 8]])
    trails = Trails(cardinalities, repeat=0.2)
    for _ in range(200):
        trails.deposit(best, np.ones((1, 8), bool), np.ones(1), 0.2)
    ants = trails.draw(20_000, RNG)
    assert (ants == best).all(axis=1).mean() == pytest.approx(0.2, abs=0.015)
    assert [len(set(column)) for column in ants.T] == cardinalities.tolist()


def test_ants_choose_by_pheromone() -> None:
    trails = Trails(np.array([3, 1, 4]), repeat=0.05)
    trails.deposit(np.array([[2, 0, 1]]), np.ones((1, 3), bool), np.ones(1), 0.5)
    ants = trails.draw(50_000, RNG)
    for j, count in enumerate((3, 1, 4)):
        assert np.bincount(ants[:, j], minlength=count) / 50_000 == pytest.approx(trails.of(j), abs=0.01)


def test_an_idle_digit_gets_no_pheromone_and_loses_none() -> None:
    trails = Trails(np.array([2, 3]), repeat=0.05)
    trails.deposit(np.array([[0, 1]]), np.array([[True, True]]), np.ones(1), 0.3)
    before = trails.of(1).copy()
    trails.deposit(np.array([[1, 2]]), np.array([[True, False]]), np.ones(1), 0.3)
    assert (trails.of(1) == before).all()
    trails.deposit(np.array([[1, 2], [1, 0]]), np.array([[True, False], [True, True]]), np.array([0.5, 0.5]), 0.3)
    assert trails.of(1)[0] > before[0]
    assert trails.of(1)[2] < before[2]


def test_parameters_idle_in_the_best_designs_keep_their_trails() -> None:
    space = DesignSpace(
        Categorical("method", ("plain", "tuned")),
        Ordinal("effort", (1, 2, 4, 8), when=("method", ("tuned",))),
        Integer("steps", 0, 9),
    )
    agent = AntColony(DesignProblem(space, Bowl(space), LATENCY), np.random.default_rng(0), ants=2)
    plain = space.parse({"method": "plain", "steps": 3})
    for _ in range(5):
        for steps in (3, 4):
            plain = {**plain, "steps": np.array([steps])}
            agent.tell(plain, agent.problem.evaluate(plain))
    assert agent._trails.of(0)[0] > 0.6
    assert agent._trails.of(1) == pytest.approx([0.25] * 4)


def test_it_concentrates_on_the_optimum_of_an_additive_problem() -> None:
    metered = MeteredProblem(ADDITIVE, 600)
    agent = agent_class("ant_colony")(metered, np.random.default_rng(0), patience=1024)
    with pytest.raises(RunOver):
        agent.search()
    assert [int(np.argmax(agent._trails.of(j))) for j in range(12)] == [2] * 12
    assert min(agent._trails.of(j)[2] for j in range(12)) > 0.6


def test_it_beats_random_search_by_far_on_an_additive_problem() -> None:
    def found(agent: str) -> list[float]:
        return [search(ADDITIVE, agent, 500, seed).best.metrics["latency_s"] for seed in range(5)]  # type: ignore[union-attr]

    colony, random = found("ant_colony"), found("random")
    assert max(colony) < min(random)
    assert np.mean(colony) - 1 < 0.25 * (np.mean(random) - 1)


def test_it_closes_in_on_real_numbers() -> None:
    space = DesignSpace(*(Float(f"x{i}", 0.0, 1.0) for i in range(4)))
    problem = DesignProblem(space, Bowl(space), LATENCY)

    def found(agent: str) -> float:
        return float(np.mean([search(problem, agent, 600, seed).evaluations.losses.min() - 1 for seed in range(4)]))

    assert found("ant_colony") < 0.05 * found("random")


def test_a_parameter_of_many_values_takes_no_table() -> None:
    space = DesignSpace(Integer("address", 0, 2**40), Permutation("order", tuple("abcdefghijklmnopqrst")))
    agent = AntColony(DesignProblem(space, Bowl(space), ONE), np.random.default_rng(0))
    assert len(agent._trails.values) == sum(range(2, 21))
    trials = search(DesignProblem(space, Bowl(space), LATENCY), "ant_colony", 400)
    assert space.contains(trials.designs).all()


def test_ordered_digits_of_few_values_and_all_categories_have_trails() -> None:
    names = tuple(f"c{i}" for i in range(MOST_VALUES + 1))
    space = DesignSpace(Categorical("kind", names), Integer("few", 1, MOST_VALUES), Integer("many", 0, MOST_VALUES))
    agent = AntColony(DesignProblem(space, Bowl(space), ONE), np.random.default_rng(0))
    assert (agent._listed.tolist(), agent._wide.tolist()) == ([0, 1], [2])


def test_elites_are_the_best_and_lead_where_they_are_awake() -> None:
    elites = Elites(np.array([0, 1000]))
    digits = np.column_stack([np.linspace(0.4, 0.6, 100), np.arange(100) + 200.0])
    active = np.column_stack([np.ones(100, bool), np.zeros(100, bool)])
    elites.add(digits[:60], active[:60], np.arange(60.0))
    elites.add(digits[60:], active[60:], np.arange(60.0, 100.0))
    floats, integers = elites.draw(5000, RNG)
    # The best 32 lie between .535 and .6, the leading ones at its upper end.
    assert KEPT == 32
    assert np.mean(floats) == pytest.approx(0.59, abs=0.01)
    assert np.std(floats) < 0.05
    assert integers.dtype == np.int64
    assert np.mean(integers) == pytest.approx(500, abs=15)
    elites.forget()
    assert np.mean(elites.draw(5000, RNG)[0]) == pytest.approx(0.5, abs=0.02)


def test_a_restart_levels_the_trails() -> None:
    settings = {"ants": 4, "patience": 3, "evaporation": 0.5}

    def strongest(smoothing: float) -> float:
        agent = AntColony(ADDITIVE, np.random.default_rng(0), smoothing=smoothing, **settings)
        designs = TWELVE.sample(4, np.random.default_rng(1))
        for _ in range(4):  # the first improves, three more do not
            agent.tell(designs, ADDITIVE.evaluate(designs))
        return float(max(agent._trails.of(j).max() for j in range(12)))

    assert strongest(1.0) == pytest.approx(0.25)
    assert strongest(0.0) > strongest(0.5) > 0.3
