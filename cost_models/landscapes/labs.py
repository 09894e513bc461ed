"""Low-autocorrelation binary sequences: a sequence's energy is the sum of its squared autocorrelations.

Source: Golay, IEEE Trans. Information Theory 28(3), 1982, doi:10.1109/TIT.1982.1056505. Energies of the best of up to
66 elements: Packebusch and Mertens, J. Phys. A 49, 2016, arXiv:1512.02475.
"""

from dataclasses import dataclass

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.kernels import over_designs
from designgym.cost_models.landscapes.packing import MOST_BITS, packed, whole

METRICS = (
    Metric("energy", "1", "lower", "sum over shifts of the squared autocorrelation"),
    Metric("merit_factor", "1", "higher", "length squared over twice the energy"),
)


def ones(word):
    """Return how many bits of a non-negative integer are 1."""
    count = 0
    while word:
        word &= word - 1
        count += 1
    return count


@over_designs
def labs_energy(code, length):
    """Return energy and merit factor of one sequence, its element i being -1 where bit i is 1, else +1.

    C_k, the sum of s_i s_{i+k}, counts the pairs that agree less those that differ.
    """
    energy = 0.0
    for k in range(1, length):
        pairs = length - k
        differ = ones((code ^ (code >> k)) & ((1 << pairs) - 1))
        energy += float((pairs - 2 * differ) ** 2)
    return energy, length * length / (2.0 * energy)


@dataclass(frozen=True)
class LABS:
    """Sequences of `length` elements +1 or -1. Nothing is random, and nothing but a search finds the best.

    Designs: s0 ... s{length-1}, 0 for +1 and 1 for -1. Energies are exact.
    """

    length: int = 20

    metrics = METRICS
    version = "1"

    def __post_init__(self) -> None:
        whole("length", self.length, 2, MOST_BITS, "A sequence is packed in 62 bits.")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of a design."""
        return tuple(f"s{i}" for i in range(self.length))

    def evaluate(self, designs: Columns) -> Columns:
        """designs: s0 ... s{length-1}, each (n,). Return both metrics and "violation", always 0."""
        code = packed(designs, self.names, 1)
        energy, merit_factor = labs_energy(code, self.length)
        return {"energy": energy, "merit_factor": merit_factor, "violation": np.zeros(len(code))}
