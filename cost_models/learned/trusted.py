"""What a model file may hold: a constant list of classes, compared with the file before anything in it is made.

skops (https://skops.readthedocs.io/en/stable/persistence.html) trusts all of scikit-learn by default and takes more on
request. Here only the classes of the models that this project fits are taken, and the list never comes from the file.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

MOST_BYTE = 4 * 2**30  # unpacked: a small file may unpack to any size
SCHEMA, SCHEMA_BYTE = "schema.json", 2**29  # which is read whole: some 2 kB a tree
LOADERS = frozenset({
    "DictNode", "JsonNode", "ListNode", "LossNode", "NdArrayNode", "ObjectNode", "RandomGeneratorNode",
    "RandomStateNode", "TreeNode", "TupleNode", "TypeNode",
})  # fmt: skip
OUR_TRUST = (  # what skops asks about, besides what it trusts by itself
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)
TRUSTED = frozenset({
    "builtins.dict", "builtins.list", "builtins.str", "builtins.tuple", "builtins.NoneType",
    "builtins.bool", "builtins.int", "builtins.float",
    "numpy.bool", "numpy.dtype", "numpy.float32", "numpy.float64", "numpy.int32", "numpy.int64", "numpy.ndarray",
    "numpy.uint32", "numpy.uint64", "numpy.uint8",
    "numpy.random._generator.Generator", "numpy.random.mtrand.RandomState",
    "sklearn._loss._loss.CyHalfBinomialLoss", "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss.link.IdentityLink", "sklearn._loss.link.Interval", "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss", "sklearn._loss.loss.HalfSquaredError",
    "sklearn.ensemble._forest.ExtraTreesClassifier", "sklearn.ensemble._forest.ExtraTreesRegressor",
    "sklearn.ensemble._forest.RandomForestClassifier", "sklearn.ensemble._forest.RandomForestRegressor",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
    "sklearn.gaussian_process._gpr.GaussianProcessRegressor",
    "sklearn.linear_model._logistic.LogisticRegression", "sklearn.linear_model._ridge.RidgeCV",
    "sklearn.neural_network._multilayer_perceptron.MLPRegressor",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler", "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.preprocessing._polynomial.PolynomialFeatures",
    "sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._classes.DecisionTreeRegressor",
    "sklearn.tree._classes.ExtraTreeClassifier", "sklearn.tree._classes.ExtraTreeRegressor",
    *OUR_TRUST,
})  # fmt: skip


class UntrustedModel(ValueError):
    """A model file holds what no model of this project is made of, or is damaged. One line; it names what."""


def packed(value: Any) -> bytes:
    """Return estimators and arrays as the bytes of a skops file. UntrustedModel names a class that is not kept."""
    import skops.io

    data = skops.io.dumps(value, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    try:
        refuse_foreign(data)
    except UntrustedModel as error:
        raise UntrustedModel(f"this model cannot be kept in a file: it {error}") from None
    return data


def unpacked(data: bytes) -> Any:
    """Return what the bytes hold. UntrustedModel names the first class, or the tree, that is refused."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    from designgym.cost_models.learned.trees import check_trees

    refuse_foreign(data)
    try:
        loaded = skops.io.loads(data, trusted=list(OUR_TRUST))
    except UntrustedTypesFoundException as error:
        raise UntrustedModel(f"holds what is not trusted: {error}") from None
    except Exception as error:  # whatever a library raises over a file that someone else wrote
        raise UntrustedModel(f"is damaged: {type(error).__name__}: {error}") from error
    check_trees(loaded)
    return loaded


def refuse_foreign(data: bytes) -> None:
    """UntrustedModel where a file is none of skops, unpacks to too much, or names a class or way to load not listed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            size = sum(entry.file_size for entry in file.infolist())
            if size > MOST_BYTE:
                raise UntrustedModel(f"unpacks to {size:,} bytes, more than the {MOST_BYTE:,} that are taken.")
            size = file.getinfo(SCHEMA).file_size
            if size > SCHEMA_BYTE:
                raise UntrustedModel(f"has a {SCHEMA} of {size:,} bytes, more than the {SCHEMA_BYTE:,} that are taken.")
            schema = json.loads(file.read(SCHEMA))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        if isinstance(error, UntrustedModel):
            raise
        raise UntrustedModel(f"is no file of skops, or a damaged one: {error}.") from None
    for node in _nodes(schema):
        name = f"{node.get('__module__')}.{node.get('__class__')}"
        if name not in TRUSTED:
            raise UntrustedModel(f"holds a {name}, which no model of this project is made of.")
        if node.get("__loader__") not in LOADERS:
            raise UntrustedModel(f"loads a {name} by {node.get('__loader__')!r}, which no model here needs.")


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield everything in a schema that says it is of a class."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "__class__" in one or "__loader__" in one:
                yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
