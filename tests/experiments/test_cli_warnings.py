"""What the command line warns of: one line each, as its errors are."""

import subprocess
import sys
from pathlib import Path

TOPOLOGY = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
conv1, 32, 32, 3, 3, 3, 16, 2,
"""


def test_an_odd_workload_is_warned_of_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(TOPOLOGY)
    code = "from designgym.experiments.cli import main; main()"
    command = [sys.executable, "-c", code, "price", "SystolicArray", "--set", "workload=odd.csv", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    (line,) = done.stderr.splitlines()
    assert line.startswith("designgym: odd.csv row 2: layer 'conv1': ifmap - filter is no multiple of the stride")
