"""Names and what they stand for: string entry points, imported when first asked for.

One `Registry` holds the cost models, one the problems (`designgym.envs.registry`), one the agents.
"""

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from designgym.cost_models.base import CostModel
from designgym.cost_models.plugins import load_plugins, undo_if_plugin_fails

ENTRY_POINT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
VERSION = re.compile(r"-v\d+$")


class UnknownName(ValueError):
    """Nothing is registered under this name."""


class OptionError(TypeError, ValueError):
    """An option that does not exist, is missing, or is no number where it must be one.

    A TypeError too, as from any wrong keyword argument.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" for the known name closest to this one, else the names there are."""
    known = list(known)
    lowered = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lowered, 1, 0.5)
    return f"Did you mean {lowered[near[0]]!r}?" if near else f"Known: {', '.join(known) or 'none'}."


class Registry:
    """Names of one kind of thing. kind: what messages call it, such as "cost model"."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entry_points: dict[str, str] = {}

    def register(self, name: str, entry_point: str) -> None:
        """Make a name known. entry_point: "module:attribute". ValueError when the name stands for another already."""
        if not ENTRY_POINT.fullmatch(entry_point):
            raise ValueError(f"{self.kind} {name!r}: entry point must be 'module:attribute', got {entry_point!r}.")
        if name not in self._entry_points:
            undo_if_plugin_fails(entry_point, lambda: self._entry_points.pop(name, None))
        taken = self._entry_points.setdefault(name, entry_point)
        if taken != entry_point:
            raise ValueError(
                f"{self.kind} {name!r} must be registered once, got {entry_point} while it is {taken} already. "
                "Choose another name."
            )

    def names(self) -> tuple[str, ...]:
        """Return the registered names in alphabetical order."""
        return tuple(sorted(self._entry_points))

    def full_name(self, name: str) -> str:
        """Return the registered name meant by this one: itself, or the only "NAME-v0" of a short "NAME".

        Plug-ins are loaded before giving up. UnknownName names the nearest.
        """
        found = self._matches(name)
        problems = () if found else load_plugins()
        found = found or self._matches(name)
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownName(f"{self.kind} {name!r} may be {' or '.join(found)}. Give the version too.")
        failed = "".join(f" Besides, {problem}" for problem in problems)
        raise UnknownName(f"unknown {self.kind} {name!r}. {nearest(name, self.names())}{failed}")

    def _matches(self, name: str) -> list[str]:
        if name in self._entry_points:
            return [name]
        return [other for other in self.names() if VERSION.sub("", other) == name]

    def load(self, name: str) -> Any:
        """Import and return what a name, full or short, stands for."""
        name = self.full_name(name)
        return load_entry_point(f"{self.kind} {name!r}", self._entry_points[name])


def load_entry_point(what: str, entry_point: str) -> Any:
    """Import "module:attribute"; ValueError says which of the two is missing."""
    module, _, attribute = entry_point.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{what}: cannot load {entry_point}: {error}.") from error


def options_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return a function's or a class's keyword options with their defaults, `inspect.Parameter.empty` where none."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def check_options(what: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """OptionError names an option that the function does not take, and the nearest that it takes, or one it lacks."""
    allowed = options_of(function)
    if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values()):
        check_option_names(what, options, allowed)
    for name, value in options.items():
        _check_number(f"{what}: option {name}", allowed.get(name), value)
    missing = [name for name, default in allowed.items() if default is inspect.Parameter.empty and name not in options]
    if missing:
        raise OptionError(f"{what} needs the option {', '.join(missing)}. Give a value, such as {missing[0]}=...")


def check_option_names(what: str, options: Iterable[str], allowed: Collection[str]) -> None:
    """OptionError names an option that is none of those allowed, and the nearest of them."""
    for name in options:
        if name not in allowed:
            choice = f"must be one of {', '.join(allowed)}" if allowed else "must be left out: there are none"
            near = difflib.get_close_matches(name, allowed, 1, 0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise OptionError(f"{what}: an option {choice}, got {name!r}.{hint}")


def _check_number(what: str, default: Any, value: Any) -> None:
    """OptionError where an option whose default is a number, or true or false, is given something else."""
    if isinstance(default, bool) and not isinstance(value, bool):
        raise OptionError(f"{what} must be true or false, got {value!r}. Give one of them.")
    whole = isinstance(default, Integral) and not isinstance(default, bool)
    if whole and (isinstance(value, bool) or not isinstance(value, Integral)):
        raise OptionError(f"{what} must be a whole number, such as {default}, got {value!r}. Give one.")
    if isinstance(default, float) and (isinstance(value, bool) or not isinstance(value, Real) or value != value):
        raise OptionError(f"{what} must be a number, such as {default:g}, got {value!r}. Give one.")


_COST_MODELS = Registry("cost model")
_VALIDATORS: dict[str, str] = {}


def register_cost_model(name: str, entry_point: str, validate: str | None = None) -> None:
    """Make a cost model known by name. entry_point: "module:Class", called with the options.

    validate: "module:function" that compares the model with a table of measurements. ValueError when the name is taken.
    """
    if validate is not None and not ENTRY_POINT.fullmatch(validate):
        raise ValueError(f"cost model {name!r}: validate must be 'module:function', got {validate!r}.")
    _COST_MODELS.register(name, entry_point)
    if validate is not None:
        undo_if_plugin_fails(entry_point, lambda: _VALIDATORS.pop(name, None))
        _VALIDATORS[name] = validate


def cost_model_names() -> tuple[str, ...]:
    """Return the names of all registered cost models."""
    return _COST_MODELS.names()


def cost_model_options(name: str) -> dict[str, Any]:
    """Return a cost model's options and their defaults."""
    return options_of(_COST_MODELS.load(name))


def make_cost_model(name: str, /, **options: Any) -> CostModel:
    """Make a registered cost model. ValueError names the nearest known model or option."""
    entry = _COST_MODELS.load(name)
    check_options(f"cost model {name!r}", entry, options)
    model: CostModel = entry(**options)
    return model


def validate_function(name: str) -> Callable[..., Any]:
    """Return what compares a cost model with a table of measurements; ValueError where it has none."""
    name = _COST_MODELS.full_name(name)
    if name not in _VALIDATORS:
        raise ValueError(
            f"cost model {name!r} has nothing to validate it with. Those that have: {', '.join(sorted(_VALIDATORS))}."
        )
    function: Callable[..., Any] = load_entry_point(f"validation of cost model {name!r}", _VALIDATORS[name])
    return function
