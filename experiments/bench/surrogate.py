"""How far learned cost models are off, and what they cost, beside the models that they stand in for.

Relative RMSE, 100 sqrt(mean(((predicted - true) / true)^2)), on designs drawn uniformly that were never trained on.
Models, and weights of mixtures, are chosen inside the training designs. A part that was measured is read, not measured
again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from designgym.experiments.bench import surrogate_accuracy, surrogate_array, surrogate_simulator
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
    ran = {name: _kept(name, part, quick, out, say) for name, part in surrogate_simulator.parts(quick).items()}
    told = {name: _kept(name, part, quick, out, say) for name, part in surrogate_simulator.learned(ran).items()}
    rows += surrogate_simulator.rows(told)
    notes += surrogate_simulator.notes(told)
    notes.append(f"this run took {time.perf_counter() - begun:,.0f} s; parts that were there were read")
    return {"notes": notes, "rows": rows}


def _kept(name: str, measure: Measure, quick: bool, out: Path | None, say: Say) -> dict[str, Any]:
    """Return a part's figures: those of its file where there is one, else measured and written."""
    path = None if out is None else out / f"{name}{'-quick' if quick else ''}.json"
    if path is not None and path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        say(f"{name}: read from {path}")
        return found
    begun = time.perf_counter()
    found = measure(lambda line: say(f"{name}: {line}"))
    say(f"{name}: {time.perf_counter() - begun:,.0f} s")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_safely(path) as file:
            file.write(json.dumps(found, indent=1).encode())
    return found
