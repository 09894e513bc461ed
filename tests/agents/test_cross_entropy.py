"""The cross-entropy method: how its laws move toward an elite, and what it finds."""

import numpy as np
import pytest

from designgym.agents import search
from designgym.agents.cross_entropy import CrossEntropy, _reflected
from designgym.agents.cross_entropy_law import Categories, Normals
from designgym.agents.testing import Bowl
from designgym.envs import Categorical, DesignProblem, DesignSpace, Float, Integer, Objective, Ordinal, make_problem

LATENCY = Objective(minimize=("latency_s",))


def test_chances_move_toward_the_elites_shares_by_the_smoothing() -> None:
    law = Categories(np.array([2, 4]))
    elite = np.array([[1, 3], [1, 0], [0, 3], [1, 3]])
    matter = np.array([[True, True], [True, False], [True, False], [True, True]])
    law.learn(elite, matter, 0.6)
    assert law.chances[0] == pytest.approx([0.6 * 0.25 + 0.4 * 0.5, 0.6 * 0.75 + 0.4 * 0.5])
    assert law.chances[1] == pytest.approx([0.1, 0.1, 0.1, 0.7])
    law.learn(elite, np.zeros((4, 2), bool), 1.0)
    assert law.chances[1] == pytest.approx([0.1, 0.1, 0.1, 0.7])


def test_normal_laws_move_toward_the_elites_mean_and_deviation() -> None:
    law = Normals(np.array([0.0, 5.0, 7.0]), np.array([2.0, 1.0, 3.0]))
    elite = np.array([[1.0, 1.0, 9.0], [3.0, 100.0, 9.0], [5.0, 3.0, 9.0]])
    matter = np.array([[True, True, False], [True, False, False], [True, True, False]])
    law.learn(elite, matter, 0.75)
    assert law.means == pytest.approx([0.75 * 3.0, 0.75 * 2.0 + 0.25 * 5.0, 7.0])
    assert law.deviations == pytest.approx([0.75 * np.std([1, 3, 5]) + 0.5, 0.75 * 1.0 + 0.25, 3.0])


def test_laws_draw_as_stated() -> None:
    rng = np.random.default_rng(0)
    law = Categories(np.array([3, 1, 2]))
    law.learn(np.array([[2, 0, 1], [2, 0, 1], [1, 0, 1]]), np.ones((3, 3), bool), 0.9)
    drawn = law.draw(50_000, rng)
    for j, chances in enumerate(law.chances):
        assert np.bincount(drawn[:, j], minlength=len(chances)) / 50_000 == pytest.approx(chances, abs=0.01)
    numbers = Normals(np.array([1.0, -4.0]), np.array([0.5, 2.0])).draw(50_000, rng)
    assert numbers.mean(axis=0) == pytest.approx([1.0, -4.0], abs=0.04)
    assert numbers.std(axis=0) == pytest.approx([0.5, 2.0], rel=0.02)


def test_a_value_without_a_chance_is_never_drawn() -> None:
    law = Categories(np.array([3]))
    law.learn(np.array([[1]]), np.ones((1, 1), bool), 1.0)
    assert set(law.draw(1000, np.random.default_rng(0))[:, 0]) == {1}


def test_normal_laws_find_the_bottom_of_a_valley_without_bounds() -> None:
    # As a search over a policy's parameters would use them.
    rng, law = np.random.default_rng(0), Normals(np.zeros(3), np.full(3, 10.0))
    bottom = np.array([7.0, -3.0, 0.5])
    for _ in range(60):
        drawn = law.draw(60, rng)
        best = np.argsort((drawn - bottom) ** 2 @ np.array([1.0, 5.0, 0.2]))[:12]
        law.learn(drawn[best], np.ones((12, 3), bool), 0.6)
    assert law.means == pytest.approx(bottom, abs=1e-2)


def test_numbers_are_reflected_into_the_unit_interval() -> None:
    found = _reflected(np.array([0.2, 1.3, -0.25, 2.1, -1.9, 1.0, 0.0]))
    assert found == pytest.approx([0.2, 0.7, 0.25, 0.1, 0.1, 1.0, 0.0])
    assert (found < 1.0).all()
    rng = np.random.default_rng(0)
    first = _reflected(Normals(np.full(1, 0.5), np.full(1, 0.5)).draw(100_000, rng))
    assert np.histogram(first, 10, (0.0, 1.0))[0] / 10_000 == pytest.approx(1.0, abs=0.1)  # as good as uniform


def test_parameters_idle_in_the_elite_keep_their_law() -> None:
    space = DesignSpace(
        Categorical("method", ("plain", "tuned")),
        Ordinal("effort", (1, 2, 4, 8), when=("method", ("tuned",))),
        Float("ratio", 0.0, 1.0, when=("method", ("tuned",))),
        Integer("steps", 0, 999),
    )
    agent = CrossEntropy(DesignProblem(space, Bowl(space), LATENCY), np.random.default_rng(0), population=2)
    for steps in range(300, 310):
        plain = space.parse({"method": "plain", "steps": steps})
        agent.tell(plain, agent.problem.evaluate(plain))
    assert agent._categories.chances[0][0] > 0.6
    assert agent._categories.chances[1] == pytest.approx([0.25] * 4)
    assert agent._normals.means == pytest.approx([0.5, 0.306], abs=0.03)
    assert agent._normals.deviations[0] == 0.5
    assert agent._normals.deviations[1] < 0.1


def test_a_restart_begins_with_the_first_law() -> None:
    space = DesignSpace(*(Categorical(f"x{i}", ("a", "b", "c", "d")) for i in range(5)))
    problem = DesignProblem(space, Bowl(space), LATENCY)
    agent = CrossEntropy(problem, np.random.default_rng(0), population=4, patience=3, smoothing=0.9)
    designs = space.sample(4, np.random.default_rng(1))
    highest = []
    for _ in range(4):  # the first improves, three more do not
        agent.tell(designs, problem.evaluate(designs))
        highest.append(max(float(chances.max()) for chances in agent._categories.chances))
    assert min(highest[:3]) > 0.8
    assert highest[3] == 0.25


def test_it_closes_in_on_real_numbers() -> None:
    space = DesignSpace(*(Float(f"x{i}", 0.0, 1.0) for i in range(4)))
    problem = DesignProblem(space, Bowl(space), LATENCY)

    def found(agent: str) -> float:
        return float(np.mean([search(problem, agent, 600, seed).evaluations.losses.min() - 1 for seed in range(4)]))

    assert found("cross_entropy") < 0.05 * found("random")


def test_it_finds_the_optimum_of_independent_letters() -> None:
    problem = make_problem("NKLandscape-v0", letters=4, n=10, k=0, instance=100)
    best = min(problem.evaluate(chunk).losses.min() for chunk in problem.space.enumerate())
    for seed in range(3):
        assert search(problem, "cross_entropy", 600, seed).evaluations.losses.min() == best
