"""Divide a chip among its cores: how many base cores' worth of area, how large a core, and whether all are alike."""

from designgym.cost_models import CostModel
from designgym.envs import Categorical, DesignProblem, DesignSpace, Integer, Objective, Ordinal
from multicore_chip.cost_model import MulticoreChip


def multicore_chip(
    parallel_fraction: float = 0.975,
    cost_model: CostModel | None = None,
    objective: Objective = Objective(maximize=("speedup",)),
) -> DesignProblem:
    """A chip of big and small cores for work that is only partly parallel.

    2,560 designs. With the defaults the best is one core of 66 base cores' area among 190 small ones, 125.0 times as
    fast as a base core, where the best of equal cores gives 51.2.
    """
    space = DesignSpace(
        Ordinal("chip_bce", (16, 32, 64, 128, 256), unit="BCE", meaning="area of the chip"),
        Integer("core_bce", 1, 256, unit="BCE", meaning="area of a core, or of the big one"),
        Categorical("layout", ("symmetric", "asymmetric"), meaning="equal cores, or one big and many small"),
    )
    return DesignProblem(space, cost_model or MulticoreChip(parallel_fraction), objective)
