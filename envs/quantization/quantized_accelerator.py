"""Choose a systolic array and, layer by layer, the bits of the network that runs on it, at one go."""

from designgym.cost_models.base import CostModel
from designgym.cost_models.quantization.quantized_accelerator import QuantizedAccelerator
from designgym.envs.accelerator import systolic_array
from designgym.envs.objective import Objective
from designgym.envs.problem import DesignProblem
from designgym.envs.quantization import mixed_precision
from designgym.envs.quantization.bounds import DROP, cheapest
from designgym.envs.space import DesignSpace

SRAM_KB = (1, 2, 4, 8, 16, 32)
# About a sixth of the designs meet it: 15 % and 20 %; other technologies have the first.
AREA_BOUND_MM2 = {"horowitz45": 1.0, "eyeriss65": 2.0}


def quantized_accelerator(
    network: str = "mlp",
    data: str = "",
    split: str = "validation",
    rule: str = "mse",
    technology: str = "horowitz45",
    psum_bits: int = 32,
    drop: float = DROP,
    area_bound_mm2: float | None = None,
    front: bool = False,
    objective: Objective | None = None,
    cost_model: CostModel | None = None,
) -> DesignProblem:
    """Build an accelerator for a small network, and quantise that: least `edp_js` at little loss of accuracy.

    4,644,864 arrays (of 2 to 32 rows and columns, and SRAMs of 1 to 32 kB) times 7^6 choices of bits of the mlp's
    layers, 7^8 of the cnn's. objective: default least energy-delay product with an accuracy at most `drop` below the
    float network's and `area_mm2` at most `area_bound_mm2`, by default AREA_BOUND_MM2 of the technology. front: least
    `edp_js` and most accuracy both, under the area's bound alone. Other options: as of the cost model. ValueError in
    one line for one that is wrong.
    """
    model = QuantizedAccelerator(network, data, split, rule, technology, psum_bits)
    array = systolic_array.parameters(largest=32, step=2, sram_kb=SRAM_KB)
    space = DesignSpace(*array, *mixed_precision.parameters(model.quantised))
    if objective is None:
        bound = (
            AREA_BOUND_MM2.get(technology, AREA_BOUND_MM2["horowitz45"]) if area_bound_mm2 is None else area_bound_mm2
        )
        area = f"area_mm2 <= {systolic_array.checked_area(bound)!r}"
        objective = _front(model, space, area) if front else _cheapest(model.quantised.quality, drop, area)
    return DesignProblem(space, cost_model or model, objective)


def _cheapest(quality: str, drop: float, area: str) -> Objective:
    small = cheapest("edp_js", drop, quality)
    return Objective(minimize=small.minimize, subject_to=(*small.subject_to, area))


def _front(model: QuantizedAccelerator, space: DesignSpace, area: str) -> Objective:
    # So that in the reward a picojoule second counts beside a share: the default design's product is 1.
    product = float(model.evaluate(space.parse({}))["edp_js"][0])
    return Objective(
        minimize=("edp_js",), maximize=(model.quantised.quality,), subject_to=(area,), reward="weighted",
        weights={"edp_js": 1.0 / product},
    )  # fmt: skip
