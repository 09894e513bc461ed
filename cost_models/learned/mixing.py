"""Fit one model to every metric, or mix several by how well they predict rows that they were not fitted on.

The mixture is stacking with weights that are not negative and add up to 1: Breiman, "Stacked regressions", Machine
Learning 24, 1996, doi:10.1007/BF00117832.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.learned.regressors import recipe
from designgym.cost_models.learned.targets import Target
from designgym.cost_models.learned.threads import for_rows

ROWS = "rows left out"
LEAST = 0.05  # a model of less weight is left out

Floats = NDArray[np.float64]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Member:
    """An estimator of a mixture. key: its name among the estimators; weights: one a metric, 0 where it has no say.

    sees: which encoding of a design it predicts from. scales, lowest: where it predicts a metric itself, over its
    geometric mean, the standard deviation of the metric's logarithm, else 0, and the least that was learned from.
    """

    model: str
    key: str
    metrics: tuple[str, ...]
    weights: tuple[float, ...]
    sees: str
    scales: tuple[float, ...]
    lowest: tuple[float, ...]

    def predict(self, estimator: Any, x: Floats) -> Floats:
        """Return what it predicts, standardised, float64 (n, metrics)."""
        with for_rows(len(x)):
            found = np.asarray(estimator.predict(x), np.float64).reshape(len(x), len(self.metrics))
        for i, (scale, low) in enumerate(zip(self.scales, self.lowest, strict=True)):
            if scale:  # a sum of trees may end below all that was learned from, and below 0
                found[:, i] = np.log(np.maximum(found[:, i], low / 2)) / scale
        return found

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Member:
        """Return what `state` told. TypeError or KeyError where it is no such state."""
        numbers = {name: tuple(map(float, state[name])) for name in ("weights", "scales", "lowest")}
        return cls(**{**state, "metrics": tuple(state["metrics"]), **numbers})


def fit_members(
    model: str, seen: Mapping[str, Floats], learned: Mapping[str, Floats], scales: Mapping[str, float], seed: int,
    tell: Tell,
) -> tuple[tuple[Member, ...], dict[str, Any]]:  # fmt: skip
    """Fit one model to all metrics. seen: (n, f) by encoding; learned: by metric, (n,), standardised.

    scales: by metric, what a logarithm was divided by, 0 where the metric is learned as it is.

    Return its members, one a metric or one for all, each of weight 1, and the estimators by key. ValueError where it
    cannot learn from so many designs.
    """
    how = recipe(model)
    x = seen[how.sees]
    if how.most is not None and len(x) > how.most:
        raise ValueError(
            f"model {model!r} learns from at most {how.most:,} designs, got {len(x):,}. "
            "Give it fewer, or take boosting or ensemble."
        )
    members: list[Member] = []
    estimators: dict[str, Any] = {}
    if how.after:
        before, estimators = fit_members(how.after, seen, learned, scales, seed, tell)
        members = [replace(one, key=f"{model}, {one.key}", model=model) for one in before]
        estimators = {f"{model}, {key}": estimator for key, estimator in estimators.items()}
        explained = total(members, estimators, seen)
        learned = {name: y - explained[name] for name, y in learned.items()}
    for names in [tuple(learned)] if how.joint else [(name,) for name in learned]:
        key = model if how.joint else f"{model} {names[0]}"
        tell(f"{model}: {', '.join(names)}, {len(x):,} designs")
        powers = tuple(scales[name] if how.sums else 0.0 for name in names)
        y = np.stack(
            [np.exp(learned[name] * s) if s else learned[name] for name, s in zip(names, powers, strict=True)], axis=1
        )
        with for_rows(len(x)):
            estimators[key] = how.fit(x, y[:, 0] if len(names) == 1 else y, seed)
        lowest = tuple(map(float, y.min(axis=0)))
        members.append(Member(model, key, names, (1.0,) * len(names), how.sees, powers, lowest))
    return tuple(members), estimators


def total(members: Sequence[Member], estimators: Mapping[str, Any], seen: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the weighted sum of what members predict, by metric, standardised, (n,)."""
    sums: dict[str, Floats] = {}
    for member in members:
        found = member.predict(estimators[member.key], seen[member.sees])
        for i, name in enumerate(member.metrics):
            if member.weights[i]:
                sums[name] = sums.get(name, 0.0) + member.weights[i] * found[:, i]
    return sums


def candidates(n: int) -> tuple[str, ...]:
    """Return the models that a mixture is picked from, by the number of designs.

    A Gaussian process up to 1,000, for its time; forests up to 20,000, for they keep every design in every tree.
    """
    wanted = [("gaussian_process", 1000), ("extra_trees", 20_000)]
    return ("ridge", *(name for name, most in wanted if n <= most), "linear_boosting", "additive", "mlp")


def folds_of(n: int, seed: int) -> list[NDArray[np.int64]]:
    """Return the rows left out in each turn: five fifths up to 300 designs, three thirds up to 2,000, then a fifth.

    Many designs tell models apart in one turn, and models of many designs are the slow ones.
    """
    rows = np.random.default_rng(seed).permutation(n)
    if n > 2000:
        return [np.sort(rows[: n // 5])]
    return [np.sort(part) for part in np.array_split(rows, min(n, 5 if n <= 300 else 3))]


def mixture(
    models: Sequence[str], seen: Mapping[str, Floats], learned: Mapping[str, Floats], targets: Sequence[Target],
    values: Columns, bounds: Columns, seed: int, tell: Tell,
) -> tuple[tuple[Member, ...], dict[str, Any], dict[str, dict[str, float]]]:  # fmt: skip
    """Weigh models metric by metric on rows left out, and fit those that have a say to all rows.

    Return the members, the estimators by key, and the errors of each model and of the mixture ("ensemble"), by metric,
    on rows left out. seen: (n, f) by encoding.
    """
    n = len(next(iter(learned.values())))
    left_out = folds_of(n, seed)
    rows = np.concatenate(left_out)
    scales = {target.name: 0.0 if target.kind == "plain" else target.scale for target in targets}
    predicted = {model: _left_out(model, left_out, seen, learned, scales, seed, tell) for model in models}
    weights: dict[str, dict[str, float]] = {}
    errors: dict[str, dict[str, float]] = {}
    for target in targets:
        name = target.name
        columns = {model: predicted[model][name][rows] for model in predicted}
        weights[name] = weigh(columns, learned[name][rows])
        columns["ensemble"] = np.asarray(sum(w * columns[model] for model, w in weights[name].items()))
        bound = bounds[name][rows] if name in bounds else None
        truth = np.asarray(values[name], np.float64)[rows]
        errors[name] = {model: relative_rmse(target.metric(y, bound), truth) for model, y in columns.items()}
        told = ", ".join(f"{model} {share:.2f}" for model, share in weights[name].items())
        tell(f"{name}: {told}; {errors[name]['ensemble']:.3g} % on {len(rows):,} {ROWS}")
    return *fit_weighted(weights, seen, learned, scales, seed, tell), errors


def _left_out(
    model: str, left_out: Sequence[NDArray[np.int64]], seen: Mapping[str, Floats], learned: Mapping[str, Floats],
    scales: Mapping[str, float], seed: int, tell: Tell,
) -> dict[str, Floats]:  # fmt: skip
    """Return what one model predicts of the rows left out, by metric, standardised, (n,)."""
    n = len(next(iter(learned.values())))
    predicted = {name: np.empty(n) for name in learned}
    for out in left_out:
        kept = np.setdiff1d(np.arange(n), out)
        members, estimators = fit_members(
            model, {k: x[kept] for k, x in seen.items()}, {k: y[kept] for k, y in learned.items()}, scales, seed, tell
        )
        for name, found in total(members, estimators, {k: x[out] for k, x in seen.items()}).items():
            predicted[name][out] = found
    return predicted


def fit_weighted(
    weights: Mapping[str, Mapping[str, float]], seen: Mapping[str, Floats], learned: Mapping[str, Floats],
    scales: Mapping[str, float], seed: int, tell: Tell,
) -> tuple[tuple[Member, ...], dict[str, Any]]:  # fmt: skip
    """Fit each model that has a say to all rows of the metrics that it has a say in."""
    members: list[Member] = []
    estimators: dict[str, Any] = {}
    for model in dict.fromkeys(model for shares in weights.values() for model in shares):
        mine = {name: learned[name] for name in learned if model in weights[name]}
        made, fitted = fit_members(model, seen, mine, scales, seed, tell)
        members += [replace(one, weights=tuple(weights[name][model] for name in one.metrics)) for one in made]
        estimators |= fitted
    return tuple(members), estimators


def weigh(columns: Mapping[str, Floats], truth: Floats) -> dict[str, float]:
    """Return each model's weight, those below LEAST left out: least squares of what was left out, adding up to 1."""
    from scipy.optimize import nnls

    matrix = np.stack(list(columns.values()), axis=1)
    heavy = 1e3 * max(1.0, float(np.abs(matrix).max())) * len(truth) ** 0.5  # a row that makes them add up to 1
    found, _ = nnls(np.vstack([matrix, np.full(matrix.shape[1], heavy)]), np.append(truth, heavy))
    shares = {model: float(w) for model, w in zip(columns, found / found.sum(), strict=True) if w >= LEAST}
    total = sum(shares.values())
    return {model: share / total for model, share in shares.items()}


def relative_rmse(predicted: Floats, truth: Floats) -> float:
    """Return 100 sqrt(mean(((predicted - truth) / truth)^2)); over the mean's size for all where a truth is 0."""
    below = truth if (truth != 0).all() else np.full(len(truth), float(np.abs(truth).mean()) or 1.0)
    return float(100.0 * np.sqrt(np.mean(((predicted - truth) / below) ** 2)))
