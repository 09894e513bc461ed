"""Choose the time steps with which three bodies are integrated: one eta, or one length, for ten years."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.solver_schedule.three_body import METHODS, MOST_EVALUATIONS, REFERENCE_STARTS, ThreeBody
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Float
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

FEWEST_EVALUATIONS = Objective(minimize=("force_evals",), subject_to=("kept >= 0.9",))


def three_body(
    starts: int = REFERENCE_STARTS,
    first_seed: int = 1,
    init: str = "",
    bound: float = 1e-4,
    most_evaluations: int = MOST_EVALUATIONS,
    objective: Objective = FEWEST_EVALUATIONS,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose an integrator of three bodies for the fewest force evaluations that keep the energy's error in bounds.

    Three suns move for 10 yr from each of `starts` initial states, those of seeds from `first_seed` on, or of a file
    `init`. By default the mean of evaluations is minimised subject to an error of the energy at the end of at most
    `bound` on nine in ten of them; objective="energy_error,force_evals" asks for the front. An integration that needs
    more than `most_evaluations` spends them and breaks the bound. The default design is a usual eta. ValueError in one
    line for an option that is wrong.
    """
    model = cost_model or ThreeBody(starts, first_seed, init, bound, most_evaluations)
    return DesignProblem(SPACE, model, objective)


SPACE = DesignSpace(
    Categorical("method", METHODS, meaning="Hermite's method of order four, or leapfrog", default=METHODS[0]),
    Float(
        "eta", 1e-3, 1e-1, log=True, meaning="steps over the least time scale of a pair", default=1e-2,
        when=("method", {METHODS[0]}),
    ),
    Float(
        "dt_yr", 1e-3, 1e-1, log=True, unit="yr", meaning="length of every step", default=1e-2,
        when=("method", set(METHODS[1:])),
    ),
)  # fmt: skip
