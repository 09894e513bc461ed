"""How far learned cost models are off, and what they cost, beside the models that they stand in for.

Relative RMSE, 100 sqrt(mean(((predicted - true) / true)^2)), on designs drawn uniformly that were never trained on.
Models, and weights of mixtures, are chosen inside the training designs. A part that was measured is read, not measured
again.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from designgym.cost_models.learned import regression
from designgym.experiments.bench import surrogate_accuracy, surrogate_array, surrogate_chain, surrogate_simulator
from designgym.experiments.bench.core import Row
from designgym.experiments.files import written_safely

Say = Callable[[str], None]
Measure = Callable[[Say], dict[str, Any]]


def surrogate(quick: bool = False, out: Path | None = None, say: Say = print) -> dict[str, Any]:
    """Measure every part, or go on with those in the directory `out`. Rows are (what, figure, unit, ratio, to).

    quick: a minute's version, with fewer designs, of other files.
    """
    begun = time.perf_counter()
    rows: list[Row] = []
    notes = [
        "relative RMSE on designs never trained on; models and weights are chosen inside the training designs",
        "'bound alone': the closed form that residuals are learned on, as if it were the prediction",
    ]
    for module in (surrogate_array, surrogate_accuracy):
        found = {name: _kept(name, part, quick, out, say) for name, part in module.parts(quick).items()}
        rows += module.rows(found)
        notes += module.notes(found)
    runs = surrogate_simulator.parts(quick)
    ran = {name: _kept(name, part, quick, out, say, learned=False) for name, part in runs.items()}
    told = {name: _kept(name, part, quick, out, say) for name, part in surrogate_simulator.learned(ran).items()}
    rows += surrogate_simulator.rows(told)
    notes += surrogate_simulator.notes(told)
    notes.append(f"this run took {time.perf_counter() - begun:,.0f} s; parts that were there were read")
    return {"notes": notes, "rows": rows}


def _kept(name: str, measure: Measure, quick: bool, out: Path | None, say: Say, learned: bool = True) -> dict[str, Any]:
    """Return a part's figures: those of its file where the same code has written it, else measured and written.

    learned: whether the code of learned models is of it.
    """
    path = None if out is None else out / f"{name}{'-quick' if quick else ''}.json"
    code = _code(measure, learned)
    if path is not None and path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept.get("code") == code:
            say(f"{name}: read from {path}")
            return dict(kept["found"])
        say(f"{name}: {path} is of other code or data, measured again")
    begun = time.perf_counter()
    found = measure(lambda line: say(f"{name}: {line}"))
    say(f"{name}: {time.perf_counter() - begun:,.0f} s")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_safely(path) as file:
            file.write(json.dumps({"code": code, "found": found}, indent=1).encode())
    return found


def _code(measure: Any, learned: bool) -> str:
    """Return a hash of a part's arguments, and of the sources of its function and, where so, of all learned models.

    measure: a `partial` of a function.
    """
    told = [repr((measure.func.__name__, measure.args, measure.keywords)), inspect.getsource(measure.func)]
    if learned:
        models = sorted(Path(regression.__file__).parent.glob("*.py"))
        own = [Path(inspect.getfile(measure.func)), Path(surrogate_chain.__file__)]
        told += [path.read_text(encoding="utf-8") for path in (*own, *models)]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]
