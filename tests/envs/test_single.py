"""One design at a time: the short way says what the batched methods say, and counts alike."""

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from models import Sums
from strategies import designs_of, spaces

from designgym.envs import DesignProblem, DesignSpace, Integer, MeteredProblem, Objective

COST = Objective("cost", "gain", reward="weighted")


@settings(max_examples=200)
@given(st.booleans().flatmap(lambda f: spaces(floats_too=f)), st.data())
def test_one_inside_agrees_with_the_batched_methods(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space, 3))
    spoilt, by = data.draw(st.sampled_from(space.columns)), data.draw(st.sampled_from([-1, 1, 0.5, 10**7, math.nan]))
    changed = designs[spoilt] + np.array(by).astype(designs[spoilt].dtype if by == by and by % 1 == 0 else float)
    for columns in (designs, designs | {spoilt: changed}):
        for i in range(3):
            one = {name: column[i : i + 1] for name, column in columns.items()}
            found = space.one_inside(one)
            with np.errstate(invalid="ignore"):
                inside = bool(space.contains(one)[0])
            if found is None:
                # The short way may leave a valid design to the long one only for its spelling.
                plain = all(one[name].dtype == dtype for name, dtype in space.dtypes.items())
                zero = any(one[name][0] == 0 for name in space.columns if one[name].dtype.kind == "f")
                assert not inside or not plain or zero
                continue
            assert inside
            assert list(found[0]) == list(space.columns)
            if not space.has_floats and space.size < 2**63:
                assert found[1] == space.rank(one)[0]
            else:
                assert found[1] is None


@settings(max_examples=60)
@given(st.booleans().flatmap(lambda f: spaces(floats_too=f)), st.data())
def test_designs_one_by_one_come_to_the_same_bits_as_together(space: DesignSpace, data: st.DataObject) -> None:
    # Where all valid designs are priced a run is over, and one by one that shows sooner than together.
    assume(space.size > 10**6 or space.count_valid() > 6)
    designs = data.draw(designs_of(space, 6))
    for objective in (COST, Objective("cost", "gain"), Objective("cost", subject_to="gain >= 2")):
        problem = DesignProblem(space, Sums(violation_above=12.0), objective)
        one, together = MeteredProblem(problem, 100), MeteredProblem(problem, 100)
        expected = together.evaluate(designs)
        rows = [{name: column[i : i + 1] for name, column in designs.items()} for i in range(6)]
        for _ in range(2):  # new, then from memory
            for i, row in enumerate(rows):
                got = one.evaluate(row)
                for name in ("losses", "violation", "feasible", "reward"):
                    assert getattr(got, name).tobytes() == getattr(expected, name)[i : i + 1].tobytes(), objective
                assert all(got.metrics[m][0].tobytes() == column[i].tobytes() for m, column in expected.metrics.items())
        assert one.spent() == together.spent()


def test_the_meter_counts_what_was_asked_and_repeated_and_the_time() -> None:
    problem = DesignProblem(DesignSpace(Integer("x", 0, 99)), Sums(), COST)
    metered = MeteredProblem(problem, 50)
    for values in ([1], [1, 2, 2], [2], [3]):
        metered.evaluate({"x": np.array(values)})
    assert (metered.asked, metered.repeats_total, metered.spent()) == (6, 3, 3)
    assert 0 < metered.evaluating_s < 10
