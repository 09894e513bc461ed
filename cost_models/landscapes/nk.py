"""An NK landscape: a string's fitness is the mean of what its letters contribute, each in the context of k others.

Source: Kauffman and Weinberger, J. Theor. Biol. 141(2), 1989, doi:10.1016/S0022-5193(89)80019-0.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.kernels import over_designs
from designgym.cost_models.landscapes.packing import MOST_BITS, bits_of, packed, whole

MODEL = "1"
MOST_LETTERS = 26
MOST_ENTRIES = 2**22  # contributions to hold: 32 MB
METRICS = (Metric("fitness", "1", "higher", "mean of the contributions of all letters, each in [0, 1)"),)


@over_designs
def nk_fitness(code, letters, bits, context, contributions):
    """Return the fitness of one string.

    code: its letters, `bits` bits each. context: the places that letter i's contribution depends on, (n, k + 1), its
    own first; contributions: (n, letters ** (k + 1)), the letters of those places read as a number.
    """
    mask = (1 << bits) - 1
    total = 0.0
    for i in range(context.shape[0]):
        entry = 0
        for j in range(context.shape[1]):
            entry = entry * letters + ((code >> (bits * context[i, j])) & mask)
        total += contributions[i, entry]
    return (total / context.shape[0],)


@dataclass(frozen=True)
class NKLandscape:
    """Strings of n letters; the contribution of each depends on itself and on k others, drawn at random.

    k = 0 is smooth, with one optimum; k = n - 1 is wholly rugged: neighbours have nothing in common. Contributions are
    uniform in [0, 1). instance: which draw; the same options give the same landscape on every machine and NumPy.
    Designs: x0 ... x{n-1}, each the index of a letter.
    """

    letters: int = 4
    n: int = 10
    k: int = 3
    instance: int = 0

    def __post_init__(self) -> None:
        whole("letters", self.letters, 2, MOST_LETTERS, "An alphabet has 2 to 26.")
        whole("n", self.n, 1, MOST_BITS // bits_of(self.letters), "Lower n or letters: a string is packed in 62 bits.")
        whole("k", self.k, 0, self.n - 1, "A letter depends on at most all others.")
        whole("instance", self.instance, 0, 2**63 - 1, "It numbers the draws.")
        if self.n * self.letters ** (self.k + 1) > MOST_ENTRIES:
            raise ValueError(
                f"n * letters ** (k + 1) must be at most {MOST_ENTRIES}, got {self.n * self.letters ** (self.k + 1)}. "
                "Lower k."
            )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The fitness."""
        return METRICS

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a design."""
        return tuple(f"x{i}" for i in range(self.n))

    @cached_property
    def version(self) -> str:
        """Changes with any number of the landscape."""
        context, contributions = self.tables
        told = context.tobytes() + contributions.tobytes() + repr((self.letters, context.shape)).encode()
        return f"{MODEL}-{hashlib.sha256(told).hexdigest()[:12]}"

    @cached_property
    def tables(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The places each contribution depends on, (n, k + 1), and the contributions, (n, letters ** (k + 1))."""
        # Raw words of a bit generator stay the same between versions of NumPy; what a Generator makes of them may not.
        words = np.random.PCG64(np.random.SeedSequence((self.letters, self.n, self.k, self.instance)))
        context = np.empty((self.n, self.k + 1), np.int64)
        for i in range(self.n):
            others = np.delete(np.arange(self.n), i)
            order = np.argsort(words.random_raw(self.n)[: self.n - 1], kind="stable")
            context[i] = np.concatenate([[i], np.sort(others[order[: self.k]])])
        raw = words.random_raw(self.n * self.letters ** (self.k + 1))
        return context, ((raw >> np.uint64(11)) * 2.0**-53).reshape(self.n, -1)

    def evaluate(self, designs: Columns) -> Columns:
        """designs: x0 ... x{n-1}, each (n,). Return the fitness and "violation", always 0."""
        bits = bits_of(self.letters)
        code = packed(designs, self.names, bits)
        (fitness,) = nk_fitness(code, self.letters, bits, *self.tables)
        return {"fitness": fitness, "violation": np.zeros(len(code))}
