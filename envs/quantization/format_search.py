"""Choose a number format for each layer of a trained network, and how its weights are rounded."""

from typing import Any

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.format_search import SWITCH, FormatSearch
from designgym.cost_models.quantization.layer_formats import (
    BITS,
    BLOCKS,
    ELEMENTS,
    EXPONENT_BITS,
    FAMILIES,
    GROUP,
    MANTISSA_BITS,
    MIXTURE_BITS,
    SMOOTHINGS,
)
from designgym.cost_models.quantization.rounding_methods import ROUNDINGS
from designgym.cost_models.quantization.scales import GRANULARITIES, RULES
from designgym.envs.objective import Objective
from designgym.envs.parameters import Categorical, Integer, Ordinal, Parameter
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization.bounds import DROP, cheapest
from designgym.envs.space import DesignSpace

COST = "total_energy_j"
GROUPED = GRANULARITIES.index("group")  # the last: a layer of one group leaves it out


def format_search(
    network: str = "mlp",
    data: str = "",
    split: str = "validation",
    tied: bool = False,
    elements: int = 1,
    drop: float = DROP,
    front: bool = False,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Choose formats layer by layer for the least `total_energy_j` at an accuracy of at most `drop` below float's.

    A layer has integers of 2 to 8 bits, minifloats, blocks that share a power of two (OCP microscaling), ternary
    weights or a mixture of 3 or 4 bits (BitMoD), scales by a rule for a channel, a layer or, of more than 32 inputs, a
    group, and inputs that may be equalised (SmoothQuant, dense layers alone): 4,320 choices, 2,910 without groups, a
    fifth of that for a convolution. For the whole network: rounding to the nearest, GPTQ or learned rounding, bias
    correction, cross-layer equalisation. 4.4e11 designs of the mlp, 2.3e13 of the cnn, all of which can be built. tied:
    one format for all layers, few enough to try all.
    The cost is energy of arithmetic, scaling and memory, for it alone prices all of these. By construction it favours
    integers: a sum of minifloats is Horowitz's addition of 32-bit floats; objective=luts or model_byte judge otherwise.
    front: least cost and most accuracy both, without a bound; its reward is accuracy less the cost as a share of the
    default design's.
    network: mlp, cnn or transformer (digits), breast_cancer, wine, diabetes (whose r2 counts), or an ONNX file with
    data, a .npz of inputs and labels. split: validation; test is for `verify`. elements: processing elements of a
    layer. ValueError in one line for an option that is wrong.
    """
    model = FormatSearch(network, data, split, tied, elements)
    space = design_space(model)
    if objective is None:
        objective = cheapest(COST, drop, model.quality)
        if front:
            objective = _front(model, space)
    return DesignProblem(space, cost_model or model, objective)


def _front(model: FormatSearch, space: DesignSpace) -> Objective:
    # So that in the reward a nanojoule counts beside a share of examples: the default design's energy is 1.
    cost = float(model.evaluate(space.parse({}))[COST][0])
    return Objective(minimize=(COST,), maximize=(model.quality,), reward="weighted", weights={COST: 1.0 / cost})


def design_space(model: FormatSearch) -> DesignSpace:
    """Return the format of each layer, integers of 8 bits by default, and how weights are rounded."""
    parameters: list[Parameter] = []
    longest = [[layer.inputs for layer in model.layers]] if model.tied else [[layer.inputs] for layer in model.layers]
    for prefix, smooth, inputs in zip(model.prefixes, model.smooths, longest, strict=True):
        parameters += layer_parameters(prefix, smooth, max(inputs) > GROUP)
    parameters += [
        Categorical("rounding", ROUNDINGS, meaning="of all weights"),
        Categorical("bias_correction", SWITCH, meaning="whether biases make up for what rounding adds on average"),
    ]
    if model.equalises:
        meaning = "whether ranges of layers that follow each other are made equal first"
        parameters.append(Categorical("equalisation", SWITCH, meaning=meaning))
    return DesignSpace(*parameters)


def layer_parameters(prefix: str, smooth: bool, grouped: bool) -> list[Parameter]:
    """Return the parameters of a layer, whose names begin with a prefix.

    smooth: whether it may equalise its inputs. grouped: whether an output's inputs are more than a group.
    """
    family, of = f"{prefix}family", f"{prefix.rstrip('_') or 'every layer'}'s"

    def when(*families: str) -> dict[str, Any]:
        return {"when": (family, set(families))}

    def whole(name: str, values: tuple[int, ...], own: int, meaning: str, *families: str) -> Integer:
        low, high = values[0], values[-1]
        return Integer(prefix + name, low, high, unit="bit", meaning=meaning, default=own, **when(*families))

    scaled = when(*(one for one in FAMILIES if one != "microscaling"))
    found: list[Parameter] = [
        Categorical(family, FAMILIES, meaning=f"kind of {of} numbers"),
        whole("bits", BITS, 8, f"of {of} integer weights", "integer"),
        whole("exponent_bits", EXPONENT_BITS, 4, f"of {of} floats, weights and activations", "minifloat"),
        whole("mantissa_bits", MANTISSA_BITS, 3, "the same; a sign bit comes to both", "minifloat"),
        Categorical(prefix + "element", ELEMENTS, meaning=f"of {of} blocks", **when("microscaling")),
        Ordinal(prefix + "block", BLOCKS, meaning="that share a scale", default=32, **when("microscaling")),
        whole("mixture_bits", MIXTURE_BITS, 4, f"of {of} weights", "mixture"),
        whole("activation_bits", BITS, 8, f"of what {of} weights multiply", "integer", "ternary", "mixture"),
        Categorical(
            prefix + "rule", RULES,
            meaning=f"by which scales of {of} activations, and of integer and float weights, are found", **scaled,
        ),
        Categorical(
            prefix + "granularity", GRANULARITIES if grouped else GRANULARITIES[:GROUPED],
            meaning="what weights share a scale" + f"; a group is {GROUP} inputs of a channel" * grouped, **scaled,
        ),
    ]  # fmt: skip
    if smooth:
        found.append(Categorical(prefix + "smoothing", tuple(SMOOTHINGS), meaning="SmoothQuant's exponent"))
    return found
