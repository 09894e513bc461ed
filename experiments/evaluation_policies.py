"""Which policies are scored in which environment: those of a training sweep's directory, or of one folder."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from designgym.agents.policies import Policy, load_policy
from designgym.envs import SequentialEnv, make_sequential
from designgym.envs.registry import full_id, is_sequential, refuse_of_fixed_policies
from designgym.experiments.commands import name_commands, refuse_unnamed, trust_options
from designgym.experiments.kept_policies import ABOUT, KeptPolicy, PolicyError, policy_folders, read_policy

NUMBERS_ALONE = frozenset({"cross_entropy"})  # agents whose policies load without running what is in them
NEEDED: dict[str, type] = {"agent": str, "label": str, "env": str, "options": dict, "seed": int}


@dataclass(frozen=True)
class Scored:
    """One policy. label: of its arm. who: what is told of it."""

    kept: KeptPolicy
    label: str

    @property
    def who(self) -> dict[str, Any]:
        """Its key, its seed, the trials that it learned from."""
        about = self.kept.about
        return {"key": self.kept.folder.name, "seed": about["seed"], "trials": about.get("trials")}


@dataclass
class Target:
    """An environment, and the policies that are scored in it."""

    id: str
    options: dict[str, Any]
    env: SequentialEnv[Any, Any]
    policies: list[Scored]
    _loaded: list[Policy] = field(default_factory=list)


def targets_of(directory: Path, env: str | None, options: dict[str, Any], trust: bool) -> list[Target]:
    """Return the environments that policies are scored in: where each was trained, or the one that is asked for.

    PolicyError where there is none, one is damaged, or may not be loaded. ValueError for an unknown id or option.
    """
    if not directory.exists():
        raise PolicyError(f"{directory} must be a directory of policies, got nothing there. Check the path.")
    kept = [_read(folder) for folder in policy_folders(directory)]
    if not trust:
        for one in kept:
            _refuse_foreign(one)
    wanted = None if env is None else full_id(env)
    groups: dict[str, tuple[str, dict[str, Any], list[KeptPolicy]]] = {}
    for one in kept:
        trained, given = one.about["env"], one.about["options"]
        id = trained if wanted is None else wanted
        told = {**(given if id == trained else {}), **options}
        groups.setdefault(f"{id} {sorted(told.items())}", (id, told, []))[2].append(one)
    for id, told, _ in groups.values():
        name_commands(id, options)
        if trust:
            for line in trust_options(id, told, id):
                print(line, file=sys.stderr)
        refuse_unnamed(id, told)
        if is_sequential(id):
            refuse_of_fixed_policies(id, told)
    return [
        Target(id, told, make_sequential(id, **told), [Scored(one, _label(one, ours)) for one in ours])
        for id, told, ours in groups.values()
    ]


def loaded(target: Target) -> list[Policy]:
    """Return the policies, ready to act. ValueError, naming the policy, where one does not fit or is damaged."""
    if not target._loaded:
        for one in target.policies:
            try:
                target._loaded.append(load_policy(one.kept.about["agent"], target.env, one.kept.files))
            except ValueError as error:
                raise ValueError(f"{one.kept.folder.name} ({one.label}) in {target.id}: {error}") from error
    return target._loaded


def _read(folder: Path) -> KeptPolicy:
    kept = read_policy(folder)
    if not all(isinstance(kept.about.get(name), kind) for name, kind in NEEDED.items()):
        raise PolicyError(f"{folder / ABOUT} is damaged. Train again: the same command makes it anew.")
    return kept


def _refuse_foreign(kept: KeptPolicy) -> None:
    if kept.about["agent"] in NUMBERS_ALONE or kept.trusted:
        return
    raise PolicyError(
        f"{kept.folder} was not kept by you on this machine, and loading it can run any code that it holds. If you "
        "know who made it and trust them, add --trust."
    )


def _label(kept: KeptPolicy, among: list[KeptPolicy]) -> str:
    """Return the label of a policy's agent, and where it was trained if not all of them were trained there."""
    label, trained = str(kept.about["label"]), _trained_in(kept)
    return label if all(_trained_in(one) == trained for one in among) else f"{label}, trained in {trained}"


def _trained_in(kept: KeptPolicy) -> str:
    options = "".join(f" {name}={value}" for name, value in sorted(kept.about["options"].items()))
    return f"{kept.about['env']}{options}"
