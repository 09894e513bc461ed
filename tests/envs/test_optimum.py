"""True optima against brute force, and where the known ones are kept."""

import json
import math
import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from models import Returns, Sums
from strategies import even_sum, spaces

from designgym.cost_models.base import Columns, Metric, batch_length
from designgym.envs import (
    BrokenCostModel,
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    Objective,
    Ordinal,
    Permutation,
    make_problem,
    register_problem,
)
from designgym.envs import optimum_search as search_module
from designgym.envs.optimum import Optimum, find_optimum, known_fronts, known_optimum, regret, store_optimum
from designgym.envs.pareto import hypervolume, hypervolume_so_far, nondominated

NAMES = ("u", "v", "w")


@dataclass(frozen=True)
class Coarse:
    """Few different numbers, so that ties abound; some designs infeasible, some infinite."""

    seed: int

    metrics = tuple(Metric(name, "", "lower" if name != "w" else "higher", name) for name in NAMES)
    version = "coarse-1"

    def evaluate(self, designs: Columns) -> Columns:
        n = batch_length(designs)
        code = np.full(n, float(self.seed % 1009))
        for column in designs.values():
            code = (code * 31 + np.floor(column.astype(float) * 4)) % 1009
        violation = np.where(code % 7 == 0, 1 + code % 3, 0.0)
        u, v, w = code % 5, code // 5 % 4, np.where(code % 11 == 3, -math.inf, code // 20 % 4)
        return {name: np.where(violation > 0, math.nan, x) for name, x in zip(NAMES, (u, v, w), strict=True)} | {
            "violation": violation
        }


OBJECTIVES = {
    1: Objective("u", subject_to="v <= 2", reward="weighted"),
    2: Objective("u", "w", subject_to="v <= 2", reward="weighted"),
    3: Objective(("u", "v"), "w", reward="weighted"),
}


def everything(problem: DesignProblem) -> tuple[Columns, Any]:
    """All valid designs in rank order, and what they come to, through the ordinary door."""
    chunks = [*problem.space.enumerate(10**6)]
    designs = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in problem.space.columns}
    return designs, problem.evaluate(designs)


# -- finding ----------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(spaces(), st.integers(0, 10**6), st.sampled_from([1, 2, 3]), st.integers(1, 200))
def test_the_optimum_by_brute_force(space: DesignSpace, seed: int, objectives: int, chunk: int) -> None:
    assume(space.count_valid() > 0)
    problem = DesignProblem(space, Coarse(seed), OBJECTIVES[objectives])
    designs, got = everything(problem)
    found = find_optimum(problem, chunk)
    assert (found.valid, found.feasible) == (len(got), got.feasible.sum())
    rows = np.flatnonzero(got.feasible & np.isfinite(got.losses).all(axis=1))
    front = rows[nondominated(got.losses[rows])]
    _, first = np.unique(got.losses[front], axis=0, return_index=True)
    kept = front[np.sort(first)]
    assert found.losses == tuple(map(tuple, got.losses[kept].tolist()))
    assert found.ties == len(front) - len(kept)
    names = space.describe(designs)
    assert found.designs == tuple({name: names[name][row] for name in space.columns} for row in kept)
    assert found.all_metrics == tuple({name: got.metrics[name][row].item() for name in NAMES} for row in kept)
    assert found.median_of == found.feasible
    if found.feasible:
        assert np.array_equal(found.median_losses, np.median(got.losses[got.feasible], axis=0))
    if len(kept):
        assert found.hypervolume == pytest.approx(hypervolume(got.losses[rows], np.array(found.reference)))
        assert found.hypervolume > 0 or np.isinf(found.median_losses).any()
        assert (found.reference > found.nadir).all()
        assert found.loss == got.losses[kept, 0].min()
    again = Optimum.from_json(json.loads(json.dumps(found.to_json())))
    assert repr(again) == repr(found)


def test_one_objective_keeps_all_metrics_of_the_first_best() -> None:
    space = DesignSpace(Integer("x", 0, 9), Categorical("c", ("a", "b")), Integer("y", 0, 3, when=("c", {"b"})))
    problem = DesignProblem(space, Sums(), Objective("cost", subject_to="gain <= 1.6"))
    found = find_optimum(problem)
    assert found.objectives == ("cost",)
    # gain = 2 + cos(x + c + y) <= 1.6 from a sum of 2 on: squares are least where two of the three are 1.
    assert found.design == {"x": 0, "c": "b", "y": 1}
    assert found.metrics == {"cost": 3.0, "gain": pytest.approx(2 + math.cos(2))}
    assert (found.loss, found.ties) == (3.0, 1)
    assert (found.valid, found.cost_model, found.version) == (50, "Sums", "1")
    assert (found.median_of, found.ideal.tolist(), found.nadir.tolist()) == (found.feasible, [3.0], [3.0])


def test_ties_keep_the_first_in_rank_order() -> None:
    space = DesignSpace(Integer("x", -2, 2), Ordinal("idle", (1, 2)), Permutation("p", ("a", "b", "c")))

    @dataclass(frozen=True)
    class Square(Returns):
        def evaluate(self, designs: Columns) -> Columns:
            square = designs["x"] ** 2 + 1
            return {"cost": square, "gain": square, "violation": np.zeros(len(square))}

    for chunk in (1, 5, 10**6):
        found = find_optimum(DesignProblem(space, Square({}), Objective("gain")), chunk)
        assert found.design == {"x": 0, "idle": 1, "p": "a,b,c"}
        assert (found.ties, found.feasible) == (11, 60)
        worst = find_optimum(DesignProblem(space, Square({}), Objective(maximize="gain")), chunk)
        assert (worst.design["x"], worst.loss, worst.ties) == (-2, -5.0, 23)


@pytest.mark.parametrize("objectives", [1, 2])
def test_nothing_feasible(objectives: int) -> None:
    space = DesignSpace(Integer("x", 0, 9))
    objective = replace(OBJECTIVES[objectives], subject_to=("v > 100",))
    found = find_optimum(DesignProblem(space, Coarse(0), objective))
    assert (found.feasible, found.designs, found.design, found.metrics) == (0, (), {}, {})
    assert math.isnan(found.loss)
    assert found.front_losses.shape == (0, objectives)
    assert found.hypervolume == 0


def test_progress_ends_at_the_size_of_the_space() -> None:
    heard: list[tuple[int, int]] = []
    space = DesignSpace(Integer("x", 0, 9), Integer("y", 0, 9), constraints=(even_sum, "x >= 4"))
    find_optimum(DesignProblem(space, Sums(), Objective("cost")), 20, lambda *done: heard.append(done))
    assert heard[-1] == (100, 100)
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[0][0] <= 60


def test_a_large_space_takes_the_median_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "EXACT_MEDIAN", 1000)
    space = DesignSpace(Integer("x", 0, 99), Integer("y", 0, 99), constraints=("x + y <= 150",))
    problem = DesignProblem(space, Sums(), Objective("cost", subject_to="cost >= 2"))
    _, got = everything(problem)
    found = find_optimum(problem, 700)
    assert found.median_of > 10**6 * 0.99
    assert found.median_of != found.feasible
    share = (got.losses[got.feasible] < found.median_loss).mean()
    assert abs(share - 0.5) < 0.005  # ten standard errors of a million draws
    assert found.loss == 2.0


def test_floats_and_broken_models_are_refused() -> None:
    with pytest.raises(ValueError, match="pressure"):
        find_optimum(DesignProblem(DesignSpace(Float("pressure", 0, 1)), Sums(), Objective("cost")))

    space = DesignSpace(Integer("x", 0, 99))

    @dataclass(frozen=True)
    class Breaks(Returns):
        what: str = "cost"
        value: float = math.nan

        def evaluate(self, designs: Columns) -> Columns:
            got = Sums().evaluate(designs)
            return got | {self.what: np.where(designs["x"] == 57, self.value, got[self.what])}

    for what, value, message in (
        ("cost", math.nan, "Breaks: cost may be NaN only where violation > 0, got NaN for x=57"),
        ("violation", -1.0, "Breaks: violation must be >= 0, got -1.0 for x=57"),
        ("violation", math.nan, "Breaks: violation must be >= 0, got nan for x=57"),
    ):
        for objective in (Objective("cost"), Objective("cost", "gain")):
            with pytest.raises(BrokenCostModel, match=message):
                find_optimum(DesignProblem(space, Breaks({}, what, value), objective), 10)
    with pytest.raises(BrokenCostModel, match="must return 'gain'"):
        find_optimum(DesignProblem(space, Returns({"cost": np.zeros(100)}), Objective("cost")))


def test_the_reference_of_a_front() -> None:
    space = DesignSpace(Integer("x", 0, 10), Integer("y", 0, 10))

    @dataclass(frozen=True)
    class Line(Returns):
        """The front is x in 0 ... 10 at y = 0: losses (x, 10 - x)."""

        def evaluate(self, designs: Columns) -> Columns:
            worse = 100.0 * designs["y"]
            return {
                "cost": designs["x"] + worse, "gain": designs["x"] - 10.0 - worse, "violation": np.zeros(len(worse)),
            }  # fmt: skip

    found = find_optimum(DesignProblem(space, Line({}), Objective("cost", "gain", reward="weighted")))
    assert sorted(found.losses) == [(float(x), 10.0 - x) for x in range(11)]
    assert (found.ideal.tolist(), found.nadir.tolist()) == ([0, 0], [10, 10])
    assert found.median_losses == (505.0, 505.0), "worse than 11, a tenth beyond the front"
    assert found.reference == (505.0, 505.0)
    near = replace(found, median_losses=(1.0, 1.0))
    assert search_module._reference(near.front_losses, np.array(near.median_losses)).tolist() == [11.0, 11.0]
    alone = search_module._reference(np.array([[-4.0, 0.0]]), np.array([-9.0, -9.0]))
    assert alone.tolist() == pytest.approx([-3.6, 1e-13])


# -- regret -----------------------------------------------------------------------------------------------------------


def test_regret_of_one_objective() -> None:
    found = find_optimum(DesignProblem(DesignSpace(Integer("x", 1, 5)), Sums(), Objective("cost")))
    assert (found.loss, found.median_loss) == (2.0, 10.0)
    losses = np.array([[math.inf, math.nan, 26.0], [10.0, 6.0, 2.0]])
    assert regret(losses, found).tolist() == [[1.0, 1.0, 3.0], [1.0, 0.5, 0.0]]
    assert float(regret(6.0, found)) == 0.5
    flat = replace(found, median_losses=(2.0,))
    assert regret([2.0, math.inf], flat).tolist() == [0.0, 1.0]


def test_regret_of_several_objectives() -> None:
    space = DesignSpace(Integer("x", 0, 30), Integer("y", 0, 30))
    problem = DesignProblem(space, Sums(), Objective("cost", "gain", reward="weighted"))
    found = find_optimum(problem)
    _, got = everything(problem)
    order = np.random.default_rng(0).permutation(len(got))
    losses = np.where(got.feasible[:, None], got.losses, math.nan)[order]
    gone = regret(hypervolume_so_far(losses, np.array(found.reference)), found)
    assert gone[-1] == pytest.approx(0.0, abs=1e-12)
    assert (np.diff(gone) <= 1e-12).all()
    assert regret([0.0, math.nan], found).tolist() == [1.0, 1.0]


# -- known optima -----------------------------------------------------------------------------------------------------


def made(
    top: int = 9,
    scale: float = 1.0,
    objective: Objective | None = None,
    cost_model: Any = None,
) -> DesignProblem:
    """A registered problem of the tests."""
    return DesignProblem(DesignSpace(Integer("x", 1, top)), cost_model or Scaled(scale), objective or Objective("cost"))


@dataclass(frozen=True)
class Scaled(Sums):
    @property
    def version(self) -> str:  # type: ignore[override]
        return f"scaled-{self.scale}"


@pytest.fixture
def family(registrations_forgotten: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A problem whose function lies in a package of its own, at tmp_path."""
    name = "family_" + "".join(c if c.isalnum() else "_" for c in tmp_path.name)
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = ModuleType(f"{name}.problems")

    def function(
        top: int = 9, scale: float = 1.0, objective: Objective | None = None, cost_model: Any = None
    ) -> DesignProblem:
        return made(top, scale, objective, cost_model)

    function.__module__ = module.__name__
    module.function = function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    problem_id = f"{name.title().replace('_', '')}-v0"
    register_problem(problem_id, f"{module.__name__}:function")
    return problem_id


def test_a_stored_optimum_is_known_again(family: str, tmp_path: Path) -> None:
    problem = make_problem(family)
    assert known_optimum(family, {}, problem) is None
    found = find_optimum(problem)
    path = store_optimum(found, family, {}, problem)
    assert path.parent.name == "data"
    assert path.is_relative_to(tmp_path)
    assert [p.name for p in path.parent.iterdir()] == ["optima.json"]
    assert known_optimum(family, {}, problem) == found
    assert known_optimum(family.removesuffix("-v0"), {"top": 9, "scale": 1.0}, problem) == found
    (entry,) = json.loads(path.read_text())
    assert entry["command"] == f"designgym optimum {family}"
    assert entry["options"] == {"scale": 1.0, "top": 9}


def test_another_option_objective_or_version_is_another_optimum(family: str) -> None:
    settings_of: list[dict[str, Any]] = [
        {},
        {"top": 5},
        {"objective": Objective(maximize="cost")},
        {"objective": Objective("cost", subject_to="gain >= 1.5")},
        {"objective": Objective(("cost", "gain"))},
    ]
    stored = []
    for options in settings_of:
        problem = make_problem(family, **options)
        assert known_optimum(family, options, problem) is None
        stored.append(find_optimum(problem))
        path = store_optimum(stored[-1], family, options, problem)
    for options, found in zip(settings_of, stored, strict=True):
        assert known_optimum(family, options, make_problem(family, **options)) == found
    commands = [entry["command"] for entry in json.loads(path.read_text())]
    assert f"designgym optimum {family} --set top=5" in commands
    assert len(commands) == len(set(commands)) == 5
    weighted = make_problem(family, objective=Objective("cost", reward="weighted", floor=-5.0))
    assert known_optimum(family, {}, weighted) == stored[0], "a reward moves no optimum"
    newer = make_problem(family, cost_model=Scaled(2.0))
    assert known_optimum(family, {}, newer) is None
    store_optimum(find_optimum(newer), family, {}, newer)
    assert known_optimum(family, {}, make_problem(family)) is None, "an older version's is replaced"
    assert len(json.loads(path.read_text())) == 5


def test_a_front_of_the_whole_space_is_known_whatever_is_wanted(family: str) -> None:
    both, bound = Objective(("cost", "gain")), "gain >= 1.5"
    fronts = {}
    for top, subject_to in ((9, ()), (5, ()), (9, (bound,))):
        options = {"top": top, "objective": replace(both, subject_to=subject_to)}
        problem = make_problem(family, **options)
        fronts[top, subject_to] = find_optimum(problem)
        store_optimum(fronts[top, subject_to], family, options, problem)
    store_optimum(find_optimum(make_problem(family)), family, {}, make_problem(family))
    for top in (9, 5):
        bounded = make_problem(family, top=top, objective=Objective("cost", subject_to=bound))
        assert known_fronts(family, bounded) == (fronts[top, ()],)
    assert known_fronts(family, make_problem(family, top=7)) == ()
    assert known_fronts(family, make_problem(family, cost_model=Scaled(2.0))) == ()
    named = replace(make_problem(family), space=DesignSpace(Integer("y", 1, 9)))
    elsewhere = replace(make_problem(family), space=DesignSpace(Integer("x", 21, 29)))
    constrained = replace(make_problem(family), space=DesignSpace(Integer("x", 1, 9), constraints=["x != 4"]))
    assert [known_fronts(family, other) for other in (named, elsewhere, constrained)] == [()] * 3


def test_the_recorded_command_finds_it_again(family: str) -> None:
    options = {"objective": {"minimize": ["cost"], "subject_to": ["gain >= 1.5"]}, "top": 7}
    problem = make_problem(family, **options)
    path = store_optimum(find_optimum(problem), family, options, problem)
    (entry,) = json.loads(path.read_text())
    words = shlex.split(entry["command"])
    assert words[:3] == ["designgym", "optimum", family]
    given_again = dict(word.split("=", 1) for word in words[4::2])
    again = {name: yaml.safe_load(text) for name, text in given_again.items()}
    assert again == options


def test_a_file_of_optima_may_lie_elsewhere(family: str, tmp_path: Path) -> None:
    problem = make_problem(family)
    path = store_optimum(find_optimum(problem), family, {}, problem, tmp_path / "deep" / "mine.json")
    assert json.loads(path.read_text())[0]["problem"] == family
    assert known_optimum(family, {}, problem) is None


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', "[1]"])
def test_a_damaged_file_is_named(family: str, text: str) -> None:
    problem = make_problem(family)
    found = find_optimum(problem)
    path = store_optimum(found, family, {}, problem)
    path.write_text(text)
    for call in (
        lambda: known_optimum(family, {}, problem),
        lambda: store_optimum(found, family, {}, problem),
    ):
        with pytest.raises(ValueError, match=r"optima\.json must hold a JSON list of optima"):
            call()
    assert path.read_text() == text
