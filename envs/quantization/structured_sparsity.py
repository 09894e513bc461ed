"""Choose an N:M pattern of zeros, and by what its weights are chosen, for each layer of a trained network."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.structured_sparsity import PATTERNS, SALIENCIES, StructuredSparsity
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization.bounds import DROP, cheapest
from designgym.envs.space import DesignSpace


def structured_sparsity(
    network: str = "mlp",
    split: str = "validation",
    drop: float = DROP,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose patterns layer by layer for the least `nonzero_ratio` at an accuracy of at most `drop` below float's.

    19^3 = 6,859 designs of the mlp, 19^4 = 130,321 of the cnn, all of which can be built: a layer is dense, or keeps N
    of each M inputs in one of six patterns, those of the largest magnitude, of the largest product with what they
    multiply (Wanda), or those that Optimal Brain Surgeon leaves, who also moves them. network: mlp, cnn, breast_cancer
    or wine. split: validation; test is for `verify`. ValueError in one line for an option that is wrong.
    """
    model = StructuredSparsity(network, split)
    objective = objective or cheapest("nonzero_ratio", drop)
    return DesignProblem(design_space(model), cost_model or model, objective)


def design_space(model: StructuredSparsity) -> DesignSpace:
    """Return the pattern of each layer, dense by default, and its saliency, obs by default, where it is not dense."""
    parameters: list[Parameter] = []
    for layer, (pattern, saliency) in zip(model.layers, model.columns, strict=True):
        sparse = (pattern, set(PATTERNS[1:]))
        parameters += [
            Categorical(pattern, PATTERNS, meaning=f"inputs of each group that {layer.name} keeps"),
            Categorical(saliency, SALIENCIES, meaning="by what they are chosen", default="obs", when=sparse),
        ]
    return DesignSpace(*parameters)
