"""Choose mantissa bits and offset of products by addition (L-Mul) for each layer of a trained network."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.approximate_multiplier import MANTISSA_BITS, OFFSETS, ApproximateMultiplier
from designgym.envs.objective import Objective
from designgym.envs.parameters import Integer, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization.bounds import DROP, cheapest
from designgym.envs.space import DesignSpace


def approximate_multiplier(
    network: str = "mlp",
    split: str = "validation",
    drop: float = DROP,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose L-Mul layer by layer for the least `energy_ratio` at an accuracy of at most `drop` below float's.

    48^3 = 110,592 designs: 1 to 8 mantissa bits and an offset l of 1 to 6 (2^-l is added) for each of three layers, in
    the form of an integer adder; products are rounded nowhere but in their operands. Offsets cost nothing, and of the
    digits one mantissa bit is enough under many of them: what is left to find are offsets. network: mlp, breast_cancer
    or wine. split: validation; test is for `verify`. ValueError in one line for an option that is wrong.
    """
    model = ApproximateMultiplier(network, split)
    objective = objective or cheapest("energy_ratio", drop)
    return DesignProblem(design_space(model), cost_model or model, objective)


def design_space(model: ApproximateMultiplier) -> DesignSpace:
    """Return mantissa bits, 4 by default, and offset, 3 by default, of each layer."""
    parameters: list[Parameter] = []
    for layer, (bits, offset) in zip(model.layers, model.columns, strict=True):
        meaning = f"mantissa bits of what {layer.name} multiplies"
        parameters += [
            Integer(bits, MANTISSA_BITS[0], MANTISSA_BITS[-1], unit="bit", meaning=meaning, default=4),
            Integer(offset, OFFSETS[0], OFFSETS[-1], meaning=f"l of the 2^-l that {layer.name} adds", default=3),
        ]
    return DesignSpace(*parameters)
