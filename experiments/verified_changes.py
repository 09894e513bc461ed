"""Which metrics of the best designs are others when verified, and by how much search flattered them.

What is best of many under its own options is partly luck under them: found by one part of some data, designs do worse
on another. Some of a change may lie in the options alone, where one part is harder than the other: what a metric is
counted from, if no search chose it, such as the float network's accuracy, tells how much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.counterparts import counterpart
from designgym.experiments.quantities import quantity
from designgym.experiments.verified import Comparison

if TYPE_CHECKING:
    import pyarrow as pa

    from designgym.cost_models.base import Metric

Floats = NDArray[np.float64]
ROUNDING_OF_MEANS = 1e-9
ROUNDING = 1e-12  # relative difference from which a metric counts as another


@dataclass(frozen=True)
class Base:
    """What a metric is counted down from, in search and verified. counts: the metric that counts it."""

    counts: Metric
    searched: float
    verified: float


@dataclass(frozen=True)
class Change:
    """A metric of n designs, the best in search first: searched and verified, (n,), NaN where there is no number."""

    metric: Metric
    searched: Floats
    verified: Floats
    base: Base | None = None

    @property
    def worse(self) -> Floats:
        """By how much each is worse when verified, (n,), below 0 where it is better."""
        return self._worse(self.searched, self.verified)

    @property
    def mean_worse(self) -> float:
        """The mean of these, over the designs that have both numbers; NaN where none has."""
        there = np.isfinite(self.worse)
        return float(self.worse[there].mean()) if there.any() else float("nan")

    @property
    def base_worse(self) -> float:
        """By how much what it is counted from is worse when verified, 0 where that is not known: no search's doing."""
        return 0.0 if self.base is None else float(self._worse(self.base.searched, self.base.verified))

    @property
    def overfitted(self) -> float:
        """By how much the designs are worse on average, beyond what they are counted from; 0 for mere rounding."""
        lost = self.mean_worse - self.base_worse
        return 0.0 if abs(lost) <= ROUNDING_OF_MEANS * max(abs(self.mean_worse), abs(self.base_worse)) else lost

    def _worse(self, searched: Floats | float, verified: Floats | float) -> Floats:
        return np.asarray((verified - searched) * (1.0 if self.metric.better == "lower" else -1.0), np.float64)


def changes_of(table: pa.Table, one: Comparison, metrics: Sequence[Metric]) -> tuple[Change, ...]:
    """Return the metrics of a comparison's designs that are others when verified, those with a base first.

    table: that `comparisons` was given. metrics: of the problem.
    """
    sets, problems = (np.array(table.column(name).to_pylist(), object) for name in ("set", "problem"))
    everything = values_of(table, np.flatnonzero((sets == one.options) & (problems == one.problem)), metrics)
    own = values_of(table, one.rows, metrics)
    changed = [m for m in metrics if m.name in own and _differs(*everything[m.name])]
    bases = _bases(everything, metrics)
    found = [Change(metric, *own[metric.name], bases.get(metric.name)) for metric in changed]
    return tuple(sorted(found, key=lambda change: change.base is None))


def values_of(table: pa.Table, rows: NDArray[np.int64], metrics: Sequence[Metric]) -> dict[str, tuple[Floats, Floats]]:
    """Return each metric of some rows, in search and verified; those that the table lacks are left out."""
    some, found = table.take(rows), {}
    for metric in metrics:
        names = [f"{when}.{metric.name}" for when in ("searched", "verified")]
        if all(name in table.column_names for name in names):
            pair = [np.array(some.column(name).to_pylist(), np.float64) for name in names]
            found[metric.name] = (pair[0], pair[1])
    return found


def _differs(searched: Floats, verified: Floats) -> bool:
    there = np.isfinite(searched) & np.isfinite(verified)
    a, b = searched[there], verified[there]
    return bool((np.abs(b - a) > ROUNDING * np.maximum(np.abs(a), np.abs(b))).any())


def _bases(values: Mapping[str, tuple[Floats, Floats]], metrics: Sequence[Metric]) -> dict[str, Base]:
    """Return by metric what it is counted from, where another metric tells it in search and when verified."""
    sides = [{name: pair[k] for name, pair in values.items()} for k in (0, 1)]
    bases = {}
    for metric in metrics:
        # What is lost counts from what there was, not the other way round.
        if metric.better != "lower" or metric.name not in values:
            continue
        searched, verified = (counterpart(metric.name, side, metrics) for side in sides)
        if searched is not None and verified is not None and searched[0] == verified[0]:
            bases[searched[0]] = Base(metric, searched[1], verified[1])
    return bases


def worth_saying(changes: Sequence[Change]) -> list[Change]:
    """Return the changes that tell what search overfitted, or the first where none does."""
    return [change for change in changes if change.base is not None] or list(changes[:1])


# -- in words ---------------------------------------------------------------------------------------------------------


def in_words(change: Change, options: str, code: Callable[[str], str] = str, strong: Callable[[str], str] = str) -> str:
    """Say by how much the best designs in search are worse on average. code, strong: how names and the result look."""
    metric, n = change.metric, len(change.searched)
    there = np.isfinite(change.worse)
    if not there.any():
        return ""
    before, after = (quantity(float(x[there].mean()), metric.unit) for x in (change.searched, change.verified))
    the = "The best design has" if n == 1 else f"The {n} best have on average"
    text = f"{the} {code(metric.name)} {before} in search and {after} under {options}"
    if change.base is None:
        return f"{text}: {strong(_than(change.mean_worse, metric.unit))}."
    base = change.base
    moved = _than(change.base_worse, metric.unit)
    text += (
        f", {_than(change.mean_worse, metric.unit)}. What {code(base.counts.name)} is counted from, which no search "
        f"chose, goes from {quantity(base.searched, metric.unit)} to {quantity(base.verified, metric.unit)} there, "
        f"{moved}. "
    )
    lost = change.overfitted
    if lost > 0:
        return f"{text}So search overfitted by {strong(quantity(lost, metric.unit, 3))}{_spread(change)}."
    return f"{text}So search {strong('did not overfit')}: the rest is {_than(lost, metric.unit)}."


def _than(worse: float, unit: str) -> str:
    if worse == 0:
        return "no change"
    return f"{quantity(abs(worse), unit, 3)} {'worse' if worse > 0 else 'better'}"


def _spread(change: Change) -> str:
    """Say how far the designs' own numbers lie apart."""
    own = change.worse[np.isfinite(change.worse)] - change.base_worse
    if len(own) < 2 or own.min() == own.max():
        return ""
    decimals = 2 - math.floor(math.log10(np.abs(own).max()))
    least, most = (quantity(round(float(x), decimals), change.metric.unit, 3) for x in (own.min(), own.max()))
    return f" on average, by {least} to {most}"
