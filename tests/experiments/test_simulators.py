"""Environments of simulators: made once, found again, made anew where they are half made, removed.

What is installed here is a wheel written by hand, so that no index is asked; scalesim itself is installed by the
fixture of that name.
"""

import fcntl
import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from designgym.cost_models.simulators import installed
from designgym.cost_models.simulators.installed import (
    SCALESIM,
    NotInstalled,
    Simulator,
    condition,
    environment_directory,
    python_of,
    ready_python,
)
from designgym.experiments import simulators
from designgym.experiments.simulators import InstallError, install, remove

HERE = sys.version_info[:2]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def tiny(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A simulator of one line, in a wheel."""
    wheel, told = tmp_path / "tiny-1.0-py3-none-any.whl", "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "ANSWER = 42\n")
        file.writestr(f"{told}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Dist: nowhere\n")
        file.writestr(f"{told}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{told}/RECORD", f"tiny.py,,\n{told}/METADATA,,\n{told}/WHEEL,,\n{told}/RECORD,,\n")
    made = Simulator("tiny", "1.0", "a simulator of one line", (str(wheel),), (HERE, HERE))
    monkeypatch.setitem(simulators.CHECKS, "tiny", imports_tiny)
    monkeypatch.setattr(installed, "SIMULATORS", (SCALESIM, made))
    return made


def imports_tiny(python: Path) -> None:
    done = subprocess.run([python, "-I", "-c", "import tiny; print(tiny.ANSWER)"], capture_output=True, text=True)
    assert done.stdout == "42\n", done.stderr


def stop_at(step: str) -> Callable[[str], None]:
    def say(line: str) -> None:
        if line.startswith(step):
            raise KeyboardInterrupt

    return say


def pretend(wanted: Simulator) -> Path:
    """Lay out what an installation leaves, without one."""
    directory = environment_directory(wanted)
    python_of(directory).parent.mkdir(parents=True)
    python_of(directory).symlink_to(sys.executable)
    (directory / "ready.json").write_text(json.dumps({"requirements": list(wanted.requirements), "packages": []}))
    return directory


@pytest.fixture
def quick_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a virtual environment's Python, which takes seconds to make, one that calls this one."""
    run = simulators._run

    def quick(command: list[str], rule: str, remedy: str, lock: int) -> str:
        if "venv" not in command:
            return run(command, rule, remedy, lock)
        python = python_of(Path(command[-1]))
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return ""

    monkeypatch.setattr(simulators, "_run", quick)


def test_an_environment_is_made_once_and_anew_where_it_is_half_made(
    tiny: Simulator, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert condition(tiny) == "missing"
    directory = install(tiny, say=said.append)
    assert directory == state / "simulators" / "tiny-1.0"
    assert [line.split()[0] for line in said] == ["making", "installing", "checking", "tiny"]
    assert ready_python(tiny) == directory / "bin" / "python"
    imports_tiny(ready_python(tiny))
    told = json.loads((directory / "ready.json").read_text())
    assert told["requirements"] == list(tiny.requirements)
    assert "tiny==1.0" in " ".join(told["packages"]) or any(line.startswith("tiny @") for line in told["packages"])

    (directory / "trace").touch()
    install(tiny, say=said.append)
    assert said[4:] == [f"tiny 1.0 is ready in {directory}"]
    assert (directory / "trace").exists()

    (directory / "ready.json").unlink()  # as where the installation was killed
    assert condition(tiny) == "half-made"
    with pytest.raises(NotInstalled, match="half made or broken"):
        ready_python(tiny)
    monkeypatch.setattr(simulators, "_make", lambda *_: pretend(tiny))
    install(tiny)
    assert condition(tiny) == "ready"
    assert not (directory / "trace").exists()


@pytest.mark.usefixtures("quick_venv")
def test_an_interrupted_installation_leaves_nothing(tiny: Simulator, state: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        install(tiny, say=stop_at("installing"))
    assert condition(tiny) == "missing"
    assert not (state / "simulators" / "tiny-1.0").exists()


@pytest.mark.usefixtures("quick_venv")
def test_what_pip_cannot_find_is_said_in_one_line(
    tiny: Simulator, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # pip's own configuration counts
    with pytest.raises(InstallError) as error:
        install(replace(tiny, requirements=("no-such-simulator==1.0",)))
    assert str(error.value) == (
        "pip must be able to install no-such-simulator==1.0, got: No matching distribution found for "
        "no-such-simulator==1.0. Check pip's configuration, and that it reaches a package index."
    )
    assert condition(tiny) == "missing"


def test_an_environment_for_other_requirements_or_without_its_python_is_not_ready(tiny: Simulator) -> None:
    directory = pretend(tiny)
    assert condition(tiny) == "ready"
    assert condition(replace(tiny, requirements=("tiny==2.0",))) == "half-made"
    python_of(directory).unlink()
    python_of(directory).symlink_to(directory / "gone")
    assert condition(tiny) == "half-made"
    (directory / "ready.json").write_text("[1")
    assert condition(tiny) == "half-made"


def test_it_is_made_by_a_python_that_fits(tiny: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InstallError, match=r"tiny needs a Python from 3\.1 to 3\.2, got .*Install one and name it"):
        install(replace(tiny, pythons=((3, 1), (3, 2))))
    with pytest.raises(InstallError, match=r"got /no/python \(not there\)"):
        install(tiny, "/no/python")
    older = tmp_path / "python3.9"
    older.write_text("#!/bin/sh\necho 3 9\n")
    older.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert simulators._interpreter(replace(tiny, pythons=((3, 8), (3, 9))), None) == str(older)
    assert condition(tiny) == "missing"


def test_one_that_is_being_installed_is_waited_for(tiny: Simulator, state: Path) -> None:
    pretend(tiny)
    said: list[str] = []
    waits = threading.Event()

    def say(line: str) -> None:
        said.append(line.split()[0])
        waits.set()

    with open(state / "simulators" / ".tiny-1.0.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = threading.Thread(target=install, args=(tiny, None, say))
        other.start()
        assert waits.wait(30)
    other.join(30)
    assert said == ["waiting", "tiny"]


def test_after_a_kill_nobody_begins_before_the_step_that_was_running_has_ended(
    tiny: Simulator, state: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom designgym.experiments import simulators\n"
        "with simulators._alone(Path(sys.argv[1]), print) as lock:\n"
        "    simulators._run(['sh', '-c', 'touch begun; sleep 3'], '', '', lock)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(environment_directory(tiny))], cwd=tmp_path)
    until = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.wait()
    with open(state / "simulators" / ".tiny-1.0.lock") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX)  # comes when the step has ended


def test_removing(tiny: Simulator) -> None:
    assert not remove(tiny)
    directory = pretend(tiny)
    assert remove(tiny)
    assert not directory.exists()
    kept = pretend(tiny).rename(directory.with_name("elsewhere"))
    directory.symlink_to(kept)
    assert remove(tiny)
    assert condition(tiny) == "missing"
    assert (kept / "ready.json").exists()  # a link is taken away, not what it leads to


def test_a_state_directory_that_cannot_be_used_is_said_in_one_line(tiny: Simulator, state: Path) -> None:
    state.write_text("a file")
    with pytest.raises(InstallError, match=r"cannot be used: .*Set DESIGNGYM_STATE_DIR"):
        install(tiny)


def test_an_installed_scalesim_that_counts_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from designgym.cost_models.accelerator import scale_sim
    from designgym.cost_models.base import Failure

    monkeypatch.setattr(scale_sim, "simulate_layers", lambda *_: [{"cycles": 100, "stall_cycles": 0}])
    with pytest.raises(InstallError, match="must take 143 cycles for gemm:m=9,k=11,n=7, got 100"):
        simulators._check_scalesim(Path("python"))
    monkeypatch.setattr(scale_sim, "simulate_layers", lambda *_: Failure("SCALE-Sim: it ended with exit code 1"))
    with pytest.raises(InstallError, match="does not run: SCALE-Sim: it ended with exit code 1"):
        simulators._check_scalesim(Path("python"))


def designgym(*arguments: str) -> SimpleNamespace:
    done = subprocess.run(
        [sys.executable, "-m", "designgym.experiments.cli", *arguments], capture_output=True, text=True
    )
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


def test_the_command_line(state: Path) -> None:
    done = designgym("simulators", "list", "--json")
    (row,) = json.loads(done.out)
    assert (row["name"], row["version"], row["state"]) == ("scalesim", "3.0.0", "missing")
    assert row["directory"] == str(state / "simulators" / "scalesim-3.0.0")

    done = designgym("simulators", "install", "scalsim")
    assert (done.code, done.err) == (
        2, "designgym: simulator must be one of scalesim, got 'scalsim'. Did you mean 'scalesim'?\n",
    )  # fmt: skip
    pretend(SCALESIM)
    assert "ready" in designgym("simulators", "list").out
    assert designgym("simulators", "install", "scalesim").err.startswith("scalesim 3.0.0 is ready in")
    assert designgym("simulators", "remove", "scalesim").err.startswith("scalesim 3.0.0 is removed")
    assert designgym("simulators", "remove", "scalesim").err.startswith("scalesim 3.0.0 is not installed")
    options = ("--set", "workload=gemm:m=9,k=11,n=7", "--set", "cost_model=ScaleSim")
    done = designgym("price", "SystolicArray-v0", *options, "--json")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert done.err.endswith("Run: designgym simulators install scalesim\n")
