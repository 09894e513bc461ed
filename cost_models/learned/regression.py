"""Learn several metrics of designs from priced ones, by one model or by the mixture that cross-validation picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, batch_length
from designgym.cost_models.learned.encoding import Encoding
from designgym.cost_models.learned.mixing import Member, candidates, fit_members, fit_weighted, mixture, total
from designgym.cost_models.learned.regressors import check_model
from designgym.cost_models.learned.targets import Target

BOUND = "bound of {}"  # what a bound is called among the columns that a model sees
STATE = 3  # raise it when the form of `FittedMetrics.state` changes

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

Weights = Mapping[str, Mapping[str, float]]  # by metric, of each model


@dataclass(frozen=True)
class FittedMetrics:
    """What was learned of several metrics: plain data, and scikit-learn's estimators by name.

    model: what was asked for. members: who predicts which metrics, with what weight. errors: by metric and model, the
    relative RMSE in per cent (RMSE over the mean's size where a value is 0) on rows left out while fitting; only an
    ensemble has them. trained: designs learned from.
    """

    model: str
    encoding: Encoding
    targets: tuple[Target, ...]
    members: tuple[Member, ...]
    errors: dict[str, dict[str, float]]
    trained: int
    seed: int
    estimators: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that `predict` returns."""
        return tuple(target.name for target in self.targets)

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """By metric, the weight of each model that has a say in it."""
        found: dict[str, dict[str, float]] = {}
        for member in self.members:
            for name, weight in zip(member.metrics, member.weights, strict=True):
                if weight:
                    found.setdefault(name, {})[member.model] = weight
        return found

    @property
    def bounded(self) -> tuple[str, ...]:
        """The metrics whose bounds `predict` needs."""
        return tuple(target.name for target in self.targets if target.kind == "residual")

    def predict(self, designs: Columns, features: Columns | None = None, bounds: Columns | None = None) -> Columns:
        """Return every metric, float64 (n,). features, bounds: as in fitting; more than was learned from may be given.

        ValueError names a column that is missing or not finite.
        """
        bounds = bounds or {}
        lacking = [name for name in self.bounded if name not in bounds]
        if lacking:
            raise ValueError(f"designs need the bounds that were learned on, got none of {', '.join(lacking)}.")
        if not batch_length(designs):
            return {name: np.empty(0) for name in self.names}
        added = _added(features or {}, bounds)
        seen = {kind: getattr(self.encoding, kind)(designs, added) for kind in {m.sees for m in self.members}}
        sums = total(self.members, self.estimators, seen)
        return {t.name: t.metric(sums[t.name], bounds[t.name] if t.kind == "residual" else None) for t in self.targets}

    def state(self) -> dict[str, Any]:
        """Return everything but the estimators as JSON values; `from_state` takes both back."""
        return {
            "state": STATE, "model": self.model, "encoding": self.encoding.state(),
            "targets": [target.state() for target in self.targets],
            "members": [member.state() for member in self.members],
            "errors": self.errors, "trained": self.trained, "seed": self.seed,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Mapping[str, Any], estimators: Mapping[str, Any]) -> FittedMetrics:
        """Return what was learned. ValueError where the state is none, or an estimator that it names is missing."""
        try:
            if state["state"] != STATE:
                raise ValueError(f"a model's state must be of form {STATE}, got {state['state']!r}. Fit it again.")
            targets = tuple(Target.from_state(target) for target in state["targets"])
            members = tuple(Member.from_state(member) for member in state["members"])
            encoding = Encoding.from_state(state["encoding"])
            rest = {name: state[name] for name in ("model", "errors", "trained", "seed")}
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"a model's state must be what `state` told, got one with {error!r}. Fit it again."
            ) from None
        missing = [member.key for member in members if member.key not in estimators]
        if missing:
            raise ValueError(f"a model must have the estimators of its state, got none named {', '.join(missing)}.")
        kept = {member.key: estimators[member.key] for member in members}
        return cls(encoding=encoding, targets=targets, members=members, estimators=kept, **rest)


def fit_metrics(
    specs: Sequence[ColumnSpec],
    designs: Columns,
    values: Columns,
    *,
    features: Columns | None = None,
    bounds: Columns | None = None,
    model: str = "ensemble",
    weights: Weights | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FittedMetrics:
    """Learn `values`, metrics of designs by name, float64 (n,) and finite, n >= 2.

    specs: of the columns of designs that are learned from. features: further columns, as `Features` offers them.
    bounds: by metric, closed-form bounds above 0, (n,): then log(metric / bound) is learned, and the bound is a feature
    too. model: one of `regressors.regressor_names()`; "ensemble" weighs several by cross-validation, see `mixing`, and
    so do names joined by "+", the same ones. weights: by metric, of each model, as `FittedMetrics.weights` has them:
    then these are fitted, and nothing is picked.
    The same arguments give the same predictions. progress: called with a line as each model is fitted.
    ValueError for an unknown model, too few or too many designs for it, or a value that is not finite.
    """
    check_model(model)
    features, bounds = features or {}, {name: b for name, b in (bounds or {}).items() if name in values}
    n = batch_length(designs)
    if n < 2 or not values:
        raise ValueError(f"at least 2 designs and one metric are needed to learn from, got {n} and {len(values)}.")
    if batch_length(values) != n:
        raise ValueError(f"every design must have its metrics, got {n} designs and {batch_length(values)} values.")
    tell = progress or (lambda line: None)
    added = _added(features, bounds)
    targets = tuple(Target.of(name, np.asarray(column), bounds.get(name)) for name, column in values.items())
    encoding = Encoding.of(specs, added)
    seen = {"compact": encoding.compact(designs, added), "rich": encoding.rich(designs, added)}
    learned = {t.name: t.standard(values[t.name], bounds.get(t.name)) for t in targets}
    scales = {t.name: 0.0 if t.kind == "plain" else t.scale for t in targets}
    errors: dict[str, dict[str, float]] = {}
    if weights is not None:
        members, estimators = fit_weighted({name: weights[name] for name in learned}, seen, learned, scales, seed, tell)
    elif model == "ensemble" or "+" in model:
        names = candidates(n) if model == "ensemble" else model.split("+")
        members, estimators, errors = mixture(names, seen, learned, targets, values, bounds, seed, tell)
    else:
        members, estimators = fit_members(model, seen, learned, scales, seed, tell)
    return FittedMetrics(model, encoding, targets, members, errors, n, seed, estimators)


def _added(features: Mapping[str, NDArray[Any]], bounds: Mapping[str, NDArray[Any]]) -> Columns:
    return {**features, **{BOUND.format(name): column for name, column in bounds.items()}}
