"""docs/extending.md is true: its snippets run, its excerpts are the plug-in example's, its messages are those given."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from user_environment import write_plugin

from designgym.envs import make_problem

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "tests" / "plugin_example"
PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>from|plug-in): (?P<what>[^\n]+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL
)
BLOCKS = [match.groupdict() for match in BLOCK.finditer(PAGE)]
DESIGNGYM = str(Path(sys.executable).parent / "designgym")


def unmarked(language: str) -> list[int]:
    return [i for i, block in enumerate(BLOCKS) if block["language"] == language and not block["mark"]]


def test_every_block_is_tested() -> None:
    outputs = {i + 1 for language in ("python", "bash") for i in unmarked(language)}
    tested = outputs | {i for i, block in enumerate(BLOCKS) if block["mark"]}
    tested |= {i for language in ("python", "bash", "yaml") for i in unmarked(language)}
    assert tested == set(range(len(BLOCKS)))
    assert len(BLOCKS) == PAGE.count("```") / 2


@pytest.mark.parametrize("index", [i for i, block in enumerate(BLOCKS) if block["mark"] == "from"])
def test_an_excerpt_is_the_examples(index: int) -> None:
    assert BLOCKS[index]["code"] in (EXAMPLE / BLOCKS[index]["what"]).read_text()


@pytest.mark.parametrize("index", unmarked("yaml"))
def test_a_simulator_s_file_prices_designs(index: int, tmp_path: Path) -> None:
    """Its program stands beside it, and prints what the file reads."""
    folder = tmp_path / "mine"
    (folder / "traces").mkdir(parents=True)
    (tmp_path / "src").mkdir()
    (folder / "traces" / "short.txt").write_text("1 2 3\n")
    (folder / "sim.yaml").write_text(BLOCKS[index]["code"])
    program = folder / "simulate"
    program.write_text(
        "#!/bin/sh\ntest $3 -le 6 || { echo over by 0.5; exit 3; }\ntest -s trace.txt && grep -q policy config.json\n"
        "echo misses: $3\necho '{\"results\": {\"cycles\": 7}}' > out.json\nprintf 'energy\\n2\\n3\\n' > out.csv\n"
    )
    program.chmod(0o755)
    problem = make_problem("Simulator-v0", file=str(folder / "sim.yaml"))
    found = problem.evaluate(problem.space.parse({"size": 32, "ways": 3, "policy": "fifo"}))
    assert {name: values[0] for name, values in found.metrics.items()} == {
        "misses": 3, "latency_s": pytest.approx(7e-9), "energy_j": 5,
    }  # fmt: skip
    assert problem.evaluate(problem.space.parse({"size": 32, "ways": 8, "policy": "fifo"})).violation == 0.5


@pytest.mark.parametrize("index", unmarked("python") + unmarked("bash"))
def test_a_snippet_prints_what_the_next_block_shows(index: int, tmp_path: Path) -> None:
    code = BLOCKS[index]["code"]
    bash = BLOCKS[index]["language"] == "bash"
    command = [DESIGNGYM, *code.split()[1:]] if bash else [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert BLOCKS[index + 1]["language"] == "text"
    assert done.stdout == BLOCKS[index + 1]["code"]


def test_what_is_left_out_is_named_so(tmp_path: Path) -> None:
    write_plugin(tmp_path, "tomorrow", "tomorrow", "", "designgym>=99")
    write_plugin(
        tmp_path, "twice", "twice", "from designgym.envs import register_problem as r; r('LABS-v0', 'twice:labs')"
    )
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [DESIGNGYM, "list", "--json"], env=os.environ | path, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    shown = [block["code"].strip() for block in BLOCKS if block["mark"] == "plug-in"]
    assert json.loads(done.stdout)["plugin_failures"] == shown


def test_relative_links_exist() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
