"""Which runs a sweep consists of, in which order, and what defines each of them.

A run's key is a hash of everything that its trials depend on, and of nothing else: the sweep's name is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from designgym.agents.base import Agent, settings_of
from designgym.agents.registry import class_for
from designgym.agents.sequential import SequentialAgent
from designgym.cost_models.base import Columns, CostModel
from designgym.envs import DesignProblem, DesignSpace, SequentialEnv
from designgym.envs.registry import full_id, is_sequential, make_problem, make_sequential, problem_options
from designgym.experiments.checkpoints import EVERY_S
from designgym.experiments.labels import labels_of
from designgym.experiments.log import FIXED
from designgym.experiments.plain import digest, plain
from designgym.experiments.spec import SpecError, SweepSpec
from designgym.experiments.training import refuse_untrainable


@dataclass(frozen=True)
class SweepProblem:
    """A problem of a sweep, made. options: all of them, defaults included. start: the user's designs, told first.

    played: whether a sequential environment is played; then `problem` is what the rows of its trials are made of.
    """

    id: str
    given: Mapping[str, Any]
    options: Mapping[str, Any]
    label: str
    problem: DesignProblem
    start: Columns | None
    played: bool = False

    @property
    def sequential(self) -> bool:
        """Whether its id is that of a sequential environment, played or searched for its fixed policies."""
        return is_sequential(self.id)

    def environment(self) -> SequentialEnv[Any, Any] | None:
        """Make the sequential environment that is played; None where none is."""
        return make_sequential(self.id, **self.given) if self.played else None

    @property
    def slow(self) -> bool:
        """Whether a design takes so long to price that its agent stays in the driver and asks ahead."""
        return bool(getattr(self.problem.cost_model, "slow", False)) and not self.played

    @cached_property
    def definition(self) -> dict[str, Any]:
        """What the numbers of this problem depend on."""
        problem = self.problem
        return {
            "problem": self.id,
            "options": plain(self.options),
            "cost_model": problem.cost_model.version,
            "cost_model_fields": _content(problem.cost_model),
            "cheap": None if problem.cheap is None else [problem.cheap.version, _content(problem.cheap)],
            "objective": plain(problem.objective),
            "space": digest([problem.space.parameters, problem.space.constraints]),
            "start": None if self.start is None else plain(problem.space.describe(self.start)),
            **({"played": True} if self.played else {}),
        }


@dataclass(frozen=True)
class SweepAgent:
    """An agent of a sweep with one setting. hyperparameters: all of them, defaults included."""

    name: str
    hyperparameters: Mapping[str, Any]
    label: str
    cls: type[Agent] | type[SequentialAgent]


@dataclass(frozen=True)
class RunSpec:
    """One run: problem x agent x hyperparameters x seed x budget, and what may cut it short.

    stop_loss: the loss that stands for stop_at_regret on this problem. in_flight, order: of slow problems alone.
    checkpoint_s: age at which its checkpoint makes way for the next one. keeps_policy: whether its policy is kept.
    """

    problem: SweepProblem
    agent: SweepAgent
    seed: int
    budget: int
    seconds: float | None = None
    stop_at_regret: float | None = None
    stop_loss: float | None = None
    in_flight: int | None = None
    order: str | None = None
    checkpoint_s: float = EVERY_S
    keeps_policy: bool = False

    @cached_property
    def definition(self) -> dict[str, Any]:
        """Everything that the trials of the run depend on, as JSON values."""
        ahead = {"in_flight": self.in_flight, "order": self.order} if self.problem.slow else {}
        return {
            **self.problem.definition,
            "agent": self.agent.name,
            "hyperparameters": plain(self.agent.hyperparameters),
            "seed": self.seed,
            "budget": self.budget,
            "seconds": self.seconds,
            "stop_at_regret": self.stop_at_regret,
            "stop_loss": self.stop_loss,
            **ahead,
        }

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits that stand for the definition."""
        return digest(self.definition)

    @property
    def trials(self) -> int:
        """The most trials that it can make."""
        return self.budget if self.problem.played else int(min(self.budget, self.problem.problem.space.size))

    @property
    def title(self) -> str:
        """What messages call the run."""
        return f"{self.problem.label}, {self.agent.label}, seed {self.seed}"


def runs(spec: SweepSpec) -> tuple[RunSpec, ...]:
    """Return the runs of a sweep, seed by seed, so that every agent has results early.

    SpecError names the key of an unknown problem, option, agent or hyperparameter, or of a value not allowed.
    """
    problems = _problems(spec)
    _refuse_ahead(spec, problems)
    if spec.training:
        refuse_untrainable(spec, problems)
    pairs = [pair for problem in problems for pair in _pairs(spec, problem)]
    stops = {problem.label: _stop_loss(spec, problem) for problem, _ in pairs}
    return tuple(
        RunSpec(problem, agent, seed, spec.budget, spec.seconds, spec.stop_at_regret, stops[problem.label],
                *_ahead(spec, problem), spec.checkpoint_s, spec.training)
        for seed in spec.seeds
        for problem, agent in pairs
    )  # fmt: skip


def _pairs(spec: SweepSpec, problem: SweepProblem) -> list[tuple[SweepProblem, SweepAgent]]:
    """Return each agent with the problem as it sees it: played, or searched for the best of its fixed policies."""
    agents = _agents(spec, problem.sequential)
    if not problem.sequential:
        return [(problem, agent) for agent in agents]
    if spec.start and any(issubclass(agent.cls, SequentialAgent) for agent in agents):
        raise SpecError(f"start is for searches of designs, but {problem.label} is played. Leave it out.")
    with _Place("problems", problem.id):
        trials = make_sequential(problem.id, **problem.given).trial_problem
    played = replace(problem, problem=trials, start=None, played=True)
    fixed = replace(problem, label=problem.label + FIXED)
    return [(played if issubclass(agent.cls, SequentialAgent) else fixed, agent) for agent in agents]


def _ahead(spec: SweepSpec, problem: SweepProblem) -> tuple[int | None, str | None]:
    return (spec.in_flight, spec.order or "asked") if problem.slow else (None, None)


def _refuse_ahead(spec: SweepSpec, problems: Sequence[SweepProblem]) -> None:
    """SpecError where a key is given that is for slow cost models, and there is none."""
    for key in ("in_flight", "order"):
        if getattr(spec, key) is not None and not any(problem.slow for problem in problems):
            raise SpecError(
                f"{key} is for problems whose cost model is slow, got {getattr(spec, key)!r} and no such problem. "
                "Leave it out, or give the cost model slow = True."
            )


def _problems(spec: SweepSpec) -> list[SweepProblem]:
    found: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for i, entry in enumerate(spec.problems):
        with _Place(f"problems[{i}].id", entry.id):
            name, defaults = full_id(entry.id), problem_options(entry.id)
        found.append((name, dict(entry.options), {**defaults, **entry.options}))
    _refuse_doubles("problems", [digest([name, options]) for name, _, options in found])
    labels = labels_of([(name, options) for name, _, options in found])
    made = []
    for i, (name, given, options) in enumerate(found):
        with _Place(f"problems[{i}].options", name):
            problem = make_problem(name, **given)
            plain(options)
        made.append(SweepProblem(name, given, options, labels[i], problem, _start(spec, problem)))
    return made


def _agents(spec: SweepSpec, sequential: bool) -> list[SweepAgent]:
    found: list[tuple[str, dict[str, Any], type[Agent] | type[SequentialAgent]]] = []
    for i, entry in enumerate(spec.agents):
        with _Place(f"agents[{i}].name", entry.name):
            cls = class_for(entry.name, sequential)
        with _Place(f"agents[{i}].hyperparameters", entry.name):
            settings = settings_of(cls.hyperparameters, entry.hyperparameters)
        found.append((entry.name, settings, cls))
    _refuse_doubles("agents", [digest([name, settings]) for name, settings, _ in found])
    labels = labels_of([(name, settings) for name, settings, _ in found])
    return [SweepAgent(name, settings, labels[i], cls) for i, (name, settings, cls) in enumerate(found)]


def _start(spec: SweepSpec, problem: DesignProblem) -> Columns | None:
    """Parse the user's designs for one problem."""
    if not spec.start:
        return None
    if spec.budget <= len(spec.start):
        raise SpecError(
            f"budget must be above the {len(spec.start)} designs of start, got {spec.budget}. "
            "Raise it, so that agents may ask for designs of their own."
        )
    parsed = []
    for i, names in enumerate(spec.start):
        with _Place(f"start[{i}]", "this design"):
            parsed.append(problem.space.parse(names))
    return _joined(problem.space, parsed)


def _joined(space: DesignSpace, parts: Sequence[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in space.columns}


def _stop_loss(spec: SweepSpec, problem: SweepProblem) -> float | None:
    """Return the loss whose regret is stop_at_regret; SpecError where the true optimum is not known."""
    if spec.stop_at_regret is None:
        return None
    from designgym.envs.optimum import known_optimum

    if problem.played:
        raise SpecError(f"stop_at_regret is for searches of designs, but {problem.label} is played. Leave it out.")
    if len(problem.problem.objective.names) > 1:
        raise SpecError(f"stop_at_regret needs a single objective, but {problem.label} has several. Leave it out.")
    optimum = known_optimum(problem.id, dict(problem.given), problem.problem)
    if optimum is None:
        raise SpecError(
            f"stop_at_regret needs the true optimum, and none is known for {problem.label}. Leave it out, or find the "
            "optimum first with `designgym optimum`."
        )
    return float(optimum.loss + spec.stop_at_regret * (optimum.median_loss - optimum.loss))


def _refuse_doubles(key: str, digests: Sequence[str]) -> None:
    first: dict[str, int] = {}
    for i, one in enumerate(digests):
        if first.setdefault(one, i) < i:
            raise SpecError(f"{key}[{i}] must differ from {key}[{first[one]}], got the same. Drop one of them.")


def _content(model: CostModel) -> str | None:
    """Digest a cost model's fields, for options may only name them: a workload's file. None where it has none."""
    if not is_dataclass(model) or isinstance(model, type):
        return None
    try:
        return digest(model)
    except ValueError:
        return None  # a field without a lasting text: the options and the version must do


class _Place:
    """Names the key of the specification at which making something failed."""

    def __init__(self, key: str, what: str) -> None:
        self._key, self._what = key, what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # A problem's function may raise anything for a value that it did not foresee.
        if isinstance(error, Exception) and not isinstance(error, SpecError):
            text = " ".join(str(error).split()) or type(error).__name__
            if not isinstance(error, ValueError | OSError):
                text = f"{self._what} refused its settings: {type(error).__name__}: {text}"
            raise SpecError(f"{self._key}: {text}") from error
