"""Make the environments that simulators run in, and remove them again.

An environment is made in its place, for a virtual environment cannot be moved: what tells a whole one from one that was
interrupted is a marker written last, after a check that the simulator runs (`designgym.cost_models.simulators`).
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from designgym.cost_models.simulators.installed import (
    READY,
    SCALESIM,
    SIMULATORS,
    Simulator,
    condition,
    environment_directory,
    python_of,
    told_by,
)

Say = Callable[[str], None]

# Not `pip list`, which a user's PIP_QUIET silences.
LISTED = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))"
CHECKED_LAYER = "gemm:m=9,k=11,n=7"
CHECKED_DESIGN = {
    "rows": 4, "cols": 3, "dataflow": 0, "ifmap_sram_kb": 8, "filter_sram_kb": 8, "ofmap_sram_kb": 8,
    "dram_words_per_cycle": 2,
}  # fmt: skip


class InstallError(ValueError):
    """An environment could not be made. One line."""

    exit_code = 1


def install(wanted: Simulator, python: str | None = None, say: Say = lambda line: None) -> Path:
    """Make a simulator's environment, unless it is ready, and return its directory.

    python: the interpreter to make it with; default: this one, where the simulator's requirements know it, else the
    newest on PATH that they know. say: is told each step. Packages come from wherever pip is set up to find them. What
    an interrupted installation left is made anew; another process that installs at the same time is waited for.
    InstallError, in one line, for what cannot be made; nothing half made is left behind then.
    """
    directory = environment_directory(wanted)
    with _alone(directory, say) as lock:
        found = condition(wanted)
        if found == "ready":
            say(f"{wanted.name} {wanted.version} is ready in {directory}")
            return directory
        began = time.monotonic()
        maker = _interpreter(wanted, python)
        if found == "half-made":
            say(f"removing what is half made or broken in {directory}")
            _remove(directory)
        try:
            _make(wanted, directory, maker, say, lock)
        except BaseException:
            _remove(directory)
            raise
        say(f"{wanted.name} {wanted.version} is ready in {directory}, after {time.monotonic() - began:.0f} s")
    return directory


def remove(wanted: Simulator, say: Say = lambda line: None) -> bool:
    """Remove a simulator's environment, whole or half made. Return whether there was one."""
    directory = environment_directory(wanted)
    if not os.path.lexists(directory):
        return False
    with _alone(directory, say):
        _remove(directory)
    return True


def listing() -> list[dict[str, Any]]:
    """Return a row per simulator: name, version, what it is, "ready", "half-made" or "missing", and where."""
    return [
        {
            "name": each.name,
            "version": each.version,
            "what": each.summary,
            "state": (found := condition(each)),
            "directory": str(environment_directory(each)),
            "packages": told_by(environment_directory(each)).get("packages", []) if found == "ready" else [],
        }
        for each in SIMULATORS
    ]


def _make(wanted: Simulator, directory: Path, maker: str, say: Say, lock: int) -> None:
    say(f"making an environment with {maker}")
    _run([maker, "-I", "-m", "venv", str(directory)], f"{maker} must be able to make a virtual environment", "", lock)
    python = str(python_of(directory))
    say(f"installing {', '.join(wanted.requirements)} with pip")
    # Compiled when they are first imported, by the check: most of NumPy never is.
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(
        [*pip, "install", "--no-deps", "--no-compile", "--only-binary", ":all:", *wanted.requirements],
        f"pip must be able to install {', '.join(wanted.requirements)}",
        " Check pip's configuration, and that it reaches a package index.",
        lock,
    )
    say("checking that it runs")
    CHECKS[wanted.name](Path(python).absolute())
    packages = _run([python, "-I", "-c", LISTED], "what was installed must be listed", "", lock)
    told = {
        "simulator": wanted.name,
        "version": wanted.version,
        "requirements": list(wanted.requirements),
        "python": maker,
        "packages": packages.split(),
    }
    scratch = directory / f"{READY}.new"
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(json.dumps(told, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(directory / READY)


def _check_scalesim(python: Path) -> None:
    """Simulate one layer in both modes; the compute cycles must be those that SCALE-Sim's paper works out."""
    from designgym.cost_models.accelerator.scale_sim import simulate_layers
    from designgym.cost_models.accelerator.workloads import workload
    from designgym.cost_models.base import Failure
    from designgym.cost_models.simulators.process import Limits

    layers = workload(CHECKED_LAYER)
    folds = -(-layers[0].m // CHECKED_DESIGN["rows"]) * -(-layers[0].n // CHECKED_DESIGN["cols"])
    cycles = folds * (layers[0].k + CHECKED_DESIGN["rows"] + CHECKED_DESIGN["cols"] - 2) - 1
    for bandwidth in ("calc", "user"):
        found = simulate_layers(python, CHECKED_DESIGN, layers, bandwidth, Limits(seconds=300.0))
        if isinstance(found, Failure):
            raise InstallError(f"the installed scalesim does not run: {found.reason}. Report this with its packages.")
        computed = found[0]["cycles"] - found[0]["stall_cycles"]
        if computed != cycles:
            raise InstallError(f"the installed scalesim must take {cycles} cycles for {CHECKED_LAYER}, got {computed}.")


CHECKS: dict[str, Callable[[Path], None]] = {SCALESIM.name: _check_scalesim}


def _interpreter(wanted: Simulator, given: str | None) -> str:
    """Return an interpreter that the requirements have wheels for."""
    oldest, newest = wanted.pythons
    named = [f"python3.{minor}" for minor in range(newest[1], oldest[1] - 1, -1)]
    candidates = [given] if given else [sys.executable, *named]
    seen = []
    for candidate in candidates:
        path = shutil.which(candidate)
        version = _version(path) if path else None
        if path and version and oldest <= version <= newest:
            return path
        seen.append(f"{candidate} ({'.'.join(map(str, version)) if version else 'not there'})")
    raise InstallError(
        f"{wanted.name} needs a Python from {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}, got {', '.join(seen)}. "
        "Install one and name it with --python."
    )


def _version(path: str) -> tuple[int, int] | None:
    if path == sys.executable:
        return sys.version_info[:2]
    said = subprocess.run(
        [path, "-I", "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    parts = said.stdout.split()
    return (int(parts[0]), int(parts[1])) if said.returncode == 0 and len(parts) == 2 else None


def _run(command: list[str], rule: str, remedy: str, lock: int) -> str:
    """Run one step and return what it printed. InstallError with its last words.

    lock: the lock's file, which the step holds too: where this process is killed, nobody begins anew before it ends.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, pass_fds=(lock,)
        )
    except OSError as error:
        raise InstallError(f"{rule}, got: {error.strerror}.{remedy}") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:] or ["no message"]
        raise InstallError(f"{rule}, got: {errors[-1].removeprefix('ERROR:').strip().rstrip('.')}.{remedy}")
    return done.stdout


@contextlib.contextmanager
def _alone(directory: Path, say: Say) -> Iterator[int]:
    """Hold the lock of one environment, a file beside it, which the system drops when its holders have ended."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(directory.parent / f".{directory.name}.lock", "w") as file:
            _lock(file, say)
            yield file.fileno()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise InstallError(f"{error.filename or directory} cannot be used: {why}. Set DESIGNGYM_STATE_DIR.") from None


def _lock(file: TextIO, say: Say) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another process that installs or removes it")
        fcntl.flock(file, fcntl.LOCK_EX)


def _remove(directory: Path) -> None:
    """Remove an environment, its marker first, so that what an interruption leaves is seen to be half made."""
    if directory.is_symlink():
        directory.unlink()
    elif directory.exists():
        (directory / READY).unlink(missing_ok=True)
        shutil.rmtree(directory)
