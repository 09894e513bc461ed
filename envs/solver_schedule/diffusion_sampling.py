"""Choose when, and by which solver, a diffusion or flow model is evaluated for a sample in a few steps."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.solver_schedule.diffusion_sampling import DISTANCES, SEARCHED, DiffusionSampling, even
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Float, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

LEAST_ERROR = Objective(minimize=("rms",))


def diffusion_sampling(
    model: str = "ring2d",
    path: str = "vp",
    evaluations: int = 8,
    grid: str = "free",
    solvers: str = "",
    points: int = 1000,
    noise_seed: int = 2,
    objective: Objective = LEAST_ERROR,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose the times and the solvers of a sampler with a fixed number of evaluations, 3 to 20, for the least `rms`.

    model: ring2d, gmm8d, digits, digits_network (a network that has learned them), or a table of components (.csv).
    path: vp, ve or flow. grid: free, parametric, or one that is fixed (uniform_t, quadratic_t, logsnr, karras7).
    solvers: those to choose from, parted by commas, all by default. points, noise_seed: how many samples, and of which
    noise; search sees no other. The distances sliced_w2 and frechet2 are priced where the objective names them. Heun's
    step takes two evaluations, heun and heun_end; the fraction between them is idle. ValueError in one line for an
    option that is wrong.
    """
    asked = " ".join((*objective.names, *objective.subject_to))
    distances = any(metric.name in asked for metric in DISTANCES)
    priced = DiffusionSampling(model, path, evaluations, grid, solvers, points, noise_seed, distances)
    return DesignProblem(space_of(priced), cost_model or priced, objective)


def space_of(model: DiffusionSampling) -> DesignSpace:
    """Return the designs that a cost model prices."""
    patterns, parameters = model.patterns, list[Parameter]()
    slots = range(1, model.evaluations + 1)
    for slot, name in zip(slots, patterns.columns(), strict=True):
        choices = patterns.choices(slot)
        parameters.append(
            Categorical(name, choices, meaning=f"solver of evaluation {slot}", default=_first_order(choices))
        )
        if model.grid == "free" and slot < model.evaluations:
            awake = frozenset(choices) - {"heun"}
            parameters.append(
                Float(
                    f"fraction_{slot}",
                    0.001,
                    0.999,
                    meaning=f"how much of the log-SNR left goes by before evaluation {slot + 1}, a quantile",
                    default=round(even(model.evaluations - slot), 4),
                    when=(name, awake) if "heun" in choices else None,
                )
            )
    if model.grid == "parametric":
        grids = tuple(grid for grid in SEARCHED if not (grid == "power" and model.path == "ve"))
        parameters += [
            Categorical("grid", grids, meaning="form of the grid of times", default="logsnr"),
            Float("rho", 1.0, 20.0, meaning="root of the Karras grid", default=7.0, when=("grid", {"karras"})),
        ]
        if "power" in grids:
            meaning = "power of the grid in t: 1 is uniform, 2 quadratic"
            parameters.append(Float("power", 1.0, 6.0, meaning=meaning, default=2.0, when=("grid", {"power"})))
    return DesignSpace(*parameters, constraints=(patterns,))


def _first_order(choices: tuple[str, ...]) -> str:
    return "ddim" if "ddim" in choices else choices[0]
