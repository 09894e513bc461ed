"""A dataset as a cost model: exact where it was priced, infeasible with a reason where it was not, and fast."""

import pickle
import time

import numpy as np
import pytest
from priced_rows import SPACE, dataset

from designgym.cost_models.base import Explains
from designgym.cost_models.dataset_file import write_dataset
from designgym.cost_models.plain import digest
from designgym.cost_models.tabular import MISSING, PricedRows, dataset_cost_model
from designgym.cost_models.testing import check_cost_model


@pytest.fixture
def rows(tmp_path):
    return write_dataset(dataset(500), tmp_path / "data")


def test_every_row_is_priced_as_it_was(rows) -> None:
    model = dataset_cost_model(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    got = model.evaluate({name: column[order] for name, column in rows.designs.items()})
    assert np.array_equal(got.pop("violation"), rows.violation[order])
    assert list(got) == [metric.name for metric in rows.declared]
    for name, column in got.items():
        assert np.array_equal(column, rows.metrics[name][order], equal_nan=True)
    assert model.metrics == rows.declared
    assert rows.sha256[:16] in model.version


def test_what_was_never_priced_is_infeasible_with_the_reason(rows) -> None:
    model = dataset_cost_model(rows)
    assert isinstance(model, Explains)
    others = SPACE.sample(200, np.random.default_rng(9))
    got = model.evaluate(others)
    assert (got.pop("violation") == 1.0).all()
    assert all(np.isnan(column).all() for column in got.values())
    assert model.reason({name: column[:1] for name, column in others.items()}) == MISSING == "not in the dataset"
    for row in (int(np.argmax(rows.feasible)), int(np.argmin(rows.feasible))):
        said = model.reason({name: column[row : row + 1] for name, column in rows.designs.items()})
        assert ("" if rows.feasible[row] else f"with a violation of {rows.violation[row]:.3g}") in said
        assert bool(said) != rows.feasible[row]


def test_a_design_is_found_by_its_values_alone(rows) -> None:
    model = dataset_cost_model(rows)
    feasible = np.flatnonzero(rows.feasible)[:1]
    one = {name: column[feasible] for name, column in rows.designs.items()}
    as_floats = {name: column.astype(np.float64) for name, column in one.items()}
    assert model.evaluate(as_floats)["violation"] == 0
    for name in rows.designs:
        near = np.nextafter(as_floats[name], np.inf)  # a cast to int would find the row
        assert model.evaluate({**as_floats, name: near})["violation"] == 1.0, name
    nothing = model.evaluate({name: np.full(1, np.nan) for name in rows.designs})
    assert nothing["violation"] == 1.0


def test_zero_has_one_spelling() -> None:
    found = PricedRows({"x": np.array([0.0, 1.0])}, {"y": np.array([5.0, 6.0])}, np.zeros(2), "name")
    assert found.find({"x": np.array([-0.0, 1.0, 2.0])}).tolist() == [0, 1, -1]
    minus = PricedRows({"x": np.array([-0.0, 1.0])}, {"y": np.array([5.0, 6.0])}, np.zeros(2), "name")
    assert minus.find({"x": np.array([0.0])}).tolist() == [0]


def test_the_contract_of_a_cost_model_and_its_digest(rows) -> None:
    model = dataset_cost_model(rows)
    half = {name: np.concatenate([column[:150], SPACE.sample(150, np.random.default_rng(2))[name]])
            for name, column in rows.designs.items()}  # fmt: skip
    check_cost_model(model, half)
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    assert hash(copy) == hash(model)
    assert digest(copy) == digest(model), "a run's key takes in the model's fields, not its thousands of rows"
    fewer = dataset_cost_model(rows.take(slice(1, None)))
    assert fewer != model


def test_a_copy_whose_memory_may_not_be_written_to_prices_alike(rows) -> None:
    # So a worker gets it, which shares the memory with others.
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(dataset_cost_model(rows), protocol=5, buffer_callback=buffers.append)
    copy = pickle.loads(text, buffers=[bytes(one.raw()) for one in buffers])
    got = copy.evaluate(rows.designs)
    assert np.array_equal(got["violation"], rows.violation)
    assert np.array_equal(got["latency_s"], rows.metrics["latency_s"], equal_nan=True)


def test_no_rows_and_doubles_are_refused(rows) -> None:
    with pytest.raises(ValueError, match="must hold a design to be a cost model, got none"):
        dataset_cost_model(rows.take(slice(0)))
    with pytest.raises(ValueError, match="must be distinct, got one twice"):
        dataset_cost_model(rows.take(np.array([1, 2, 1])))


def test_a_million_lookups_take_at_most_a_second(rows) -> None:
    given = SPACE.sample(20_000, np.random.default_rng(3))
    metrics = {metric.name: np.arange(20_000.0) for metric in rows.declared}
    found = PricedRows(given, metrics, np.zeros(20_000), "speed")
    asked = {name: np.tile(column, 50) for name, column in given.items()}
    found.find(asked)
    seconds = []
    for _ in range(5):
        begun = time.process_time()  # others may be at work on this machine
        got = found.come_to(found.find(asked))
        seconds.append(time.process_time() - begun)
    assert np.array_equal(got["latency_s"], np.tile(np.arange(20_000.0), 50))
    assert min(seconds) < 1.0
