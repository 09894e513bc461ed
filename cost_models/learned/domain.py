"""Whether a design lies within what a model was trained on; outside of that no error and no interval holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, ColumnSpec, batch_length
from designgym.cost_models.learned.features import features

Floats = NDArray[np.float64]
REFERENCES = 2048  # training designs that distances are measured to
WITHIN = 0.99  # quantile of training designs' own distances
CHUNK = 512  # designs whose distances are held at a time: they stay in the cache, which halves the time


@dataclass(frozen=True, eq=False)
class Domain:
    """Three rules, all of which a design within the domain keeps.

    Each number lies between the smallest and the largest of its column in training (low, high). Each category occurred
    there (categories). In `features` the nearest of the references, training designs drawn at random, is no farther
    than `reach`: the distance that 99 % of training designs have to the nearest other of them. ValueError where these
    are not of the columns of `specs`.
    """

    specs: tuple[ColumnSpec, ...]
    low: dict[str, float]
    high: dict[str, float]
    categories: dict[str, tuple[int, ...]]
    references: Floats
    reach: float

    def __post_init__(self) -> None:
        kinds = {spec.name: spec.kind for spec in self.specs}
        numbers = {name for name, kind in kinds.items() if kind not in ("categorical", "permutation")}
        choices = {name for name, kind in kinds.items() if kind == "categorical"}
        if not (self.low.keys() == self.high.keys() == numbers and self.categories.keys() == choices):
            raise ValueError(f"a domain must have the ends of {sorted(numbers)} and the categories {sorted(choices)}.")
        ends = [*self.low.values(), *self.high.values(), self.reach]
        if not (np.isfinite(np.array(ends, np.float64)).all() and np.isfinite(self.references).all()):
            raise ValueError(f"a domain must have finite ends, references and reach, got {self.low}, {self.high}.")
        width = features(self.specs, {spec.name: np.array([spec.low]) for spec in self.specs}).shape[1]
        if self.references.ndim != 2 or not len(self.references) or self.references.shape[1] != width:
            raise ValueError(f"references must be designs of {width} features, got shape {self.references.shape}.")

    def contains(self, designs: Columns) -> NDArray[np.bool_]:
        """Return which designs lie within, (n,)."""
        n = batch_length({spec.name: designs[spec.name] for spec in self.specs})
        inside = np.ones(n, bool)
        for name, low in self.low.items():
            inside &= (designs[name] >= low) & (designs[name] <= self.high[name])
        for name, known in self.categories.items():
            inside &= np.isin(designs[name], known)
        # Only what kept the first rules: others may have no logarithm.
        rows = np.flatnonzero(inside)
        for chunk in (rows[i : i + CHUNK] for i in range(0, len(rows), CHUNK)):
            places = features(self.specs, {spec.name: designs[spec.name][chunk] for spec in self.specs})
            inside[chunk] = _nearest(places, self.references) <= self.reach
        return inside


def fit_domain(specs: Sequence[ColumnSpec], designs: Columns, seed: int = 0) -> Domain:
    """Return the domain of training designs, (n,) each, n >= 2."""
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    categories: dict[str, tuple[int, ...]] = {}
    for spec in specs:
        column = designs[spec.name]
        if spec.kind == "categorical":
            categories[spec.name] = tuple(int(value) for value in np.unique(column))
        elif spec.kind != "permutation":
            low[spec.name], high[spec.name] = float(column.min()), float(column.max())
    places = features(specs, designs)
    order = np.random.default_rng(seed).permutation(len(places))
    references, others = places[order[:REFERENCES]], places[order[REFERENCES:]]
    if len(others) >= REFERENCES // 2:
        away = np.concatenate([_nearest(others[i : i + CHUNK], references) for i in range(0, len(others), CHUNK)])
    else:
        away = _nearest(references, references, apart=True)
    # The part in a million is for what rounds otherwise in a batch of another size.
    return Domain(tuple(specs), low, high, categories, references, float(np.quantile(away, WITHIN)) * (1 + 1e-6) + 1e-6)


def _nearest(places: Floats, references: Floats, apart: bool = False) -> Floats:
    """Return distances to the nearest reference, (n,). apart: places are the references, and none is its own."""
    squares = np.sum(places**2, axis=1)[:, None] + np.sum(references**2, axis=1) - 2.0 * places @ references.T
    if apart:
        np.fill_diagonal(squares, np.inf)
    return np.asarray(np.sqrt(np.maximum(squares.min(axis=1), 0.0)))
