"""Find the fittest string of an NK landscape, whose ruggedness is set by k."""

from string import ascii_lowercase

from designgym.cost_models.base import CostModel
from designgym.cost_models.landscapes.nk import NKLandscape
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

FITTEST = Objective(maximize=("fitness",))


def nk_landscape(
    letters: int = 4,
    n: int = 10,
    k: int = 3,
    instance: int = 0,
    objective: Objective = FITTEST,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose n letters for the greatest `fitness`; each contributes in the context of k others.

    letters ** n designs, 1,048,576 by default, all of which can be built. instance: which of the random landscapes.
    The optima of instances 0 to 9 with the defaults are known. ValueError in one line for an option that is wrong.
    """
    model = NKLandscape(letters, n, k, instance)
    alphabet = tuple(ascii_lowercase[:letters])
    space = DesignSpace(*(Categorical(name, alphabet, meaning=f"letter {i}") for i, name in enumerate(model.names)))
    return DesignProblem(space, cost_model or model, objective)
