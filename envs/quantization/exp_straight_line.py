"""Choose a straight-line program for 2^x on [0, 1]: operations and operands of k instructions; constants are fitted."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.exp_straight_line import ExpStraightLine, operands
from designgym.cost_models.quantization.straight_line import OPERATIONS
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization.exp_program import check_alike, nearest_to_exp
from designgym.envs.space import DesignSpace


def exp_straight_line(
    operations: int = 8, objective: Objective | None = None, cost_model: CostModel | None = None
) -> DesignProblem:
    """Choose `operations` instructions +, -, *, / for the least `max_relative_error` as an approximation of 2^x.

    4^k ((k + 1)!)^2 designs: 16, 576, 36,864, 3,686,400 and 530,841,600 of 1 to 5 operations, 8.6e15 of 8 and 1.7e21 of
    10. Instruction i reads x, a constant of its own, or one of the i - 1 results before it, on each side; the last
    result counts. Chains of `ExpProgram-v0` are among them. ValueError in one line for an option that is wrong.
    """
    model = ExpStraightLine(operations)
    check_alike(operations, cost_model)
    return DesignProblem(design_space(model), cost_model or model, objective or nearest_to_exp())


def design_space(model: ExpStraightLine) -> DesignSpace:
    """Return operation and operands of each instruction."""
    parameters: list[Parameter] = []
    for i, (op, left, right) in enumerate(model.columns):
        parameters += [
            Categorical(op, OPERATIONS, meaning=f"what instruction {i + 1} does"),
            Categorical(left, operands(i), meaning="what stands on its left: x, a constant, or a result"),
            Categorical(right, operands(i), meaning="what stands on its right"),
        ]
    return DesignSpace(*parameters)
