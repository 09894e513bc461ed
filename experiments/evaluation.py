"""Policies scored on instances that no training saw, beside the best fixed policy and hindsight.

`evaluate` plays; what it finds, an entry for each environment, is plain JSON (`evaluation_file`). What is compared is
in `evaluation_policies` and `evaluation_arms`, what is told of each arm in `evaluation_figures`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from designgym.envs import SequentialEnv
from designgym.experiments.evaluation_arms import (
    INSTANCES,
    Arm,
    Baselines,
    Instances,
    baselines,
    fixed_of,
    same_instances,
    seeds_of,
    tells_hindsight,
)
from designgym.experiments.evaluation_figures import figures_of
from designgym.experiments.evaluation_intervals import units_of
from designgym.experiments.evaluation_play import Outcomes, play_policy
from designgym.experiments.evaluation_policies import Scored, Target, loaded, targets_of
from designgym.experiments.plain import plain
from designgym.experiments.versions import versions

EPISODES = {"episode": 200, "step": 4}  # by what a trial is: a sequence has many instances
FEW = 5  # policies below which a bootstrap over them is too narrow


class Ended(Protocol):
    """Is told how many episodes there will be, then called as each of them ends."""

    def begin(self, episodes: int) -> None:
        """Take in how many there will be."""

    def __call__(self) -> None:
        """Count one."""


class Silent:
    """Nobody watches."""

    def begin(self, episodes: int) -> None:
        """Leave it."""

    def __call__(self) -> None:
        """Leave it."""


@dataclass(frozen=True)
class Settings:
    """How policies are scored. episodes: None for `EPISODES`. seed: of the instances. trust: load foreign ones."""

    instances: Instances = "held-out"
    episodes: int | None = None
    seed: int = 0
    trust: bool = False

    def __post_init__(self) -> None:
        if self.instances not in INSTANCES:
            raise ValueError(f"--instances must be {' or '.join(INSTANCES)}, got {self.instances!r}.")
        seeds_of(self.instances, 1 if self.episodes is None else self.episodes, self.seed)  # refuses what is wrong


def evaluate(
    directory: Path,
    env: str | None = None,
    options: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    ended: Ended | None = None,
) -> list[dict[str, Any]]:
    """Score all policies of a training sweep, or the one of a folder; return an entry for each environment.

    env, options: by default those that each was trained in; options alone change these. ValueError in one line where a
    policy cannot be loaded, may not be, or does not fit the environment.
    """
    settings = settings or Settings()
    ended = ended or Silent()
    targets = targets_of(directory, env, dict(options or {}), settings.trust)
    for target in targets:
        loaded(target)  # what does not fit is said before anything is played
    return [_entry(target, settings, ended) for target in targets]


def _entry(target: Target, settings: Settings, ended: Ended) -> dict[str, Any]:
    env = target.env
    count = settings.episodes or EPISODES[env.trial]
    scored, training = (seeds_of(which, count, settings.seed) for which in (settings.instances, "training"))
    among = fixed_of(env)
    # Where the environment tells what had best been chosen, of fixed policies the best alone is played once more.
    again = 1 + min(1, len(among)) if tells_hindsight(env, scored[0]) else len(among)
    ended.begin(count * (len(among) + again + len(target.policies)))
    found = baselines(env, among, training, scored, ended)
    arms = _policy_arms(target, scored, ended)
    _refuse_unequal(arms)
    same = _same(arms, found)
    units = units_of(arms[0].outcomes[0].lengths, env.trial == "episode", same)
    compared = [arm for arm in (*arms, found.fixed, found.hindsight) if arm is not None]
    objective = env.problem.objective
    return {
        "env": target.id, "options": plain(target.options), "instances": settings.instances, "episodes": count,
        "seed": settings.seed, "trial": env.trial, "count": len(arms[0].outcomes[0]),
        "objective": {"minimize": list(objective.minimize), "maximize": list(objective.maximize),
                      "subject_to": list(objective.subject_to)},
        "metrics": [vars(metric) for metric in env.problem.cost_model.metrics],
        "actions_tried": found.tried, "notes": _notes(env, settings, found, arms, same), "versions": versions(),
        "arms": [figures_of(env, arm, found.fixed, units) for arm in compared],
    }  # fmt: skip


def _refuse_unequal(arms: list[Arm]) -> None:
    """ValueError where policies played sequences of different lengths, whose instances are no pairs."""
    lengths = {tuple(one.lengths.tolist()) for arm in arms for one in arm.outcomes}
    if len(lengths) > 1:
        raise ValueError("policies must all play as many instances of a sequence to be compared, got other numbers.")


def _policy_arms(target: Target, seeds: list[int], ended: Callable[[], None]) -> list[Arm]:
    """Play every policy; those of one agent with one setting are an arm."""
    groups: dict[str, list[tuple[Outcomes, Scored]]] = {}
    for one, policy in zip(target.policies, loaded(target), strict=True):
        groups.setdefault(one.label, []).append((play_policy(target.env, policy, seeds, ended), one))
    return [
        Arm("policy", label, tuple(outcomes for outcomes, _ in pairs), tuple(one.who for _, one in pairs))
        for label, pairs in groups.items()
    ]


def _same(arms: list[Arm], found: Baselines) -> list[int]:
    """Return a number for each episode, alike for those that were one and the same to all who played them."""
    played = [one for arm in (*arms, *([found.fixed] if found.fixed else [])) for one in arm.outcomes]
    places: dict[Any, int] = {}
    return [places.setdefault(told, len(places)) for told in zip(*(one.episodes() for one in played), strict=True)]


def _notes(
    env: SequentialEnv[Any, Any], settings: Settings, found: Baselines, arms: list[Arm], same: list[int]
) -> list[str]:
    """Say what a reader must know to trust the figures."""
    notes = list(found.notes)
    if settings.instances == "training" and found.fixed is not None:
        notes.append("the fixed policy was chosen on these very instances")
    repeated = _repeated(env, settings, found, same)
    if repeated:
        notes.append(repeated)
    alone = [arm.label for arm in arms if len(arm.outcomes) == 1]
    if alone:
        notes.append(f"one policy of {', '.join(alone)}: its intervals are over instances alone, not over training")
    few = [arm.label for arm in arms if 1 < len(arm.outcomes) < FEW]
    if few:
        notes.append(
            f"fewer than {FEW} policies of {', '.join(few)}: another training may well lie outside the intervals"
        )
    for arm in arms:
        different = len({tuple(one.episodes()) for one in arm.outcomes})
        if different < len(arm.outcomes):
            what = "all do the same" if different == 1 else f"do {different} different things"
            notes.append(f"the {len(arm.outcomes)} policies of {arm.label} {what} on these instances")
    if len(env.problem.objective.names) > 1:
        notes.append("several objectives: the best fixed policy is that of the highest mean return, as in training")
    return notes


def _repeated(env: SequentialEnv[Any, Any], settings: Settings, found: Baselines, same: list[int]) -> str:
    """Say which episodes are equal, and which were met in choosing; nothing where all are new."""
    many, different, met = len(same), len(set(same)), 0
    if settings.instances != "training" and found.fixed is not None and found.chosen is not None:
        _, met = same_instances(found.fixed.outcomes[0], found.chosen)
    told = []
    if different == 1 < many:
        what, over = ("instance", "") if env.trial == "episode" else ("sequence", " and parts of it")
        told.append(
            f"this environment has one {what}: all {many:,} episodes are the same, intervals are over policies{over}"
        )
    elif different < many:
        told.append(
            f"this environment draws from few instances: the {many} episodes are {different} different ones, and "
            "intervals are over these"
        )
    if met:
        which = (
            "the episode was" if many == 1 else f"{'all' if met == many else f'{met:,}'} of the {many:,} episodes were"
        )
        told.append(f"{which} met in choosing the fixed policy, and may have been in training")
    return "; ".join(told)
