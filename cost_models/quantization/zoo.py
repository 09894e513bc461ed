"""The networks that come with the package, trained on data that scikit-learn bundles, with their recorded scores.

Weights and record are what `python -m designgym.experiments.weights.quantized_networks` wrote: not trained on load,
for another matrix-multiply kernel moves them.
"""

import difflib
import json
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np

from designgym.cost_models.quantization.architectures import convolutional, multilayer_perceptron, transformer
from designgym.cost_models.quantization.networks import Network, with_parameters

# Those of the tables take inputs in raw units: standardisation is folded into their first layer.
ARCHITECTURES: dict[str, Callable[[], Network]] = {
    "mlp": lambda: multilayer_perceptron("mlp", (64, 32, 32, 10)),
    "cnn": convolutional,
    "breast_cancer": lambda: multilayer_perceptron("breast_cancer", (30, 32, 16, 2)),
    "wine": lambda: multilayer_perceptron("wine", (13, 32, 16, 3)),
    "diabetes": lambda: multilayer_perceptron("diabetes", (10, 32, 16, 1)),
    "transformer": transformer,
}
DATASETS = {
    "mlp": "digits",
    "cnn": "digits",
    "breast_cancer": "breast_cancer",
    "wine": "wine",
    "diabetes": "diabetes",
    "transformer": "digits",
}


@lru_cache
def network(name: str) -> Network:
    """Return a trained network, its arrays float32 and read-only; ValueError names the nearest of another name."""
    with _data(f"{_known(name)}.npz").open("rb") as file, np.load(file) as stored:
        arrays = {own: np.ascontiguousarray(stored[own], np.float32) for own in stored.files}
    for array in arrays.values():
        array.flags.writeable = False
    return with_parameters(ARCHITECTURES[name](), arrays)


@lru_cache
def record(name: str) -> dict[str, Any]:
    """Return how a network was trained and its float scores: {"validation": {...}, "test": {...}, "epochs": ...}."""
    found: dict[str, dict[str, Any]] = json.loads(_data("quantized_networks.json").read_text())
    return found[_known(name)]


def _data(file: str) -> Any:
    return resources.files("designgym.cost_models.quantization").joinpath("data", file)


def _known(name: str) -> str:
    if name not in ARCHITECTURES:
        near = difflib.get_close_matches(str(name), ARCHITECTURES, 1, 0.0)[0]
        raise ValueError(f"network must be one of {', '.join(ARCHITECTURES)}; got {name!r}. Did you mean {near!r}?")
    return name
