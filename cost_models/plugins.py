"""Load what other distributions add: their entry points of the group `designgym.plugins`.

An entry point names a module, whose import registers things, or a function that does so when called.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

GROUP = "designgym.plugins"

_lock = threading.RLock()
_problems: list["PluginProblem"] | None = None


@dataclass(frozen=True)
class PluginProblem:
    """A plug-in that could not be loaded. value: what its entry point names; error: one line."""

    name: str
    value: str
    distribution: str
    error: str

    def __str__(self) -> str:
        return (
            f"plug-in {self.name!r} ({self.value}, from {self.distribution}) could not be loaded: {self.error}. "
            f"Mend it, or uninstall {self.distribution}."
        )


def load_plugins() -> tuple[PluginProblem, ...]:
    """Load every plug-in, once in a process; return those that failed. The others are loaded all the same."""
    global _problems
    with _lock:
        if _problems is None:
            # Set first: a plug-in may look names up while it is loaded, which asks for the plug-ins again.
            _problems = []
            for point in _points():
                try:
                    _load(point)
                except (Exception, SystemExit) as error:
                    _problems.append(_problem(point, error))
        return tuple(_problems)


def _points() -> Iterator[EntryPoint]:
    """Yield each entry point once, by name; a distribution found twice on the path lists its own twice."""
    points = {(point.name, point.value): point for point in entry_points(group=GROUP)}
    yield from (points[key] for key in sorted(points))


def _load(point: EntryPoint) -> None:
    found = point.load()
    if isinstance(found, ModuleType):
        return
    if not callable(found):
        raise TypeError(f"it must name a module or a function, got {found!r}")
    found()


def _problem(point: EntryPoint, error: BaseException) -> PluginProblem:
    distribution = point.dist.name if point.dist is not None else "an unknown distribution"
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return PluginProblem(point.name, point.value, distribution, text.rstrip(": ").rstrip("."))
