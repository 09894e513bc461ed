"""Gymnasium's and Optuna's spaces agree with the design space value for value."""

import pickle

import gymnasium
import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import designs_of, spaces

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset

optuna.logging.set_verbosity(optuna.logging.ERROR)


def equal(a: Columns, b: Columns) -> bool:
    return list(a) == list(b) and all((a[name] == b[name]).all() for name in a)


def take(designs: Columns, rows: slice) -> Columns:
    return {name: column[rows] for name, column in designs.items()}


# -- Gymnasium --------------------------------------------------------------------------------------------------------


@given(spaces(large_too=True), st.integers(0, 2**31))
def test_actions_are_digits(space: DesignSpace, seed: int) -> None:
    box = space.to_gymnasium()
    assert isinstance(box, gymnasium.spaces.MultiDiscrete)
    assert box.nvec.tolist() == list(space.cardinalities)
    box.seed(seed)
    actions = np.array([box.sample() for _ in range(5)])
    designs = space.from_digits(list(actions.T))
    assert not space.illegal(designs).any()
    assert equal(space.canonical(designs), designs)
    digits = np.stack(space.digits(designs), axis=1)
    assert all(box.contains(row) for row in digits)
    assert equal(space.from_digits(list(digits.T)), designs)


@given(spaces(floats_too=True), st.integers(0, 2**31))
def test_with_a_float_actions_are_points_of_the_cube(space: DesignSpace, seed: int) -> None:
    box = space.to_gymnasium()
    assert isinstance(box, gymnasium.spaces.Box)
    assert box.shape == (len(space.cardinalities),)
    assert box.dtype == np.float64
    box.seed(seed)
    unit = np.array([box.sample() for _ in range(5)])
    designs = space.decode(unit)
    assert not space.illegal(designs).any()
    assert all(box.contains(row) for row in space.encode(designs))


def test_designs_do_not_share_memory_with_the_actions_they_came_from() -> None:
    space = DesignSpace(
        Categorical("c", ("x", "y")), Permutation("p", ("x", "y")), Subset("s", 3, 1), Integer("i", 0, 1)
    )
    actions = np.ones((4, 4), np.int64)
    designs = space.from_digits(list(actions.T))
    assert not any(np.shares_memory(actions, column) for column in designs.values())
    small = space.from_digits(list(actions.T.astype(np.uint8)))
    assert {name: column.dtype for name, column in small.items()} == space.dtypes


# -- Optuna -----------------------------------------------------------------------------------------------------------


@given(spaces(floats_too=True), st.data())
def test_a_fixed_trial_suggests_the_design_it_was_fixed_to(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space, 4))
    bridge = space.to_optuna()
    params = bridge.params(designs)
    assert len(params) == 4
    active = space.active(designs)
    for i in range(4):
        trial = optuna.trial.FixedTrial(params[i])
        again = bridge.suggest(trial)
        assert equal(again, take(designs, slice(i, i + 1)))
        assert {name: column.dtype for name, column in again.items()} == space.dtypes
        assert trial.params == params[i], "what was not asked for must not be there"
        idle = {p.name for p in space.parameters if p.name in active and not active[p.name][i]}
        assert not idle & {name.split(".")[0] for name in params[i]}


@settings(max_examples=25)
@given(spaces(floats_too=True, most=5), st.integers(0, 2**31))
def test_what_optuna_suggests_is_a_canonical_design(space: DesignSpace, seed: int) -> None:
    bridge = pickle.loads(pickle.dumps(space.to_optuna()))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(4):
        trial = study.ask()
        design = bridge.suggest(trial)
        assert batch_length(design) == 1
        assert not space.illegal(design).any()
        assert equal(space.canonical(design), design)
        (params,) = bridge.params(design)
        assert params.keys() == trial.params.keys()
        subsets = [p.name for p in space.parameters if isinstance(p, Subset)]
        for name, value in trial.params.items():
            if name.split(".")[0] not in subsets:  # a subset may be picked in any order
                assert params[name] == value
        study.tell(trial, 0.0)


def test_distributions_say_what_each_parameter_is() -> None:
    space = DesignSpace(
        Integer("i", 1, 64, log=True),
        Integer("stepped", 4, 256, 4),
        Ordinal("o", (16, 32, 64)),
        Categorical("c", ("os", "ws")),
        Float("f", 1e-3, 1.0, log=True),
        Permutation("p", ("x", "y", "z")),
        Subset("s", 5, 2),
    )
    d = optuna.distributions
    assert space.to_optuna().distributions == {
        "i": d.IntDistribution(1, 64, log=True),
        "stepped": d.IntDistribution(0, 63),
        "o": d.IntDistribution(0, 2),
        "c": d.CategoricalDistribution(("os", "ws")),
        "f": d.FloatDistribution(1e-3, 1.0, log=True),
        "p.0": d.IntDistribution(0, 2),
        "p.1": d.IntDistribution(0, 1),
        "s.0": d.IntDistribution(0, 4),
        "s.1": d.IntDistribution(0, 3),
    }


def test_every_value_is_suggested() -> None:
    space = DesignSpace(
        Categorical("c", ("off", "on")),
        Integer("i", 3, 9, 3, when=("c", {"on"})),
        Permutation("p", ("x", "y", "z"), when=("i", {6, 9})),
        Subset("s", 3, 2, when=("c", {"off"})),
    )
    bridge = space.to_optuna()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = {int(space.rank(bridge.suggest(study.ask()))[0]) for _ in range(500)}
    assert seen == set(range(3 + 1 + 6 + 6))


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.7000000000000001])
def test_a_suggested_float_is_the_designs_own_to_the_last_bit(value: float) -> None:
    bridge = DesignSpace(Float("x", 0.05, 7.0), Float("y", 0.05, 7.0, log=True)).to_optuna()
    design = bridge.suggest(optuna.trial.FixedTrial({"x": value, "y": value}))
    assert {name: column.tolist() for name, column in design.items()} == {"x": [value], "y": [value]}
