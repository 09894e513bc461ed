"""What `designgym new` writes is clean, installs, is found, and passes its own tests as it stands."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from user_environment import Environment

from designgym.experiments.new import KINDS, piece, write_piece

ROOT = Path(__file__).parents[2]
NAMES = {"env": "tile-choice", "cost-model": "TileRoofline", "agent": "evolve_one"}
LONGEST = {"env": "E" * 40, "cost-model": "c" * 40, "agent": "a-" * 19 + "bc"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All three kinds, under short names and under the longest."""
    folder = tmp_path_factory.mktemp("pieces")
    for kind in KINDS:
        for length, names in (("short", NAMES), ("long", LONGEST)):
            write_piece(piece(kind, names[kind]), folder / f"{kind}-{length}")
    return folder


@pytest.mark.parametrize("settings", ["its own", "ours"])
def test_what_is_written_is_clean(written: Path, settings: str) -> None:
    config = ["--config", str(ROOT / "pyproject.toml")] if settings == "ours" else []
    for folder in written.iterdir():
        for command in (["check", "--no-cache", *config], ["format", "--no-cache", "--check", *config]):
            words = [sys.executable, "-m", "ruff", *command, "."]
            done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "follow",
    ["skip", pytest.param("silent", marks=pytest.mark.slow)],  # the latter reads all of designgym: most of a minute
)
def test_what_is_written_is_typed(written: Path, tmp_path: Path, follow: str) -> None:
    (tmp_path / "designgym").mkdir()
    for layer in ("cost_models", "envs", "agents", "experiments"):
        (tmp_path / "designgym" / layer).symlink_to(ROOT / layer)
    targets = [path for piece in written.iterdir() for path in (*piece.glob("designgym_*"), piece / "tests")]
    options = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", tmp_path / "cache"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, f"--follow-imports={follow}", *targets],
        env={"MYPYPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_install_and_pass_their_tests(
    written: Path, project_wheel: Path, build_wheel: Callable[[Path], Path], tmp_path: Path
) -> None:
    wheels = [build_wheel(written / f"{kind}-short") for kind in KINDS]
    environment = Environment(tmp_path, project_wheel, *wheels)
    listed = json.loads(environment.designgym("list", "--json"))
    assert listed["plugin_failures"] == []
    assert "TileChoice-v0" in [problem["id"] for problem in listed["problems"]]
    assert {"TileChoice", "TileRoofline"} <= set(listed["cost_models"])
    assert "evolve_one" in [agent["name"] for agent in listed["agents"]]
    tests = [written / f"{kind}-short" / "tests" for kind in KINDS]
    told = environment.run(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert "7 passed" in told


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "designgym", "new", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_the_command_tells_what_to_do_next_and_overwrites_nothing(tmp_path: Path) -> None:
    told = run("agent", "my-search", cwd=tmp_path).stdout
    assert "wrote designgym-my-search/designgym_my_search/agent.py" in told
    assert 'pip install -e "./designgym-my-search[test]"\n  designgym show my_search\n  pytest' in told
    before = (tmp_path / "designgym-my-search" / "README.md").read_text()
    again = run("env", "other", "--dir", "designgym-my-search", cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr == (
        "designgym: designgym-my-search must be new or empty, got one that holds files. Give another --dir.\n"
    )
    assert (tmp_path / "designgym-my-search" / "README.md").read_text() == before
    (tmp_path / "empty").mkdir()
    made = json.loads(run("cost-model", "MyModel", "--dir", "empty", "--json", cwd=tmp_path).stdout)
    assert made["id"] == "MyModel"
    assert all((tmp_path / file).is_file() for file in made["files"])


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("agent", "my search", "letters and digits, words joined by '_' or '-', the first a letter, got 'my search'"),
        ("agent", "2fast", "the first a letter, got '2fast'. Use one such as my-space."),
        ("env", "x" * 41, "at most 40 letters and digits"),
        ("env", "class", "must not be one that the code uses itself, got 'class'. Use one such as my-class."),
        ("env", "objective", "must not be one that the code uses itself, got 'objective'"),
        ("agent", "Local_Search", "agent 'local_search' is registered already. Choose another name for the agent."),
        ("env", "LABS", "problem 'LABS-v0' is registered already. Choose another name for the environment."),
        ("cost-model", "systolicArray", "cost model 'SystolicArray' is registered already"),
        ("model", "x", "a piece must be one of env, cost-model, agent, got 'model'"),
    ],
)
def test_names_that_cannot_be_are_refused(kind: str, name: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        piece(kind, name)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("name", "camel", "snake"),
    [("my-space", "MySpace", "my_space"), ("HTTPCache2", "HTTPCache2", "http_cache_2"), ("dram", "Dram", "dram"),
     ("NoCMesh", "NoCMesh", "no_c_mesh"), ("L2_cache", "L2Cache", "l_2_cache")],
)  # fmt: skip
def test_names_are_classes_and_modules(name: str, camel: str, snake: str) -> None:
    made = piece("cost-model", name)
    assert (made.camel, made.snake) == (camel, snake)
