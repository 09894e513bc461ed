"""What policies are compared with: the best fixed policy, and the best in hindsight; and on which instances.

The fixed policy is chosen on training instances, by the environment's own objective and constraint, and scored on
held-out ones. Neither kind is met in a training run: such a run of seed s begins its episode i with s + i * 2^32
(`APART`), below 2^62 where s is below 2^61 and it has fewer than 2^29 episodes; the seeds here lie between 2^62 and
2^63, odd ones held out, even ones for training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np

from designgym.envs import Objective, SequentialEnv
from designgym.envs.sequential import Always, Baseline
from designgym.experiments.evaluation_play import Outcomes, best, in_order, play_fixed, ranked

Instances = Literal["held-out", "training"]
INSTANCES: tuple[Instances, ...] = ("held-out", "training")
STREAMS = {"training": 0x7261696E, "held-out": 0x68656C64}  # of SeedSequence, and so apart from those of runs
LOWEST = 2**62
GRID = 41  # constant actions of a Box of one number
MOST_ACTIONS = 256  # of Discrete that are tried


def seeds_of(instances: Instances, count: int, seed: int = 0) -> list[int]:
    """Return the seeds of `count` episodes, the first ones alike for any count: held-out ones, or for choosing.

    seed: another one gives other episodes. ValueError for a count below 1 or a seed below 0.
    """
    if count < 1:
        raise ValueError(f"--episodes must be at least 1, got {count}. Raise it.")
    if seed < 0:
        raise ValueError(f"--seed must be an integer of at least 0, got {seed}.")
    drawn = np.random.SeedSequence([STREAMS[instances], seed]).generate_state(count, np.uint64)
    return [LOWEST + (int(one) >> 3) * 2 + (instances == "held-out") for one in drawn]


@dataclass(frozen=True, eq=False)
class Arm:
    """What is compared. kind: "policy", "fixed" or "hindsight". label: its name on tables and pages.

    outcomes: of each of its policies, all on the same instances; who: what is to be known of each.
    """

    kind: Literal["policy", "fixed", "hindsight"]
    label: str
    outcomes: tuple[Outcomes, ...]
    who: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Fixed:
    """Fixed policies of an environment by what they are called; none, and why, where there are none to be had.

    named: whether the environment names them; else they are constant actions.
    """

    policies: Mapping[str, Baseline]
    named: bool = False
    why_none: str = ""

    def __len__(self) -> int:
        return len(self.policies)


def fixed_of(env: SequentialEnv[Any, Any]) -> Fixed:
    """Return those that the environment offers, else every action of Discrete, or a grid over a Box of one number."""
    own = env.baselines()
    if own is not None:
        return Fixed(own, named=True)
    space = env.action_space
    if hasattr(env, "action_masks"):
        return Fixed({}, why_none="which actions are open changes from step to step")
    if isinstance(space, gymnasium.spaces.Discrete):
        if space.n > MOST_ACTIONS:
            return Fixed({}, why_none=f"there are {space.n} actions, and at most {MOST_ACTIONS} are tried")
        return Fixed({f"action {action}": Always(space.dtype.type(action)) for action in _places(space)})
    if isinstance(space, gymnasium.spaces.Box) and np.prod(space.shape) == 1:
        if not space.is_bounded():
            return Fixed({}, why_none=f"the action has no bounds: {space}")
        grid = np.clip(np.linspace(space.low, space.high, GRID, dtype=np.float64), space.low, space.high)
        return Fixed({f"action {np.ravel(one)[0]:.6g}": Always(one) for one in grid.astype(space.dtype)})
    return Fixed({}, why_none=f"an action is more than one number: {space}")


def _places(space: gymnasium.spaces.Discrete) -> range:
    return range(int(space.start), int(space.start + space.n))


@dataclass(frozen=True, eq=False)
class Baselines:
    """fixed, hindsight: None where there is none. chosen: the fixed policy on the training instances. notes: in words.

    tried: how many fixed ones were.
    """

    fixed: Arm | None
    hindsight: Arm | None
    chosen: Outcomes | None
    tried: int
    notes: tuple[str, ...]


def baselines(
    env: SequentialEnv[Any, Any],
    among: Fixed,
    training: list[int],
    scored: list[int],
    ended: Callable[[], None] = lambda: None,
) -> Baselines:
    """Choose the best fixed policy on the training seeds, and score it, and hindsight, on the others.

    Where several are equally good the first is taken; where none ever comes to anything there is none.
    """
    objective, own = env.problem.objective, _hindsight_of(env, scored, ended)
    if not len(among):
        return Baselines(None, own, None, 0, (f"there is no best fixed policy: {among.why_none}",))
    policies = list(among.policies.values())
    tried = play_fixed(env, policies, training, ended)
    if not any((one.violation == 0).any() for one in tried):
        what = "fixed policy" if among.named else "constant action"
        why = f"there is no baseline: no {what} comes to anything on any of the training instances"
        return Baselines(None, own, None, len(among), (why,))
    place = best(ranked(objective, tried))
    if own is not None:
        (fixed,) = play_fixed(env, policies[place : place + 1], scored, ended)
    else:
        every = play_fixed(env, policies, scored, ended)
        fixed, own = (
            every[place],
            Arm("hindsight", "best fixed of each in hindsight", (best_of_each(objective, every),)),
        )
    name = list(among.policies)[place]
    if not among.named and fixed.design:
        name = ", ".join(f"{key}={value:g}" for key, value in fixed.design.items())
    notes: list[str] = []
    if not objective.feasible(tried[place].means())[0]:
        notes.append(
            "no fixed policy is feasible on the training instances: the one nearest to it stands for the best"
            if len(objective.names) == 1 else "the best fixed policy is not feasible on all training instances"
        )  # fmt: skip
    return Baselines(Arm("fixed", f"best fixed: {name}", (fixed,)), own, tried[place], len(among), tuple(notes))


def best_of_each(objective: Objective, every: list[Outcomes]) -> Outcomes:
    """Return for each instance what the best of some came to there, by `in_order`."""
    columns = {name: np.concatenate([one.metrics[name] for one in every]) for name in every[0].metrics}
    violation = np.concatenate([one.violation for one in every])
    returns, steps = (np.concatenate([getattr(one, name) for one in every]) for name in ("returns", "steps"))
    found = in_order(objective, columns | {"violation": violation}, returns)
    shape = len(every), len(every[0])
    # Of the least violation the highest worth: argmax where others count for nothing.
    broken = found.violation.reshape(shape)
    worth = np.where(broken == broken.min(axis=0), np.nan_to_num(found.worth.reshape(shape), nan=-np.inf), -np.inf)
    rows = worth.argmax(axis=0) * shape[1] + np.arange(shape[1])
    metrics = {name: column[rows] for name, column in columns.items()}
    return Outcomes(metrics, violation[rows], returns[rows], steps[rows], every[0].lengths)


def tells_hindsight(env: SequentialEnv[Any, Any], seed: int) -> bool:
    """Whether the environment tells what had best been chosen, and best by what its objective is about, and no more."""
    objective, metrics = env.problem.objective, env.problem.cost_model.metrics
    name = env.hindsight_metric or metrics[0].name
    lower = next(metric for metric in metrics if metric.name == name).better == "lower"
    wanted = objective.minimize if lower else objective.maximize
    asked = objective.names == wanted == (name,) and not objective.subject_to
    return asked and env.hindsight(seed) is not None


def _hindsight_of(env: SequentialEnv[Any, Any], seeds: list[int], ended: Callable[[], None]) -> Arm | None:
    """Return what had best been chosen for each instance of these sequences, if the environment tells."""
    if not tells_hindsight(env, seeds[0]):
        return None
    values = []
    for seed in seeds:
        told = env.hindsight(seed)
        assert told is not None  # of one sequence, so of all
        values.append(told[1])
        ended()
    whole = np.concatenate(values)
    none = np.full(len(whole), np.nan)
    lengths = np.array([len(one) for one in values], np.int64)
    metrics = {env.problem.objective.names[0]: whole}
    return Arm(
        "hindsight", "best of each in hindsight", (Outcomes(metrics, np.zeros(len(whole)), none, none, lengths),)
    )


def same_instances(arm: Outcomes, chosen: Outcomes) -> tuple[int, int]:
    """Return how many different episodes are among those scored, and how many of all were met in choosing too.

    arm, chosen: what one and the same policy came to on the ones and the others.
    """
    scored, training = arm.episodes(), set(chosen.episodes())
    return len(set(scored)), sum(one in training for one in scored)
