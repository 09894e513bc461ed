"""A learned model as a cost model: predicted metrics, their 90 % intervals, and whether a design is like those learned.

Error: in its card, `Surrogate.card["scores"]`, from designs held out.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, Metric, batch_length
from designgym.cost_models.learned.conformal import Intervals
from designgym.cost_models.learned.domain import Domain
from designgym.cost_models.learned.feasibility import FittedFeasibility
from designgym.cost_models.learned.regression import FittedMetrics

Floats = NDArray[np.float64]
IN_DOMAIN = "in_domain"
ENDS = ("_lo90", "_hi90")
CHUNK = 2**16  # designs predicted at a time
BITS = 24  # of a prediction's fraction that are kept

_WARNED: set[str] = set()  # versions of which it has been said, in this process, that they were asked too far out


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Predicts what designs cost. Made by `fitting.fit_surrogate`, or read by `model_file.read_surrogate`.

    learned: the metrics predicted. Of each there are NAME_lo90 and NAME_hi90 too, the ends of its 90 % interval, which
    holds for designs drawn as those that it was calibrated on; and `in_domain`, 1 where a design lies within what was
    trained on, see `Domain`, else 0: there neither error nor interval is promised, which a warning says once in a
    process. beside: the cost model whose `features` and `bounds` the predictions need, None where they need none; it is
    asked for nothing else. version: changes with the model and all that its card says.

    violation: 0 where a design can probably be built, else 1 - 2 p, p the predicted probability.
    """

    specs: tuple[ColumnSpec, ...]
    learned: tuple[Metric, ...]
    regressors: FittedMetrics
    feasibility: FittedFeasibility | None
    intervals: dict[str, Intervals]
    domain: Domain
    beside: Any
    uses: tuple[str, ...]
    card: dict[str, Any]
    version: str

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        made: list[Metric] = []
        for metric in self.learned:
            made.append(metric)
            for ending, words in zip(ENDS, ("lower", "upper"), strict=True):
                meaning = f"{words} end of the 90 % interval of {metric.name}"
                made.append(replace(metric, name=metric.name + ending, meaning=meaning))
        meaning = "1 where the design lies within what the model was trained on, else 0"
        return (*made, Metric(IN_DOMAIN, "1", "higher", meaning))

    def evaluate(self, designs: Columns) -> Columns:
        """designs: the columns of `specs`, each (n,). Return every metric and "violation", float64 (n,).

        ValueError where a column is missing, or what is needed of the true cost model is not there.
        """
        missing = [spec.name for spec in self.specs if spec.name not in designs]
        if missing:
            raise ValueError(f"designs must have the columns that were learned from, got no {', '.join(missing)}.")
        designs = {spec.name: designs[spec.name] for spec in self.specs}
        n = batch_length(designs)
        if n <= CHUNK:
            return self._evaluate(designs)
        parts = [
            self._evaluate({name: column[i : i + CHUNK] for name, column in designs.items()})
            for i in range(0, n, CHUNK)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def reason(self, design: Columns) -> str:
        """design: a batch of one. Return why it is thought that it cannot be built, "" where it is not."""
        violation = float(self.evaluate(design)["violation"][0])
        if violation == 0:
            return ""
        return f"predicted not to be buildable: the probability that it is, is {(1.0 - violation) / 2.0:.2g}"

    def predict(self, designs: Columns, features: Columns, bounds: Columns) -> Columns:
        """Return the learned metrics alone, float64 (n,). features, bounds: from `further`, or `known.of_dataset`."""
        found = self.regressors.predict(designs, features, bounds)
        # Sums in BLAS depend in their last bits on the size of the batch; row i must depend on design i alone.
        return {metric.name: _rounded(found[metric.name]) for metric in self.learned}

    def further(self, designs: Columns) -> tuple[Columns, Columns]:
        """Return features and bounds of designs from the true cost model, as far as they were learned from."""
        found: dict[str, Columns] = {"features": {}, "bounds": {}}
        for what in self.uses:
            if not hasattr(self.beside, what):
                whose = type(self.beside).__name__ if self.beside is not None else "no cost model"
                raise ValueError(
                    f"this surrogate was learned with the {what} of {self._learned_beside()}, got {whose}, which has "
                    "none. Use it in that problem, or fit one without."
                )
            found[what] = getattr(self.beside, what)(designs)
        return found["features"], found["bounds"]

    def _learned_beside(self) -> str:
        return " or ".join(f"{origin['cost_model']} ({origin['id']})" for origin in self.card["origins"])

    def _evaluate(self, designs: Columns) -> Columns:
        n = batch_length(designs)
        inside = self.domain.contains(designs)
        if not inside.all():
            self._warn(int(np.sum(~inside)), n)
        out: Columns = {}
        features, bounds = self.further(designs)
        for metric, value in zip(self.learned, self.predict(designs, features, bounds).values(), strict=True):
            out[metric.name] = value
            ends = self.intervals[metric.name].ends(value)
            out |= {metric.name + ending: end for ending, end in zip(ENDS, ends, strict=True)}
        out[IN_DOMAIN] = inside.astype(np.float64)
        if self.feasibility is None:
            return out | {"violation": np.zeros(n)}
        improbable = 1.0 - 2.0 * _rounded(self.feasibility.predict(designs, features))
        return out | {"violation": np.maximum(improbable, 0.0)}

    def _warn(self, outside: int, n: int) -> None:
        if self.version in _WARNED:
            return
        _WARNED.add(self.version)
        warnings.warn(
            f"the surrogate {self.version} was asked for designs outside of what it was trained on ({outside:,} of "
            f"{n:,}): no error is promised there. in_domain marks them; this is said once.",
            UserWarning,
            stacklevel=4,
        )


def _rounded(values: Floats) -> Floats:
    """Return values to BITS binary digits, whatever their size."""
    fraction, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(fraction * 2.0**BITS) / 2.0**BITS, exponent))
