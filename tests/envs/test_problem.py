"""A problem prices what lies in its space, and holds a cost model to its contract."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models import Fails, Returns, Sums
from strategies import designs_of, even_sum, rows, spaces

from designgym.cost_models.base import Columns
from designgym.envs import BrokenCostModel, Categorical, DesignProblem, DesignSpace, Float, Integer, Objective, Ordinal

COST = Objective("cost", subject_to="gain >= 1.2")


@given(spaces(floats_too=True), st.data())
def test_a_batch_is_priced_row_by_row(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    problem = DesignProblem(space, Sums(), COST)
    together = problem.evaluate(designs)
    outside = space.violation(designs)
    model = Sums().evaluate(designs)
    for i in range(len(together)):
        alone = problem.evaluate({name: column[i : i + 1] for name, column in designs.items()})
        for name in ("violation", "feasible", "reward"):
            assert getattr(alone, name)[0] == getattr(together, name)[i]
        assert np.array_equal(alone.losses[0], together.losses[i], equal_nan=True)
        if outside[i]:
            assert together.violation[i] == outside[i]
            assert np.isnan(together.metrics["cost"][i])
        else:
            assert together.metrics["cost"][i] == model["cost"][i]
            assert together.feasible[i] == (model["gain"][i] >= 1.2)


@given(spaces(), st.data())
def test_only_designs_of_the_space_are_priced(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space))
    model = Sums()
    DesignProblem(space, model, COST).evaluate(designs)
    inside = space.contains(designs)
    assert model.priced == inside.sum()
    for call in model.calls:
        assert space.contains(call).all()
        assert {name: column.dtype for name, column in call.items()} == space.dtypes


def test_rows_outside_the_space_get_its_violation() -> None:
    space = DesignSpace(Integer("x", 0, 9), Ordinal("y", (1, 2, 4)), constraints=("x <= 4", even_sum))
    problem = DesignProblem(space, Sums(violation_above=5), Objective("cost"))
    got = problem.evaluate({"x": np.array([1, 2.5, 8, 5, 4]), "y": np.array([1, 3, 2, 4, 2])})
    assert got.violation.tolist() == [0.0, 2.0, 1.0, 0.25 + 1.0, 1.0]
    assert got.feasible.tolist() == [True, False, False, False, False]
    assert np.isnan(got.losses[:, 0]).tolist() == [False, True, True, True, True]
    assert got.reward.tolist() == [-np.log(3), *(-100 * (2 - 1 / (1 + v)) for v in (2.0, 1.0, 1.25, 1.0))]


def test_the_model_sees_each_column_in_its_own_type() -> None:
    """Whole numbers that came as floats, even beside a row that is no design."""
    space = DesignSpace(Integer("x", 0, 9), Ordinal("y", (0.5, 1)), Categorical("c", ("a", "b")))
    model = Sums()
    got = DesignProblem(space, model, COST).evaluate(
        {"x": np.array([3.0, 2.5]), "y": np.array([1, 1]), "c": np.array([True, False]), "more": np.zeros(2)}
    )
    assert got.violation.tolist() == [0.0, 1.0]
    (call,) = model.calls
    assert {name: column.dtype for name, column in call.items()} == space.dtypes
    assert rows(call) == [(3, 1.0, 1)]


def test_a_batch_of_none_asks_no_model() -> None:
    space = DesignSpace(Integer("x", 0, 9), constraints=("x <= 4",))
    model = Fails(0)
    problem = DesignProblem(space, model, COST)
    for designs in ({"x": np.array([], int)}, {"x": np.array([7, 8])}):
        got = problem.evaluate(designs)
        assert got.violation.tolist() == [0.75, 1.0][: len(designs["x"])]
        assert list(got.metrics) == ["cost", "gain"]
        assert got.losses.shape == (len(designs["x"]), 1)
    assert not model.calls


def good(**changed: object) -> dict[str, object]:
    return {"cost": np.ones(2), "gain": np.full(2, 3), "violation": np.zeros(2)} | changed


SPACE = DesignSpace(Integer("x", 0, 9), Categorical("kind", ("left", "right")))
DESIGNS: Columns = {"x": np.array([4, 7]), "kind": np.array([0, 1])}


def test_whole_metrics_come_as_floats_like_any_others() -> None:
    got = DesignProblem(SPACE, Returns(good()), COST).evaluate(DESIGNS)
    assert {name: column.dtype for name, column in got.metrics.items()} == {"cost": float, "gain": float}
    assert got.metrics["gain"].tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"cost": np.ones(2)}, "Returns must return 'gain', got only cost"),
        ({"cost": np.ones(2), "gain": np.ones(2)}, "Returns must return 'violation', got only cost, gain"),
        (good(cost=np.ones(3)), r"Returns must return 'cost' as numbers of shape \(2,\), got float64 of shape \(3,\)"),
        (good(cost=1.0), r"of shape \(\)"),
        (good(cost=np.ones((2, 1))), r"of shape \(2, 1\)"),
        (good(cost=np.array(["a", "b"])), "Returns must return 'cost' as numbers"),
        (good(cost=np.array([1, None])), "got object"),
        (good(cost=np.array([1j, 1])), "got complex128"),
        (good(violation=np.array([0, -1])), "Returns: violation must be >= 0, got -1.0 for x=7, kind=right"),
        (good(violation=np.array([np.nan, 0])), "Returns: violation must be >= 0, got nan for x=4, kind=left"),
        (good(cost=np.array([1, np.nan])), "Returns: cost may be NaN only where violation > 0.*x=7, kind=right"),
        (
            good(gain=np.array([np.nan, np.nan]), violation=np.array([1, 0])),
            "Returns: gain may be NaN only where violation > 0, got NaN for x=7, kind=right.*mend the formula",
        ),
    ],
)
def test_a_broken_contract_names_the_model_the_metric_and_the_design(columns: dict[str, object], message: str) -> None:
    with pytest.raises(BrokenCostModel, match=message):
        DesignProblem(SPACE, Returns(columns), COST).evaluate(DESIGNS)


def test_metrics_may_be_missing_where_a_design_cannot_be_built() -> None:
    nan = np.array([np.nan, 1])
    model = Returns(good(cost=nan, gain=nan, violation=np.array([np.inf, 0])))
    got = DesignProblem(SPACE, model, Objective("cost")).evaluate(DESIGNS)
    assert got.violation.tolist() == [np.inf, 0.0]
    assert got.reward.tolist() == [-200.0, 0.0]


def test_an_objective_over_a_metric_that_is_not_there_fails_when_the_problem_is_made() -> None:
    with pytest.raises(ValueError, match=r"no metric 'costs'\. Did you mean 'cost'"):
        DesignProblem(SPACE, Sums(), Objective("costs"))
    with pytest.raises(ValueError, match=r"unknown name 'gian'\. Did you mean 'gain'"):
        DesignProblem(SPACE, Sums(), Objective("cost", subject_to="gian >= 1"))


def test_fidelities() -> None:
    problem = DesignProblem(SPACE, Sums(), COST, cheap=Sums(scale=2.0))
    assert (problem.evaluate(DESIGNS, "cheap").losses == 2 * problem.evaluate(DESIGNS).losses).all()
    with pytest.raises(ValueError, match="no cost model of fidelity 'cheap'"):
        DesignProblem(SPACE, Sums(), COST).evaluate(DESIGNS, "cheap")
    with pytest.raises(ValueError, match="no cost model of fidelity 'good'"):
        problem.evaluate(DESIGNS, "good")  # type: ignore[arg-type]


@given(spaces(floats_too=True), st.data())
def test_problems_pickle(space: DesignSpace, data: st.DataObject) -> None:
    problem = DesignProblem(space, Sums(), COST)
    designs = data.draw(designs_of(space))
    expected = problem.evaluate(designs)
    again = pickle.loads(pickle.dumps(problem))
    assert again == problem
    assert (again.evaluate(designs).reward == expected.reward).all()


def test_an_idle_parameter_is_priced_at_its_default() -> None:
    space = DesignSpace(Categorical("c", ("off", "on")), Float("f", 0, 9, default=2.0, when=("c", {"on"})))
    got = DesignProblem(space, Sums(), Objective("cost")).evaluate({"c": np.array([0, 1]), "f": np.array([7.0, 7.0])})
    assert got.losses[:, 0].tolist() == [1 + 4.0, 1 + 1 + 49.0]
