"""What a worker on another machine needs of this one: this project and the user's own modules, sent along by Ray.

docs.ray.io/en/latest/ray-core/handling-dependencies.html, "py_modules": each entry is unpacked and put on the workers'
path. Whatever else is installed here (NumPy, Numba, ...) has to be installed there.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

PROJECT = "designgym"
LAYERS = ("cost_models", "envs", "agents", "experiments")
PLUGINS = "designgym.plugins"
IN_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # Ray sets it in what `ray job submit` started


def runtime_env(stage: Path, env_vars: Mapping[str, str]) -> dict[str, Any]:
    """Return the runtime environment of a sweep's tasks, with copies of what it sends in the empty folder `stage`.

    Within a submitted job, what the job's own environment sends is not sent again: Ray refuses a key given twice.
    """
    job = json.loads(os.environ.get(IN_JOB) or "{}").get("runtime_env") or {}
    wanted: dict[str, Any] = {
        "env_vars": {name: value for name, value in env_vars.items() if name not in job.get("env_vars", {})}
    }
    if not job.get("py_modules"):
        wanted["py_modules"] = [str(path) for path in staged(stage)]
    return {key: value for key, value in wanted.items() if value}


def staged(stage: Path) -> list[Path]:
    """Copy this project and the user's modules into an empty folder; return the copies."""
    for layer in LAYERS:
        package = importlib.import_module(f"{PROJECT}.{layer}")
        _copy(Path(package.__path__[0]), stage / PROJECT / layer)
    for name, source in foreign_modules():
        _copy(source, stage / name if source.is_dir() else stage / f"{name}.py")
    return sorted(stage.iterdir())


def foreign_modules() -> Iterator[tuple[str, Path]]:
    """Yield name and place of top-level modules that the user brought: loaded here, but not installed, or plug-ins."""
    plugins = {entry.module.partition(".")[0] for entry in entry_points(group=PLUGINS)}
    for name in sorted({name.partition(".")[0] for name in sys.modules} | plugins):
        if name in ("__main__", PROJECT) or name in sys.stdlib_module_names:
            continue
        place = _place(sys.modules.get(name) or importlib.import_module(name))
        if place is not None and (name in plugins or not _installed(place)):
            yield name, place


def _place(module: ModuleType) -> Path | None:
    """Return a package's folder or a module's file; None where it has neither, as what a test runner made up."""
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    path = Path(file).resolve()
    if path.name == "__init__.py":
        return path.parent
    return path if path.suffix == ".py" and path.stem == module.__name__ else None


def _installed(path: Path) -> bool:
    paths = sysconfig.get_paths()
    roots = [Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or any(path.is_relative_to(r) for r in roots)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        shutil.copyfile(source, target)
