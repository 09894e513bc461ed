"""What a surrogate came to on designs that it had not seen: scores by metric, and whether coverage is as promised."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.dataset import Dataset
from designgym.cost_models.learned.conformal import LEVEL, Intervals, coverage_band
from designgym.cost_models.learned.known import Known
from designgym.cost_models.learned.scores import (
    FeasibilityScores,
    Fifth,
    MetricScores,
    score_feasibility,
    score_metric,
)
from designgym.cost_models.learned.surrogate import Surrogate

MANY = 5000  # designs in calibration and in test from which coverage is promised to lie within NEAR of LEVEL
NEAR = 0.02
FIFTHS_WITHIN = (0.85, 0.95)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Held:
    """Predictions of one metric on the designs that could be built, (n,) each."""

    true: Floats
    predicted: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores on designs held out. name: of the split, or of the data; meaning: which designs, a clause.

    trained, calibrated: designs that could be built in either; n: all that are scored. promised: whether coverage is
    (they were drawn as those in calibration were). bands: by metric, where coverage is then to lie. exact: metrics
    fitted exactly, whose intervals have next to no width: they are exempt. inside: share of designs in the domain.
    """

    name: str
    meaning: str
    trained: int
    calibrated: int
    n: int
    promised: bool
    metrics: dict[str, MetricScores]
    bands: dict[str, tuple[float, float]]
    exact: tuple[str, ...]
    feasibility: FeasibilityScores | None
    inside: float
    held: dict[str, Held]

    def kept(self, metric: str) -> bool | None:
        """Whether coverage is as promised; None where nothing is promised. Fifths are judged from MANY designs on.

        Where errors are equal, the promise is of an interval that holds some of the values on its ends: as many as it
        takes (Vovk, Gammerman and Shafer, 2005, smoothed predictors).
        """
        if not self.promised or metric in self.exact:
            return None
        scores = self.metrics[metric]
        within = _within(scores, self.bands[metric])
        if not self._many:
            return within
        return within and all(_within(fifth, FIFTHS_WITHIN) for fifth in scores.fifths)

    def tied(self, metric: str) -> bool:
        """Whether more is covered than promised only for errors that are equal."""
        scores, beyond = self.metrics[metric], self.bands[metric][1]
        fifths = self._many and any(fifth.coverage > FIFTHS_WITHIN[1] for fifth in scores.fifths)
        return self.kept(metric) is True and (scores.coverage > beyond or fifths)

    @property
    def _many(self) -> bool:
        """Whether fifths are judged too."""
        return min(self.calibrated, self.n) >= MANY

    def as_card(self) -> dict[str, Any]:
        """Return all of it but the predictions as JSON values, None for figures that have no meaning."""
        metrics = {
            name: {**asdict(scores), "band": list(self.bands[name]), "as_promised": self.kept(name)}
            for name, scores in self.metrics.items()
        }
        feasibility = None if self.feasibility is None else asdict(self.feasibility)
        told = {
            "split": self.name, "held_out": self.meaning, "trained": self.trained, "calibrated": self.calibrated,
            "n": self.n, "coverage_promised": self.promised, "exact": list(self.exact), "in_domain": self.inside,
            "metrics": metrics, "feasibility": feasibility,
        }  # fmt: skip
        card: dict[str, Any] = finite(told)
        return card


def score_rows(surrogate: Surrogate, dataset: Dataset, known: Known, name: str, meaning: str, promised: bool) -> Scored:
    """Score a surrogate on all rows of a dataset. known: of those rows.

    ValueError where no design of it could be built.
    """
    can = dataset.feasible
    rows, known_of_rows = dataset.take(can), known.take(can)
    if not len(rows):
        raise ValueError(f"no design to score on could be built, of {len(dataset):,}: {meaning}. Gather others.")
    predicted = surrogate.predict(rows.designs, known_of_rows.features, known_of_rows.bounds)
    metrics: dict[str, MetricScores] = {}
    bands, held = {}, {}
    for metric in surrogate.learned:
        values, true, intervals = predicted[metric.name], rows.metrics[metric.name], surrogate.intervals[metric.name]
        ends = intervals.ends(values)
        metrics[metric.name] = score_metric(metric, values, true, ends)
        bands[metric.name] = promised_band(intervals, values)
        held[metric.name] = Held(true, values, *ends)
    feasibility = None
    if surrogate.feasibility is not None:
        feasibility = score_feasibility(surrogate.feasibility.predict(dataset.designs, known.features), can)
    exact = tuple(metric.name for metric in surrogate.learned if surrogate.intervals[metric.name].exact)
    inside = float(np.mean(surrogate.domain.contains(dataset.designs)))
    calibrated = sum(next(iter(surrogate.intervals.values())).counts)
    return Scored(
        name, meaning, surrogate.regressors.trained, calibrated, len(rows), promised, metrics, bands, exact,
        feasibility, inside, held,
    )  # fmt: skip


def _within(found: MetricScores | Fifth, band: tuple[float, float]) -> bool:
    return band[0] <= found.coverage and found.coverage - found.on_end <= band[1]


def promised_band(intervals: Intervals, predicted: Floats) -> tuple[float, float]:
    """Return where coverage is to lie: 90 +- 2 % with MANY designs on both sides, else the 99 % beta-binomial band."""
    if min(sum(intervals.counts), len(predicted)) >= MANY:
        return LEVEL - NEAR, LEVEL + NEAR
    tested = np.bincount(intervals.parts(predicted), minlength=len(intervals.counts))
    return coverage_band(intervals.counts, tested.tolist())


def finite(value: Any) -> Any:
    """Return a value with None for every number that is not finite, keys as texts, and lists for tuples."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
