"""What each layer is given in a search of number formats, as the strips of `strips`."""

from designgym.cost_models.quantization.formats import Format
from designgym.cost_models.quantization.layer_formats import ACTIVATIONS, SMOOTHINGS, WEIGHTS, Chosen
from designgym.cost_models.quantization.scales import GRANULARITIES, RULES
from designgym.cost_models.quantization.strips import Row

MEANING = (
    "A number format’s name, the stronger its colour the more bits; what shares a scale and by what rule it is found, "
    "where blocks have a power of two of their own, and ternary weights and mixtures the mean or largest size; the "
    "exponent of SmoothQuant. Below, how all weights were rounded: “bias” where biases make up for it, “equal” where "
    "layers were equalised."
)
MOST_BITS = max(one.bits for one in WEIGHTS)
SHORT = {"mse": "mse", "absmax": "absmax", "power_of_two": "2ⁿ"}
NONE = "–"


def rows(own: list[Chosen], rounding: str) -> list[Row]:
    """Return the strips of one design. own: of each layer. rounding: how all weights were, in words."""
    exponents = [tuple(SMOOTHINGS.values())[one.smoothing] for one in own]
    return [
        Row("weights", *_levels([(WEIGHTS[one.weight].name, WEIGHTS[one.weight].bits) for one in own])),
        Row("activations", *_levels([_activation(one) for one in own])),
        Row("scales", [_fineness(one) for one in own], [_scales(one) for one in own]),
        Row("smoothing", [one or 0.0 for one in exponents], [NONE if one is None else f"{one:g}" for one in exponents]),
        Row("rounding", [0.0] * len(own), [rounding] * len(own)),
    ]


def _levels(named: list[tuple[str, float]]) -> tuple[list[float], list[str]]:
    return [bits / MOST_BITS for _, bits in named], [name for name, _ in named]


def _activation(own: Chosen) -> tuple[str, float]:
    form = ACTIVATIONS[own.activation]
    return (form.name, form.bits) if isinstance(form, Format) else (f"{form.name}/{form.block}", form.element.bits)


def _fineness(own: Chosen) -> float:
    if WEIGHTS[own.weight].blocks is not None:
        return 1.0
    return {"tensor": 0.0, "channel": 0.5, "group": 1.0}[GRANULARITIES[own.granularity]]


def _scales(own: Chosen) -> str:
    if WEIGHTS[own.weight].blocks is not None:
        return NONE
    what = GRANULARITIES[own.granularity]
    return f"{what}, {SHORT[RULES[own.rule]]}" if WEIGHTS[own.weight].by_rule else what
