"""Speedup of a chip whose area is divided into equal cores, or into a big core and small ones.

Source: Hill and Marty, Amdahl's Law in the Multicore Era, IEEE Computer 41(7), 2008, doi:10.1109/MC.2008.209.
"""

from dataclasses import dataclass

from designgym.cost_models import Columns, Metric
from designgym.cost_models.kernels import over_designs

SYMMETRIC, ASYMMETRIC = 0, 1  # the choices of `layout`, in this order


@over_designs
def price(chip_bce, core_bce, layout, f):
    """Price one chip: speedup over one base core, how many cores it has, and by what fraction a core is too large."""
    perf = core_bce**0.5  # Pollack's rule, as in the paper
    if layout == SYMMETRIC:
        cores = chip_bce / core_bce
        parallel = perf * cores
    else:
        cores = 1 + chip_bce - core_bce
        parallel = perf + chip_bce - core_bce
    return 1 / ((1 - f) / perf + f / parallel), cores, max(0.0, core_bce / chip_bce - 1)


@dataclass(frozen=True)
class MulticoreChip:
    """A chip of `chip_bce` base core equivalents (BCE), made of cores of `core_bce`, or of one such and base cores.

    parallel_fraction: of the work, in [0, 1]. Error: an upper bound, as Amdahl's law is: it has no memory, no network
    and no scheduling, and like the paper it lets a symmetric chip have a fraction of a core.
    """

    parallel_fraction: float = 0.975

    metrics = (
        Metric("speedup", "1", "higher", "over one base core"),
        Metric("cores", "1", "lower", "cores on the chip"),
        Metric("area_bce", "BCE", "lower", "area of the chip, in base core equivalents"),
    )
    version = "1"

    def __post_init__(self) -> None:
        if not 0 <= self.parallel_fraction <= 1:
            raise ValueError(f"parallel_fraction must be in [0, 1], got {self.parallel_fraction}. Give a fraction.")

    def evaluate(self, designs: Columns) -> Columns:
        """designs: chip_bce, core_bce [BCE], layout, each (n,)."""
        chip_bce = designs["chip_bce"] * 1.0
        speedup, cores, violation = price(chip_bce, designs["core_bce"], designs["layout"], self.parallel_fraction)
        unbuilt = violation > 0
        speedup[unbuilt], cores[unbuilt] = float("nan"), float("nan")
        return {"speedup": speedup, "cores": cores, "area_bce": chip_bce, "violation": violation}

    def reason(self, design: Columns) -> str:
        chip, core = design["chip_bce"][0], design["core_bce"][0]
        return f"core_bce must be at most chip_bce = {chip:g}, got {core:g}. Lower core_bce." if core > chip else ""
