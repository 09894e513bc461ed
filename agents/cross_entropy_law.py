"""Laws that the cross-entropy method draws from and moves toward its elite: a chance for each value, and normal ones.

Source: de Boer, Kroese, Mannor and Rubinstein, "A tutorial on the cross-entropy method", Annals of Operations Research
134, 2005, doi:10.1007/s10479-005-5724-z: the elite's own frequencies, means and standard deviations are the law nearest
to it in cross-entropy, and the next law is a mixture of them and the last one's.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Categories:
    """Independent digits of finitely many values. cardinalities: values of each, (digits,); at first all are alike."""

    def __init__(self, cardinalities: Ints) -> None:
        self.chances = [np.full(cardinality, 1.0 / cardinality) for cardinality in cardinalities.tolist()]

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw n times, (n, digits)."""
        drawn = np.empty((n, len(self.chances)), np.int64)
        for j, chances in enumerate(self.chances):
            sums = np.cumsum(chances)
            # The sum may fall short of 1 by a rounding, and the last value may have no chance.
            drawn[:, j] = np.searchsorted(sums, rng.random(n) * sums[-1], side="right").clip(max=len(chances) - 1)
        return drawn

    def learn(self, elite: Ints, matter: Bools, smoothing: float) -> None:
        """Move this far toward the elite, each (m, digits). A digit that matters in none of it stays."""
        for j, chances in enumerate(self.chances):
            values = elite[matter[:, j], j]
            if len(values):
                shares = np.bincount(values, minlength=len(chances)) / len(values)
                self.chances[j] = smoothing * shares + (1.0 - smoothing) * chances


class Normals:
    """Independent real numbers. means, deviations: of each at first, (numbers,)."""

    def __init__(self, means: Floats, deviations: Floats) -> None:
        self.means, self.deviations = means.astype(np.float64), deviations.astype(np.float64)

    def draw(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw n times, (n, numbers)."""
        return self.means + self.deviations * rng.normal(size=(n, len(self.means)))

    def learn(self, elite: Floats, matter: Bools, smoothing: float) -> None:
        """Move this far toward the elite, each (m, numbers). A number that matters in none of it stays."""
        count = matter.sum(axis=0)
        some, divisor = count > 0, np.maximum(count, 1)
        means = np.where(matter, elite, 0.0).sum(axis=0) / divisor
        squares = np.where(matter, (elite - means) ** 2, 0.0).sum(axis=0) / divisor
        share = np.where(some, smoothing, 0.0)
        self.means = share * means + (1.0 - share) * self.means
        self.deviations = share * np.sqrt(squares) + (1.0 - share) * self.deviations
