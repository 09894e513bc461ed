"""Find the binary sequence of least autocorrelation, as radar and spread-spectrum codes want it."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.landscapes.labs import LABS
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

LEAST_ENERGY = Objective(minimize=("energy",))
SIGNS = ("plus", "minus")


def labs(length: int = 20, objective: Objective = LEAST_ENERGY, cost_model: CostModel | None = None) -> DesignProblem:
    """Choose the signs of a sequence for the least `energy`, the sum of its squared autocorrelations.

    2 ** length designs, 1,048,576 by default, all of which can be built. Its optima are isolated, "golf holes" in the
    words of Packebusch and Mertens (arXiv:1512.02475, with the best of up to 66). ValueError for a length out of range.
    """
    model = LABS(length)
    space = DesignSpace(*(Categorical(name, SIGNS, meaning=f"sign {i}") for i, name in enumerate(model.names)))
    return DesignProblem(space, cost_model or model, objective)
