"""Choose how an ordinary differential equation is integrated: method, tolerances, step controller, first step."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.solver_schedule.ode_integrator import CONTROLLERS, FIRST_STEPS, METHODS
from designgym.cost_models.solver_schedule.ode_tolerance import OdeTolerance
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Float
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

WORK_AND_PRECISION = Objective(minimize=("error", "work"))
MOST_EVALUATIONS = 10_000


def ode_tolerance(
    ode: str = "lotka_volterra",
    mu: float = 1.0,
    start: int = 0,
    most_evaluations: int = MOST_EVALUATIONS,
    objective: Objective = WORK_AND_PRECISION,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose an adaptive integrator for the front of error at the end against work, evaluations of the right side.

    ode: lotka_volterra, van_der_pol (of `mu`, .01 to 5,000), robertson, brusselator, arenstorf or neural_ode. start: 0
    for the standard initial state, any other for one drawn near it. An integration that would take more than
    `most_evaluations` is infeasible. One objective: minimise work subject to "error <= 1e-6", say. The default design
    is scipy's `solve_ivp` with its defaults, step for step; an explicit method on a stiff problem is a result too.
    ValueError in one line for an option that is wrong.
    """
    return DesignProblem(SPACE, cost_model or OdeTolerance(ode, mu, start, most_evaluations), objective)


SPACE = DesignSpace(
    Categorical("method", METHODS, meaning="Runge-Kutta pair, or the Rosenbrock method RODAS", default="dp54"),
    Float("rtol", 1e-12, 1e-1, log=True, meaning="relative tolerance of a step's error", default=1e-3),
    Float("atol", 1e-15, 1e-2, log=True, meaning="absolute tolerance of a step's error", default=1e-6),
    Categorical("controller", CONTROLLERS, meaning="errors that set the next step: latest, two or three", default="i"),
    Float("gain_i", 0.05, 1.0, meaning="integral gain, 1 aims at the tolerance in one step", default=1.0),
    Float("gain_p", -0.3, 0.8, meaning="proportional gain", default=0.2, when=("controller", {"pi", "pid"})),
    Float("gain_d", -0.1, 0.3, meaning="derivative gain", default=0.1, when=("controller", {"pid"})),
    Float("safety", 0.5, 0.99, meaning="share of the step that the controller finds", default=0.9),
    Float("min_factor", 0.1, 0.8, meaning="least ratio of a step to the one before", default=0.2),
    Float("max_factor", 1.2, 20.0, log=True, meaning="largest ratio of a step to the one before", default=10.0),
    Categorical("first_step", FIRST_STEPS, meaning="scipy's choice, for an evaluation, or given", default="automatic"),
    Float(
        "first_fraction", 1e-9, 1e-1, log=True, meaning="first step over the whole interval", default=1e-4,
        when=("first_step", {"given"}),
    ),
)  # fmt: skip
