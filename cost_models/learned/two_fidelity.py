"""Learn a faithful metric from few designs beside a cheap, biased one that is known of many, or of all.

Source: Bukharin, Liu, Wang, Zuo, Gao, Yan and Zhao, "Machine learning force fields with data cost aware training"
(ASTEROID), ICML 2023, arXiv:2306.03109. Taken from it: a model is first learned from the cheap data, each point weighed
by exp(-|bias| / gamma), its bias being how far it is from a model learned from the faithful data alone; the faithful
data then correct that model. Where the paper tunes the first network further, here what is learned last is the ratio
of the faithful metric to the cheap one, from the parameters and all that the cheap model says. Left out: its energies
and forces, and score matching for cheap data without labels. A cheap model that can be called is not learned at all:
it is asked, and knows its numbers of every design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, Features, batch_length
from designgym.cost_models.learned.mixing import folds_of
from designgym.cost_models.learned.regression import FittedMetrics, Progress, fit_metrics

CHEAP = "cheap {}"  # what a column of the cheap model is called among the features
FORMS = {"alone": (), "beside": ("features",), "ratio": ("features", "bounds")}
MODELS = ("gaussian_process", "extra_trees", "boosting", "ridge")
FEWEST = 10  # faithful designs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cheap:
    """A cheap model as a surrogate is learned beside it: all that it says of a design. model: priced or learned."""

    model: Any

    def features(self, designs: Columns) -> Columns:
        """Return the cheap model's metrics and its own features, float64 (n,); 1 where it has no number."""
        found = {CHEAP.format(name): column for name, column in self._priced(designs).items()}
        if isinstance(self.model, Features):
            found |= self.model.features(designs)
        return found

    def bounds(self, designs: Columns) -> Columns:
        """Return the cheap metrics by their names, float64 (n,): what the faithful ones are learned as ratios to."""
        return self._priced(designs)

    def _priced(self, designs: Columns) -> Columns:
        columns = self.model.evaluate(designs)
        wanted = [metric.name for metric in getattr(self.model, "learned", self.model.metrics)]
        numbers = {name: np.asarray(columns[name], np.float64) for name in wanted}
        return {name: np.where(np.isfinite(column), column, 1.0) for name, column in numbers.items()}


@dataclass(frozen=True)
class Choice:
    """How a metric is best learned. form: "alone", from the parameters; "beside", with the cheap model's columns as
    features too; "ratio", over the cheap metric besides. errors: by (form, model), the RMS of the logarithm of
    predicted over true on designs left out.
    """

    form: str
    model: str
    errors: dict[tuple[str, str], float]

    @property
    def uses(self) -> tuple[str, ...]:
        """What of `Cheap` is learned from."""
        return FORMS[self.form]


def choose(
    specs: Sequence[ColumnSpec], designs: Columns, values: Floats, features: Columns, cheap: Floats, *,
    forms: Sequence[str] = tuple(FORMS), models: Sequence[str] = MODELS, seed: int = 0,
    progress: Progress | None = None,
) -> Choice:  # fmt: skip
    """Return the form and the model with the least error on faithful designs left out in turn; nothing else is seen.

    values: the faithful metric, float64 (n,), above 0, n >= FEWEST. features, cheap: of the same designs, from `Cheap`.
    """
    values, cheap = _positive("faithful", values), _positive("cheap", cheap)
    if len(values) < FEWEST:
        raise ValueError(f"at least {FEWEST} faithful designs are needed to choose on, got {len(values)}. Price more.")
    tell, errors = progress or (lambda line: None), {}
    left_out = folds_of(len(values), seed)
    for form in forms:
        for model in models:
            logs = np.empty(len(values))
            for out in left_out:
                kept = np.setdiff1d(np.arange(len(values)), out)
                fitted = fit_one(specs, designs, values, features, cheap, form, model, seed, kept)
                logs[out] = np.log(predict_one(fitted, designs, features, cheap, form, out) / values[out])
            errors[form, model] = float(np.sqrt(np.mean(logs**2)))
            tell(f"{form}, {model}: {errors[form, model]:.3g} on designs left out")
    form, model = min(errors, key=lambda key: errors[key])
    return Choice(form, model, errors)


def fit_one(
    specs: Sequence[ColumnSpec], designs: Columns, values: Floats, features: Columns, cheap: Floats, form: str,
    model: str, seed: int = 0, rows: Any = slice(None),
) -> FittedMetrics:  # fmt: skip
    """Learn one metric in one form by one model from some rows."""
    uses = FORMS[form]
    return fit_metrics(
        specs, _taken(designs, rows), {"faithful": values[rows]},
        features=_taken(features, rows) if "features" in uses else None,
        bounds={"faithful": cheap[rows]} if "bounds" in uses else None, model=model, seed=seed,
    )  # fmt: skip


def predict_one(
    fitted: FittedMetrics, designs: Columns, features: Columns, cheap: Floats, form: str, rows: Any = slice(None)
) -> Floats:
    """Return what `fit_one` made predicts of some rows, float64, above 0."""
    uses = FORMS[form]
    found = fitted.predict(
        _taken(designs, rows), _taken(features, rows) if "features" in uses else None,
        {"faithful": cheap[rows]} if "bounds" in uses else None,
    )["faithful"]  # fmt: skip
    return np.maximum(found, np.finfo(np.float64).tiny)


def bias_weights(teacher: Floats, cheap: Floats, gamma: float | None = None) -> Floats:
    """Return how far each cheap value is to be trusted, float64 (n,) in (0, 1]: exp(-|ln(cheap / teacher)| / gamma).

    teacher: what a model of the faithful data alone says there, both above 0. The bias is taken less its median, for a
    factor that all share misleads nobody once ratios are learned. gamma: by default the median of what is left; 0 of
    it, cheap values that are right up to a factor, gives all the weight 1.
    """
    bias = np.log(_positive("cheap", cheap) / _positive("teacher's", teacher))
    off = np.abs(bias - np.median(bias))
    scale = float(np.median(off)) if gamma is None else gamma
    if scale < 0 or not np.isfinite(scale):
        raise ValueError(f"gamma must be at least 0 and finite, got {gamma}.")
    return np.exp(-off / scale) if scale > 0 else np.ones(len(off))


def thinned(weights: Floats, seed: int) -> NDArray[np.int64]:
    """Return rows, each kept with a chance that is its weight over the largest: a weighted loss, in expectation.

    Not every model of the project takes weights, so that rows are left out instead.
    """
    chances = weights / weights.max()
    return np.flatnonzero(np.random.default_rng(seed).random(len(chances)) < chances)


def _positive(what: str, values: Any) -> Floats:
    column = np.asarray(values, np.float64)
    if not (np.isfinite(column).all() and (column > 0).all()):
        wrong = column[~(np.isfinite(column) & (column > 0))][0]
        raise ValueError(f"{what} values must be finite and above 0, got {wrong}. Leave such designs out.")
    return column


def _taken(columns: Columns, rows: Any) -> Columns:
    taken = {name: column[rows] for name, column in columns.items()}
    if taken:
        batch_length(taken)
    return taken
