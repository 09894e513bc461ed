"""Choose the rank of each weight matrix of a trained network."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.low_rank import LowRank
from designgym.envs.objective import Objective
from designgym.envs.parameters import Integer
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization.bounds import DROP, cheapest
from designgym.envs.space import DesignSpace


def low_rank(
    network: str = "mlp",
    method: str = "plain",
    split: str = "validation",
    drop: float = DROP,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose ranks layer by layer for the least `stored_ratio` at an accuracy of at most `drop` below float's.

    10,240 designs of the mlp (ranks to 32, 32 and 10), 20,480 of the cnn, all of which can be built. method: plain, the
    singular value decomposition cut off, or activation_aware, which keeps a layer's outputs on training examples.
    network: mlp, cnn, breast_cancer or wine. split: validation; test is for `verify`. ValueError in one line for an
    option that is wrong.
    """
    model = LowRank(network, method, split)
    objective = objective or cheapest("stored_ratio", drop)
    return DesignProblem(design_space(model), cost_model or model, objective)


def design_space(model: LowRank) -> DesignSpace:
    """Return the rank of each layer's matrix, the full one by default."""
    return DesignSpace(
        *(
            Integer(name, 1, full, meaning=f"rank of {layer.name}'s matrix", default=full)
            for layer, name, full in zip(model.layers, model.columns, model.full_ranks, strict=True)
        )
    )
