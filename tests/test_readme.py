"""Every snippet of the README runs and prints what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_sweep import log_sweep

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"(?:<!-- ci: (?P<mark>\w+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL)
BLOCKS = [match.groupdict() for match in BLOCK.finditer(README)]


def of(language: str) -> list[int]:
    return [i for i, block in enumerate(BLOCKS) if block["language"] == language and not block["mark"]]


def test_readme_has_the_two_commands_that_the_gate_runs() -> None:
    marked = {block["mark"]: block["code"] for block in BLOCKS if block["mark"]}
    assert "sweep" in marked["quickstart"]
    assert "pytest" in marked["tests"]
    assert "readme_block tests" in (ROOT / ".ci" / "run").read_text()


@pytest.fixture(scope="module")
def after_quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where snippets that read runs/quickstart run: a sweep like it lies there, much smaller."""
    folder = tmp_path_factory.mktemp("results")
    problems = [{"id": "SystolicArray-v0", "options": {"workload": "resnet50"}}]
    given = {"name": "quickstart", "problems": problems, "agents": ["random", "genetic"], "seeds": 2, "budget": 60}
    log_sweep(folder / "runs" / "quickstart", given)
    return folder


@pytest.mark.parametrize("index", of("python"))
def test_python_snippet_prints_what_the_next_block_shows(index: int, after_quickstart: Path) -> None:
    code = BLOCKS[index]["code"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=after_quickstart, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    following = BLOCKS[index + 1] if index + 1 < len(BLOCKS) else {"language": "", "code": ""}
    if following["language"] == "text":
        assert done.stdout.split() == following["code"].split()


@pytest.mark.parametrize("index", of("bash"))
def test_shell_snippet_runs(index: int, tmp_path: Path) -> None:
    commands = BLOCKS[index]["code"].strip()
    assert all(line.startswith(("designgym ", "#")) for line in commands.splitlines()), commands
    script = commands.replace("designgym ", f"{Path(sys.executable).parent / 'designgym'} ")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr


def test_relative_links_of_the_readme_exist() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
