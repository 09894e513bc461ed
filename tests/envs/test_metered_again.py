"""A metered run that is continued from its log is the run that was never interrupted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metering import COST, LINE, Book, batches, play, problem_on, same, x
from models import Sums
from strategies import rows, spaces

from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Integer,
    MeteredProblem,
    Ordinal,
    ReplayDiffers,
)


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
