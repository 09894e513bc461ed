"""What formats cost, counted anew for designs drawn at random: bytes, energies, tables and cycles of every family."""

import math
from typing import Any

import numpy as np
import pytest

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.formats import format_of
from designgym.cost_models.quantization.luts import luts_per_mac
from designgym.cost_models.quantization.networks import Layer, layers
from designgym.envs import make_problem

ELEMENT_BITS = {"mxfp8_e4m3": 8, "mxfp8_e5m2": 8, "mxfp6_e2m3": 6, "mxfp6_e3m2": 6, "mxfp4_e2m1": 4, "mxint8": 8}
ELEMENT_FORMATS = {"mxfp8_e4m3": "E4M3", "mxfp8_e5m2": "E5M2", "mxfp6_e2m3": "E2M3", "mxfp6_e3m2": "E3M2",
                   "mxfp4_e2m1": "E2M1", "mxint8": "int8"}  # fmt: skip
HELD = {3: 4, 4: 6}  # bits of a mixture, and of the integer that holds 1, 2, 4, 6, and the halves up to 8 doubled


def law(bits: float, narrow: float, wide: float, from_bits: float) -> float:
    """The power law through an energy at so many bits, pJ, and one at 32."""
    return 1e-12 * narrow * (bits / from_bits) ** (math.log(wide / narrow) / math.log(32 / from_bits))


def multiplied(own: dict[str, Any]) -> tuple[float, str, str]:
    """Bits that a weight is stored in, and what is multiplied: weight and activation."""
    family, taken = own["family"], f"int{own['activation_bits']}"
    if family == "microscaling":
        element = ELEMENT_FORMATS[own["element"]]
        return ELEMENT_BITS[own["element"]], element, element
    if family == "minifloat":
        name = f"E{own['exponent_bits']}M{own['mantissa_bits']}"
        return 1 + own["exponent_bits"] + own["mantissa_bits"], name, name
    if family == "ternary":
        return math.log2(3), "int2", taken
    if family == "mixture":
        return own["mixture_bits"], f"int{HELD[own['mixture_bits']]}", taken
    return own["bits"], f"int{own['bits']}", taken


def counted(layer: Layer, own: dict[str, Any], elements: int) -> dict[str, float]:
    """Return what a layer costs, from what a design, in words, says of it."""
    inputs, outputs, positions, family = layer.inputs, layer.outputs, layer.positions, own["family"]
    bits, weight, activation = multiplied(own)
    a, b = format_of(weight).bits, format_of(activation).bits
    if family == "microscaling":
        together, scales, scale_bits, shifts = min(own["block"], inputs), math.ceil(inputs / own["block"]), 8, True
        scales *= outputs
    else:
        together = min(32, inputs) if own["granularity"] == "group" else inputs
        scales = {"tensor": 1, "channel": outputs, "group": outputs * math.ceil(inputs / 32)}[own["granularity"]]
        scale_bits = 32 + 2 * (family == "mixture")
        shifts = own["rule"] == "power_of_two" and family in ("integer", "minifloat")
    stored = inputs * outputs * bits + scales * scale_bits + 32 * outputs
    stored += 32 * inputs if own.get("smoothing", "none") != "none" else 0
    if weight.startswith("int"):
        sum_bits = a + b + math.ceil(math.log2(together))
        mac_j = law(math.sqrt(a * b), 0.2, 3.1, 8) + law(sum_bits, 0.03, 0.1, 8)
    else:
        mac_j = law(a, 1.1, 3.7, 16) + 0.9e-12
    scaling_j = (0.03e-12 if shifts else 3.7e-12) + 0.9e-12
    energy_j = inputs * outputs * positions * mac_j
    sums = outputs * positions * math.ceil(inputs / together)
    return {
        "model_byte": stored / 8,
        "energy_j": energy_j,
        "total_energy_j": energy_j + sums * scaling_j + stored * 10e-12 / 64,
        "luts": elements * 16 * luts_per_mac(format_of(weight), format_of(activation), 16, inputs),
        "cycles": math.ceil(outputs / elements) * math.ceil(inputs / 16) * positions,
    }


@pytest.mark.parametrize(("network", "elements"), [("mlp", 1), ("cnn", 3), ("transformer", 1), ("wine", 2)])
def test_costs_of_designs_drawn_at_random_are_those_counted_anew(network: str, elements: int) -> None:
    problem = make_problem("FormatSearch-v0", network=network, elements=elements)
    of_network = layers(zoo.network(network))
    designs, families = problem.space.sample(40, np.random.default_rng(0)), set()
    found = problem.cost_model.evaluate(designs)
    for i in range(40):
        described = problem.space.describe({name: column[i : i + 1] for name, column in designs.items()})
        words = {name: values[0] for name, values in described.items()}
        each = []
        for layer in of_network:
            begin = f"{layer.name}_"
            own = {name.removeprefix(begin): value for name, value in words.items() if name.startswith(begin)}
            families.add(own["family"])
            each.append(counted(layer, own, elements))
        for name in each[0]:
            assert found[name][i] == pytest.approx(sum(one[name] for one in each), rel=1e-9), (name, words)
    assert len(families) == 5
