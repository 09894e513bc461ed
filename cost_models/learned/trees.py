"""Whether the trees of loaded estimators are trees: scikit-learn walks them in compiled code that checks no index.

A file of a trusted class may still hold a child or a feature that is out of range: reading there ends the process, and
two nodes that lead to each other never end (see https://github.com/scikit-learn/scikit-learn/pull/34558).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAF = -1  # of scikit-learn's forests: the left child of a node without children


def check_trees(loaded: Any, where: str = "") -> None:
    """Check every tree in estimators, and in lists and dicts of them. UntrustedModel names the tree and the node.

    scikit-learn numbers a child above its parent, so a tree whose children do not ascend was not made by it.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [(where, loaded)]
    while waiting:
        place, one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        _check(place, one)
        if isinstance(one, dict):
            waiting += [(f"{place} {key}".strip(), value) for key, value in one.items()]
        elif isinstance(one, list | tuple) or (isinstance(one, np.ndarray) and one.dtype == object):
            waiting += [(f"{place} {i}".strip(), value) for i, value in enumerate(one)]
        elif hasattr(one, "__dict__") and type(one).__module__.startswith("sklearn."):
            waiting += [(f"{place} {key}".strip(), value) for key, value in vars(one).items()]


def _check(place: str, one: Any) -> None:
    kind = type(one).__name__
    if kind == "Tree":
        _refuse(
            place, one.children_left, one.children_right, one.feature, one.children_left == LEAF, int(one.n_features)
        )
        _refuse_no_numbers(place, one.value.reshape(one.node_count, -1), one.threshold)
    elif hasattr(one, "tree_"):
        _same_width(place, one.tree_.n_features, one.n_features_in_)
    elif kind.startswith(("RandomForest", "ExtraTrees")):
        for i, tree in enumerate(one.estimators_):
            _same_width(f"{place} estimators_ {i}".strip(), tree.n_features_in_, one.n_features_in_)
    elif kind.startswith("HistGradientBoosting"):
        for i, turn in enumerate(one._predictors):
            for j, tree in enumerate(turn):
                name = f"{place} _predictors {i} {j}".strip()
                nodes = tree.nodes
                leaf = nodes["is_leaf"].astype(bool)
                if nodes["is_categorical"][~leaf].any():
                    raise _unsound(name, "splits by category, as no model of this project does")
                _refuse(name, nodes["left"], nodes["right"], nodes["feature_idx"], leaf, int(one.n_features_in_))
                _refuse_no_numbers(name, nodes["value"][:, None], nodes["num_threshold"])


def _same_width(place: str, got: Any, wanted: Any) -> None:
    if int(got) != int(wanted):
        raise _unsound(place, f"takes {got} columns where its model has {wanted}")


def _refuse(
    place: str, left: NDArray[Any], right: NDArray[Any], feature: NDArray[Any], leaf: NDArray[np.bool_], columns: int
) -> None:
    n = len(left)
    if n == 0:
        raise _unsound(place, "has no node")
    nodes = np.arange(n)
    for child in (left.astype(np.int64), right.astype(np.int64)):
        bad = ~leaf & ((child <= nodes) | (child >= n))
        if bad.any():
            node = int(np.argmax(bad))
            raise _unsound(place, f"node {node} leads to node {child[node]} of {n}, which is no child of it")
    bad = ~leaf & ((feature.astype(np.int64) < 0) | (feature.astype(np.int64) >= columns))
    if bad.any():
        node = int(np.argmax(bad))
        raise _unsound(place, f"node {node} asks for column {feature[node]} of {columns}")


def _refuse_no_numbers(place: str, values: NDArray[Any], threshold: NDArray[Any]) -> None:
    # A threshold may be infinite where scikit-learn parts what is missing from the rest.
    bad = ~np.isfinite(values).all(axis=1) | np.isnan(threshold)
    if bad.any():
        raise _unsound(place, f"node {int(np.argmax(bad))} has a value or threshold that is no number")


def _unsound(place: str, what: str) -> ValueError:
    from designgym.cost_models.learned.trusted import UntrustedModel

    return UntrustedModel(f"holds a corrupted tree, {place or 'the only one'}: {what}.")
