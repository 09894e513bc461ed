"""Choose the architecture of a small transformer for code under a bound on its size: Compressor's search space."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.compressed_transformer import (
    FEED_FORWARD,
    HEADS,
    HIDDEN,
    LAYERS,
    VOCABULARY,
    CompressedTransformer,
)
from designgym.envs.objective import Objective
from designgym.envs.parameters import Integer, Ordinal
from designgym.envs.problem import DesignProblem
from designgym.envs.space import DesignSpace

BOUNDS = ("hard", "soft")
LEAST_SCORE = -1000.0  # below the score of every design at any target, less the target: the largest one has 498 MB


def compressed_transformer(
    target_mb: float = 3.0,
    bound: str = "hard",
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose vocabulary, heads, width, feed-forward width and layers of a code model of about `target_mb` megabytes.

    10,944,000 designs, all of which can be built (Shi et al., "Compressing Pre-trained Models of Code into 3 MB",
    ASE 2022, arXiv:2208.07120). Operations stand in for what a network can learn, as published: no accuracy is priced.
    bound: hard, most `gflops` with `size_mb` at most target_mb, or soft, most `score`, gflops - |size_mb - target_mb|,
    which is the published objective; it belongs to the default objective alone. The optima of both are known at 3, 25
    and 50 MB; the soft one at 3 MB, 1000/8/96/64/12, is the network that the source reports, and has 3.06 MB.
    The published genetic search is `compressor_genetic` with first=1; 5,050 designs are its 100 generations. `genetic`
    comes nearest to it with population=50, crossover=.6, mutation=.05, reach=1 and tournament=1; its defaults find the
    optima.
    ValueError in one line for an option that is wrong.
    """
    if bound not in BOUNDS:
        raise ValueError(f"bound must be hard or soft, got {bound!r}. Choose one of them.")
    model = CompressedTransformer(target_mb)
    if objective is None and bound == "hard":
        objective = Objective(maximize=("gflops",), subject_to=(f"size_mb <= {float(target_mb)!r}",))
    elif objective is None:
        objective = Objective(maximize=("score",), reward="weighted", floor=LEAST_SCORE - target_mb)
    return DesignProblem(design_space(), cost_model or model, objective)


def design_space() -> DesignSpace:
    """Return the parameters of `compressed_transformer`."""

    def whole(name: str, values: range, meaning: str, unit: str = "") -> Integer:
        return Integer(name, values[0], values[-1], step=values.step, unit=unit, meaning=meaning)

    return DesignSpace(
        whole("vocabulary", VOCABULARY, "tokens that have an embedding", "token"),
        Ordinal("heads", HEADS, meaning="attention heads of a layer; each has hidden / heads elements"),
        whole("hidden", HIDDEN, "elements of a token between layers", "element"),
        whole("feed_forward", FEED_FORWARD, "elements within a layer's feed-forward part", "element"),
        whole("layers", LAYERS, "encoder layers"),
    )
