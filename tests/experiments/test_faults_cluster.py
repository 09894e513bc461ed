"""A sweep on a cluster of two nodes: a worker is killed, then a node; another node joins, and is killed too.

First go the runs of a fast model, which are Ray tasks each, then those of a slow one, priced design by design.

The cluster's Python does not have this project: the sweep sends it along. Its processes run in another folder, and,
where the system permits it, see an empty file system where the driver writes.
"""

import json
import os
import shutil
import signal
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fault_problems
import pytest
from processes import FOLDER, PATIENCE_S, kill_group, started, trials_in, wait_until
from runs_in_process import assert_as_undisturbed

from designgym.experiments import load_sweep
from designgym.experiments.runs import runs
from designgym.experiments.spec import load_spec

SPEC = """
name: cluster
problems:
- {id: Noted-v0, options: {design_s: 0.01, notes: NOTES, out: OUT}}
- {id: Noted-v0, options: {design_s: 0.01, notes: NOTES, out: OUT, slow: true}}
agents: [random, local_search, {name: genetic, hyperparameters: {population: 16}}]
seeds: 2
budget: 150
in_flight: 16
"""
HIDE = 'mount -t tmpfs -o ro,size=64k none "$0" && exec "$@"'  # in a mount namespace of its own


@dataclass
class Story:
    """notes: of every process that priced; raylets: of all three nodes; killed: the worker."""

    out: Path
    file: Path
    status: int
    said: str
    notes: dict[int, dict]
    raylets: list[int]
    killed: int
    elsewhere: Path
    hidden: bool


def bare_python(folder: Path) -> str:
    """Return a Python that has this one's libraries, but not what is installed here as editable, as this project is."""
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))  # a path file read so reads no others
    return str(folder / "bin" / "python")


def can_hide(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    return not subprocess.run(["unshare", "-m", "sh", "-c", HIDE, str(folder), "true"], capture_output=True).returncode


def notes_in(folder: Path) -> dict[int, dict]:
    found = {}
    for path in folder.glob("*.json"):
        found[int(path.stem)] = json.loads(path.read_text())
    return found


def two_nodes(folder: Path, elsewhere: Path, hide: Path | None) -> subprocess.Popen:
    """Start a cluster with a bare Python, made in a folder. hide: what its processes see as an empty file system."""
    python = bare_python(folder)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    imports = subprocess.run([python, "-c", "import designgym"], cwd=elsewhere, env=environment, capture_output=True)
    assert imports.returncode, "this test needs the project installed as editable: pip install -e ."
    command = [] if hide is None else ["unshare", "-m", "sh", "-c", HIDE, str(hide)]
    return subprocess.Popen(
        [*command, python, str(FOLDER / "two_nodes.py"), "1", "1"], cwd=elsewhere, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def disturb(
    process: subprocess.Popen, out: Path, notes: Path, nodes: subprocess.Popen, raylets: list[int]
) -> list[int]:
    """Kill a worker and a node in the middle of runs, add a node and kill it too.

    raylets: of the first two nodes. Returns the process of that worker, and the raylet of that third node.
    """
    head, second = raylets

    def held(raylet: int) -> list[int]:
        """Workers of a node that are in the middle of a run, and stay there."""
        return [pid for pid, note in notes_in(notes).items() if note["parent"] == raylet and note["held"]]

    def tell(*words: str) -> None:
        nodes.stdin.write("".join(f"{word}\n" for word in words))
        nodes.stdin.flush()

    wait_until(process, lambda: trials_in(out) >= 100)
    for raylet in (head, second):
        (notes / f"hold-{raylet}").touch()
    wait_until(process, lambda: held(head) and held(second))
    (killed,) = held(head)
    os.kill(killed, signal.SIGKILL)
    (notes / f"hold-{head}").unlink()
    before = trials_in(out)
    wait_until(process, lambda: trials_in(out) >= before + 100)
    (notes / f"slow-hold-{head}").touch()
    tell("kill", "add")
    third = int(nodes.stdout.readline())
    (notes / f"slow-hold-{third}").touch()
    wait_until(process, lambda: held(third))
    tell("kill")
    (notes / f"slow-hold-{head}").unlink()
    return [killed, third]


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Iterator[Story]:
    driver, elsewhere, notes = (tmp_path_factory.mktemp(name) for name in ("driver", "elsewhere", "notes"))
    hidden = can_hide(driver)
    nodes = two_nodes(tmp_path_factory.mktemp("python") / "bare", elsewhere, driver if hidden else None)
    process = None
    try:
        cluster = json.loads(nodes.stdout.readline())
        file, out = driver / "sweep.yaml", driver / "out"
        file.write_text(SPEC.replace("NOTES", str(notes)).replace("OUT", str(out)))
        process = started(file, out, cluster["address"])
        killed, third = disturb(process, out, notes, nodes, cluster["raylets"])
        _, said = process.communicate(timeout=PATIENCE_S)
        raylets = [*cluster["raylets"], third]
        yield Story(out, file, process.returncode, said, notes_in(notes), raylets, killed, elsewhere, hidden)
    finally:
        if process is not None:
            kill_group(process)
        for hold in notes.glob("*hold-*"):
            hold.unlink()
        nodes.stdin.close()
        nodes.wait(PATIENCE_S)


def test_all_nodes_priced_designs_elsewhere(story) -> None:
    parents = {note["parent"] for note in story.notes.values()}
    assert parents == set(story.raylets)
    for note in story.notes.values():
        assert Path(note["cwd"]) != story.out.parent
        assert Path(note["cwd"]) != Path.cwd()


def test_workers_cannot_write_where_the_driver_does(story) -> None:
    if not story.hidden:
        pytest.skip("a mount namespace of one's own is not permitted here")
    assert {note["writes"] for note in story.notes.values()} == {"FileNotFoundError"}
    assert not list(story.out.glob("planted*"))


def test_a_killed_worker_and_killed_nodes_cost_nothing(story, monkeypatch) -> None:
    assert story.status == 0, story.said
    again = [line for line in story.said.splitlines() if line.startswith("again: ")]
    assert len(again) >= 2, story.said
    fault_problems.register()
    monkeypatch.setattr(fault_problems.time, "sleep", lambda _: None)  # the truth need not dawdle
    assert_as_undisturbed(story.out, runs(load_spec(story.file)))
    assert {run.state for run in load_sweep(story.out).runs} == {"finished"}
