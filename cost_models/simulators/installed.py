"""Where simulators lie that need an environment of their own, and whether one is ready to run.

Such a simulator is a Python package whose requirements are not ours. `designgym simulators install NAME` makes a
virtual environment for it in the state directory (`designgym.experiments.simulators`); here it is found again.
"""

import difflib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

READY = "ready.json"  # written last: an environment without it is half made
STATE_VARIABLE = "DESIGNGYM_STATE_DIR"


class NotInstalled(ValueError):
    """A simulator is asked for that is not there. One line, with the command that installs it."""


@dataclass(frozen=True)
class Simulator:
    """A Python package that runs in an environment of its own.

    requirements: what pip is given, all that the simulation imports; pip takes no further dependencies of the package.
    pythons: the oldest and the newest Python that the requirements have wheels for, as (3, 12).
    """

    name: str
    version: str
    summary: str
    requirements: tuple[str, ...]
    pythons: tuple[tuple[int, int], tuple[int, int]]


# Besides NumPy the package asks for what draws and compiles, half a GB that its simulation never imports.
SCALESIM = Simulator(
    "scalesim",
    "3.0.0",
    "SCALE-Sim, a cycle-accurate simulator of systolic arrays; the cost model ScaleSim runs it",
    ("scalesim==3.0.0", "numpy>=1.24,<2"),
    ((3, 9), (3, 12)),
)
SIMULATORS = (SCALESIM,)


def simulator(name: str) -> Simulator:
    """Return the simulator of this name. ValueError names the nearest."""
    known = {each.name: each for each in SIMULATORS}
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, 1, 0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"simulator must be one of {', '.join(known)}, got {name!r}.{hint}")
    return known[name]


def state_directory() -> Path:
    """Return where this user's state lies: $DESIGNGYM_STATE_DIR, else under $XDG_STATE_HOME, else under ~."""
    if given := os.environ.get(STATE_VARIABLE):
        return Path(given)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "designgym"


def environment_directory(wanted: Simulator) -> Path:
    """Return where a simulator's environment lies, or will lie."""
    return state_directory() / "simulators" / f"{wanted.name}-{wanted.version}"


def python_of(directory: Path) -> Path:
    """Return the interpreter of an environment."""
    return directory / "bin" / "python"


def condition(wanted: Simulator) -> Literal["ready", "half-made", "missing"]:
    """Say how a simulator's environment is. Half-made: begun, made for other requirements, or its Python is gone."""
    directory = environment_directory(wanted)
    if not os.path.lexists(directory):
        return "missing"
    told = told_by(directory)
    right = told.get("requirements") == list(wanted.requirements) and os.access(python_of(directory), os.X_OK)
    return "ready" if right else "half-made"


def told_by(directory: Path) -> dict[str, Any]:
    """Return what an environment's marker says, nothing where there is none that can be read."""
    try:
        told = json.loads((directory / READY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def ready_python(wanted: Simulator) -> Path:
    """Return the interpreter that can import a simulator. NotInstalled, in one line, where there is none."""
    found = condition(wanted)
    if found == "ready":
        return python_of(environment_directory(wanted)).absolute()
    how = "none is there" if found == "missing" else "it is half made or broken"
    raise NotInstalled(
        f"{wanted.name} {wanted.version} must be installed in {environment_directory(wanted)}, but {how}. "
        f"Run: designgym simulators install {wanted.name}"
    )
