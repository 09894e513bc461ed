"""docs/tutorial.md runs as it stands, and what it promises comes true: the second sweep's winners beat the first's."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from designgym.experiments import load_trials
from designgym.experiments.verified import read_verified

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"(?:<!-- file: (?P<file>[\w.]+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tutorial")
    program = Path(sys.executable).parent / "designgym"
    for block in BLOCK.finditer(PAGE):
        if block["file"]:
            (folder / block["file"]).write_text(block["code"])
            continue
        assert block["language"] == "bash"
        script = block["code"].replace("designgym ", f"{program} ", 1)
        ran = subprocess.run(["bash", "-euc", script], cwd=folder, capture_output=True, text=True, timeout=600)
        assert ran.returncode == 0, f"{block['code']}\n{ran.stdout}\n{ran.stderr}"
    return folder


def test_the_winners_on_the_surrogate_beat_what_it_was_learned_from(done: Path) -> None:
    first = load_trials(done / "runs" / "first").to_pylist()
    seen = min(row["loss.latency_s"] for row in first if row["feasible"])
    verified = read_verified(done / "runs" / "second").to_pylist()
    assert {row["set"] for row in verified} == {"cost_model=own"}
    assert min(row["loss.verified"] for row in verified if row["feasible"]) < seen


def test_the_pages_are_there_and_say_whose_numbers_they_show(done: Path) -> None:
    assert "Found on a surrogate" in (done / "runs" / "second" / "report.html").read_text()
    assert "Found on a surrogate" not in (done / "runs" / "first" / "report.html").read_text()
    assert (done / "model" / "report.html").exists()
    card = json.loads((done / "model" / "model.json").read_text())
    assert card["data"]["sources"] == ["runs/first"]
