"""A sweep's driver is killed outright, over and over at random moments, and the same command goes on each time."""

import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import tiny_problems
from processes import PATIENCE_S, kill_group, log_bytes, started, trials_in
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
budget: 1500
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


def killed_over_and_over(folder: Path, kills: int, seed: int) -> None:
    """Kill a sweep's driver again and again, then let it end; it must end as if undisturbed."""
    file, out, rng = folder / "sweep.yaml", folder / "out", random.Random(seed)
    file.write_text(SPEC)
    drivers, kept = [], []
    try:
        for _ in range(kills):
            drivers.append(started(file, out))
            assert kill_at_a_random_moment(drivers[-1], out, rng), drivers[-1].communicate()[1]
            assert drivers[-1].wait() == -signal.SIGKILL
            kept.append(trials_in(out))
        drivers.append(started(file, out))
        said = drivers[-1].communicate(timeout=PATIENCE_S)[1]
    finally:
        for driver in drivers:
            kill_group(driver)
    assert drivers[-1].returncode == 0, said
    assert kept == sorted(kept), "a logged trial was lost"
    assert len(set(kept)) > kills / 3, "kills came while trials were logged"
    assert not list(out.rglob("*.arrow")) + list(out.rglob("*.tmp"))
    with pytest.MonkeyPatch.context() as patch:
        tiny_problems.registered(patch)
        patch.setattr(tiny_problems.time, "sleep", lambda _: None)  # the truth need not dawdle
        assert_as_undisturbed(out, runs(load_spec(file)))


def test_a_driver_killed_at_random_moments(tmp_path) -> None:
    killed_over_and_over(tmp_path, 5, seed=5)


@pytest.mark.slow
def test_a_driver_killed_at_twenty_random_moments(tmp_path) -> None:
    killed_over_and_over(tmp_path, 20, seed=20)
