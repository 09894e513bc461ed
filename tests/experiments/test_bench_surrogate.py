"""The bench of learned models: parts that were measured are read, errors are of designs not learned from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.envs import make_problem
from designgym.experiments.bench import surrogate, surrogate_accuracy, surrogate_array
from designgym.experiments.bench.surrogate_prices import prices


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate_array, "QUICK", (120,))
    monkeypatch.setattr(surrogate_array, "TEST_QUICK", 200)
    monkeypatch.setattr(surrogate_array, "WAYS", {"features": "ridge+boosting", "parameters": "ridge"})
    monkeypatch.setattr(surrogate_array, "CALLS", (1, 100))
    monkeypatch.setattr(surrogate_accuracy, "QUICK", (0.0005,))
    monkeypatch.setattr(surrogate_accuracy, "TEST_QUICK", 100)
    monkeypatch.setattr(surrogate_accuracy, "MODEL", "ridge")
    monkeypatch.setattr(surrogate_accuracy, "CALLS", (1, 100))


@pytest.mark.usefixtures("tiny")
def test_a_second_call_goes_on_where_the_first_one_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    first = surrogate.surrogate(True, tmp_path, told.append)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 5  # both ways and their baselines, and accuracy
    assert all(name.endswith("-quick.json") for name in files)
    # One part is lost: it alone is measured again, to the same errors.
    lost = tmp_path / "array-parameters-120-quick.json"
    before = json.loads(lost.read_text())
    lost.unlink()
    told.clear()
    second = surrogate.surrogate(True, tmp_path, told.append)
    assert sum("read from" in line for line in told) == 4
    assert json.loads(lost.read_text())["error"] == before["error"]
    assert [row[0] for row in second["rows"]] == [row[0] for row in first["rows"]]
    whats = " ".join(row[0] for row in first["rows"])
    assert all(text in whats for text in ("bound alone", "latency_s", "energy_j", "accuracy", "a call", "time to fit"))


def test_nothing_is_judged_on_what_was_learned_from() -> None:
    train, others = surrogate_array._drawn(3000, 3000)
    space = make_problem(surrogate_array.ID).space
    assert space.contains(train).all()
    assert len(others["rows"]) == 3000
    assert not np.isin(space.rank(others), space.rank(train)).any()
    assert np.mean(others["rows"] <= 64) == pytest.approx(0.25, abs=0.03)  # uniform, as drawn
    assert np.mean(train["rows"] <= 64) == pytest.approx(0.45, abs=0.03)


def test_a_price_is_the_time_of_a_call_over_its_designs() -> None:
    import time

    def slow(designs: dict[str, Any]) -> None:
        time.sleep(0.01)

    found = prices(slow, {"x": np.arange(100)}, (1, 100))
    assert found["1"] == pytest.approx(0.01, rel=0.5)
    assert found["100"] == pytest.approx(0.0001, rel=0.5)
    with pytest.raises(ValueError, match="at least 200 designs are needed"):
        prices(slow, {"x": np.arange(100)}, (200,))
