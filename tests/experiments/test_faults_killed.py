"""A sweep's driver is killed outright, over and over at random moments, and the same command goes on each time.

In the gate it is killed twice, once while it logs and once while it starts to go on, and its Ray is a cluster that runs
on; among the slow tests it is killed twenty times, there and with a Ray of its own, which dies with it, as once in
`test_resume.py`.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import tiny_problems
from processes import FOLDER, PATIENCE_S, kill_group, log_bytes, started, trials_in
from runs_in_process import assert_as_undisturbed

from designgym.experiments.runs import runs
from designgym.experiments.spec import load_spec

SPEC = """
name: killed
problems:
- {id: Tiny-v0, options: {design_s: 0.004}}
- TinyTwo-v0
agents:
- random
- {name: genetic, hyperparameters: {population: 16}}
- climber
seeds: 1
budget: BUDGET
"""
STARTING_S = 5.0  # about what Python, Ray and its workers take before the first trial


def kill_at_a_random_moment(process: subprocess.Popen, out: Path, rng: random.Random) -> bool:
    """Kill a driver: in one of three cases while it starts, else soon after it logged something. Whether it lived."""
    if rng.random() < 1 / 3:
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, STARTING_S))
    else:
        before = log_bytes(out)
        while process.poll() is None and log_bytes(out) == before:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.5))
    lived = process.poll() is None
    process.kill()
    return lived


@pytest.fixture
def address() -> Iterator[str]:
    """A cluster of one node with two cores."""
    command = [sys.executable, str(FOLDER / "two_nodes.py"), "2"]
    node = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield json.loads(node.stdout.readline())["address"]
    finally:
        node.stdin.close()
        node.wait(PATIENCE_S)


def killed_over_and_over(folder: Path, kills: int, budget: int, seed: int, *address: str) -> None:
    """Kill a sweep's driver again and again, then let it end, as if undisturbed. address: of its cluster."""
    file, out, rng = folder / "sweep.yaml", folder / "out", random.Random(seed)
    print(f"seed {seed}")
    file.write_text(SPEC.replace("BUDGET", str(budget)))
    drivers, kept = [], []
    try:
        for _ in range(kills):
            drivers.append(started(file, out, *address))
            assert kill_at_a_random_moment(drivers[-1], out, rng), drivers[-1].communicate()[1]
            assert drivers[-1].wait() == -signal.SIGKILL
            kept.append(trials_in(out))
        drivers.append(started(file, out, *address))
        said = drivers[-1].communicate(timeout=PATIENCE_S)[1]
    finally:
        for driver in drivers:
            kill_group(driver)
    assert drivers[-1].returncode == 0, said
    assert kept == sorted(kept), "a logged trial was lost"
    assert 0 < kept[-1] < 6 * budget
    assert len(set(kept)) > kills / 3, "kills came while trials were logged"
    assert not list(out.rglob("*.arrow")) + list(out.rglob("*.tmp"))
    with pytest.MonkeyPatch.context() as patch:
        tiny_problems.registered(patch)
        patch.setattr(tiny_problems.time, "sleep", lambda _: None)  # the truth need not dawdle
        assert_as_undisturbed(out, runs(load_spec(file)))


def test_a_driver_killed_at_random_moments(tmp_path, address) -> None:
    killed_over_and_over(tmp_path, 2, 400, 26, address)


@pytest.mark.slow
def test_a_driver_killed_at_twenty_random_moments(tmp_path, address) -> None:
    killed_over_and_over(tmp_path, 20, 1500, 21, address)


@pytest.mark.slow
def test_a_driver_killed_with_its_ray_at_twenty_random_moments(tmp_path) -> None:
    killed_over_and_over(tmp_path, 20, 1500, 20)
