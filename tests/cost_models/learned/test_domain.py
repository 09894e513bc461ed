"""A design is in the domain where its numbers, its categories and its neighbours are those of training."""

import numpy as np
import pytest

from designgym.cost_models.base import Columns, ColumnSpec
from designgym.cost_models.learned import domain as module
from designgym.cost_models.learned.domain import fit_domain

SPECS = (
    ColumnSpec("rows", "integer", 1, 100, choices=100),
    ColumnSpec("clock_hz", "float", 1e6, 1e9, log=True),
    ColumnSpec("dataflow", "categorical", 0, 3, choices=4),
)


def designs(n: int, seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    return {
        "rows": rng.integers(10, 51, n), "clock_hz": 10 ** rng.uniform(6.0, 7.5, n), "dataflow": rng.integers(0, 3, n),
    }  # fmt: skip


@pytest.mark.parametrize("n", [600, 6000])  # all are references; a part of them is
def test_designs_drawn_as_in_training_lie_within(n: int) -> None:
    within = fit_domain(SPECS, designs(n, 0))
    assert len(within.references) == min(n, module.REFERENCES)
    assert within.contains(designs(4000, 1)).mean() > 0.97


def test_each_rule_keeps_something_out() -> None:
    within = fit_domain(SPECS, designs(3000, 0))
    usual = {"rows": 30, "clock_hz": 5e6, "dataflow": 1}

    def inside(**changed: float) -> bool:
        return bool(within.contains({name: np.array([changed.get(name, v)]) for name, v in usual.items()})[0])

    assert inside()
    assert not inside(rows=51)
    assert not inside(rows=9)
    assert not inside(clock_hz=4e7)
    assert not inside(clock_hz=-1.0)  # which has no logarithm
    assert not inside(dataflow=3)


def test_a_hole_in_training_is_outside_though_its_numbers_are_in_range() -> None:
    rng = np.random.default_rng(0)
    rows = np.where(rng.random(2000) < 0.5, rng.integers(1, 20, 2000), rng.integers(80, 101, 2000))
    specs = SPECS[:1]
    within = fit_domain(specs, {"rows": rows})
    assert within.contains({"rows": np.array([10, 50, 90])}).tolist() == [True, False, True]


def test_an_unseen_category_is_outside_though_training_is_sparse() -> None:
    rng = np.random.default_rng(0)
    specs = (*(ColumnSpec(f"x{i}", "float", 0, 1) for i in range(20)), SPECS[2])
    drawn = {f"x{i}": rng.random(200) for i in range(20)}
    within = fit_domain(specs, {**drawn, "dataflow": rng.integers(0, 3, 200)})
    assert within.reach > 2**0.5  # farther than another category is
    assert not within.contains({**drawn, "dataflow": np.full(200, 3)}).any()
