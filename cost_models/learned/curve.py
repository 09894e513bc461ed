"""A learning curve: the error on the same designs held out, of models fitted to ever more of the training designs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.cost_models.base import Metric
from designgym.cost_models.dataset import Dataset
from designgym.cost_models.learned.known import Known
from designgym.cost_models.learned.regression import FittedMetrics, fit_metrics
from designgym.cost_models.learned.scores import score_metric
from designgym.cost_models.learned.scoring import Scored
from designgym.cost_models.learned.splits import Split

FEWEST, POINTS = 50, 5  # training designs of the first point, at least, and points before the last, at most


@dataclass(frozen=True)
class Curve:
    """designs: numbers of training designs, increasing. errors: by metric, the relative RMSE in per cent at each."""

    designs: tuple[int, ...]
    errors: dict[str, tuple[float, ...]]

    def as_card(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"designs": list(self.designs), "errors": {name: list(found) for name, found in self.errors.items()}}


def learning_curve(
    dataset: Dataset,
    known: Known,
    split: Split,
    learned: tuple[Metric, ...],
    whole: FittedMetrics,
    seed: int,
    scored: Scored,
    tell: Callable[[str], None],
) -> Curve:
    """Fit to nested parts of the training designs, each twice as large as the one before; the whole is scored already.

    All points have the models and the weights that the whole was given: picking them anew at each would take longer
    than the fit itself, and mix what is learned with what is picked.
    The smaller parts are drawn at random from the larger ones, so that the points differ by their number alone.
    """
    train = split.train[dataset.feasible[split.train]]
    test = split.test[dataset.feasible[split.test]]
    order = np.random.default_rng(seed).permutation(train)
    sizes = [len(train) >> k for k in range(POINTS, 0, -1)]
    sizes = [n for n in sizes if n >= FEWEST]
    held, known_held = dataset.take(test), known.take(test)
    errors: dict[str, list[float]] = {metric.name: [] for metric in learned}
    for n in sizes:
        tell(f"learning curve: {n:,} of {len(train):,} designs")
        rows = np.sort(order[:n])
        part, of_part = dataset.take(rows), known.take(rows)
        values = {metric.name: part.metrics[metric.name] for metric in learned}
        fitted = fit_metrics(
            dataset.specs, part.designs, values, features=of_part.features, bounds=of_part.bounds,
            model=whole.model, weights=whole.weights, seed=seed,
        )  # fmt: skip
        predicted = fitted.predict(held.designs, known_held.features, known_held.bounds)
        for metric in learned:
            scores = score_metric(metric, predicted[metric.name], held.metrics[metric.name], top=())
            errors[metric.name].append(scores.relative_rmse)
    for metric in learned:
        errors[metric.name].append(scored.metrics[metric.name].relative_rmse)
    return Curve((*sizes, len(train)), {name: tuple(found) for name, found in errors.items()})
