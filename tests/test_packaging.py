"""What pyproject.toml lists is what lies in the folders and in a freshly built wheel, data files included."""

import ast
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("cost_models", "envs", "agents", "experiments")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
NOT_SHIPPED = {"__pycache__", ".ipynb_checkpoints"}


def folders() -> list[Path]:
    """Return every folder of code, relative to the root."""
    found = {path.parent.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    return sorted(folder for folder in found if not NOT_SHIPPED & set(folder.parts))


def package(folder: Path) -> str:
    return ".".join(["designgym", *folder.parts])


def test_the_listed_packages_are_the_folders() -> None:
    listed = SETTINGS["tool"]["setuptools"]["packages"]
    assert sorted(listed) == [package(folder) for folder in folders()]
    assert len(listed) == len(set(listed))


def test_every_folder_of_code_is_a_package() -> None:
    assert not [str(folder) for folder in folders() if not (ROOT / folder / "__init__.py").exists()]


def test_the_layers_are_mapped_into_one_name() -> None:
    assert SETTINGS["tool"]["setuptools"]["package-dir"] == {f"designgym.{layer}": layer for layer in LAYERS}
    assert not (ROOT / "designgym").exists(), "a folder designgym/ would hide the four layers"


def test_every_layer_is_typed() -> None:
    assert not [layer for layer in LAYERS if not (ROOT / layer / "py.typed").exists()]


@pytest.fixture(scope="module")
def wheel(project_wheel: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(project_wheel)


def shipped() -> set[str]:
    """Return what a wheel should hold: all code, the marks of typing, everything in folders called data."""
    files = set()
    for path in (path for layer in LAYERS for path in (ROOT / layer).rglob("*") if path.is_file()):
        relative = path.relative_to(ROOT)
        if NOT_SHIPPED & set(relative.parts):
            continue
        if path.suffix == ".py" or path.name == "py.typed" or "data" in relative.parts:
            files.add(f"designgym/{relative.as_posix()}")
    return files


def test_the_wheel_holds_all_code_and_data(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == shipped()


def test_the_wheel_holds_the_licence_and_the_command(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert [name for name in names if name.endswith("/LICENSE")]
    (entry_points,) = (name for name in names if name.endswith("entry_points.txt"))
    command = SETTINGS["project"]["scripts"]["designgym"]
    assert f"designgym = {command}" in wheel.read(entry_points).decode()
    module, _, function = command.partition(":")
    path = module.replace(".", "/")
    (held,) = (name for name in names if name in (f"{path}.py", f"{path}/__init__.py"))
    body = ast.parse(wheel.read(held)).body
    bound = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    bound |= {alias.asname or alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert function in bound
