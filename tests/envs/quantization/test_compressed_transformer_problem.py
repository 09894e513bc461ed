"""CompressedTransformer-v0: its size, its true optima, hard and soft, and that it can be searched."""

import json
import math
from importlib import resources

import numpy as np
import pytest

from designgym.agents import search
from designgym.envs import make_problem
from designgym.envs.optimum import Optimum, find_optimum, known_optimum, regret
from designgym.envs.reasons import reason_of

ID = "CompressedTransformer-v0"
STORED = json.loads(resources.files("designgym.envs.quantization").joinpath("data", "optima.json").read_text())
ENTRIES = [entry for entry in STORED if entry["problem"] == ID]
NEAREST = {"population": 50, "crossover": 0.6, "mutation": 0.05, "reach": 1.0, "tournament": 1}


def written(optimum: Optimum) -> str:
    return "/".join(str(optimum.design[name]) for name in ("vocabulary", "heads", "hidden", "feed_forward", "layers"))


def stored(bound: str) -> Optimum:
    optimum = known_optimum(ID, {"bound": bound}, make_problem(ID, bound=bound))
    assert optimum is not None
    return optimum


def test_the_space_has_the_published_size() -> None:
    space = make_problem(ID).space
    assert space.size == 10_944_000 == 50 * 4 * 48 * 95 * 12
    assert space.columns == ("vocabulary", "heads", "hidden", "feed_forward", "layers")
    largest = space.describe(space.unrank(np.array([space.size - 1])))
    assert {name: values[0] for name, values in largest.items()} == {
        "vocabulary": 50_000, "heads": 8, "hidden": 768, "feed_forward": 3040, "layers": 12,
    }  # fmt: skip


def test_the_hard_optimum() -> None:
    optimum = stored("hard")
    assert written(optimum) == "1000/8/96/32/12"
    assert optimum.metrics["gflops"] == pytest.approx(2.1756, abs=5e-5)
    assert optimum.metrics["size_mb"] <= 3.0
    assert (optimum.valid, optimum.feasible, optimum.ties) == (10_944_000, 188_216, 0)


def test_the_soft_optimum() -> None:
    optimum = stored("soft")
    assert written(optimum) == "1000/8/96/64/12"
    assert optimum.metrics["gflops"] == pytest.approx(2.2532, abs=5e-5)
    assert optimum.metrics["score"] == pytest.approx(2.1915, abs=5e-5)
    assert (optimum.valid, optimum.feasible, optimum.ties) == (10_944_000, 10_944_000, 0)


def test_three_sizes_are_stored() -> None:
    assert {(entry["options"]["bound"], entry["options"]["target_mb"]) for entry in ENTRIES} == {
        (bound, size) for bound in ("hard", "soft") for size in (3, 25, 50)
    }


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["command"].removeprefix("designgym optimum "))
def test_what_is_stored_is_what_enumeration_finds(entry: dict) -> None:  # type: ignore[type-arg]
    found = find_optimum(make_problem(ID, **entry["options"]))
    assert found == Optimum.from_json(entry["optimum"])


def test_a_whole_target_is_the_same_problem() -> None:
    assert known_optimum(ID, {"target_mb": 3}, make_problem(ID, target_mb=3)) == stored("hard")


def test_the_soft_reward_is_the_published_score_of_every_design() -> None:
    for target in (3.0, 5000.0):
        problem = make_problem(ID, bound="soft", target_mb=target)
        designs = problem.space.sample(20_000, np.random.default_rng(0))
        got = problem.evaluate(designs)
        assert got.feasible.all()
        assert np.array_equal(got.reward, got.metrics["gflops"] - abs(got.metrics["size_mb"] - target))


def test_a_design_above_the_bound_is_a_result_with_a_reason() -> None:
    problem = make_problem(ID)
    design = problem.space.parse(stored("soft").design)
    got = problem.evaluate(design)
    assert got.violation[0] == pytest.approx(0.06164 / 3)
    assert reason_of(problem, design, got) == "size_mb <= 3.0 does not hold for size_mb = 3.06164"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target_mb": 0}, "target_mb must be a number above 0, got 0. Choose 3, 25 or 50, say."),
        ({"target_mb": -1.5}, "target_mb must be a number above 0, got -1.5."),
        ({"target_mb": math.nan}, "option target_mb must be a number, such as 3, got nan. Give one."),
        ({"target_mb": math.inf}, "target_mb must be a number above 0, got inf. Choose 3, 25 or 50, say."),
        ({"target_mb": "small"}, "option target_mb must be a number, such as 3, got 'small'."),
        ({"bound": "firm"}, "bound must be hard or soft, got 'firm'. Choose one of them."),
        ({"objective": "accuracy"}, "the cost model has no metric 'accuracy'."),
    ],
)
def test_wrong_options_are_refused_in_a_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as caught:
        make_problem(ID, **options)
    assert message in str(caught.value)


def test_two_objectives_give_the_whole_front() -> None:
    problem = make_problem(ID, bound="soft", objective="gflops,size_mb")
    assert (problem.objective.maximize, problem.objective.minimize) == (("gflops",), ("size_mb",))
    assert problem.objective.subject_to == ()
    bounded = make_problem(ID, objective="gflops,size_mb")
    assert bounded.objective.subject_to == ("size_mb <= 3.0",)


@pytest.mark.parametrize("bound", [pytest.param("hard", marks=pytest.mark.slow), "soft"])
def test_it_can_be_searched(bound: str) -> None:
    """`genetic` in its nearest to the published settings, at the published number of designs, beside random search."""
    problem, optimum = make_problem(ID, bound=bound), stored(bound)
    sign = {"hard": "gflops", "soft": "score"}[bound]

    def mean_regret(agent: str, seeds: int, **settings: float) -> float:
        runs = [search(problem, agent, 5050, seed, **settings) for seed in range(seeds)]
        found = [-run.best.metrics[sign] if run.best else math.inf for run in runs]
        return float(regret(found, optimum).mean())

    nearest, drawn = mean_regret("genetic", 10, **NEAREST), mean_regret("random", 10)
    assert 0 < nearest < 0.6 * drawn
    assert mean_regret("genetic", 4) < 0.5 * nearest
