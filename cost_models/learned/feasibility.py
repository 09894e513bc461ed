"""Learn which designs can be built: a classifier beside the regressions, by cross-validated log loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, batch_length
from designgym.cost_models.learned.encoding import Encoding
from designgym.cost_models.learned.regressors import Recipe
from designgym.cost_models.learned.threads import for_rows
from designgym.cost_models.registry import Registry, UnknownName, nearest

CLASSIFIERS = ("boosting", "extra_trees", "logistic", "ensemble")
FOLDS = 5
LARGE = 20_000  # rows beyond which forests are no candidates: they keep every design in every tree
STATE = 1

Floats = NDArray[np.float64]
_REGISTRY = Registry("classifier")


@dataclass(frozen=True)
class FittedFeasibility:
    """What was learned. model: the classifier, "constant" where all designs that were learned from were alike.

    share: of them that could be built. losses: log loss by cross-validation of each candidate, where one was picked.
    estimators: scikit-learn's by name: one, "feasibility", or none where constant.
    """

    model: str
    encoding: Encoding
    share: float
    losses: dict[str, float]
    trained: int
    seed: int
    estimators: dict[str, Any]

    def predict(self, designs: Columns, features: Columns | None = None) -> Floats:
        """Return the probability that each design can be built, float64 (n,)."""
        n = batch_length(designs)
        if self.model == "constant" or n == 0:
            return np.full(n, self.share)
        return _probability(self.estimators["feasibility"], self.encoding.compact(designs, features or {}))

    def state(self) -> dict[str, Any]:
        """Return everything but the estimators as JSON values; `from_state` takes both back."""
        return {
            "state": STATE, "model": self.model, "encoding": self.encoding.state(), "share": self.share,
            "losses": self.losses, "trained": self.trained, "seed": self.seed,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Mapping[str, Any], estimators: Mapping[str, Any]) -> FittedFeasibility:
        """Return what was learned. ValueError where the state is none, or the estimator is missing."""
        try:
            if state["state"] != STATE:
                raise ValueError(f"a classifier's state must be of form {STATE}, got {state['state']!r}. Fit it again.")
            encoding = Encoding.from_state(state["encoding"])
            rest = {name: state[name] for name in ("model", "share", "losses", "trained", "seed")}
        except (KeyError, TypeError) as error:
            raise ValueError(f"a classifier's state must be what `state` told, got one with {error!r}.") from None
        if not isinstance(rest["share"], int | float) or not 0 <= rest["share"] <= 1:
            raise ValueError(f"the share of designs that can be built must be in [0, 1], got {rest['share']!r}.")
        wanted = () if rest["model"] == "constant" else ("feasibility",)
        if missing := [name for name in wanted if name not in estimators]:
            raise ValueError(f"a classifier must have its estimator, got none named {missing[0]}.")
        return cls(encoding=encoding, estimators={name: estimators[name] for name in wanted}, **rest)


def fit_feasibility(
    specs: Sequence[ColumnSpec],
    designs: Columns,
    feasible: NDArray[np.bool_],
    *,
    features: Columns | None = None,
    model: str = "ensemble",
    seed: int = 0,
) -> FittedFeasibility:
    """Learn `feasible`, bool (n,), n >= 1, from designs. features: further columns, as `Features` offers them.

    model: one of CLASSIFIERS or registered; "ensemble" picks the one of least log loss in cross-validation. Where all
    are alike nothing is learned: the probability is 1, or 0, everywhere. ValueError for an unknown model.
    """
    check_classifier(model)
    features, feasible = features or {}, np.asarray(feasible, np.bool_)
    n = batch_length(designs)
    if n < 1 or feasible.shape != (n,):
        raise ValueError(f"feasible must have one value a design, at least one, got {feasible.shape} for {n} designs.")
    encoding, share = Encoding.of(specs, features), float(feasible.mean())
    if share in (0.0, 1.0):
        return FittedFeasibility("constant", encoding, share, {}, n, seed, {})
    x = encoding.compact(designs, features)
    losses: dict[str, float] = {}
    if model == "ensemble":
        losses = {name: _left_out_loss(recipe(name), x, feasible, seed) for name in _candidates(n)}
        model = min(losses, key=lambda name: losses[name])
    how = recipe(model)
    if how.most is not None and n > how.most:
        raise ValueError(f"classifier {model!r} learns from at most {how.most:,} designs, got {n:,}. Take boosting.")
    return FittedFeasibility(model, encoding, share, losses, n, seed, {"feasibility": _fit(how, x, feasible, seed)})


def _candidates(n: int) -> tuple[str, ...]:
    return tuple(name for name in CLASSIFIERS[:-1] if name != "extra_trees" or n <= LARGE)


def _left_out_loss(how: Recipe, x: Floats, feasible: NDArray[np.bool_], seed: int) -> float:
    """Return the mean log loss on folds that hold each kind of design in equal shares; all kinds stay in the rest."""
    order = np.random.default_rng(seed).permutation(len(x))
    fold = np.empty(len(x), np.int64)
    for kind in (False, True):
        rows = order[feasible[order] == kind]
        fold[rows] = np.arange(len(rows)) % FOLDS
    share, total = float(feasible.mean()), 0.0
    for turn in range(FOLDS):
        out, rest = fold == turn, fold != turn
        if not out.any():
            continue
        # One kind alone in the rest: a design of the other kind was the only one.
        alike = len(np.unique(feasible[rest])) < 2
        chance = (
            np.full(int(out.sum()), share) if alike else _probability(_fit(how, x[rest], feasible[rest], seed), x[out])
        )
        chance = np.clip(chance, 1e-3, 1 - 1e-3)
        total -= float(np.log(np.where(feasible[out], chance, 1 - chance)).sum())
    return total / len(x)


def _fit(how: Recipe, x: Floats, feasible: NDArray[Any], seed: int) -> Any:
    with for_rows(len(x)):
        return how.fit(x, feasible, seed)


def _probability(estimator: Any, x: Floats) -> Floats:
    """Return the probability of the class True."""
    place = list(estimator.classes_).index(True)
    with for_rows(len(x)):
        return np.asarray(estimator.predict_proba(x)[:, place], np.float64)


def boosting() -> Recipe:
    """Histogram gradient boosting."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=300, min_samples_leaf=min(20, max(1, len(y) // 20)), early_stopping=False, random_state=seed
        )
        return model.fit(x, y)

    return Recipe(fit)


def extra_trees() -> Recipe:
    """Extremely randomised trees."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier

        return ExtraTreesClassifier(100, min_samples_leaf=2, random_state=seed, n_jobs=1).fit(x, y)

    return Recipe(fit)


def logistic() -> Recipe:
    """Logistic regression: the baseline, and the best of few designs."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)

    return Recipe(fit)


def register_classifier(name: str, entry_point: str) -> None:
    """Make a classifier known. entry_point: "module:function", which takes nothing and returns a `Recipe`.

    Its estimators have scikit-learn's `classes_` and `predict_proba`. ValueError when the name is taken.
    """
    if name in ("ensemble", "constant"):
        raise ValueError(f"classifier {name!r} is what picks among the others, got it as a name. Choose another.")
    _REGISTRY.register(name, entry_point)


def check_classifier(name: str) -> None:
    """UnknownName, a ValueError, names the classifier nearest to one that is none."""
    if name in CLASSIFIERS:
        return
    try:
        _REGISTRY.full_name(name)
    except UnknownName:
        known = (*CLASSIFIERS, *(other for other in _REGISTRY.names() if other not in CLASSIFIERS))
        raise UnknownName(f"unknown classifier {name!r}. {nearest(name, known)}") from None


def recipe(name: str) -> Recipe:
    """Return how a classifier is fitted. ValueError names the nearest, or says what it lacks here."""
    check_classifier(name)
    made: Recipe = _REGISTRY.load(name)()
    return made


for _name in CLASSIFIERS[:-1]:
    register_classifier(_name, f"{__name__}:{_name}")
register_classifier("tabpfn", "designgym.cost_models.learned.tabpfn:classifier")
