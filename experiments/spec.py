"""A sweep's specification: what a person writes in a YAML file, validated to one clear line.

Validation makes every problem and reads every agent's settings, so that a mistake shows before anything is written.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictInt,
    ValidationError,
)
from pydantic_core import ErrorDetails

from designgym.cost_models.registry import nearest
from designgym.cost_models.strict_yaml import YamlError, parse_yaml, read_text
from designgym.experiments.checkpoints import EVERY_S


class SpecError(ValueError):
    """A sweep's specification is wrong. One line: the key, what is allowed, what was given, the nearest valid name."""


def _named(key: str) -> BeforeValidator:
    """Read a bare text as a mapping of one key, and give the rest to pydantic."""
    return BeforeValidator(lambda given: {key: given} if isinstance(given, str) else given)


def _number(given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError("not a number")
    return given


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """A mapping of known keys only. A field's description says what its value must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemEntry(Strict):
    """One problem: a registered id and its options."""

    id: str = Field(min_length=1, description="the id of a problem, as `designgym list` shows them")
    options: dict[str, Any] = Field({}, description="a mapping of options, as `designgym show ID` lists them")


class AgentEntry(Strict):
    """One agent with one setting of its hyperparameters."""

    name: str = Field(min_length=1, description="the name of an agent, as `designgym list` shows them")
    hyperparameters: dict[str, Any] = Field({}, description="a mapping of hyperparameters")


PROBLEM = "a problem's id, or a mapping with the keys id and options"
AGENT = "an agent's name, or a mapping with the keys name and hyperparameters"
MOST_SEEDS = 100_000  # a date or a random number is meant as one seed, in brackets
SEEDS = (
    f"an integer from 1 to {MOST_SEEDS:,} (n stands for 0 ... n - 1), "
    "or a list of different integers from 0 to 2^63 - 1"
)

Problems = Annotated[
    list[Annotated[ProblemEntry, _named("id"), Field(description=PROBLEM)]],
    Field(min_length=1, description="a list of at least one problem"),
]
Agents = Annotated[
    list[Annotated[AgentEntry, _named("name"), Field(description=AGENT)]],
    Field(min_length=1, description="a list of at least one agent"),
]


def _seeds(given: Any) -> tuple[int, ...]:
    count = given if type(given) is int and given <= MOST_SEEDS else 0
    seeds = tuple(given) if isinstance(given, list | tuple) else tuple(range(count))
    good = all(type(seed) is int and 0 <= seed < 2**63 for seed in seeds) and len(set(seeds)) == len(seeds)
    if not seeds or not good:
        raise ValueError("no seeds")
    return seeds


Seeds = Annotated[tuple[int, ...], BeforeValidator(_seeds), Field(description=SEEDS)]


ENTRIES: dict[str, tuple[type[Strict], str]] = {"problems": (ProblemEntry, PROBLEM), "agents": (AgentEntry, AGENT)}


class SweepSpec(Strict):
    """Every problem with every agent and every seed, each run with the same budget.

    kind: of a training, agents play sequential environments and each run keeps the policy that it ends with.
    start: designs in names, told to every agent first. seconds: time after which a run is cut. stop_at_regret: a run
    ends once it is this close to the known optimum. For slow cost models alone: in_flight, how many designs of a run
    are asked ahead of what its agent was told, and order, in which results are told ("asked"; with "completion" a run
    cannot be replayed). checkpoint_s: age at which the checkpoint of a run whose agent makes them, as those that train
    do, makes way for the next. `load_spec` and `make_spec` also check what the names stand for.
    """

    name: str = Field(pattern=r"^\w[\w.-]*$", description="a text of letters, digits, '_', '-' and '.'")
    problems: Problems
    agents: Agents
    seeds: Seeds
    budget: StrictInt = Field(ge=1, description="an integer of at least 1 (distinct designs a run may price)")
    start: list[Annotated[dict[str, Any], Field(description="a mapping of parameters to values")]] = Field(
        [], description="a list of designs, each a mapping of parameters to values"
    )
    seconds: Number | None = Field(None, gt=0, description="a number above 0")
    stop_at_regret: Number | None = Field(None, ge=0, lt=1, description="a number in [0, 1)")
    in_flight: StrictInt | None = Field(
        None,
        ge=1,
        description="an integer of at least 1 (designs asked ahead in a run; 8 a worker if left out)",
    )
    order: Literal["asked", "completion"] | None = Field(None, description="asked or completion")
    kind: Literal["search", "training"] = Field("search", description="search or training")
    checkpoint_s: Number = Field(
        EVERY_S, ge=0, description="a number of at least 0 (seconds between checkpoints of a run)"
    )
    _text: str | None = PrivateAttr(None)

    @property
    def training(self) -> bool:
        """Whether its runs keep their policies."""
        return self.kind == "training"

    @property
    def text(self) -> str:
        """The file as it was read; a YAML form of itself for a specification made in Python."""
        if self._text is not None:
            return self._text
        return yaml.safe_dump(self.model_dump(exclude_defaults=True, mode="json"), sort_keys=False)


def load_spec(path: Path | str) -> SweepSpec:
    """Read and check a sweep file. SpecError names the file and says in one line what is wrong with it."""
    path = Path(path)
    try:
        text = read_text(path)
        spec = make_spec(parse_yaml(text))
    except (YamlError, SpecError) as error:
        raise SpecError(f"{path}: {error}") from error.__cause__
    spec._text = text
    return spec


def make_spec(given: dict[str, Any]) -> SweepSpec:
    """Check a specification given as a mapping. SpecError says in one line what is wrong."""
    from designgym.experiments.runs import runs
    from designgym.experiments.training import refuse_unfit

    try:
        spec = SweepSpec.model_validate(given)
    except ValidationError as error:
        raise SpecError(one_line(error, SweepSpec)) from None
    made = runs(spec)
    if spec.training:
        refuse_unfit(made)
    return spec


def one_line(error: ValidationError, root: type[Strict]) -> str:
    """Return rule, value and remedy for the first thing that is wrong with a file that holds a `root`."""
    # A misspelt key is also a missing one; the misspelling tells more.
    first: ErrorDetails = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    place, given = first["loc"], first["input"]
    path = key_path(place)
    if first["type"] == "extra_forbidden":
        known = list(_at(place[:-1], root)[0].model_fields)
        return f"unknown key {path}. {nearest(str(place[-1]), known)} Allowed: {', '.join(known)}."
    allowed = _at(place, root)[1]
    if first["type"] == "missing":
        return f"{path} is missing: it must be {allowed}."
    return f"{path} must be {allowed}, got {_short(given)}.{'' if 'a text' in allowed else _unquote(given)}"


def _unquote(given: Any) -> str:
    """Return a remedy for texts that would be numbers or lists without their quotes, else nothing."""
    texts = [text for text in (given if isinstance(given, list) else [given]) if isinstance(text, str)]
    try:
        quoted = any(type(yaml.safe_load(text)) in (int, float, list) for text in texts)
    except (yaml.YAMLError, ValueError):  # ValueError: what looks like a date and is none
        return ""
    return " Leave out the quotes." if quoted else ""


def _at(place: tuple[int | str, ...], root: type[Strict]) -> tuple[type[Strict], str]:
    """Return the model whose key stands at this place, or which itself stands there, and what is allowed there."""
    model: type[Strict] = root
    allowed = "a mapping"
    for step in place:
        if isinstance(step, int):
            model, allowed = ENTRIES.get(str(place[0]), (model, "a mapping of parameters to values"))
        elif step in model.model_fields:
            allowed = model.model_fields[step].description or allowed
    return model, allowed


def key_path(place: tuple[int | str, ...]) -> str:
    """("agents", 2, "name") to "agents[2].name"."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
