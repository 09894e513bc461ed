"""The meter and the memory against a dictionary, over random spaces, batches and budgets."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Fails, Sums
from strategies import designs_of, even_sum, rows, spaces

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import (
    Answer,
    BudgetSpent,
    Categorical,
    DesignProblem,
    DesignSpace,
    Evaluations,
    Float,
    Integer,
    MeteredProblem,
    Objective,
    OnlyRepeats,
    Ordinal,
    Permutation,
    ReplayDiffers,
    RunOver,
    SpaceExhausted,
    Subset,
)
from designgym.envs.memory import Memory, keys_of

COST = Objective("cost", "gain", reward="weighted")
LINE = DesignSpace(Integer("x", 0, 99))


def x(*values: float) -> Columns:
    return {"x": np.array(values)}


def problem_on(space: DesignSpace, **named: Any) -> DesignProblem:
    return DesignProblem(space, Sums(**named), COST)


def same(a: Evaluations, b: Evaluations) -> bool:
    """Equal to the last bit, NaN where NaN."""
    columns = [(getattr(a, n), getattr(b, n)) for n in ("losses", "violation", "feasible", "reward")]
    columns += [(a.metrics[name], b.metrics[name]) for name in a.metrics]
    return all(np.array_equal(p, q, equal_nan=p.dtype.kind == "f") for p, q in columns)


@st.composite
def batches(draw: st.DrawFn, space: DesignSpace) -> list[Columns]:
    """Batches with repeats in and between them, with illegal values, some columns as floats."""
    pool = draw(designs_of(space, draw(st.integers(1, 12))))
    if draw(st.booleans()):
        spoilt = draw(st.sampled_from(space.columns))
        pool[spoilt] = np.where(np.arange(batch_length(pool)) % 3 == 1, 1e7 + 0.5, pool[spoilt].astype(float))
    size = batch_length(pool)
    out = []
    for _ in range(draw(st.integers(1, 5))):
        picked = draw(st.lists(st.integers(0, size - 1), max_size=8))
        batch = {name: column[picked] for name, column in pool.items()}
        if draw(st.booleans()):
            batch = {name: column.astype(float) for name, column in batch.items()}
        out.append(batch)
    return out


class Book:
    """What a listener heard, and the distinct designs in the order priced."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def __call__(self, answer: Answer) -> None:
        self.answers.append(answer)

    @property
    def fresh(self) -> list[tuple[Any, ...]]:
        return [row for a in self.answers for row, new in zip(rows(a.designs), a.fresh, strict=True) if new]

    @property
    def evaluations(self) -> Evaluations:
        return Evaluations.concatenate([a.evaluations.take(a.fresh) for a in self.answers])

    def logged(self, space: DesignSpace, kept: int) -> tuple[Columns, Evaluations]:
        table = list(zip(*self.fresh[:kept], strict=True)) or [()] * len(space.columns)
        columns = {name: np.array(values) for name, values in zip(space.columns, table, strict=True)}
        return columns, self.evaluations.take(slice(kept))


def play(metered: MeteredProblem, asked: list[Columns]) -> list[tuple[str, Evaluations | None]]:
    """Evaluate every batch until the run is over."""
    out: list[tuple[str, Evaluations | None]] = []
    for batch in asked:
        try:
            out.append(("ok", metered.evaluate(batch)))
        except RunOver as over:
            out.append((over.reason, over.evaluations))
            break
    return out


# -- the meter against a dictionary -----------------------------------------------------------------------------------


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


# -- continuing -------------------------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(st.booleans().flatmap(lambda f: spaces(floats_too=f)), st.data(), st.integers(1, 12))
def test_a_continued_run_is_the_run(space: DesignSpace, data: st.DataObject, budget: int) -> None:
    asked = data.draw(batches(space))
    book = Book()
    whole = play(MeteredProblem(problem_on(space), budget, book), asked)
    priced = len(book.fresh)
    kept = data.draw(st.integers(0, priced))
    if not book.answers:
        return
    model, rest = Sums(), Book()
    again = MeteredProblem(DesignProblem(space, model, COST), budget, rest, book.logged(space, kept))
    continued = play(again, asked)
    assert [reason for reason, _ in continued] == [reason for reason, _ in whole]
    for (_, one), (_, other) in zip(whole, continued, strict=True):
        assert one is not None
        assert other is not None
        assert same(one, other)
    assert rest.fresh == book.fresh[kept:], "what is logged is not announced again"
    logged = set(book.fresh[:kept])
    assert not logged & {row for call in model.calls for row in rows(call)}, "nor priced"
    asks = {row: a.ask for a in book.answers for row, new in zip(rows(a.designs), a.fresh, strict=True) if new}
    for answer in rest.answers:
        for row, new in zip(rows(answer.designs), answer.fresh, strict=True):
            assert not new or asks[row] == answer.ask
    assert again.spent() == priced


def test_a_continued_run_that_asks_for_another_design_is_stopped() -> None:
    book = Book()
    MeteredProblem(problem_on(LINE), 9, book).evaluate(x(1, 2, 3, 4))
    logged = book.logged(LINE, 3)
    model = Sums()
    again = MeteredProblem(DesignProblem(LINE, model, COST), 9, book, logged)
    again.evaluate(x(1, 1))
    with pytest.raises(ReplayDiffers, match="design 2 of the continued run differs"):
        again.evaluate(x(2, 1, 7, 8))
    assert again.spent() == 1
    assert not model.calls
    assert again.evaluate(x(2, 3, 5)).losses[:, 0].tolist() == [5.0, 10.0, 26.0]
    assert [call["x"].tolist() for call in model.calls] == [[5]]


def test_logged_designs_need_their_evaluations() -> None:
    logged = x(1, 2, 3), problem_on(LINE).evaluate(x(1, 2))
    with pytest.raises(ValueError, match="3 logged designs need as many evaluations, not 2"):
        MeteredProblem(problem_on(LINE), 9, None, logged)


def test_the_spelling_of_the_log_does_not_matter() -> None:
    space = DesignSpace(Integer("x", 0, 99), Ordinal("y", (0.5, 1)), Categorical("c", ("a", "b")))
    designs = {"x": np.array([3.0]), "y": np.array([1]), "c": np.array([1.0])}
    again = MeteredProblem(problem_on(space), 9, None, (designs, problem_on(space).evaluate(designs)))
    assert again.evaluate({"x": np.array([3]), "y": np.array([1.0]), "c": np.array([1])}).losses[0, 0] == 12.0


# -- the table --------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2))), max_size=6), st.integers(0, 30))
def test_the_table_is_a_dictionary(asked: list[list[tuple[int, int]]], budget: int) -> None:
    memory, known = Memory(2), dict[tuple[int, int], int]()
    for batch in asked:
        room = max(0, budget - memory.count)
        before = len(known)
        expected = []
        for key in batch:
            if key not in known and len(known) < before + room:
                known[key] = len(known)
            expected.append(known.get(key, -1))
        keys = np.array(batch, np.uint64).reshape(-1, 2) << np.uint64(57)  # differ in their highest bits only
        places, new = memory.insert(keys, room)
        assert places.tolist() == expected
        assert (memory.count, new) == (len(known), len(known) - before)


def test_a_hundred_thousand_keys_and_forgetting() -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**63, (100_000, 1)).astype(np.uint64)
    memory = Memory(1)
    places, new = memory.insert(keys, len(keys))
    assert new == len(keys)
    assert (places == np.arange(len(keys))).all()
    memory.forget(40_000)
    places, new = memory.insert(keys, 0)
    assert new == 0
    assert (places == np.where(np.arange(len(keys)) < 60_000, np.arange(len(keys)), -1)).all()


@given(spaces(large_too=True), st.data())
def test_keys_of_legal_designs_differ_where_the_designs_do(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space, 30))
    keys = keys_of(space, designs, space.violation(designs))
    assert len({tuple(key) for key in keys.tolist()}) == len(set(rows(designs)))
