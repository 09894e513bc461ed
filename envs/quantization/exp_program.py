"""Choose the operations of a short program for 2^x on [0, 1], a chain of k of them, whose constants are fitted."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.exp_program import ExpProgram
from designgym.cost_models.quantization.straight_line import CHAIN_NAMES
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace


def exp_program(
    operations: int = 8, objective: Objective | None = None, cost_model: CostModel | None = None
) -> DesignProblem:
    """Choose a chain of `operations` operations for the least `max_relative_error` as an approximation of 2^x.

    7^k designs (5,764,801 of 8, 282,475,249 of 10 operations): a value that starts as x meets, one operation after
    the other, one of +c, *c, c/, sq, +x, *x and x/, each with a constant of its own where it has one. A fifth of those
    of 8 operations have no pole. The reward is minus the error's logarithm. Optima of 2 to 8 operations are those of
    all chains as they are priced, 5.29e-9 at 8; see `ExpProgram` on what fits miss. Best known are 8.26e-11 at 9,
    1.29e-12 at 10, 4.1e-13 at 11 and 3.4e-14 at 12; a general program of 10 operations has about 1e-14
    (arXiv:2312.08472), see `ExpStraightLine-v0`. ValueError in one line for an option that is wrong.
    """
    model = ExpProgram(operations)
    check_alike(operations, cost_model)
    return DesignProblem(design_space(model), cost_model or model, objective or nearest_to_exp())


def check_alike(operations: int, cost_model: CostModel | None) -> None:
    """ValueError where a cost model that is given prices programs of another length."""
    own = getattr(cost_model, "operations", operations)
    if own != operations:
        raise ValueError(f"the cost model must be of {operations} operations, got one of {own}. Make both alike.")


def nearest_to_exp() -> Objective:
    """Return the least largest error."""
    return Objective(minimize=("max_relative_error",))


def design_space(model: ExpProgram) -> DesignSpace:
    """Return the operations of a chain."""
    return DesignSpace(
        *(
            Categorical(name, CHAIN_NAMES, meaning=f"operation {i + 1} on the value that starts as x")
            for i, name in enumerate(model.columns)
        )
    )
