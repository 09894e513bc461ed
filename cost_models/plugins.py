"""Load what other distributions add: their entry points of the group `designgym.plugins`.

An entry point names a module, whose import registers things, or a function that does so when called. It registers all
that it brings or nothing: what a failing one had registered is taken back. Which designgym it needs is what its
distribution requires (`dependencies = ["designgym>=0.1"]` in its pyproject.toml, Requires-Dist in its metadata).
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points, version
from types import ModuleType

GROUP = "designgym.plugins"
OWN = tuple(f"designgym.{layer}" for layer in ("cost_models", "envs", "agents", "experiments"))

_lock = threading.RLock()
_problems: list["PluginProblem"] | None = None


class _Loading(threading.local):
    """How to take back what the plug-in that this thread is loading has registered; None while it loads none."""

    undo: list[Callable[[], object]] | None = None


_loading = _Loading()


@dataclass(frozen=True)
class PluginProblem:
    """A plug-in that was left out. value: what its entry point names; error, remedy: one line each."""

    name: str
    value: str
    distribution: str
    error: str
    remedy: str = "Mend it"

    def __str__(self) -> str:
        return (
            f"plug-in {self.name!r} ({self.value}, from {self.distribution}) could not be loaded: {self.error}. "
            f"{self.remedy}, or uninstall {self.distribution}."
        )


class OtherVersionNeeded(Exception):
    """A plug-in's distribution requires a designgym that this one is not."""


def load_plugins() -> tuple[PluginProblem, ...]:
    """Load every plug-in, once in a process; return those that were left out. The others are loaded all the same."""
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


def undo_if_plugin_fails(entry_point: str, undo: Callable[[], object]) -> None:
    """Remember how to take a registration back, should the plug-in that is being loaded fail later on.

    entry_point: what was registered. Our own is never taken back: a plug-in may be the first to import it.
    """
    own = entry_point.startswith(tuple(f"{layer}{end}" for layer in OWN for end in ".:"))
    if _loading.undo is not None and not own:
        _loading.undo.append(undo)


def _points() -> Iterator[EntryPoint]:
    """Yield each entry point once, by name; a distribution found twice on the path lists its own twice."""
    points = {(point.name, point.value): point for point in entry_points(group=GROUP)}
    yield from (points[key] for key in sorted(points))


def _load(point: EntryPoint) -> None:
    _check_version(point)
    _loading.undo = []
    try:
        found = point.load()
        if isinstance(found, ModuleType):
            return
        if not callable(found):
            raise TypeError(f"it must name a module or a function, got {found!r}")
        found()
    except BaseException:
        for undo in reversed(_loading.undo):
            undo()
        raise
    finally:
        _loading.undo = None


def _check_version(point: EntryPoint) -> None:
    """OtherVersionNeeded unless this designgym is one that the plug-in's distribution requires."""
    from packaging.requirements import Requirement

    ours = version("designgym")
    for line in (point.dist.requires or ()) if point.dist is not None else ():
        needed = Requirement(line)
        applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if needed.name == "designgym" and applies and not needed.specifier.contains(ours, prereleases=True):
            raise OtherVersionNeeded(f"it needs designgym{needed.specifier}, got {ours}")


def _problem(point: EntryPoint, error: BaseException) -> PluginProblem:
    distribution = point.dist.name if point.dist is not None else "an unknown distribution"
    if isinstance(error, OtherVersionNeeded):
        return PluginProblem(point.name, point.value, distribution, str(error), "Install such a designgym")
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return PluginProblem(point.name, point.value, distribution, text.rstrip(": ").rstrip("."))
