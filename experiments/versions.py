"""Which versions of designgym and of the libraries that trials depend on are at work."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("designgym", "numpy", "numba", "optuna", "scikit-learn", "gymnasium", "ray", "pyarrow")
OF_EXTRAS = ("torch", "stable-baselines3", "sb3-contrib")  # named where they are installed


def versions() -> dict[str, str]:
    """Return the versions, Python's first."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    for name in OF_EXTRAS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def changed(before: dict[str, str], now: dict[str, str]) -> str:
    """Say what differs between two sets of versions: "optuna 5.0.0, now 5.1.0"; "" where nothing does."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return "; ".join(f"{name} {before.get(name, 'not there')}, now {now.get(name, 'not there')}" for name in names)
