"""Splits are disjoint, whole and seeded, and hold out what they say."""

from dataclasses import replace

import numpy as np
import pytest

from designgym.cost_models.base import ColumnSpec, Metric
from designgym.cost_models.dataset import Dataset, Origin
from designgym.cost_models.learned.splits import corner_places, split_dataset

N = 400
SPECS = (
    ColumnSpec("rows", "integer", 1, 64, choices=64),
    ColumnSpec("sram_kb", "ordinal", 8, 512, choices=7),
    ColumnSpec("dataflow", "categorical", 0, 2, choices=3),
)


def dataset(problems: int = 2) -> Dataset:
    rng = np.random.default_rng(0)
    designs = {
        "rows": rng.integers(1, 65, N), "sram_kb": 2 ** rng.integers(3, 10, N), "dataflow": rng.integers(0, 3, N),
    }  # fmt: skip
    origins = tuple(Origin(f"p{i}", "P-v0", {"workload": i}, "Model", "1", (), {}) for i in range(problems))
    return Dataset(
        SPECS, (Metric("latency_s", "s", "lower", "time"),), designs, {"latency_s": np.ones(N)}, np.zeros(N),
        rng.choice(problems, N, p=[0.7, 0.3] if problems == 2 else None), np.full(N, "faithful"),
        rng.choice(["genetic", "local_search", "random"], N, p=[0.15, 0.25, 0.6]), np.full(N, "r"), origins,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["random", "agent", "agent:random", "corner", "workload", "workload:p0"])
def test_no_row_is_in_two_parts_and_none_is_lost(how: str) -> None:
    data = dataset()
    split = split_dataset(data, how, seed=3)
    parts = (split.train, split.calibration, split.test)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(N))
    assert all(len(part) and (np.diff(part) > 0).all() for part in parts)
    again, other = split_dataset(data, how, seed=3), split_dataset(data, how, seed=4)
    assert np.array_equal(split.train, again.train)
    assert not np.array_equal(split.train, other.train)


def test_what_is_held_out() -> None:
    data = dataset()
    assert len(split_dataset(data, "random", test=0.25, calibration=0.1).test) == 100
    assert len(split_dataset(data, "random", test=0.25, calibration=0.1).calibration) == 40
    # The agent of most designs among those of at most half; random has more than half of them here.
    assert (data.agent == "random").sum() > N / 2
    assert set(data.agent[split_dataset(data, "agent").test]) == {"local_search"}
    assert set(data.agent[split_dataset(data, "agent:random").test]) == {"random"}
    assert "random" not in data.agent[split_dataset(data, "agent:random").train]
    assert set(data.problem[split_dataset(data, "workload").test]) == {1}


def test_a_corner_is_where_numbers_are_large_by_their_place() -> None:
    specs = SPECS[:2]
    places = corner_places(specs, {"rows": np.array([1, 2, 64]), "sram_kb": np.array([8, 512, 16])})
    assert places.tolist() == [0.0, 0.75, 0.75]  # places (0, 1/2, 1) and (0, 1, 1/2)
    data = dataset()
    split = split_dataset(data, "corner", test=0.2)
    where = corner_places(SPECS, data.designs)
    assert where[split.test].min() >= np.concatenate([where[split.train], where[split.calibration]]).max()


def test_what_cannot_be_split_is_refused_in_a_line() -> None:
    data = dataset()
    for how, said in {
        "ramdom": "Did you mean 'random'", "agent:genetics": "Did you mean 'genetic'", "corner:x": "must be one of",
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=said):
            split_dataset(data, how)
    with pytest.raises(ValueError, match="needs two of them at least, got p0 alone"):
        split_dataset(dataset(1), "workload")
    with pytest.raises(ValueError, match="needs a column of numbers"):
        split_dataset(replace(data, specs=SPECS[2:]), "corner")
    with pytest.raises(ValueError, match="room for training"):
        split_dataset(data, test=0.6, calibration=0.5)
