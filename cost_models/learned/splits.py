"""Which designs a model learns from, which its intervals are calibrated on, and which it is scored on.

A random split says how good the model is on designs such as those it has seen; the other three ask for more than that,
and are there to show what it loses: designs of another agent, of a corner of the space, of another workload.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec
from designgym.cost_models.dataset import Dataset
from designgym.cost_models.registry import nearest

Rows = NDArray[np.int64]
SPLITS = ("random", "agent", "corner", "workload")
TEST, CALIBRATION = 0.15, 0.15  # shares of all designs


@dataclass(frozen=True)
class Split:
    """Rows of a dataset, each sorted, no row in two of them. meaning: how they were chosen, a clause."""

    name: str
    train: Rows
    calibration: Rows
    test: Rows
    meaning: str


def split_dataset(
    dataset: Dataset, how: str = "random", seed: int = 0, test: float = TEST, calibration: float = CALIBRATION
) -> Split:
    """Split a dataset. how: one of SPLITS; "agent:NAME" and "workload:LABEL" say which is held out.

    test: the share that a random or a corner split holds out. calibration: the share of all rows, drawn at random from
    what is not held out. ValueError where there is nothing to hold out.
    """
    kind, _, which = how.partition(":")
    if kind not in SPLITS or (which and kind not in ("agent", "workload")):
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {how!r}. {nearest(kind, SPLITS)}")
    for name, share in (("test", test), ("calibration", calibration)):
        if not 0.0 < share < 1.0 or test + calibration >= 1.0:
            raise ValueError(f"the share for {name} must lie between 0 and 1, with room for training, got {share}.")
    rng = np.random.default_rng(seed)
    n = len(dataset)
    if kind == "random":
        held = np.zeros(n, bool)
        held[rng.permutation(n)[: round(test * n)]] = True
        meaning = f"{100 * test:g} % of the designs at random"
    elif kind == "corner":
        held = _corner(dataset.specs, dataset.designs, test)
        meaning = f"the {100 * test:g} % of the designs whose numbers are largest, each by its place among its values"
    else:
        labels = dataset.agent if kind == "agent" else _labels(dataset)
        which = _held_out(kind, labels, which)
        held = labels == which
        meaning = f"the designs that {which} found" if kind == "agent" else f"the designs of {which}"
    return _of(kind, held, rng, round(calibration * n), meaning)


def corner_places(specs: Sequence[ColumnSpec], designs: Columns) -> NDArray[np.float64]:
    """Return how near designs are to the corner of the unit cube where all numbers are largest, (n,) in [0, 1].

    The mean over the columns that are numbers of each value's place among the values that occur, 0 for the smallest and
    1 for the largest: the unit cube is uniform in the index. Categories and orders have no large end and are left out.
    """
    places = []
    for spec in specs:
        if spec.kind in ("integer", "ordinal", "float"):
            values, index = np.unique(designs[spec.name], return_inverse=True)
            if len(values) > 1:
                places.append(index / (len(values) - 1))
    if not places:
        names = ", ".join(f"{spec.name} ({spec.kind})" for spec in specs)
        raise ValueError(f"a split by corner needs a column of numbers that differ, got {names}. Split another way.")
    return np.asarray(np.mean(places, axis=0))


def _corner(specs: Sequence[ColumnSpec], designs: Columns, share: float) -> NDArray[np.bool_]:
    places = corner_places(specs, designs)
    held = np.zeros(len(places), bool)
    held[np.argsort(-places, kind="stable")[: round(share * len(places))]] = True
    return held


def _labels(dataset: Dataset) -> NDArray[np.str_]:
    return np.array([origin.label for origin in dataset.origins])[dataset.problem]


def _held_out(kind: str, labels: NDArray[np.str_], which: str) -> str:
    """Return what to hold out: by default what has most rows, but no more than half of them, the first by name."""
    names, counts = np.unique(labels, return_counts=True)
    if which and which not in names:
        raise ValueError(f"the dataset has no {kind} {which!r} to hold out. {nearest(which, names.tolist())}")
    if len(names) < 2:
        raise ValueError(f"a split by {kind} needs two of them at least, got {', '.join(names)} alone. Gather more.")
    if which:
        return which
    fit = np.where(2 * counts <= len(labels), counts, -1)
    return str(names[int(np.argmax(fit))])


def _of(name: str, held: NDArray[np.bool_], rng: np.random.Generator, calibration: int, meaning: str) -> Split:
    test, rest = np.flatnonzero(held), np.flatnonzero(~held)
    # What an agent holds out may leave few: calibration never takes more than half of what is left.
    order = rng.permutation(rest)
    cut = min(calibration, len(rest) // 2)
    return Split(name, np.sort(order[cut:]), np.sort(order[:cut]), test, meaning)
