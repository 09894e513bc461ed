"""The models that a regression may be made of: scikit-learn's own classes only, and others by registration.

Each is a `Recipe`: what it sees of a design, how many designs it can learn from, and how it is fitted. A file of a
model can therefore be checked against a constant list of classes; another package's model is fitted and used, not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.registry import Registry, UnknownName, nearest

Floats = NDArray[np.float64]

GP_HYPERPARAMETERS = 400  # designs that a Gaussian process finds its length scales on; it is exact on all of them
INTERACTIONS = 80  # columns up to which ridge has products of two: beyond them squares alone would fill the memory
MLP_LAYERS = (256, 256)
PHASES = ((2e-3, 256, 0.5), (5e-4, 256, 0.25), (1e-4, 512, 0.25))  # rate, batch, share of the epochs
MLP_ROWS = 2_500_000  # rows that an MLP is shown in all, at most EPOCHS times each
EPOCHS = 400


@dataclass(frozen=True)
class Recipe:
    """How a model is fitted. fit(x, y, seed) returns a fitted estimator with scikit-learn's `predict`.

    x: (n, f), y: (n,) or, where joint, (n, k), each about standard. sees: "compact", one column a number, or "rich",
    with transformations of them beside. joint: one estimator learns all metrics. sums: where a metric is learned by its
    logarithm, y is the metric itself over its geometric mean. after: the model whose residuals it learns, which is
    fitted first and added. most: designs that it can learn from.
    """

    fit: Callable[[Floats, Floats, int], Any]
    sees: Literal["compact", "rich"] = "compact"
    joint: bool = False
    sums: bool = False
    after: str = ""
    most: int | None = None


def random_forest() -> Recipe:
    """Trees on bootstrap samples (Breiman, Machine Learning 45, 2001)."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        model = RandomForestRegressor(100, min_samples_leaf=2, max_features=0.7, random_state=seed, n_jobs=1)
        return model.fit(x, y)

    return Recipe(fit)


def extra_trees() -> Recipe:
    """Trees with cuts drawn at random (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006)."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.ensemble import ExtraTreesRegressor

        model = ExtraTreesRegressor(100, min_samples_leaf=2, max_features=0.7, random_state=seed, n_jobs=1)
        return model.fit(x, y)

    return Recipe(fit)


def boosting() -> Recipe:
    """Histogram gradient boosting (Ke et al., "LightGBM", NeurIPS 2017): small steps, as many as the designs allow."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        steps = int(min(1500, 200 + len(y) // 5))
        model = HistGradientBoostingRegressor(
            learning_rate=0.08, max_iter=steps, max_leaf_nodes=31, min_samples_leaf=min(5, max(1, len(y) // 20)),
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        return model.fit(x, y)

    return Recipe(fit)


def linear() -> Recipe:
    """Ridge regression on the columns and their transformations: products of powers, where logarithms are learned."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 8))).fit(x, y)

    return Recipe(fit, sees="rich")


def linear_boosting() -> Recipe:
    """Boosting of what `linear` leaves: steps and bends on a slope, which trees alone would climb in steps."""
    return replace(boosting(), after="linear")


def additive() -> Recipe:
    """Boosting of the metric itself and not of its logarithm, by squared relative error, with small trees.

    What is a sum over layers or kinds of traffic, each of few columns, is a sum of small trees too; its logarithm is
    not. It does not always help: a mixture's weights decide. SystolicArray's dram_words, 50,000 designs: 3.4 % off, and
    3.8 % by logarithms, with the same trees.
    """

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        steps = int(min(2500, 200 + len(y) // 5))
        weights = 1.0 / y**2 if (y > 0).all() else np.ones(len(y))
        model = HistGradientBoostingRegressor(
            learning_rate=0.08, max_iter=steps, max_leaf_nodes=12, min_samples_leaf=min(5, max(1, len(y) // 20)),
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        return model.fit(x, y, sample_weight=weights / weights.mean())

    return Recipe(fit, sums=True)


def gaussian_process() -> Recipe:
    """An exact Gaussian process with a length scale a column (Rasmussen and Williams, 2006): up to 3,000 designs.

    Length scales and noise are those of the largest likelihood on at most GP_HYPERPARAMETERS of the designs; then all
    of them are conditioned on. Beyond 3,000 it is refused: time goes with the cube, memory with the square.
    """

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(np.ones(x.shape[1]), (0.05, 100.0), nu=2.5) + WhiteKernel(
            1e-3, (1e-8, 1.0)
        )
        rows = np.random.default_rng(seed).permutation(len(y))[:GP_HYPERPARAMETERS]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a column that does not matter has no end of a scale
            first = GaussianProcessRegressor(kernel, alpha=1e-9, random_state=seed).fit(x[rows], y[rows])
        if len(rows) == len(y):
            return first
        return GaussianProcessRegressor(first.kernel_, alpha=1e-9, optimizer=None).fit(x, y)

    return Recipe(fit, most=3000)


def mlp() -> Recipe:
    """Two hidden layers of rectifiers, by Adam in three phases of falling rates; all metrics by one network."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        epochs = min(EPOCHS, max(20, MLP_ROWS // len(y)))
        model = MLPRegressor(
            hidden_layer_sizes=MLP_LAYERS, alpha=1e-6, random_state=seed, tol=0.0, n_iter_no_change=EPOCHS,
            warm_start=True,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it ends when its epochs end, as meant
            for rate, batch, share in PHASES:
                model.set_params(
                    learning_rate_init=rate, batch_size=min(batch, len(y)), max_iter=max(1, round(epochs * share))
                )
                model.fit(x.astype(np.float32), y.astype(np.float32))
        return model

    return Recipe(fit, sees="rich", joint=True)


def ridge() -> Recipe:
    """Ridge regression on all products of two columns, the baseline to beat; strength by cross-validation."""

    def fit(x: Floats, y: Floats, seed: int) -> Any:
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import PolynomialFeatures, StandardScaler

        degree = 2 if x.shape[1] <= INTERACTIONS else 1
        model = make_pipeline(
            StandardScaler(), PolynomialFeatures(degree, include_bias=False), StandardScaler(),
            RidgeCV(np.logspace(-3, 4, 8)),
        )  # fmt: skip
        return model.fit(x, y)

    return Recipe(fit)


MODELS = (
    "random_forest", "extra_trees", "boosting", "linear_boosting", "additive", "gaussian_process", "mlp", "ridge",
    "linear", "ensemble",
)  # fmt: skip
_REGISTRY = Registry("model")


def register_regressor(name: str, entry_point: str) -> None:
    """Make a model known. entry_point: "module:function", which takes nothing and returns a `Recipe`.

    It is imported when first asked for, so that what it needs may be missing: let it say so in one ValueError.
    ValueError when the name is taken.
    """
    if name == "ensemble":
        raise ValueError("model 'ensemble' is what picks among the others, got it as a name. Choose another.")
    _REGISTRY.register(name, entry_point)


def regressor_names() -> tuple[str, ...]:
    """Return the models there are: `MODELS`, and those registered besides."""
    return (*MODELS, *(name for name in _REGISTRY.names() if name not in MODELS))


def check_model(name: str) -> None:
    """UnknownName, a ValueError, names the model nearest to one that is none. Several are joined by "+"."""
    if "+" in name:
        for one in name.split("+"):
            if one == "ensemble":
                raise UnknownName(f"a mixture must be of single models, got {name!r}. Leave 'ensemble' out of it.")
            check_model(one)
        return
    if name in MODELS:
        return
    try:
        _REGISTRY.full_name(name)
    except UnknownName:
        raise UnknownName(f"unknown model {name!r}. {nearest(name, regressor_names())}") from None


def recipe(name: str) -> Recipe:
    """Return how a model is fitted. ValueError names the nearest, or says what a model lacks here."""
    check_model(name)
    made: Recipe = _REGISTRY.load(name)()
    return made


for _name in MODELS[:-1]:
    register_regressor(_name, f"{__name__}:{_name}")
register_regressor("tabpfn", "designgym.cost_models.learned.tabpfn:regressor")
