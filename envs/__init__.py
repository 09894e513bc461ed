"""Design spaces, objectives, problems and their Gymnasium faces."""

from designgym.envs.metered import (
    Answer,
    BudgetSpent,
    MeteredProblem,
    OnlyRepeats,
    ReplayDiffers,
    RunOver,
    SpaceExhausted,
)
from designgym.envs.objective import Evaluations, Objective
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Categorical, Float, Integer, Ordinal, Parameter
from designgym.envs.problem import BrokenCostModel, DesignProblem, Fidelity, Problem
from designgym.envs.space import DesignSpace

__all__ = [
    "Answer",
    "BrokenCostModel",
    "BudgetSpent",
    "Categorical",
    "DesignProblem",
    "DesignSpace",
    "Evaluations",
    "Fidelity",
    "Float",
    "Integer",
    "MeteredProblem",
    "Objective",
    "OnlyRepeats",
    "Ordinal",
    "Parameter",
    "Permutation",
    "Problem",
    "ReplayDiffers",
    "RunOver",
    "SpaceExhausted",
    "Subset",
]
