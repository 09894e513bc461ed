"""What a sweep of `kind: training` takes: sequential environments, and agents that keep what they learn there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from designgym.agents.registry import sequential_agent_class, sequential_agent_names
from designgym.agents.sequential import SequentialAgent, player_rng
from designgym.cost_models.registry import OptionError, nearest
from designgym.envs import MeteredEpisodes, sequential_ids
from designgym.envs.registry import refuse_of_fixed_policies
from designgym.experiments.spec import SpecError, SweepSpec

if TYPE_CHECKING:
    from designgym.experiments.runs import RunSpec, SweepProblem


def trainable() -> tuple[str, ...]:
    """Return the names of the agents that keep a policy."""
    return tuple(name for name in sequential_agent_names() if sequential_agent_class(name).keeps_policy)


def refuse_untrainable(spec: SweepSpec, problems: Sequence[SweepProblem]) -> None:
    """SpecError where a problem is none to train in, or an agent keeps no policy."""
    for i, problem in enumerate(problems):
        if not problem.sequential:
            raise SpecError(
                f"problems[{i}].id: a training plays sequential environments, such as "
                f"{', '.join(sequential_ids())}, got {problem.id}. Search its designs by a sweep without kind, or by "
                "`designgym run`."
            )
        try:
            refuse_of_fixed_policies(problem.id, problem.given)
        except OptionError as error:
            raise SpecError(f"problems[{i}].options: {error}") from error
    known = trainable()
    for i, entry in enumerate(spec.agents):
        if entry.name not in known:
            raise SpecError(
                f"agents[{i}].name: a training takes agents that keep their policy, {', '.join(known)}, got "
                f"{entry.name!r}. {_remedy(entry.name, known)}"
            )


def _remedy(name: str, known: Sequence[str]) -> str:
    hint = nearest(name, known)
    return hint if hint.startswith("Did you mean") else "Choose one of them."


def refuse_unfit(runs: Sequence[RunSpec]) -> None:
    """SpecError where an agent can not play an environment, before anything is trained."""
    seen = set()
    for run in runs:
        environment = run.problem.environment()
        if environment is None or (pair := (run.problem.label, run.agent.label)) in seen:
            continue
        seen.add(pair)
        assert issubclass(run.agent.cls, SequentialAgent)
        try:
            run.agent.cls(MeteredEpisodes(environment, run.budget), player_rng(0), **run.agent.hyperparameters)
        except (ValueError, ImportError) as error:
            raise SpecError(f"{run.agent.label} in {run.problem.label}: {error}") from error
