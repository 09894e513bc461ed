"""NK landscapes: the formula by hand, what k does, and the same numbers on every machine."""

import numpy as np
import pytest

from designgym.cost_models.landscapes.nk import NKLandscape
from designgym.envs import make_problem


def by_hand(model: NKLandscape, string: list[int]) -> float:
    context, contributions = model.tables
    total = 0.0
    for i in range(model.n):
        entry = 0
        for place in context[i]:
            entry = entry * model.letters + string[place]
        total += contributions[i, entry]
    return total / model.n


@pytest.mark.parametrize("options", [{}, {"letters": 3, "n": 7, "k": 6}, {"letters": 2, "n": 62, "k": 2}, {"k": 0}])
def test_fitness_is_the_mean_of_contributions_in_context(options: dict[str, int]) -> None:
    model = NKLandscape(**options)
    strings = np.random.default_rng(0).integers(model.letters, size=(50, model.n))
    got = model.evaluate(dict(zip(model.names, strings.T, strict=True)))
    assert got["fitness"].tolist() == [by_hand(model, row) for row in strings.tolist()]


def test_a_contribution_depends_on_its_letter_and_k_others() -> None:
    model = NKLandscape(n=12, k=4, letters=3, instance=7)
    context, contributions = model.tables
    assert contributions.shape == (12, 3**5)
    assert (context[:, 0] == np.arange(12)).all()
    assert all(len(set(row)) == 5 for row in context.tolist())
    assert contributions.min() >= 0
    assert contributions.max() < 1
    assert abs(contributions.mean() - 0.5) < 0.02


def test_instances_differ_and_one_instance_is_the_same_everywhere() -> None:
    versions = {NKLandscape(instance=i).version for i in range(10)}
    assert len(versions) == 10
    _, contributions = NKLandscape().tables
    assert NKLandscape().version == "1-a0d0969ea76e"
    assert contributions[0, :2].tolist() == pytest.approx([0.9140639270904167, 0.5145387233852873], abs=0)


def test_without_epistasis_the_best_letter_of_each_place_is_the_optimum() -> None:
    model = NKLandscape(k=0)
    best = model.tables[1].argmax(axis=1)
    fitness = model.evaluate({name: best[i : i + 1] for i, name in enumerate(model.names)})["fitness"][0]
    problem = make_problem("NKLandscape-v0", k=0)
    designs = problem.space.sample(20_000, np.random.default_rng(0))
    assert problem.evaluate(designs).metrics["fitness"].max() <= fitness


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"letters": 1}, r"letters must be a whole number in \[2, 26\], got 1"),
        ({"n": 32}, r"n must be a whole number in \[1, 31\], got 32"),
        ({"k": 10}, r"k must be a whole number in \[0, 9\], got 10"),
        ({"instance": True}, "instance must be a whole number"),
        ({"n": 20, "k": 12}, r"n \* letters \*\* \(k \+ 1\) must be at most"),
    ],
)
def test_wrong_options_are_refused_in_a_line(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_problem("NKLandscape-v0", **options)
