"""Sweeps, the trial log, statistics, reports and the command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from designgym.experiments.driver import SweepOutcome, sweep
    from designgym.experiments.files import LogError
    from designgym.experiments.log import LoggedProblem, LoggedRun, Sweep, load_sweep
    from designgym.experiments.optuna_study import to_study
    from designgym.experiments.rows import designs_of
    from designgym.experiments.runs import RunSpec
    from designgym.experiments.spec import SpecError, SweepSpec, load_spec, make_spec
    from designgym.experiments.trials import load_trials

_HOMES = {
    "driver": ("SweepOutcome", "sweep"),
    "log": ("LoggedProblem", "LoggedRun", "Sweep", "load_sweep"),
    "files": ("LogError",),
    "optuna_study": ("to_study",),
    "rows": ("designs_of",),
    "runs": ("RunSpec",),
    "spec": ("SpecError", "SweepSpec", "load_spec", "make_spec"),
    "trials": ("load_trials",),
}

__all__ = [
    "LogError",
    "LoggedProblem",
    "LoggedRun",
    "RunSpec",
    "SpecError",
    "Sweep",
    "SweepOutcome",
    "SweepSpec",
    "designs_of",
    "load_spec",
    "load_sweep",
    "load_trials",
    "make_spec",
    "sweep",
    "to_study",
]


def __getattr__(name: str) -> Any:
    """Import a public name when first used: the command line must not wait for libraries that it does not need."""
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
