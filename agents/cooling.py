"""How hot an annealing is: a first temperature from sampled values, then geometric cooling, reheated when frozen.

Sources: Ben-Ameur, Computational Optimization and Applications 29, 2004, doi:10.1023/B:COAP.0000044187.23143.bd, for
the first temperature; Kirkpatrick, Gelatt and Vecchi, Science 220, 1983, doi:10.1126/science.220.4598.671, for cooling.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 100
CLOSE = 1e-3  # relative error of the share of accepted steps


def first_temperature(values: NDArray[np.float64], share: float) -> float:
    """Return the temperature at which this share of the worsening steps between sampled designs is accepted.

    values: what is maximised, (n,). Every pair of unequal ones is a step; one from a good design counts for more, as a
    chain is there more often (equation 6). Ben-Ameur's iteration with p = 1. 0 where no two values differ.
    """
    first, second = np.triu_indices(len(values), 1)
    better, worse = np.maximum(values[first], values[second]), np.minimum(values[first], values[second])
    better, worse = better[better > worse], worse[better > worse]
    if not len(better):
        return 0.0
    # In units of the mean step, so that the unit of the values leaves no trace.
    unit = float((better - worse).mean())
    up, down = (values.max() - better) / unit, (values.max() - worse) / unit
    temperature = -1.0 / np.log(share)
    for _ in range(ROUNDS):
        # The least exponent is taken out of both sums: else they vanish at low temperatures.
        accepted = np.exp(-(down - up.min()) / temperature).sum() / np.exp(-(up - up.min()) / temperature).sum()
        if abs(accepted - share) <= CLOSE * share or accepted <= 0.0:
            break
        temperature *= np.log(accepted) / np.log(share)
    return float(temperature * unit)


@dataclass
class Cooling:
    """A factor on the first temperature that falls geometrically from `peak` to `cooled`, between two times.

    Times are shares of the run. A chain that reheats past the end of the run cools over as long again.
    """

    cooled: float
    begun: float = 0.0
    ends: float = 1.0
    peak: float = 1.0

    def factor(self, time: float) -> float:
        """Return the factor at a time."""
        passed = min(max(time - self.begun, 0.0) / (self.ends - self.begun), 1.0)
        return float(self.peak * (self.cooled / self.peak) ** passed)

    def reheat(self, time: float) -> None:
        """Go half-way back to the first temperature, in its logarithm, and cool from there to the end."""
        self.peak = self.factor(time) ** 0.5
        self.begun, self.ends = time, 1.0 if time < 1.0 else time + 1.0
