"""Choose integers of 2 to 8 bits for weights and activations of each layer of a trained network."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.mixed_precision import BITS, MixedPrecision
from designgym.envs.objective import Objective
from designgym.envs.parameters import Integer
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization.bounds import DROP, cheapest
from designgym.envs.space import DesignSpace


def mixed_precision(
    network: str = "mlp",
    data: str = "",
    split: str = "validation",
    rule: str = "mse",
    elements: int = 1,
    drop: float = DROP,
    front: bool = False,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose bits layer by layer for the fewest `bit_operations_ratio` at an accuracy of at most `drop` below float's.

    7^6 designs of the mlp, 7^8 of the cnn, all of which can be built; accuracy is that of the quantised network on the
    split. front: fewest operations and most accuracy both, without a bound. network: mlp, cnn or transformer (digits),
    breast_cancer, wine, diabetes (whose r2 counts), or an ONNX file with data, a .npz of inputs and labels. split:
    validation; test is for `verify`. rule: of scales, mse, absmax or power_of_two. elements: processing elements of a
    layer. ValueError in one line for an option that is wrong.
    """
    model = MixedPrecision(network, data, split, rule, elements)
    return DesignProblem(
        DesignSpace(*parameters(model)), cost_model or model, objective or objective_of(model, drop, front)
    )


def objective_of(model: MixedPrecision, drop: float, front: bool) -> Objective:
    """Return the default objective: fewest operations under a bound of accuracy, or both without."""
    if front:
        return Objective(minimize=("bit_operations_ratio",), maximize=(model.quality,), reward="weighted")
    return cheapest("bit_operations_ratio", drop, model.quality)


def parameters(model: MixedPrecision, default: int = BITS[-1]) -> tuple[Integer, ...]:
    """Return the bits of each layer of a model's network, weights before activations."""
    low, high = BITS[0], BITS[-1]
    return tuple(
        Integer(name, low, high, unit="bit", meaning=f"bits of {layer.name}'s {what}", default=default)
        for layer, pair in zip(model.layers, model.columns, strict=True)
        for name, what in zip(pair, ("weights", "activations"), strict=True)
    )
