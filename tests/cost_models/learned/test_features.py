"""What a learned model sees of each kind of column."""

import numpy as np
import pytest

from designgym.cost_models.learned.features import features
from designgym.envs import Categorical, DesignSpace, Float, Integer, Ordinal, Permutation, Subset

SPACE = DesignSpace(
    Integer("rows", 4, 64, 4),
    Float("rate", 1e-4, 1.0, log=True),
    Ordinal("kb", (8, 16, 32)),
    Categorical("flow", ("os", "ws", "is")),
    Categorical("cached", ("no", "yes")),
    Permutation("order", ("k", "c", "p")),
    Subset("step", 5, 2),
)


def test_each_kind_of_column_becomes_numbers_from_0_to_1() -> None:
    design = {
        "rows": 24,
        "rate": 1e-2,
        "kb": 16,
        "flow": "ws",
        "cached": "yes",
        "order": ["p", "k", "c"],
        "step": [0, 4],
    }
    row = features(SPACE.specs(), SPACE.parse({name: [value] for name, value in design.items()}))[0]
    assert row == pytest.approx([20 / 60, 0.5, 0.5, 0, 1, 0, 1, 0.5, 1.0, 0.0, 0.0, 1.0], abs=1e-12)


def test_places_of_every_order_are_those_that_the_space_describes() -> None:
    space = DesignSpace(Permutation("order", ("a", "b", "c", "d")))
    designs = {"order": np.arange(24)}
    places = features(space.specs(), designs) * 3
    for row, order in zip(places, space.describe(designs)["order"], strict=True):
        assert [order[::2].index(item) for item in ("a", "b", "c", "d")] == row.tolist()


def test_all_designs_of_a_space_have_features_within_0_and_1() -> None:
    found = features(SPACE.specs(), SPACE.sample(500, np.random.default_rng(0)))
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    assert (found.std(axis=0) > 0).all()


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="got none named rate"):
        features(SPACE.specs()[:2], {"rows": np.array([4])})
