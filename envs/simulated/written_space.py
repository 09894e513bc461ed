"""A design space as a YAML file writes it: a list of parameters, each of a kind, and constraints.

parameters:
  - {name: rows, kind: ordinal, values: [8, 16, 32], unit: PE, meaning: rows of the array}
  - {name: ways, kind: integer, low: 1, high: 16, step: 1, log: false, default: 4}
  - {name: volt, kind: float, low: 0.6, high: 1.1, log: false, unit: V}
  - {name: policy, kind: categorical, choices: [lru, fifo]}
  - {name: depth, kind: integer, low: 1, high: 4, when: {policy: [fifo]}}    # matters only with that policy
  - {name: loops, kind: permutation, items: [m, n, k]}
  - {name: banks, kind: subset, n: 8, k: 2}
constraints: ["rows * ways <= 256"]
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr, ValidationError

from designgym.cost_models.registry import nearest
from designgym.cost_models.simulators.spec import Number, SimulatorError, SimulatorSpec, Strict, number, one_line
from designgym.envs.orders import Permutation, Subset
from designgym.envs.parameters import Categorical, Float, Integer, Ordinal, Parameter
from designgym.envs.space import DesignSpace

Texts = Annotated[list[StrictStr], Field(description="a list of texts")]
Whole = Annotated[StrictInt, Field(description="an integer")]
Real = Annotated[Number, Field(description="a number")]


class Entry(Strict):
    """What every parameter may have."""

    name: StrictStr = Field(description="a text")
    kind: StrictStr = Field(description="a text")
    unit: StrictStr = Field("", description="a text")
    meaning: StrictStr = Field("", description="a text")
    default: Any = Field(None, description="one of its values")
    when: dict[str, list[Any]] | None = Field(
        None, min_length=1, max_length=1, description="a mapping of one parameter to a list of values"
    )


class IntegerEntry(Entry):
    """See `Integer`."""

    low: Whole
    high: Whole
    step: Whole = 1
    log: StrictBool = Field(False, description="true or false")


class OrdinalEntry(Entry):
    """See `Ordinal`."""

    values: list[Annotated[Any, BeforeValidator(number)]] = Field(description="a list of increasing numbers")


class CategoricalEntry(Entry):
    """See `Categorical`."""

    choices: Texts


class FloatEntry(Entry):
    """See `Float`."""

    low: Real
    high: Real
    log: StrictBool = Field(False, description="true or false")


class PermutationEntry(Entry):
    """See `Permutation`."""

    items: Texts


class SubsetEntry(Entry):
    """See `Subset`."""

    n: Whole
    k: Whole


KINDS: dict[str, tuple[type[Entry], Callable[..., Parameter]]] = {
    "integer": (IntegerEntry, Integer),
    "ordinal": (OrdinalEntry, Ordinal),
    "categorical": (CategoricalEntry, Categorical),
    "float": (FloatEntry, Float),
    "permutation": (PermutationEntry, Permutation),
    "subset": (SubsetEntry, Subset),
}


def space_of(spec: SimulatorSpec) -> DesignSpace:
    """Return the design space of a simulator's file. SimulatorError says in one line what is wrong with it."""
    parameters = [_parameter(f"parameters[{i}]", given) for i, given in enumerate(spec.parameters or ())]
    try:
        return DesignSpace(*parameters, constraints=tuple(spec.constraints))
    except ValueError as error:
        raise SimulatorError(f"parameters and constraints: {error}") from None


def _parameter(where: str, given: dict[str, Any]) -> Parameter:
    kind = given.get("kind")
    if kind not in KINDS:
        raise SimulatorError(
            f"{where}.kind must be one of {', '.join(KINDS)}, got {kind!r}. {nearest(str(kind), KINDS)}"
        )
    entry, made = KINDS[kind]
    try:
        read = entry.model_validate(given)
    except ValidationError as error:
        raise SimulatorError(_placed(where, one_line(error, entry))) from None
    fields = {name: getattr(read, name) for name in entry.model_fields if name != "kind"}
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    if read.when is not None:
        ((parent, values),) = read.when.items()
        fields["when"] = (parent, tuple(values))
    try:
        return made(**fields)
    except (TypeError, ValueError) as error:
        raise SimulatorError(f"{where}: {error}") from None


def _placed(where: str, message: str) -> str:
    """Put the place before the key that a message begins with."""
    unknown = "unknown key "
    return f"{unknown}{where}.{message[len(unknown) :]}" if message.startswith(unknown) else f"{where}.{message}"
