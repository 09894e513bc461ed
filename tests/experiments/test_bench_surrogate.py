"""The bench of learned models: parts that were measured are read, errors are of designs not learned from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.envs import make_problem
from designgym.experiments.bench import (
    surrogate,
    surrogate_accuracy,
    surrogate_array,
    surrogate_chain,
    surrogate_simulator,
)
from designgym.experiments.bench.surrogate_prices import prices


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate_array, "QUICK", (120,))
    monkeypatch.setattr(surrogate_array, "TEST_QUICK", 200)
    monkeypatch.setattr(surrogate_array, "WAYS", {"features": "ridge+boosting", "parameters": "chain"})
    monkeypatch.setattr(surrogate_array, "BASELINES", ("ridge",))
    monkeypatch.setattr(surrogate_chain, "MODEL", "ridge")
    monkeypatch.setattr(surrogate_chain, "SMOOTH", "ridge")
    monkeypatch.setattr(surrogate_array, "CALLS", (1, 100))
    monkeypatch.setattr(surrogate_accuracy, "QUICK", (0.0005,))
    monkeypatch.setattr(surrogate_accuracy, "TEST_QUICK", 100)
    monkeypatch.setattr(surrogate_accuracy, "MODEL", "ridge")
    monkeypatch.setattr(surrogate_simulator, "installed", lambda: False)
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
    assert json.loads(lost.read_text())["found"]["error"] == before["found"]["error"]
    assert [row[0] for row in second["rows"]] == [row[0] for row in first["rows"]]
    whats = " ".join(row[0] for row in first["rows"])
    # Another model is not judged by the first one's figures.
    monkeypatch.setattr(surrogate_array, "WAYS", {"features": "linear", "parameters": "chain"})
    told.clear()
    surrogate.surrogate(True, tmp_path, told.append)
    assert [line.split(":")[0] for line in told if "measured again" in line] == ["array-features-120"]
    assert all(text in whats for text in ("bound alone", "latency_s", "energy_j", "accuracy", "a call", "time to fit"))


def test_nothing_is_judged_on_what_was_learned_from() -> None:
    train, others = surrogate_array._drawn(3000, 3000)
    space = make_problem(surrogate_array.ID).space
    assert space.contains(train).all()
    assert len(others["rows"]) == 3000
    assert not np.isin(space.rank(others), space.rank(train)).any()
    assert np.mean(others["rows"] <= 64) == pytest.approx(0.25, abs=0.03)  # uniform, as drawn
    assert np.mean(train["rows"] <= 64) == pytest.approx(0.45, abs=0.03)


def test_what_is_told_besides_the_metrics_adds_up_to_energy() -> None:
    problem = make_problem(surrogate_array.ID)
    designs = problem.space.sample(300, np.random.default_rng(4))
    metrics = problem.cost_model.evaluate(designs)
    known = surrogate_chain.told(problem.cost_model, designs, metrics)
    energy = known["onchip_j"] + known["dram_j"] + known["idle_w"] * known["latency_s"]
    assert energy == pytest.approx(metrics["energy_j"], rel=1e-12)
    assert sum(known[name] for name in surrogate_chain.DRAM_WORDS) == pytest.approx(metrics["dram_words"], rel=1e-12)


def test_a_chain_is_closer_than_its_models_of_each_metric_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate_chain, "MODEL", "linear_boosting")
    monkeypatch.setattr(surrogate_chain, "SMOOTH", "linear_boosting")
    errors = {
        model: surrogate_array._fitted("parameters", model, 500, 1000, False, lambda line: None)["error"]
        for model in (surrogate_array.CHAIN, surrogate_chain.MODEL)
    }
    for name in surrogate_array.METRICS:
        assert errors[surrogate_array.CHAIN][name] < 0.8 * errors[surrogate_chain.MODEL][name]


def test_a_price_is_the_time_of_a_call_over_its_designs() -> None:
    import time

    def slow(designs: dict[str, Any]) -> None:
        time.sleep(0.01)

    found = prices(slow, {"x": np.arange(100)}, (1, 100))
    assert found["1"] == pytest.approx(0.01, rel=0.5)
    assert found["100"] == pytest.approx(0.0001, rel=0.5)
    with pytest.raises(ValueError, match="at least 200 designs are needed"):
        prices(slow, {"x": np.arange(100)}, (200,))


def test_the_simulators_runs_are_learned_from_and_judged_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = surrogate_simulator.SystolicArray(surrogate_simulator.WORKLOAD)
    monkeypatch.setattr(surrogate_simulator, "MODEL", "ridge")
    monkeypatch.setattr(surrogate_simulator, "CALLS", (1, 10_000))
    designs = make_problem(surrogate_array.ID).space.sample(400, np.random.default_rng(3))
    # A stand-in for the process: twice the closed form, and a second a design.
    run = {
        "designs": {name: column.tolist() for name, column in designs.items()}, "took_s": [1.0] * 400, "failed": 0,
        "latency_s": (2.0 * closed.evaluate(designs)["cycles"] / designs["clock_hz"]).tolist(), "seconds": 200.0,
    }  # fmt: skip
    assert surrogate_simulator.learned({}) == {}
    ((name, measure),) = surrogate_simulator.learned({"simulator-0": run}).items()
    found = measure(lambda line: None)
    assert found["simulated"] == 400
    assert [point["size"] for point in found["curve"]] == [37, 75, 150, 300]
    assert found["curve"][-1]["features"]["error"] < 0.1  # a constant over its bound
    assert found["curve"][-1]["parameters"]["error"] > 1.0
    assert found["bound_alone"] == pytest.approx(50.0)
    assert found["true_price_s"] == {"1": 1.0, "10000": 0.5}
    told = surrogate_simulator.rows({name: found})
    assert [row[1] > 1 for row in told if row[2] == "times"] == [True, True]
    assert "not installed" in surrogate_simulator.notes({})[0]
