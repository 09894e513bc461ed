"""Mixtures of isotropic Gaussians: data distributions whose denoiser, and so whose score, is known exactly.

At noise level sigma and scale alpha, component k is N(alpha mu_k, (alpha^2 s_k^2 + sigma^2) I); the denoiser is the
mean of the data given the noisy point (Efron, JASA 2011, doi:10.1198/jasa.2011.tm11181). One model has a network that
has learned it in its place.
"""

import csv
import functools
import math
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.networks import Weights, digits_weights

BUILT_IN = ("ring2d", "gmm8d")
NETWORK = "digits_network"
NAMES = (*BUILT_IN, "digits", NETWORK)
DIGITS_STD = 0.1  # of each digit's component, on pixels from -1 to 1
MOST_COMPONENTS, MOST_DIMENSIONS = 100_000, 10_000


@dataclass(frozen=True, eq=False)
class Mixture:
    """Weights, (k,), that add up to 1; standard deviations, (k,), positive; means, (k, d).

    network: what denoises points in place of the mixture itself, which then is what it was trained on.
    """

    name: str
    weights: NDArray[np.float64]
    stds: NDArray[np.float64]
    means: NDArray[np.float64]
    network: Weights | None = None

    @property
    def dimensions(self) -> int:
        """Coordinates of a point."""
        return self.means.shape[1]

    @property
    def size(self) -> int:
        """Numbers that an evaluation of a point goes through."""
        return sum(array.size for array in self.network.arrays) if self.network else self.means.size

    @property
    def compiled(self) -> tuple[Any, ...]:
        """What compiled code takes for a model."""
        learned = (*self.network.arrays, self.network.scale) if self.network else ()
        return self.weights, self.stds, self.means, *learned

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of the mixture, (d,)."""
        return self.weights @ self.means

    def covariance(self) -> NDArray[np.float64]:
        """Return the covariance of the mixture, (d, d)."""
        centred = self.means - self.mean()
        own = float(self.weights @ self.stds**2)
        return (centred * self.weights[:, None]).T @ centred + own * np.eye(self.dimensions)


@functools.cache
def mixture(name: str) -> Mixture:
    """Return a mixture by name: one of NAMES, or the path of a file like those built in.

    ring2d: eight components on a circle, of weights 1 to 8. gmm8d: ten in eight dimensions. digits: every image of
    scikit-learn's digits as a component, pixels / 8 - 1. digits_network: the same with a network for its denoiser, see
    `networks`. A file has columns weight, std, mu0, mu1, ...
    """
    if name in BUILT_IN:
        text = resources.files("designgym.cost_models.solver_schedule").joinpath(f"data/{name}.csv").read_text("utf-8")
        return _parsed(name, text)
    if name == "digits":
        return _digits()
    if name == NETWORK:
        return replace(mixture("digits"), name=name, network=digits_weights())
    path = Path(name)
    if path.suffix != ".csv":
        raise ValueError(
            f"a mixture must be one of {', '.join(NAMES)}, or the path of a .csv file with columns "
            f"weight, std, mu0, mu1, ..., got {name!r}. Choose one of them."
        )
    try:
        return _parsed(name, path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{path} cannot be read: {reason}. Give the path of a table of components.") from None


def _digits() -> Mixture:
    from sklearn.datasets import load_digits

    means = np.ascontiguousarray(load_digits().data / 8.0 - 1.0)
    count = len(means)
    return Mixture("digits", np.full(count, 1.0 / count), np.full(count, DIGITS_STD), means)


def _parsed(name: str, text: str) -> Mixture:
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    header = reader.fieldnames or []
    places = [f"mu{i}" for i in range(len(header)) if f"mu{i}" in header]
    missing = [column for column in ("weight", "std", "mu0") if column not in header]
    if missing:
        raise ValueError(f"{name}: the header must name {', '.join(missing)}. Add what is missing.")
    rows = []
    for row in reader:
        rows.append([_number(name, reader.line_num, column, row[column]) for column in ("weight", "std", *places)])
    if not 1 <= len(rows) <= MOST_COMPONENTS or len(places) > MOST_DIMENSIONS:
        raise ValueError(
            f"{name}: must have 1 to {MOST_COMPONENTS:,} components of at most {MOST_DIMENSIONS:,} coordinates, got "
            f"{len(rows):,} of {len(places):,}. Correct it."
        )
    table = np.array(rows)
    weights, stds = table[:, 0], table[:, 1]
    if not (weights > 0).all() or not (stds > 0).all():
        raise ValueError(f"{name}: weight and std must be above 0 in every row. Leave out components without weight.")
    return Mixture(name, weights / weights.sum(), stds.copy(), np.ascontiguousarray(table[:, 2:]))


def _number(name: str, line: int, column: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} row {line}: {column} must be a number, got {text!r}. Correct it.")
    return value
