"""Sweeps in processes of their own, for tests that kill them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from designgym.experiments import load_sweep

FOLDER = Path(__file__).parent
PATIENCE_S = 120


def started(file: Path, out: Path, *address: str) -> subprocess.Popen:
    """Start the sweep of a file, as leader of a process group that its Ray belongs to. address: of a cluster."""
    command = [sys.executable, str(FOLDER / "sweep_script.py"), str(file), str(out), *address]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0)


def trials_in(out: Path) -> int:
    return sum(run.trials for run in load_sweep(out).runs) if (out / "sweep.json").exists() else 0


def log_bytes(out: Path) -> int:
    """Bytes of trials logged: what is cheap to watch."""
    total = 0
    for path in (*out.glob("runs/*/*.arrow"), *out.glob("runs/*.parquet")):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # parts became one file meanwhile
    return total


def wait_until(process: subprocess.Popen, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.1)  # to look costs milliseconds of a core that the sweep needs


def kill_group(process: subprocess.Popen) -> None:
    """Kill what is left of a process and of what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
