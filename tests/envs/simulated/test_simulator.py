"""A problem that is a YAML file: its space, its objective, its Gymnasium environment, what is said of a wrong one."""

import math
import pickle
import shutil
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import yaml

from designgym.cost_models.registry import OptionError
from designgym.cost_models.simulators.spec import SimulatorError
from designgym.envs import (
    Categorical,
    DesignProblem,
    DesignSpace,
    Float,
    Integer,
    Objective,
    Ordinal,
    Permutation,
    Subset,
    make_problem,
    problem_ids,
)
from designgym.envs.objective import Evaluations
from designgym.envs.registry import needed_options
from designgym.envs.simulated.simulator import EXAMPLE
from designgym.envs.testing import check_problem, check_registration

PARAMETERS = [
    {"name": "rows", "kind": "ordinal", "values": [8, 16, 32], "unit": "PE", "meaning": "rows"},
    {"name": "share", "kind": "ordinal", "values": [0.5, 1]},
    {"name": "ways", "kind": "integer", "low": 1, "high": 16, "step": 5, "log": True, "default": 6},
    {"name": "volt", "kind": "float", "low": 0.6, "high": 1.1, "unit": "V"},
    {"name": "policy", "kind": "categorical", "choices": ["lru", "fifo"]},
    {"name": "depth", "kind": "integer", "low": 1, "high": 4, "when": {"policy": ["fifo"]}},
    {"name": "loops", "kind": "permutation", "items": ["m", "n", "k"]},
    {"name": "banks", "kind": "subset", "n": 8, "k": 2},
]


@pytest.fixture
def made(tmp_path: Path):
    """Return what makes a problem of a file."""

    def made(**changes: Any) -> DesignProblem:
        metrics = {
            "speed": {"unit": "1", "better": "higher", "meaning": "a number", "constant": 2},
            "cost": {"unit": "1", "better": "lower", "meaning": "a number", "constant": 3},
        }
        given = {"name": "x", "command": ["true"], "metrics": metrics, "parameters": PARAMETERS, **changes}
        path = tmp_path / "sim.yaml"
        path.write_text(
            yaml.safe_dump({key: value for key, value in given.items() if value is not None}, sort_keys=False)
        )
        return make_problem("Simulator-v0", file=str(path))

    return made


def test_a_space_is_read(made) -> None:
    space = made(constraints=["rows * ways <= 256", "policy != 'lru'"]).space
    assert space == DesignSpace(
        Ordinal("rows", (8, 16, 32), unit="PE", meaning="rows"),
        Ordinal("share", (0.5, 1)),
        Integer("ways", 1, 16, 5, True, default=6),
        Float("volt", 0.6, 1.1, unit="V"),
        Categorical("policy", ("lru", "fifo")),
        Integer("depth", 1, 4, when=("policy", ("fifo",))),
        Permutation("loops", ("m", "n", "k")),
        Subset("banks", 8, 2),
        constraints=("rows * ways <= 256", "policy != 'lru'"),
    )
    assert space.dtypes["rows"] == np.int64


def test_an_objective_is_read(made) -> None:
    assert made().objective == Objective(maximize=("speed",))
    wanted = {"minimize": ["cost"], "subject_to": ["speed >= 1"], "reward": "weighted", "weights": {"cost": 2}}
    assert made(objective=wanted).objective == Objective(
        minimize=("cost",), subject_to=("speed >= 1",), reward="weighted", weights={"cost": 2}
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": None}, "parameters is missing: it must be a list of mappings"),
        ({"parameters": []}, "parameters must be a list of mappings, got []."),
        ({"parameters": [3]}, "parameters[0] must be a mapping, got 3."),
        ({"parameters": [{"name": "a", "kind": "ordnal"}]}, "parameters[0].kind must be one of integer, ordinal,"),
        (
            {"parameters": [{"name": "a", "kind": "integer", "low": 1}]},
            "parameters[0].high is missing: it must be an integer",
        ),
        (
            {"parameters": [{"name": "a", "kind": "integer", "low": 1, "hihg": 3}]},
            "unknown key parameters[0].hihg. Did you mean 'high'?",
        ),
        (
            {"parameters": [{"name": "a", "kind": "integer", "low": 1, "high": 0}]},
            "parameters[0]: a: needs low <= high",
        ),
        (
            {"parameters": [{"name": "a", "kind": "integer", "low": 1, "high": 2.5}]},
            "parameters[0].high must be an integer, got 2.5.",
        ),
        (
            {"parameters": [{"name": "a", "kind": "ordinal", "values": ["x"]}]},
            "parameters[0].values[0] must be a number, got 'x'.",
        ),
        (
            {"parameters": [{"name": "a", "kind": "ordinal", "values": [2, 1]}]},
            "parameters[0]: a: values must be increasing",
        ),
        (
            {"parameters": [{"name": "a", "kind": "categorical", "choices": [True]}]},
            "parameters[0].choices[0] must be a text: put it in quotes, got True.",
        ),
        (
            {"parameters": [{"name": "a b", "kind": "categorical", "choices": ["x"]}]},
            "parameters[0]: a parameter's name must be",
        ),
        ({"parameters": [PARAMETERS[5]]}, "parameters and constraints: "),
        (
            {"parameters": [PARAMETERS[0], PARAMETERS[0]]},
            "parameters and constraints: parameters must have different names",
        ),
        (
            {"constraints": ["row <= 2"]},
            "parameters and constraints: constraint 'row <= 2': unknown name 'row'. Did you mean",
        ),
        (
            {"objective": {"minimise": ["cost"]}},
            "objective: problem 'Simulator-v0': an objective has no field 'minimise'. Did you",
        ),
        ({"objective": {"minimize": ["costs"]}}, "the cost model has no metric 'costs'. Did you mean 'cost'?"),
        ({"objective": {"minimize": 3}}, "objective: "),
        ({"command": ["true", "{row}"]}, "command[1]: '{row}' must be a parameter"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(made, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SimulatorError) as caught:
        made(**changes)
    assert str(caught.value).startswith(f"{tmp_path / 'sim.yaml'}: {message}")
    assert "\n" not in str(caught.value)


def test_it_needs_a_file_and_stands_in_no_list() -> None:
    assert needed_options("Simulator") == ("file",)
    assert needed_options("LABS") == ()
    assert "Simulator-v0" not in problem_ids()
    with pytest.raises(
        OptionError, match=r"problem 'Simulator-v0' needs the option file. Give a value, such as file=..."
    ):
        make_problem("Simulator-v0")
    with pytest.raises(SimulatorError, match=r"none.yaml: cannot be read: no such file"):
        make_problem("Simulator-v0", file="none.yaml")


# -- the bundled example ----------------------------------------------------------------------------------------------

GEMM = 4096
H100_BYTE_PER_S = 3.35e12


def by_formula(problem: DesignProblem, designs: dict[str, Any]) -> tuple[list[float], list[float]]:
    """The roofline of the example, written down once more."""
    names = problem.space.describe(designs)
    latencies, violations = [], []
    for tile_m, tile_n, tile_k, number in zip(*(names[name] for name in problem.space.columns), strict=True):
        size = {"float32": 4, "bfloat16": 2, "int8": 1}[number]
        used = size * (tile_m * tile_k + tile_k * tile_n + tile_m * tile_n)
        traffic = size * (GEMM**3 / tile_n + GEMM**3 / tile_m + GEMM**2)
        latency_s = max(2 * GEMM**3 / (9.9e14 * 2 / size), traffic / H100_BYTE_PER_S)
        latencies.append(latency_s if used <= 2**18 else math.nan)
        violations.append(max(0.0, used / 2**18 - 1))
    return latencies, violations


@pytest.fixture
def example(tmp_path: Path) -> DesignProblem:
    """The example, as a person copies it."""
    for path in EXAMPLE.parent.iterdir():
        shutil.copy(path, tmp_path)
    return make_problem("Simulator", file=str(tmp_path / EXAMPLE.name))


def test_the_example_is_its_formula(example: DesignProblem) -> None:
    designs = example.space.sample(12, np.random.default_rng(3))
    evaluations: Evaluations = example.evaluate(designs)
    latencies, violations = by_formula(example, designs)
    assert np.allclose(evaluations.metrics["latency_s"], latencies, rtol=1e-14, equal_nan=True)
    assert np.allclose(evaluations.violation, violations, rtol=1e-14)
    assert 0 < np.count_nonzero(evaluations.feasible) < 12


def test_the_example_keeps_the_contract(example: DesignProblem) -> None:
    check_problem(example, designs=2)
    check_registration("Simulator", file=str(EXAMPLE))


def test_the_example_plays_in_gymnasium_and_pickles(example: DesignProblem) -> None:
    env = gymnasium.make("designgym/Simulator-v0", file=str(EXAMPLE))
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step(np.zeros(4, np.int64))
    assert terminated
    assert info["metrics"]["latency_s"] > 0
    twin = pickle.loads(pickle.dumps(example))
    assert (
        twin.cost_model.version
        == example.cost_model.version
        == make_problem("Simulator", file=str(EXAMPLE)).cost_model.version
    )
    assert reward == pytest.approx(-math.log(info["metrics"]["latency_s"]))
