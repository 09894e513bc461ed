"""Which designs a model has seen while it was fitted: it is never scored on one of them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.dataset import Dataset

Keys = NDArray[np.uint64]


def keys_of(dataset: Dataset) -> Keys:
    """Return 64 bits that stand for each design of each problem, uint64 (n,).

    splitmix64 over the bits of the columns (Steele, Lea and Flood, OOPSLA 2014, doi:10.1145/2660193.2660195). Among a
    million designs two share a key with a chance of 3 in 100 million.
    """
    problems = [f"{origin.id} {origin.cost_model} {origin.version}" for origin in dataset.origins]
    salts = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in problems]
    keys = np.array(salts, np.uint64)[dataset.problem]
    for spec in dataset.specs:
        # Adding 0 makes -0 the same as 0.
        bits = (np.asarray(dataset.designs[spec.name], np.float64) + 0.0).view(np.uint64)
        keys = _mixed(keys ^ bits)
    return keys


def _mixed(keys: Keys) -> Keys:
    keys = keys + np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
