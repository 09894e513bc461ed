"""Choose the relaxation parameter with which a sequence of linear systems is solved."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.solver_schedule.relaxation import OMEGAS, Relaxation
from designgym.envs.objective import Objective
from designgym.envs.parameters import Ordinal
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

FEWEST_ITERATIONS = Objective(minimize=("iterations",))
SPACE = DesignSpace(Ordinal("omega", OMEGAS, meaning="relaxation parameter: 1 is Gauss-Seidel, more goes further"))


def relaxation(
    equation: str = "poisson",
    distribution: str = "high",
    n: int | None = None,
    instances: int = 5000,
    seed: int = 0,
    lowest: float | None = None,
    objective: Objective = FEWEST_ITERATIONS,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose one omega of 20 for all systems of a sequence, for the fewest iterations ("Learning to Relax").

    equation: poisson, systems with shifted diagonals solved by successive over-relaxation (SOR), or heat, the steps of
    a heat equation solved by conjugate gradients with SSOR. distribution, seed, lowest: of the shifts of poisson, high
    or low variance, `lowest` and up. n: unknowns a side, 2 to 64, by default 10, and 24 for heat. instances: systems.
    `RelaxationSequence-v0` chooses an omega for each system as it arrives. ValueError in one line for an option that is
    wrong.
    """
    return DesignProblem(SPACE, cost_model or Relaxation(equation, distribution, n, instances, seed, lowest), objective)
