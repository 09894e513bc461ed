"""A lottery's specification: problems, agents, how many settings of each, seeds and a budget, as one YAML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, StrictInt, ValidationError

from designgym.agents.registry import agent_class
from designgym.cost_models.strict_yaml import YamlError, parse_yaml, read_text
from designgym.experiments.labels import labels_of
from designgym.experiments.lottery.crossfit import LEAST_SEEDS
from designgym.experiments.lottery.settings import Entrant, Setting, draw_settings
from designgym.experiments.plain import digest
from designgym.experiments.runs import runs
from designgym.experiments.spec import (
    Agents,
    Number,
    Problems,
    Seeds,
    SpecError,
    Strict,
    SweepSpec,
    make_spec,
    one_line,
)  # fmt: skip


class LotterySpec(Strict):
    """What a person writes. agents: hyperparameters given here are held, all others are drawn.

    settings: how many are drawn of each agent, besides its default. seed: of the draws. seconds: time after which a run
    is cut; what it would have come to is then known only as a bound. margin: agents that differ by
    less, as a share of the optimum's loss, are equal in practice.
    """

    name: str = Field(pattern=r"^\w[\w.-]*$", description="a text of letters, digits, '_', '-' and '.'")
    problems: Problems
    agents: Agents
    settings: StrictInt = Field(ge=2, description="an integer of at least 2 (settings drawn of each agent)")
    seeds: Seeds
    budget: StrictInt = Field(ge=1, description="an integer of at least 1 (distinct designs a run may price)")
    seed: StrictInt = Field(0, ge=0, description="an integer of at least 0 (seed of the draws)")
    seconds: Number | None = Field(None, gt=0, description="a number above 0")
    margin: Number = Field(0.02, gt=0, lt=1, description="a number in (0, 1)")


@dataclass(frozen=True)
class Lottery:
    """A lottery, drawn. sweep: its runs as a sweep. text: the file as it was read."""

    spec: LotterySpec
    entrants: tuple[Entrant, ...]
    sweep: SweepSpec
    text: str


def load_lottery(path: Path | str) -> Lottery:
    """Read and check a lottery's file. SpecError names the file and says in one line what is wrong with it."""
    path = Path(path)
    try:
        text = read_text(path)
        return make_lottery(parse_yaml(text), text)
    except (YamlError, SpecError) as error:
        raise SpecError(f"{path}: {error}") from error.__cause__


def make_lottery(given: dict[str, Any], text: str | None = None) -> Lottery:
    """Check a specification given as a mapping, and draw its settings. SpecError says in one line what is wrong."""
    try:
        spec = LotterySpec.model_validate(given)
    except ValidationError as error:
        raise SpecError(one_line(error, LotterySpec)) from None
    if len(spec.seeds) < LEAST_SEEDS:
        raise SpecError(
            f"seeds must be at least {LEAST_SEEDS}, got {len(spec.seeds)}: settings are picked on one half of them and "
            "scored on the other. Add seeds."
        )
    _check(spec)
    entrants = _entrants(spec)
    sweep = _sweep(spec, [(e.agent, setting) for e in entrants for setting in e.settings])
    return Lottery(spec, entrants, sweep, text if text is not None else yaml.safe_dump(given, sort_keys=False))


def _check(spec: LotterySpec) -> None:
    """Refuse what a sweep refuses, by the same keys, and problems whose runs do not end in one number."""
    agents = [{"name": e.name, "hyperparameters": e.hyperparameters} for e in spec.agents]
    for run in runs(_as_sweep(spec, agents)):
        if len(run.problem.problem.objective.names) > 1:
            raise SpecError(
                f"a lottery needs one objective a problem, but {run.problem.label} has several. Give it another "
                "objective, or leave it out."
            )


def _entrants(spec: LotterySpec) -> tuple[Entrant, ...]:
    labels = labels_of([(entry.name, entry.hyperparameters) for entry in spec.agents])
    found = []
    for i, entry in enumerate(spec.agents):
        cls = agent_class(entry.name)
        try:
            settings, everything = draw_settings(entry.name, cls, entry.hyperparameters, spec.settings, spec.seed)
        except ValueError as error:
            raise SpecError(f"agents[{i}].hyperparameters: {error}") from error
        found.append(Entrant(labels[i], entry.name, dict(entry.hyperparameters), settings, everything))
    return tuple(found)


def _sweep(spec: LotterySpec, tried: list[tuple[str, Setting]]) -> SweepSpec:
    """Return all runs as one sweep; a setting that two entries share is run once."""
    agents = {}
    for name, setting in tried:
        given = {key: value for key, value in setting.hyperparameters.items() if value is not None}
        agents[digest([name, setting.hyperparameters])] = {"name": name, "hyperparameters": given}
    return _as_sweep(spec, list(agents.values()))


def _as_sweep(spec: LotterySpec, agents: list[dict[str, Any]]) -> SweepSpec:
    problems = [{"id": problem.id, "options": problem.options} for problem in spec.problems]
    given = {"name": spec.name, "problems": problems, "agents": agents, "seeds": list(spec.seeds)}
    return make_spec({**given, "budget": spec.budget, "seconds": spec.seconds})
