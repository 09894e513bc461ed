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

    sees: which encoding of a design it predicts from.
    """

    model: str
    key: str
    metrics: tuple[str, ...]
    weights: tuple[float, ...]
    sees: str

    def predict(self, estimator: Any, x: Floats) -> Floats:
        """Return what it predicts, standardised, float64 (n, metrics)."""
        with for_rows(len(x)):
            return np.asarray(estimator.predict(x), np.float64).reshape(len(x), len(self.metrics))

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Member:
        """Return what `state` told. TypeError or KeyError where it is no such state."""
        told = {**state, "metrics": tuple(state["metrics"]), "weights": tuple(map(float, state["weights"]))}
        return cls(**told)


def fit_members(
    model: str, seen: Mapping[str, Floats], learned: Mapping[str, Floats], seed: int, tell: Tell
) -> tuple[tuple[Member, ...], dict[str, Any]]:
    """Fit one model to all metrics. seen: (n, f) by encoding; learned: by metric, (n,), standardised.

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
    for names in [tuple(learned)] if how.joint else [(name,) for name in learned]:
        key = model if how.joint else f"{model} {names[0]}"
        tell(f"{model}: {', '.join(names)}, {len(x):,} designs")
        y = np.stack([learned[name] for name in names], axis=1)
        with for_rows(len(x)):
            estimators[key] = how.fit(x, y[:, 0] if len(names) == 1 else y, seed)
        members.append(Member(model, key, names, (1.0,) * len(names), how.sees))
    return tuple(members), estimators


def candidates(n: int) -> tuple[str, ...]:
    """Return the models that a mixture is picked from, by the number of designs.

    A Gaussian process up to 1,500, for its time; forests up to 20,000, for they keep every design in every tree.
    """
    wanted = [("gaussian_process", 1500), ("extra_trees", 20_000)]
    return ("ridge", *(name for name, most in wanted if n <= most), "boosting", "mlp")


def folds_of(n: int, seed: int) -> list[NDArray[np.int64]]:
    """Return the rows left out in each turn: five fifths up to 3,000 designs, three thirds up to 10,000, then a fifth.

    Many designs tell models apart in one turn, and models of many designs are the slow ones.
    """
    rows = np.random.default_rng(seed).permutation(n)
    if n > 10_000:
        return [rows[: n // 5]]
    return [np.sort(part) for part in np.array_split(rows, min(n, 5 if n <= 3000 else 3))]


def mixture(
    seen: Mapping[str, Floats], learned: Mapping[str, Floats], targets: Sequence[Target], values: Columns,
    bounds: Columns, seed: int, tell: Tell,
) -> tuple[tuple[Member, ...], dict[str, dict[str, float]], dict[str, Any]]:  # fmt: skip
    """Weigh the candidates metric by metric on rows left out, and fit those that have a say to all rows.

    Return members, the errors of each candidate and of the mixture on rows left out, and the estimators.
    """
    n = len(next(iter(learned.values())))
    left_out = folds_of(n, seed)
    rows = np.concatenate(left_out)
    predicted: dict[str, dict[str, Floats]] = {}
    for model in candidates(n):
        predicted[model] = {name: np.empty(n) for name in learned}
        for out in left_out:
            kept = np.setdiff1d(np.arange(n), out)
            members, estimators = fit_members(
                model, {k: x[kept] for k, x in seen.items()}, {k: y[kept] for k, y in learned.items()}, seed, tell
            )
            for member in members:
                found = member.predict(estimators[member.key], seen[member.sees][out])
                for i, name in enumerate(member.metrics):
                    predicted[model][name][out] = found[:, i]
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
    members, estimators = _refit(weights, seen, learned, seed, tell)
    return members, errors, estimators


def _refit(
    weights: Mapping[str, Mapping[str, float]], seen: Mapping[str, Floats], learned: Mapping[str, Floats], seed: int,
    tell: Tell,
) -> tuple[tuple[Member, ...], dict[str, Any]]:  # fmt: skip
    """Fit each model that has a say to all rows of the metrics that it has a say in."""
    members: list[Member] = []
    estimators: dict[str, Any] = {}
    for model in dict.fromkeys(model for shares in weights.values() for model in shares):
        mine = {name: learned[name] for name in learned if model in weights[name]}
        made, fitted = fit_members(model, seen, mine, seed, tell)
        members += [replace(one, weights=tuple(weights[name][model] for name in one.metrics)) for one in made]
        estimators |= fitted
    return tuple(members), estimators


def weigh(columns: Mapping[str, Floats], truth: Floats) -> dict[str, float]:
    """Return each model's weight, those below LEAST left out: least squares of what was left out, adding up to 1."""
    from scipy.optimize import nnls

    matrix = np.stack(list(columns.values()), axis=1)
    heavy = 1e3 * max(1.0, float(np.abs(matrix).max())) * len(truth) ** 0.5  # a row that makes them add up to 1
    found, _ = nnls(np.vstack([matrix, np.full(matrix.shape[1], heavy)]), np.append(truth, heavy))
    shares = {
        model: float(w) for model, w in zip(columns, found / found.sum(), strict=True) if w >= LEAST * found.sum()
    }
    total = sum(shares.values())
    return {model: share / total for model, share in shares.items()}


def relative_rmse(predicted: Floats, truth: Floats) -> float:
    """Return 100 sqrt(mean(((predicted - truth) / truth)^2)); over the mean's size for all where a truth is 0."""
    below = truth if (truth != 0).all() else np.full(len(truth), float(np.abs(truth).mean()) or 1.0)
    return float(100.0 * np.sqrt(np.mean(((predicted - truth) / below) ** 2)))
