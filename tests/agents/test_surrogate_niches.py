"""How surrogate_search leaves a local optimum: what counts as elsewhere, when it goes there, and what it finds."""

from typing import Any

import numpy as np
import pytest

from designgym.agents import search, surrogate_niches, surrogate_search
from designgym.agents.differences import Differences
from designgym.agents.places import Places
from designgym.agents.surrogate_niches import Niches
from designgym.agents.testing import CONDITIONAL, CONTINUOUS, FLAT, problems
from designgym.cost_models.base import Columns, Metric
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective, Permutation

LETTERS = DesignSpace(*(Categorical(f"p{i}", tuple("abcde")) for i in range(6)))
FAR = np.array([1, 2, 3, 4, 1, 2])  # the narrow valley's lowest design


class TwoValleys:
    """A wide valley down to 1 where all letters are a, and a narrow one down to .1 that no letter has in common."""

    metrics = (Metric("latency_s", "s", "lower", "of a design"),)
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        letters = np.stack([designs[name] for name in LETTERS.columns], axis=1)
        wide = 1.0 + 0.3 * (letters != 0).sum(axis=1)
        narrow = 0.1 + 0.2 * (letters != FAR).sum(axis=1) ** 2
        return {"latency_s": np.minimum(wide, narrow), "violation": np.zeros(len(letters))}


def niches_of(space: DesignSpace, patience: int = 4) -> Niches:
    return Niches(Differences(space, Places(space)), patience)


@pytest.mark.slow
def test_stuck_in_a_valley_it_finds_the_lower_one(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = DesignProblem(LETTERS, TwoValleys(), Objective(("latency_s",)))

    def best(seed: int) -> Any:
        trials = search(problem, "surrogate_search", 150, seed=seed, candidates=1024, patience=16)
        return np.minimum.accumulate(trials.evaluations.losses[:, 0])

    runs = {seed: best(seed) for seed in range(12)}
    stuck = [seed for seed, so_far in runs.items() if so_far[69] == 1.0]
    assert len(stuck) >= 4, "after 70 designs many know the wide valley alone"
    found = sum(runs[seed][-1] < 0.2 for seed in stuck)
    monkeypatch.setattr(surrogate_search, "STUCK", 10**6)
    assert found >= 2 * sum(best(seed)[-1] < 0.2 for seed in stuck), "bold choices alone seldom find the other"
    assert found >= len(stuck) / 2


def test_constraints_that_leave_nothing_are_no_obstacle() -> None:
    none = DesignSpace(*LETTERS.parameters, constraints=("p0 == 'a'", "p0 == 'b'"))
    with pytest.raises(RuntimeError, match="found 0 of 1 valid designs"):
        none.sample(1, np.random.default_rng(0))
    assert niches_of(none).radii == niches_of(LETTERS).radii == (3.0, 4.0)


def test_elsewhere_is_within_what_constraints_leave() -> None:
    # At most one of eight differs from 0: two designs differ in two parameters at most.
    few = DesignSpace(
        *(Integer(f"x{i}", 0, 2) for i in range(8)), constraints=(" + ".join(f"x{i}" for i in range(8)) + " <= 1",)
    )
    assert niches_of(few).radii == (1.0, 1.0)


def test_two_random_designs_of_a_conditional_space_differ_in_what_both_have() -> None:
    space = DesignSpace(
        Categorical("kind", ("u", "v", "w")),
        *(Categorical(f"{k}{i}", tuple("abcd"), when=("kind", (k,))) for k in "uvw" for i in range(5)),
    )
    _, far = niches_of(space).radii
    drawn = Places(space).of(space.sample(4000, np.random.default_rng(5)))
    differing = (drawn[:2000] != drawn[2000:]).sum(axis=1)
    assert 0.3 < np.mean(differing >= far) < 0.9


def test_elsewhere_is_what_differs_in_enough_parameters() -> None:
    niches = niches_of(LETTERS)
    places = np.zeros((7, 6))
    for row in range(7):
        places[row, :row] = 2.0
    assert niches.outside(places).all(), "nothing was left"
    ranked = np.arange(7)
    rows = niches.elsewhere(places, -np.arange(7.0), ranked)
    assert rows is not None
    assert rows.tolist() == [3, 4, 5, 6], "the best one was left, and what differs from it in less than three"


def test_a_step_along_a_line_counts_in_part_and_a_parameter_of_several_places_once() -> None:
    niches = niches_of(CONTINUOUS)
    first = Places(CONTINUOUS).of(CONTINUOUS.sample(1, np.random.default_rng(0))) * 0.0
    near = np.repeat(first, 2, axis=0)
    near[0] += 0.01
    near[1] += 0.9
    niches.elsewhere(np.concatenate([first, near]), np.array([2.0, 1.0, 0.0]), np.arange(3))
    assert niches.outside(near).tolist() == [False, True]
    orders = DesignSpace(
        Permutation("order", tuple("abcd")), Categorical("x", ("u", "v")), Categorical("y", ("u", "v"))
    )
    first = Places(orders).of({"order": np.array([0]), "x": np.array([0]), "y": np.array([0])})
    turned = Places(orders).of({"order": np.array([23]), "x": np.array([0]), "y": np.array([0])})
    assert Differences(orders, Places(orders)).nearest(turned, first).tolist() == [1.0]


def test_what_nothing_improves_on_is_left_too_every_third_time_farther_and_in_the_end_all_begins_anew() -> None:
    niches = niches_of(LETTERS, patience=4)
    rng = np.random.default_rng(0)
    places = rng.integers(0, 5, (400, 6)).astype(float)
    rewards = np.sort(rng.random(400))[::-1].copy()
    ranked, counts, radii = np.arange(400), [], []
    for _ in range(surrogate_niches.MOST + 1):
        rows = niches.elsewhere(places, rewards, ranked)
        if rows is None:
            break
        counts.append(len(niches))
        elsewhere = places[rows]
        differing = (elsewhere[:, None] != niches._left[None]).sum(axis=2)
        radii.append(int(differing.min()))
        assert len(rows) == niches.outside(places).sum()
        for _ in range(4):
            niches.add(elsewhere[-1:], np.array([-1.0]))
    assert counts == list(range(1, len(counts) + 1))
    assert len(counts) >= 3
    assert radii[:3] == [3, 3, 4], "four letters are what two random designs differ in"
    assert not len(niches)
    niches.elsewhere(places, rewards, ranked)
    for _ in range(3):
        niches.add(places[-1:], np.array([-1.0]))
    niches.add(places[-1:], np.array([2.0]))
    niches.elsewhere(places, rewards, ranked)
    assert len(niches) == 1, "something improved elsewhere"
    niches.elsewhere(places, rewards, ranked[1:])
    assert niches._left.tolist() == places[:2].tolist(), "another best is left as well"


@pytest.mark.parametrize("space", [FLAT, CONDITIONAL, CONTINUOUS])
def test_stuck_it_asks_elsewhere_alone_and_improves_on_what_is_known_there(space: DesignSpace) -> None:
    problem = next(p for p in problems().values() if p.space is space)
    agent: Any = surrogate_search.SurrogateSearch(problem, np.random.default_rng(0), first=16, candidates=1024)
    while agent._archive.count < 24:
        agent.tell(designs := agent.ask(agent.batch), problem.evaluate(designs))
    agent._idle = 2 * agent.settings["patience"]
    asked = agent._places.of(agent.ask(1))
    assert len(agent._niches) == 1
    assert agent._niches.outside(asked).all()
    assert (agent._niches._left == agent._archive.places[agent._archive.best(1)]).all()
    aim = agent._aim()
    assert aim.losses.min() > agent._losses[agent._feasible].min()
