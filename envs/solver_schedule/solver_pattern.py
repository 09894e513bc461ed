"""Choose the solver of each evaluation of a diffusion or flow model, at times that are given."""

from designgym.cost_models.base import CostModel
from designgym.envs.objective import Objective
from designgym.envs.problem import DesignProblem
from designgym.envs.solver_schedule.diffusion_sampling import LEAST_ERROR, diffusion_sampling


def solver_pattern(
    model: str = "ring2d",
    path: str = "vp",
    evaluations: int = 5,
    grid: str = "logsnr",
    solvers: str = "",
    points: int = 1000,
    noise_seed: int = 2,
    objective: Objective = LEAST_ERROR,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose solvers alone, for the least `rms`: which of twenty takes the step at each of 3 to 20 evaluations.

    Patterns of 3, 4, 5, 6, 8 and 10 evaluations on the path vp: 435, 8,721, 165,865, 3,151,447, 1.1e9 and 4.1e11, one
    spelling each on times that obey no rule; where steps are as long as each other, as on logsnr, a few patterns come
    to the same update (of 435 and 8,721 pairs 14 and 288). The optima of 3 to 6 are known. grid: uniform_t,
    quadratic_t, logsnr or karras7; the other options are those of DiffusionSampling-v0. Patterns that begin alike are
    evaluated once as far as they do, where they are priced together. ValueError in one line for an option that is
    wrong.
    """
    if grid in ("free", "parametric"):
        raise ValueError(
            f"grid must be a fixed one, got {grid!r}. Choose logsnr, say, or DiffusionSampling-v0 for times of its own."
        )
    return diffusion_sampling(model, path, evaluations, grid, solvers, points, noise_seed, objective, cost_model)
