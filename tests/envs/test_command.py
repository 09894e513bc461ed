"""A problem priced by somebody's program: its designs get there in names, and the file must fit."""

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.simulators.spec import SimulatorError
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    MeteredProblem,
    Objective,
    Ordinal,
    Permutation,
    Subset,
    register_problem,
)
from designgym.envs.command import DesignValues, knobs_of, priced_by_command, simulator_of
from designgym.envs.registry import make_problem

SPACE = DesignSpace(
    Ordinal("rows", (8, 16, 32)),
    Ordinal("share", (0.5, 1, 2)),
    Categorical("policy", ("lru", "fifo")),
    Integer("depth", 1, 9, default=4, when=("policy", ("fifo",))),
    Categorical("kind", ("a", "b"), default="b", when=("policy", ("fifo",))),
    Permutation("loops", ("m", "n", "k")),
    Subset("banks", 8, 2),
    Float("volt", 0.5, 1.0),
    constraints=("rows * share <= 32",),
)


@dataclass(frozen=True)
class ByHand:
    metrics = (Metric("latency_s", "s", "lower", "time"), Metric("energy_j", "J", "lower", "energy"))
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        n = len(designs["rows"])
        return {"latency_s": np.ones(n), "energy_j": np.ones(n), "violation": np.zeros(n)}


def by_hand(objective: Objective = Objective(minimize=("latency_s",)), cost_model: Any = None) -> DesignProblem:
    return DesignProblem(SPACE, cost_model or ByHand(), objective)


def described(**changes: Any) -> dict[str, Any]:
    echo = "import sys; print(sys.argv[1:]); print('rows', sys.argv[1]); sys.exit(7 * (sys.argv[1] == '32'))"
    return {
        "name": "echo",
        "command": [sys.executable, "-S", "-c", echo, "{rows}", "{share}", "{policy}", "{depth}", "{kind}", "{loops}",
                    "{banks}", "{volt}"],
        "metrics": {"latency_s": {"unit": "s", "better": "lower", "meaning": "time", "regex": r"rows (\d+)"}},
        **changes,
    }  # fmt: skip


@pytest.fixture
def written(tmp_path: Path):
    def written(**changes: Any) -> str:
        path = tmp_path / "sim.yaml"
        path.write_text(yaml.safe_dump(described(**changes)))
        return str(path)

    return written


def test_columns_become_values() -> None:
    designs = SPACE.parse(
        {"rows": [8, 32], "share": [0.5, 1], "policy": ["fifo", "lru"], "depth": [9, None], "kind": ["a", None],
         "loops": ["k,m,n", "m,n,k"], "banks": ["3,7", "0,1"], "volt": [0.75, 0.5]}
    )  # fmt: skip
    values = DesignValues(SPACE)(designs)
    assert values == [
        {"rows": 8, "share": 0.5, "policy": "fifo", "depth": 9, "kind": "a", "loops": ("k", "m", "n"), "banks": (3, 7),
         "volt": 0.75},
        {"rows": 32, "share": 1.0, "policy": "lru", "depth": 4, "kind": "b", "loops": ("m", "n", "k"), "banks": (0, 1),
         "volt": 0.5},
    ]  # fmt: skip
    assert [type(value) for value in values[0].values()] == [int, float, str, int, str, tuple, tuple, float]
    as_floats = {name: column.astype(np.float64) for name, column in designs.items()}
    assert DesignValues(SPACE)(as_floats) == values
    assert pickle.loads(pickle.dumps(DesignValues(SPACE))) == DesignValues(SPACE)
    assert [(knob.name, knob.texts, knob.many, knob.idle) for knob in knobs_of(SPACE)][2:7] == [
        ("policy", ("lru", "fifo"), False, None), ("depth", (), False, 4), ("kind", ("a", "b"), False, "b"),
        ("loops", ("m", "n", "k"), True, None), ("banks", (), True, None),
    ]  # fmt: skip


def test_a_design_reaches_the_command_in_names(written) -> None:
    space, model = priced_by_command(by_hand(), written())
    assert space is SPACE
    designs = SPACE.parse({"rows": 32, "policy": "fifo", "loops": "k,m,n", "banks": "3,7", "volt": 0.7})
    _, (failure,) = model.evaluate_reporting(designs)
    assert failure.reason == "echo: it ended with exit code 7"
    assert eval(failure.log.split("\n")[1]) == ["32", "0.5", "fifo", "4", "b", "k,m,n", "3,7", "0.7"]


def test_a_registered_problem_takes_it_and_meters_it(written, registrations_forgotten) -> None:
    register_problem("ByHand-v0", f"{__name__}:by_hand")
    problem = make_problem("ByHand", cost_model=f"command:{written()}")
    metered = MeteredProblem(problem, budget=3)
    designs = SPACE.parse({"rows": [8, 16, 32]})
    evaluations = metered.evaluate(designs)
    assert evaluations.metrics["latency_s"][:2].tolist() == [8.0, 16.0]
    assert evaluations.violation.tolist() == [0.0, 0.0, np.inf]  # a failure
    assert pickle.loads(pickle.dumps(problem)).cost_model == problem.cost_model
    with pytest.raises(ValueError, match="the cost model has no metric 'energy_j'"):
        make_problem("ByHand", cost_model=f"command:{written()}", objective="energy_j")


def test_what_is_written_of_an_idle_parameter_counts(written) -> None:
    """A stored result is found by the names of the design, in which an idle parameter has none."""
    parent = Categorical("policy", ("lru", "fifo"))
    versions = set()
    for default in (1, 2):
        space = DesignSpace(parent, Integer("depth", 1, 9, default=default, when=("policy", ("fifo",))))
        model = simulator_of(space, written(command=["true", "{depth}"]))
        assert model.arguments[1].filled(model.values(space.parse({"policy": "lru"}))[0]) == str(default)
        versions.add(model.version)
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"command": ["true", "{row}"]}, r"command\[1\]: '{row}' must be a parameter, .* Did you mean 'rows'\?"),
        ({"parameters": [{"name": "rows"}]}, "parameters are for Simulator-v0; this file prices a space that is there"),
        (
            {"metrics": {"latency_s": {"unit": "ms", "better": "lower", "meaning": "t", "constant": 1}}},
            "metrics.latency_s must be in s, as in the problem, got ms. Scale it, or rename it.",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(written, changes: dict[str, Any], message: str) -> None:
    path = written(**changes)
    with pytest.raises(SimulatorError, match=f"^{path}: {message}") as caught:
        priced_by_command(by_hand(), path)
    assert "\n" not in str(caught.value)
