"""The meter and the memory against a dictionary, over random spaces, batches and budgets."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metering import COST, LINE, Book, batches, play, problem_on, same, x
from models import Fails, Sums
from strategies import even_sum, rows, spaces

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import (
    BudgetSpent,
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    MeteredProblem,
    OnlyRepeats,
    Permutation,
    SpaceExhausted,
    Subset,
)


@settings(max_examples=150)
@given(st.booleans().flatmap(lambda f: spaces(floats_too=f)), st.data(), st.integers(1, 12))
def test_a_budget_of_distinct_designs(space: DesignSpace, data: st.DataObject, budget: int) -> None:
    problem, book = problem_on(space, violation_above=12.0), Book()
    metered = MeteredProblem(problem, budget, book)
    known: dict[tuple[Any, ...], int] = {}
    valid_left = space.count_valid() if space.size <= 10**6 else math.inf
    for batch in data.draw(batches(space)):
        designs = space.canonical(batch)
        expected, spent, exhausted = 0, False, valid_left <= 0
        for row, outside in zip(rows(designs), space.violation(designs), strict=True):
            if row not in known:
                if exhausted or len(known) == budget:
                    spent = True
                    break
                known[row] = len(known)
                valid_left -= outside == 0
            expected += 1
        answered = {name: column[:expected] for name, column in designs.items()}
        if spent:
            with pytest.raises(SpaceExhausted if exhausted else BudgetSpent) as over:
                metered.evaluate(batch)
            assert over.value.designs is not None
            assert rows(over.value.designs) == rows(answered)
            got = over.value.evaluations
        else:
            got = metered.evaluate(batch)
        assert got is not None
        assert len(got) == expected
        assert same(got, problem.evaluate(answered))
        assert metered.spent() == len(known) == len(book.fresh) <= budget
        assert book.fresh == list(known)
        assert metered.exhausted == (valid_left <= 0)
        assert metered.finished == (len(known) == budget or valid_left <= 0)
        if spent or exhausted:
            break


@given(spaces(), st.data())
def test_each_distinct_design_of_the_space_is_priced_once(space: DesignSpace, data: st.DataObject) -> None:
    model = Sums()
    metered = MeteredProblem(DesignProblem(space, model, COST), 1000)
    asked = data.draw(batches(space))
    play(metered, asked)
    priced = [row for call in model.calls for row in rows(call)]
    assert len(set(priced)) == len(priced)
    wanted = {row for batch in asked for row in rows(take_valid(space, batch))}
    assert set(priced) <= wanted
    if not metered.exhausted:
        assert set(priced) == wanted


def take_valid(space: DesignSpace, batch: Columns) -> Columns:
    designs = space.canonical(batch)
    return {name: column[space.violation(designs) == 0] for name, column in designs.items()}


def test_idle_parameters_types_and_signs_are_no_new_design() -> None:
    space = DesignSpace(
        Categorical("c", ("off", "on")), Integer("i", 0, 9, when=("c", {"on"})), Float("f", -1, 1), Subset("s", 5, 1)
    )
    model = Sums()
    metered = MeteredProblem(DesignProblem(space, model, COST), 5)
    batch = {"c": [0, 0, 0.0, 0], "i": [0, 7, 3.0, 99], "f": [0.0, -0.0, 0, -0.0], "s_0": [2, 2.0, 2, 2]}
    got = metered.evaluate({name: np.array(values) for name, values in batch.items()})
    assert metered.spent() == model.priced == 1
    assert (got.losses == got.losses[0]).all()


def test_what_is_illegal_is_no_legal_design_of_the_same_bits() -> None:
    for space in (
        DesignSpace(Integer("x", 0, 9)),
        DesignSpace(Integer("x", 0, 9), Float("f", 0, 1)),
        DesignSpace(Integer("x", 0, 9), Permutation("p", tuple(map(str, range(20)))), Permutation("q", ("a", "b"))),
    ):
        metered = MeteredProblem(problem_on(space), 10)
        batch = {name: np.zeros(5) for name in space.columns} | {"x": np.array([2.5, 2.0, np.nan, 2.5, np.nan])}
        got = metered.evaluate(batch)
        assert metered.spent() == 3
        assert got.violation.tolist() == [1.0, 0.0, 1.0, 1.0, 1.0]


def test_infeasible_designs_count() -> None:
    space = DesignSpace(Integer("x", 0, 99), constraints=("x <= 50",))
    metered = MeteredProblem(problem_on(space, violation_above=10), 4)
    got = metered.evaluate(x(60, 20, 200, 60))
    assert got.feasible.tolist() == [False] * 4
    assert metered.spent() == 3


def test_past_the_budget_what_fits_is_priced_and_carried() -> None:
    model, book = Sums(), Book()
    metered = MeteredProblem(DesignProblem(LINE, model, COST), 3, book)
    metered.evaluate(x(1))
    with pytest.raises(BudgetSpent, match="the budget of 3 distinct designs is spent") as over:
        metered.evaluate(x(1, 2, 2, 3, 1, 4, 2, 5))
    assert over.value.designs is not None
    assert over.value.evaluations is not None
    assert over.value.designs["x"].tolist() == [1, 2, 2, 3, 1]
    assert over.value.evaluations.losses[:, 0].tolist() == [2.0, 5.0, 5.0, 10.0, 2.0]
    assert [call["x"].tolist() for call in model.calls] == [[1], [2, 3]]
    assert [(a.designs["x"].tolist(), a.fresh.tolist(), a.ask) for a in book.answers] == [
        ([1], [True], 0),
        ([1, 2, 2, 3, 1], [False, True, False, True, False], 1),
    ]
    with pytest.raises(BudgetSpent) as over:
        metered.evaluate(x(7, 1))
    assert over.value.evaluations is not None
    assert len(over.value.evaluations) == 0
    assert metered.evaluate(x(3, 1)).losses[:, 0].tolist() == [10.0, 2.0], "repeats stay free"
    assert metered.spent() == 3
    assert metered.finished


def test_empty_batches_cost_nothing() -> None:
    metered = MeteredProblem(problem_on(LINE), 2)
    empty = x()
    for batch in (empty, x(1), empty, x(2), empty):
        assert len(metered.evaluate(batch)) == batch_length(batch)
    got = metered.evaluate(empty)
    assert list(got.metrics) == ["cost", "gain"]
    assert got.losses.shape == (0, 2)
    assert metered.spent() == 2


def test_a_small_space_ends_as_complete() -> None:
    space = DesignSpace(Integer("x", 0, 9), constraints=(even_sum,))
    metered = MeteredProblem(problem_on(space), 100)
    metered.evaluate(x(0, 1, 2, 4, 6))
    assert not metered.finished
    metered.evaluate(x(8))
    assert metered.exhausted
    assert metered.finished
    assert len(metered.evaluate(x(4, 2))) == 2, "a repeat stays free"
    for batch, answered in ((x(4, 3), 1), (x(3), 0)):
        with pytest.raises(SpaceExhausted, match="all 5 valid designs") as over:
            metered.evaluate(batch)
        assert over.value.evaluations is not None
        assert len(over.value.evaluations) == answered
    assert metered.spent() == 6


def test_who_goes_on_repeating_a_whole_space_is_stopped_as_complete() -> None:
    metered = MeteredProblem(problem_on(DesignSpace(Integer("x", 0, 2))), 100, patience=5)
    metered.evaluate(x(0, 1, 2))
    metered.evaluate(x(0, 1))
    with pytest.raises(SpaceExhausted, match="all 3 valid designs"):
        metered.evaluate(x(0, 1, 2))


def test_a_space_without_a_valid_design_is_complete_from_the_start() -> None:
    metered = MeteredProblem(problem_on(DesignSpace(Integer("x", 0, 9), constraints=("x > 9",))), 5)
    with pytest.raises(SpaceExhausted, match="all 0 valid"):
        metered.evaluate(x(1))


def test_who_only_repeats_is_stopped() -> None:
    metered = MeteredProblem(problem_on(LINE), 50, patience=5)
    metered.evaluate(x(1, 1, 1, 1, 1, 1, 2))
    metered.evaluate(x(1, 1, 1))
    metered.evaluate(x(2, 3, 1, 1, 1))
    metered.evaluate(x(1))
    with pytest.raises(OnlyRepeats, match="the last 6 designs asked were all priced before") as over:
        metered.evaluate(x(2, 3))
    assert over.value.evaluations is not None
    assert over.value.evaluations.losses[:, 0].tolist() == [5.0, 10.0]
    assert over.value.reason == "repeats"


def test_each_fidelity_has_its_own_budget_and_memory() -> None:
    problem = DesignProblem(LINE, Sums(), COST, cheap=Sums(scale=3.0))
    metered = MeteredProblem(problem, 2)
    assert (metered.evaluate(x(1, 2), "cheap").losses[:, 0] == 3 * metered.evaluate(x(1, 2)).losses[:, 0]).all()
    assert (metered.spent(), metered.spent("cheap")) == (2, 2)
    with pytest.raises(BudgetSpent):
        metered.evaluate(x(3), "cheap")
    small = MeteredProblem(DesignProblem(DesignSpace(Integer("x", 0, 1)), Sums(), COST, cheap=Sums()), 9)
    small.evaluate(x(0, 1), "cheap")
    assert not small.exhausted, "only cheaply"
    small.evaluate(x(0, 1))
    assert small.exhausted


def test_bad_budgets_and_fidelities_are_refused() -> None:
    with pytest.raises(ValueError, match="budget must be at least 1 design, got 0"):
        MeteredProblem(problem_on(LINE), 0)
    metered = MeteredProblem(problem_on(LINE), 2)
    for batch in (x(1), x()):
        with pytest.raises(ValueError, match="no cost model of fidelity 'cheap'"):
            metered.evaluate(batch, "cheap")
    with pytest.raises(ValueError, match="lack the columns x"):
        metered.evaluate({"y": np.array([1])})
    assert metered.spent() == 0


@pytest.mark.parametrize("size", [1, 40, 300])
def test_a_model_that_raises_leaves_the_meter_as_it_was(size: int) -> None:
    book = Book()
    space = DesignSpace(Integer("x", 0, 9 * size), constraints=("x >= 0",))
    metered = MeteredProblem(DesignProblem(space, Fails(2), COST), 4 * size, book)
    first = {"x": np.arange(size)}
    expected = metered.evaluate(first)
    for _ in range(3):
        if len(book.answers) > 1:
            with pytest.raises(RuntimeError, match="the simulator is gone"):
                metered.evaluate({"x": np.arange(2 * size, 4 * size + 9)})
        else:
            metered.evaluate({"x": np.arange(size, 2 * size)})
    assert metered.spent() == 2 * size == len(book.fresh)
    assert same(metered.evaluate(first), expected)
    metered.problem.cost_model.calls.clear()  # type: ignore[attr-defined]
    metered.evaluate({"x": np.arange(2 * size, 4 * size)})
    assert metered.spent() == 4 * size
    assert book.fresh == [(i,) for i in range(4 * size)]
    assert not metered.exhausted
