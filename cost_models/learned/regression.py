"""Learn several metrics of designs from priced ones, by one model or by the mixture that cross-validation picks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, batch_length
from designgym.cost_models.learned.encoding import Encoding
from designgym.cost_models.learned.mixing import Member, candidates, fit_members, fit_weighted, mixture, total
from designgym.cost_models.learned.regressors import check_model
from designgym.cost_models.learned.targets import Target

BOUND = "bound of {}"  # what a bound is called among the columns that a model sees
FIRST = "first "  # what the estimators of metrics that are learned first are called, before their own names
STATE = 2  # raise it when the form of `FittedMetrics.state` changes

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

Weights = Mapping[str, Mapping[str, float]]  # by metric, of each model


@dataclass(frozen=True)
class FittedMetrics:
    """What was learned of several metrics: plain data, and scikit-learn's estimators by name.

    model: what was asked for. members: who predicts which metrics, with what weight. errors: by metric and model, the
    relative RMSE in per cent (RMSE over the mean's size where a value is 0) on rows left out while fitting; only an
    ensemble has them. trained: designs learned from. first: metrics that are predicted first and then seen as columns
    by the rest, None where there are none.
    """

    model: str
    encoding: Encoding
    targets: tuple[Target, ...]
    members: tuple[Member, ...]
    errors: dict[str, dict[str, float]]
    trained: int
    seed: int
    estimators: dict[str, Any]
    first: FittedMetrics | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that `predict` returns."""
        return tuple(target.name for target in self.targets)

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """By metric, the weight of each model that has a say in it, chained metrics included."""
        found = {} if self.first is None else self.first.weights
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
        if self.first is not None:
            added |= _with_ratios(self.first.predict(designs, features, bounds))
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
            "first": None if self.first is None else self.first.state(),
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
            theirs = {key.removeprefix(FIRST): one for key, one in estimators.items() if key.startswith(FIRST)}
            first = None if state["first"] is None else cls.from_state(state["first"], theirs)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"a model's state must be what `state` told, got one with {error!r}. Fit it again."
            ) from None
        missing = [member.key for member in members if member.key not in estimators]
        if missing:
            raise ValueError(f"a model must have the estimators of its state, got none named {', '.join(missing)}.")
        kept = {member.key: estimators[member.key] for member in members} | _first_estimators(first)
        return cls(encoding=encoding, targets=targets, members=members, estimators=kept, first=first, **rest)


def fit_metrics(
    specs: Sequence[ColumnSpec],
    designs: Columns,
    values: Columns,
    *,
    features: Columns | None = None,
    bounds: Columns | None = None,
    first: Columns | None = None,
    model: str = "ensemble",
    weights: Weights | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FittedMetrics:
    """Learn `values`, metrics of designs by name, float64 (n,) and finite, n >= 2.

    specs: of the columns of designs that are learned from. features: further columns, as `Features` offers them.
    bounds: by metric, closed-form bounds above 0, (n,): then log(metric / bound) is learned, and the bound is a feature
    too. first: further metrics that are learned first, from the same columns; the rest are learned from their true
    values besides, and predicted from their predictions: a chain (Spyromitros-Xioufis et al., Machine Learning 104,
    2016, doi:10.1007/s10994-016-5546-z). model: one of `regressors.regressor_names()`; "ensemble" weighs several by
    cross-validation, see `mixing`, and so do names joined by "+", the same ones. weights: by metric, of each model, as
    `FittedMetrics.weights` has them: then these are fitted, and nothing is picked.
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
    before, held = None, _added(features, bounds)
    added = dict(held)
    if first:
        before, found = _fitted(specs, designs, first, added, held, {}, model, weights, seed, tell)
        added |= _with_ratios(first)
        held |= _with_ratios(found or first)
    fitted, _ = _fitted(specs, designs, values, added, held, bounds, model, weights, seed, tell)
    return replace(fitted, first=before, estimators=fitted.estimators | _first_estimators(before))


def _fitted(
    specs: Sequence[ColumnSpec], designs: Columns, values: Columns, added: Columns, held: Columns, bounds: Columns,
    model: str, weights: Weights | None, seed: int, tell: Progress,
) -> tuple[FittedMetrics, Columns]:  # fmt: skip
    """Fit one model, or a mixture, to metrics. added: columns seen beside the designs; held: the same as rows left out
    see them, in use. Return with it the metrics as predicted where they were left out, and true elsewhere.
    """
    targets = tuple(Target.of(name, np.asarray(column), bounds.get(name)) for name, column in values.items())
    encoding = Encoding.of(specs, added)
    seen = {"compact": encoding.compact(designs, added), "rich": encoding.rich(designs, added)}
    learned = {t.name: t.standard(values[t.name], bounds.get(t.name)) for t in targets}
    n, several = batch_length(designs), model.split("+") if "+" in model else ()
    if weights is not None:
        scales = {t.name: 0.0 if t.kind == "plain" else t.scale for t in targets}
        members, estimators = fit_weighted({name: weights[name] for name in learned}, seen, learned, scales, seed, tell)
        return FittedMetrics(model, encoding, targets, members, {}, n, seed, estimators), {}
    if model != "ensemble" and not several:
        scales = {t.name: 0.0 if t.kind == "plain" else t.scale for t in targets}
        members, estimators = fit_members(model, seen, learned, scales, seed, tell)
        return FittedMetrics(model, encoding, targets, members, {}, n, seed, estimators), {}
    out = {"compact": encoding.compact(designs, held), "rich": encoding.rich(designs, held)}
    mixed = mixture(several or candidates(n), seen, out, learned, targets, values, bounds, seed, tell)
    found = {name: np.array(column, np.float64) for name, column in values.items()}
    for name, column in mixed.predicted.items():
        found[name][mixed.rows] = column
    return FittedMetrics(model, encoding, targets, mixed.members, mixed.errors, n, seed, mixed.estimators), found


def _with_ratios(first: Columns) -> Columns:
    """Return metrics that are learned first, and the ratios of any two above 0: trees see one column at a time."""
    made = {name: np.asarray(column, np.float64) for name, column in first.items()}
    positive = [name for name, column in made.items() if (column > 0).all()]
    return made | {f"{a} / {b}": made[a] / made[b] for i, a in enumerate(positive) for b in positive[:i]}


def _first_estimators(first: FittedMetrics | None) -> dict[str, Any]:
    return {} if first is None else {FIRST + key: estimator for key, estimator in first.estimators.items()}


def _added(features: Mapping[str, NDArray[Any]], bounds: Mapping[str, NDArray[Any]]) -> Columns:
    return {**features, **{BOUND.format(name): column for name, column in bounds.items()}}
