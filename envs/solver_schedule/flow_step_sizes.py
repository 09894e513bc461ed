"""Choose at which of many times a rectified flow is evaluated, for samples in a few Euler steps."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.solver_schedule.flow_step_sizes import FlowStepSizes
from designgym.envs.objective import Objective
from designgym.envs.orders import Subset
from designgym.envs.problem import DesignProblem
from designgym.envs.solver_schedule.diffusion_sampling import LEAST_ERROR
from designgym.envs.space import DesignSpace


def flow_step_sizes(
    model: str = "ring2d",
    fine: int = 20,
    evaluations: int = 6,
    points: int = 512,
    noise_seed: int = 2,
    objective: Objective = LEAST_ERROR,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose the inner times of `evaluations` Euler steps among those of `fine`, for the least `rms` to all of them.

    binomial(fine - 1, evaluations - 1) paths, 11,628 by default, all of which can be built; step_i is the place of a
    time among the inner ones of the fine grid. model: ring2d, gmm8d, digits, digits_network, or a table of
    components (.csv). points, noise_seed: how many samples, and of which noise. ValueError in one line for an option
    that is wrong.
    """
    priced = FlowStepSizes(model, fine, evaluations, points, noise_seed)
    even = tuple(fine * i // evaluations - 1 for i in range(1, evaluations))
    meaning = "times of evaluations after the first, less one, in 1 / fine"
    space = DesignSpace(Subset("step", fine - 1, evaluations - 1, meaning=meaning, default=even))
    return DesignProblem(space, cost_model or priced, objective)
