"""Imports go down the layers only, and always by the full name."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("cost_models", "envs", "agents", "experiments")  # each may import itself and those before it
FILES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def imported(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import anywhere in a file, those inside functions and under a dot included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            # Only names that stand in the file: an entry point belongs to whoever registers it.
            yield from ((node.lineno, str(ast.literal_eval(a))) for a in node.args[:1] if isinstance(a, ast.Constant))


def faults(path: str, text: str) -> list[str]:
    """Name each import of a file that goes up a layer, or by a bare name."""
    parts = path.split("/")
    layer, package = parts[0], ".".join(["designgym", *parts[:-1]])
    allowed = LAYERS[: LAYERS.index(layer) + 1] if layer in LAYERS else LAYERS
    found = []
    for line, module in imported(ast.parse(text), package):
        top, _, rest = module.partition(".")
        if top in LAYERS:
            found.append(f"{path}:{line} imports {module}: write designgym.{module}.")
        elif top == "designgym" and rest.partition(".")[0] not in allowed:
            found.append(f"{path}:{line} imports {module}, but {layer} may import {', '.join(allowed)} only.")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    assert not faults(path.relative_to(ROOT).as_posix(), path.read_text())


def test_tests_import_by_the_full_name() -> None:
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "tests").rglob("*.py"))}
    assert not [fault for path, text in texts.items() for fault in faults(path, text)]


def test_all_layers_are_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(LAYERS)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("envs/space.py", "import designgym.agents.base", "imports designgym.agents.base, but envs may import"),
        (
            "cost_models/base.py",
            "from designgym.envs import DesignSpace",
            "but cost_models may import cost_models only",
        ),
        ("cost_models/base.py", "from designgym import envs", "imports designgym.envs"),
        ("envs/a.py", "def f():\n    from designgym.experiments.log import rows", "envs/a.py:2 imports"),
        ("envs/a.py", "if TYPE_CHECKING:\n    import designgym.experiments", "envs/a.py:2 imports"),
        ("envs/a.py", "from ..agents import base", "imports designgym.agents.base"),
        ("envs/accelerator/a.py", "from ...agents.base import Agent", "imports designgym.agents.base.Agent"),
        ("envs/a.py", "import_module('designgym.agents')", "imports designgym.agents"),
        ("agents/a.py", "from envs.space import DesignSpace", "write designgym.envs.space.DesignSpace"),
        ("tests/envs/test_a.py", "import cost_models", "write designgym.cost_models"),
    ],
)
def test_a_wrong_import_is_found(path: str, text: str, fault: str) -> None:
    found = faults(path, text)
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("experiments/a.py", "from designgym.agents import search\nfrom designgym.experiments.log import rows"),
        ("envs/a.py", "from .space import DesignSpace\nfrom . import space\nfrom designgym.cost_models import base"),
        ("envs/a.py", "import numpy.experiments, gymnasium.envs"),
        ("tests/envs/test_a.py", "from designgym.experiments import log"),
    ],
)
def test_a_right_import_is_left_alone(path: str, text: str) -> None:
    assert not faults(path, text)
