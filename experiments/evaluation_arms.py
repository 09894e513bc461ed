"""What policies are compared with: the best fixed action, and the best in hindsight; and on which instances.

The fixed action is chosen on training instances, by the environment's own objective and constraint, and scored on
held-out ones. Neither kind is met in a training run: such a run of seed s begins its episode i with s + i * 2^32
(`APART`), below 2^62 where s is below 2^61 and it has fewer than 2^29 episodes; the seeds here lie between 2^62 and
2^63, odd ones held out, even ones for training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from designgym.envs import Objective, SequentialEnv
from designgym.experiments.evaluation_play import Outcomes, best, evaluated, in_order, play_constant

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
class Constants:
    """Constant actions of an environment, (actions, ...); none, and why, where they are too many or not to be had."""

    actions: NDArray[Any]
    why_none: str = ""

    def __len__(self) -> int:
        return len(self.actions)


def constants_of(env: SequentialEnv[Any, Any]) -> Constants:
    """Return every action of Discrete, or a grid over a bounded Box of one number."""
    space = env.action_space
    none = np.empty(0)
    if hasattr(env, "action_masks"):
        return Constants(none, "which actions are open changes from step to step")
    if isinstance(space, gymnasium.spaces.Discrete):
        if space.n > MOST_ACTIONS:
            return Constants(none, f"there are {space.n} actions, and at most {MOST_ACTIONS} are tried")
        return Constants(np.arange(space.start, space.start + space.n, dtype=space.dtype))
    if isinstance(space, gymnasium.spaces.Box) and np.prod(space.shape) == 1:
        if not space.is_bounded():
            return Constants(none, f"the action has no bounds: {space}")
        grid = np.linspace(space.low, space.high, GRID, dtype=np.float64)
        return Constants(np.clip(grid, space.low, space.high).astype(space.dtype))
    return Constants(none, f"an action is more than one number: {space}")


@dataclass(frozen=True, eq=False)
class Baselines:
    """fixed, hindsight: None where there is none. chosen: the fixed action on the training instances. notes: in words.

    actions: how many constant ones were tried.
    """

    fixed: Arm | None
    hindsight: Arm | None
    chosen: Outcomes | None
    actions: int
    notes: tuple[str, ...]


def baselines(
    env: SequentialEnv[Any, Any],
    constants: Constants,
    training: list[int],
    scored: list[int],
    ended: Callable[[], None] = lambda: None,
) -> Baselines:
    """Choose the best fixed action on the training seeds, and score it, and hindsight, on the others.

    Where several actions are equally good the first is taken.
    """
    objective, own = env.problem.objective, _hindsight_of(env, scored, ended)
    if not len(constants):
        why = f"there is no best fixed action: {constants.why_none}"
        return Baselines(None, own, None, 0, (why,))
    tried = play_constant(env, constants.actions, training, ended)
    place = best(evaluated(objective, tried))
    if own is not None:
        (fixed,) = play_constant(env, constants.actions[place : place + 1], scored, ended)
    else:
        every = play_constant(env, constants.actions, scored, ended)
        fixed, own = (
            every[place],
            Arm("hindsight", "best action of each in hindsight", (best_of_each(objective, every),)),
        )
    label = f"best fixed: {name_of(constants.actions[place], fixed)}"
    notes: list[str] = []
    if not evaluated(objective, [tried[place]]).feasible[0]:
        notes.append("no fixed action is feasible on the training instances: the one nearest to it stands for the best")
    return Baselines(Arm("fixed", label, (fixed,)), own, tried[place], len(constants), tuple(notes))


def name_of(action: NDArray[Any], outcomes: Outcomes) -> str:
    """Return what a constant action chooses: omega=1.45 where the trials say so, else action 5."""
    if outcomes.design:
        return ", ".join(f"{name}={value:g}" for name, value in outcomes.design.items())
    return f"action {np.asarray(action).reshape(-1)[0]:.4g}"


def best_of_each(objective: Objective, every: list[Outcomes]) -> Outcomes:
    """Return for each instance what the best of some actions came to there: feasible ones first, then by objective."""
    columns = {name: np.concatenate([one.metrics[name] for one in every]) for name in every[0].metrics}
    violation = np.concatenate([one.violation for one in every])
    found = in_order(objective, columns | {"violation": violation})
    shape = len(every), len(every[0])
    # Of the least violation the highest reward: argmax over rewards where others count for nothing.
    broken = found.violation.reshape(shape)
    reward = np.where(broken == broken.min(axis=0), np.nan_to_num(found.reward.reshape(shape), nan=-np.inf), -np.inf)
    rows = reward.argmax(axis=0) * shape[1] + np.arange(shape[1])
    returns, steps = (np.concatenate([getattr(one, name) for one in every])[rows] for name in ("returns", "steps"))
    metrics = {name: column[rows] for name, column in columns.items()}
    return Outcomes(metrics, violation[rows], returns, steps, every[0].lengths)


def _hindsight_of(env: SequentialEnv[Any, Any], seeds: list[int], ended: Callable[[], None]) -> Arm | None:
    """Return what had best been chosen for each instance of these sequences, as the environment tells it."""
    values = []
    for seed in seeds:
        told = env.hindsight(seed)
        if told is None:
            return None
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

    arm, chosen: what one and the same action came to on the ones and the others.
    """
    scored, training = arm.episodes(), set(chosen.episodes())
    return len(set(scored)), sum(one in training for one in scored)
