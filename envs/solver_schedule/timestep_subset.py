"""Choose at which few of many training times a diffusion model is evaluated, and how much of its network at each."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.solver_schedule.diffusion_sampling import DISTANCES
from designgym.cost_models.solver_schedule.timestep_subset import TimestepSubset
from designgym.envs.objective import Objective
from designgym.envs.orders import Subset
from designgym.envs.parameters import Categorical, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

LEAST_ERROR = Objective(minimize=("rms",))
ERROR_AND_FLOP = Objective(minimize=("penalised_rms",))


def timestep_subset(
    model: str = "ring2d",
    times: int = 100,
    evaluations: int = 8,
    solver: str = "ddim",
    skip: bool = False,
    points: int = 1000,
    noise_seed: int = 2,
    flop_weight: float = 0.1,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose `evaluations` of `times` times, 100 or 1,000, say, for the least `rms` (AutoDiffusion, arXiv:2309.10438).

    binomial(times, evaluations) designs, 1.9e11 by default, all of which can be built; time 0 is that of noise, and the
    noise is taken for x at the first time chosen. model: ring2d, gmm8d, digits, digits_network, or a table of
    components (.csv). solver: of every step, by name (ddim, dpmpp2m, deis2, ...). skip: with digits_network, choose
    also which of its four blocks are left out at each time, for the least `penalised_rms`: rms + flop_weight * the
    share of the whole network's operations, so that flop_weight is the rms that all of them are worth. points,
    noise_seed: how many samples, and of which noise; search sees no other. The distances sliced_w2 and frechet2 are
    priced where the objective names them. ValueError in one line for an option that is wrong.
    """
    objective = objective or (ERROR_AND_FLOP if skip else LEAST_ERROR)
    asked = " ".join((*objective.names, *objective.subject_to))
    distances = any(metric.name in asked for metric in DISTANCES)
    priced = TimestepSubset(model, times, evaluations, solver, skip, points, noise_seed, flop_weight, distances)
    return DesignProblem(space_of(priced), cost_model or priced, objective)


def space_of(model: TimestepSubset) -> DesignSpace:
    """Return the designs that a cost model prices: times, even by default, and skipped blocks, none by default."""
    k = model.evaluations
    even = tuple(model.times * i // k for i in range(k))
    parameters: list[Parameter] = [
        Subset("time", model.times, k, meaning="times of evaluations, 0 that of noise", default=even)
    ]
    if model.skip and model.network:
        choices = tuple(skipped_name(bits, model.network.blocks) for bits in range(1 << model.network.blocks))
        parameters += [Categorical(f"skipped_{i}", choices, meaning=f"blocks left out at time_{i}") for i in range(k)]
    return DesignSpace(*parameters)


def skipped_name(bits: int, blocks: int) -> str:
    """Return a name of what is skipped: none, or the blocks' numbers from 1, 2+4."""
    return "+".join(str(k + 1) for k in range(blocks) if bits >> k & 1) or "none"
