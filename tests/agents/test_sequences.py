"""Sequences of choices, many at a time, are those of the stepwise environment."""

import numpy as np
import pytest

from designgym.agents.sequences import Sequences, awake_digits
from designgym.agents.testing import CONDITIONAL, CONTINUOUS, FLAT, ONE, Bowl
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    Permutation,
    StepwiseDesignEnv,
    Subset,
)

DEEP = DesignSpace(
    Categorical("solver", ("none", "direct", "iterative")),
    Integer("order", 1, 4, when=("solver", {"iterative", "direct"})),
    Subset("levels", 6, 2, when=("order", {3, 4})),
    Permutation("loops", ("i", "j", "k", "l"), when=("solver", {"iterative"})),
)
SPACES = {"flat": FLAT, "conditional": CONDITIONAL, "deep": DEEP}


def drawn(space: DesignSpace, n: int, bins: int = 64) -> tuple[Sequences, np.ndarray, Columns]:
    rng = np.random.default_rng(0)
    sequences = Sequences(space, bins)
    chosen = sequences.draw(n, lambda j, chosen, awake: rng.random((n, sequences.most)))
    return sequences, chosen, sequences.designs(chosen, rng)


@pytest.mark.parametrize("name", SPACES)
def test_masks_and_designs_are_those_of_the_stepwise_environment(name: str) -> None:
    space = SPACES[name]
    sequences, chosen, designs = drawn(space, 60)
    masks, awake = sequences.masks(chosen)
    env = StepwiseDesignEnv(DesignProblem(space, Bowl(space), ONE))
    for row in range(60):
        env.reset()
        for j in np.flatnonzero(awake[row]):
            assert (env.action_masks() == masks[row, j]).all()
            terminated = env.step(int(chosen[row, j]))[2]
        assert terminated
        one = env._choices.designs([env._partial])
        assert {c: one[c].item() for c in one} == {c: designs[c][row].item() for c in one}


@pytest.mark.parametrize("name", SPACES)
def test_designs_and_choices_are_inverse(name: str) -> None:
    space = SPACES[name]
    sequences, chosen, designs = drawn(space, 200)
    assert space.illegal(designs).sum() == 0
    again, awake = sequences.chosen(designs)
    assert (again == chosen).all()
    assert (awake == sequences.masks(chosen)[1]).all()
    assert (awake == awake_digits(space, designs)).all()


def test_every_design_of_a_small_space_is_drawn() -> None:
    _, _, designs = drawn(DEEP, 150_000)
    assert len(set(DEEP.rank(designs).tolist())) == DEEP.size


def test_bins_cover_the_range_of_floats_and_of_many_values() -> None:
    space = DesignSpace(
        *CONTINUOUS.parameters, Integer("many", 0, 2**40), Integer("odd", 0, 9), Float("zero", -1.0, 1.0)
    )
    sequences, chosen, designs = drawn(space, 5000, bins=8)
    assert sequences.counts.tolist() == [8, 8, 2, 8, 8, 8]
    assert space.contains(designs).all()
    assert (sequences.chosen(designs)[0] == chosen)[:, [0, 1, 2, 3, 5]].mean() > 0.9999
    for j, digit in enumerate(space.digits(designs)[:2]):
        assert (np.floor(digit * 8) == chosen[:, j]).all()
        assert np.histogram(digit, 80, (0.0, 1.0))[0].min() > 30  # about 62 each: uniform within the bins
    assert np.bincount(designs["odd"]).min() > 0.6 * 500


def test_parameters_that_others_depend_on_and_names_are_never_binned() -> None:
    space = DesignSpace(
        Integer("levels", 0, 99),
        Categorical("kind", tuple(f"k{i}" for i in range(70))),
        Integer("deep", 0, 99, when=("levels", {7, 90})),
    )
    sequences, chosen, designs = drawn(space, 3000, bins=16)
    assert sequences.counts.tolist() == [100, 70, 16]
    assert (np.isin(designs["levels"], (7, 90)) == sequences.masks(chosen)[1][:, 2]).all()
    assert batch_length(designs) == 3000


def test_a_parameter_of_too_many_values_that_another_depends_on_is_refused_by_name() -> None:
    space = DesignSpace(Integer("levels", 0, 10**6), Integer("deep", 0, 9, when=("levels", {7})))
    with pytest.raises(ValueError, match="levels must have at most 16384 values, got 1000001"):
        Sequences(space, 16)
