"""A YAML file about the tiny simulator, and the cost model that it makes."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from designgym.cost_models.simulators.command import CommandCostModel
from designgym.envs import Categorical, DesignSpace, Float, Integer, Permutation, Subset
from designgym.envs.command import simulator_of

TINY = Path(__file__).parent / "tiny_simulator.py"
SPACE = DesignSpace(
    Integer("rows", -4, 64, default=1),
    Categorical("policy", ("lru", "fifo-2")),
    Permutation("loops", ("m", "n", "k")),
    Subset("banks", 8, 2),
    Float("volt", 1e-9, 1.0),
    Categorical("wild", ("plain", "a \"b\" <c> & 'd': {rows}\n", "-x", "", "no", "1e3", "$(touch hacked); `id`")),
)


def described(mode: str = "fine", *more: str, **changes: Any) -> dict[str, Any]:
    """Return the description of the tiny simulator in one of its modes."""
    given = {
        "name": "tiny",
        "command": [sys.executable, "-S", f"./{TINY.name}", mode, "{rows}", "{policy}", *more],
        "metrics": {
            "time_s": {
                "unit": "s", "better": "lower", "meaning": "time", "regex": r"^time (\S+) us$", "scale": 1e-6,
            },
        },
        "seconds": 30,
    }  # fmt: skip
    return {**given, **changes}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes such a file beside the program."""

    def write(mode: str = "fine", *more: str, **changes: Any) -> Path:
        (tmp_path / TINY.name).write_bytes(TINY.read_bytes())
        path = tmp_path / "sim.yaml"
        path.write_text(yaml.safe_dump(described(mode, *more, **changes), sort_keys=False))
        return path

    return write


@pytest.fixture
def make(write: Callable[..., Path]) -> Callable[..., CommandCostModel]:
    """Return what makes the cost model of such a file."""

    def make(mode: str = "fine", *more: str, **changes: Any) -> CommandCostModel:
        return simulator_of(SPACE, str(write(mode, *more, **changes)))

    return make


@pytest.fixture
def trials(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $TMPDIR."""
    path = tmp_path_factory.mktemp("trials")
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path
