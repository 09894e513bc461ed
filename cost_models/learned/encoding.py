"""A design's columns, and what a cost model adds to them, as the matrix that a regression or a classifier sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, batch_length
from designgym.cost_models.learned.features import features as of_specs
from designgym.cost_models.learned.features import further_features

DECADE = 10.0  # a positive column whose largest value is over so many times its smallest is taken in logarithms

Floats = NDArray[np.float64]


def spans_decades(column: NDArray[Any]) -> bool:
    """Whether all values are above 0 and the largest is over 10 times the smallest: the rule for logarithms."""
    low, high = float(column.min()), float(column.max())
    return low > 0 and high > DECADE * low


@dataclass(frozen=True)
class Extra:
    """A column that a cost model adds. log: taken in logarithms; centre, scale: of what was learned from."""

    name: str
    log: bool
    centre: float
    scale: float


@dataclass(frozen=True)
class Encoding:
    """What is seen of a design. extras: in the order of their columns, after those of the specs."""

    specs: tuple[ColumnSpec, ...]
    extras: tuple[Extra, ...] = ()

    @classmethod
    def of(cls, specs: Sequence[ColumnSpec], added: Mapping[str, NDArray[Any]]) -> Encoding:
        """Return the encoding of these specs and added columns, scaled by the values given, (n,) each, n >= 1.

        ValueError where a column is not finite.
        """
        return cls(tuple(specs), tuple(_extra(name, np.asarray(column)) for name, column in added.items()))

    def compact(self, designs: Columns, added: Mapping[str, NDArray[Any]]) -> Floats:
        """Return one column a number, float64 (n, f): what trees need. See `features` for those of the specs.

        ValueError names what is missing, or not finite.
        """
        missing = [extra.name for extra in self.extras if extra.name not in added]
        if missing:
            raise ValueError(
                f"designs need the columns that were learned from, got none named {', '.join(missing)}. "
                "Give what the cost model's features and bounds return."
            )
        n = batch_length({spec.name: designs[spec.name] for spec in self.specs if spec.name in designs})
        parts = [of_specs(self.specs, designs)]
        for extra in self.extras:
            column = _finite(extra.name, np.asarray(added[extra.name]))
            if column.shape != (n,):
                raise ValueError(f"column {extra.name} must have one value a design, {n}, got {column.shape}.")
            values = np.log(np.maximum(column, np.finfo(np.float64).tiny)) if extra.log else column
            parts.append(((values - extra.centre) / extra.scale)[:, None])
        return np.concatenate(parts, axis=1)

    def rich(self, designs: Columns, added: Mapping[str, NDArray[Any]]) -> Floats:
        """Return `compact` and `further_features` beside, float64 (n, f): what smooth models are helped by."""
        return np.concatenate([self.compact(designs, added), further_features(self.specs, designs)], axis=1)

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {"specs": [asdict(spec) for spec in self.specs], "extras": [asdict(extra) for extra in self.extras]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Encoding:
        """Return what `state` told. TypeError, KeyError or ValueError where it is no such state."""
        extras = tuple(Extra(**extra) for extra in state["extras"])
        for extra in extras:
            if not np.isfinite((extra.centre, extra.scale)).all() or extra.scale <= 0:
                raise ValueError(f"an encoded column must have finite numbers and a scale above 0, got {extra}.")
        return cls(tuple(ColumnSpec(**spec) for spec in state["specs"]), extras)


def _extra(name: str, column: NDArray[Any]) -> Extra:
    column = _finite(name, column)
    log = spans_decades(column)
    values = np.log(column) if log else column
    return Extra(name, log, float(values.mean()), float(values.std()) or 1.0)


def _finite(name: str, column: NDArray[Any]) -> Floats:
    column = np.asarray(column, np.float64)
    if not np.isfinite(column).all():
        raise ValueError(f"column {name} must be finite for every design, got {column[~np.isfinite(column)][0]}.")
    return column
