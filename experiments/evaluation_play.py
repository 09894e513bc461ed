"""Episodes of given seeds, played by policies, trained or fixed, many copies of the environment at a time.

An episode is one that `reset(seed=...)` begins, whatever copy plays it: who plays the same seeds meets the same
instances. An instance is an episode, or in a sequence each of its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from designgym.agents.policies import Policy
from designgym.cost_models.base import Columns
from designgym.envs import BrokenCostModel, DesignSpace, Objective, SequentialEnv
from designgym.envs.copies import copies, masks_of, of_row
from designgym.envs.problem import checked
from designgym.envs.sequential import Baseline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Of observations, where episodes begin, which actions are open, and whose turn it is: the actions.
Act = Callable[[NDArray[Any], Bools, "Bools | None", Ints], NDArray[Any]]

TOGETHER = 256  # copies of a vector environment of its own
ONE_BY_ONE = 32  # copies of an environment that has none; a sequence, whose instances it may hold, is played alone


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What one actor came to. metrics: each (instances,), NaN where violation > 0. violation, returns, steps: the same.

    returns: the sum of the rewards of each instance. lengths: instances of each episode, (episodes,). began: what each
    episode showed first. design: what was chosen last, where the trials of a sequence say so.
    """

    metrics: Columns
    violation: Floats
    returns: Floats
    steps: Floats
    lengths: Ints
    began: tuple[bytes, ...] = ()
    design: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.violation)

    def feasible(self, objective: Objective) -> Bools:
        """Return which instances are feasible each by itself, (instances,)."""
        return objective.feasible({**self.metrics, "violation": self.violation})

    def means(self) -> Columns:
        """Return the means over instances as one batch of one, as a cost model of all of them would.

        Metrics over those that came to something; the violation over all.
        """
        some = self.violation == 0
        found = {name: column[some].mean(keepdims=True) if some.any() else np.array([np.nan])
                 for name, column in self.metrics.items()}  # fmt: skip
        return found | {"violation": self.violation.mean(keepdims=True)}

    def episodes(self) -> list[tuple[Any, ...]]:
        """Return what each episode was and came to, to tell whether two are the same."""
        ends = np.cumsum(self.lengths)[:-1]
        columns = [*self.metrics.values(), self.violation, self.returns]
        parts = zip(*(np.split(column, ends) for column in columns), strict=True)
        return [(first, *(part.tobytes() for part in own)) for first, own in zip(self.began, parts, strict=True)]


def play_policy(
    env: SequentialEnv[Any, Any], policy: Policy, seeds: Sequence[int], ended: Callable[[], None] = lambda: None
) -> Outcomes:
    """Return what a policy comes to in the episodes of these seeds. ended: is called as each of them ends."""

    def act(observations: NDArray[Any], starts: Bools, masks: Bools | None, actors: Ints) -> NDArray[Any]:
        return policy.act(observations, starts, masks)

    return play(env, act, seeds, masks=policy.masks, ended=ended)[0]


def play_fixed(
    env: SequentialEnv[Any, Any],
    policies: Sequence[Baseline],
    seeds: Sequence[int],
    ended: Callable[[], None] = lambda: None,
) -> list[Outcomes]:
    """Return what each of some fixed policies comes to."""

    def act(observations: NDArray[Any], starts: Bools, masks: Bools | None, actors: Ints) -> NDArray[Any]:
        rows = [np.flatnonzero(actors == actor) for actor in range(len(policies))]
        chosen = [policy.act(observations[own], starts[own]) for policy, own in zip(policies, rows, strict=True)]
        return np.concatenate(chosen)[np.argsort(np.concatenate(rows))]

    return play(env, act, seeds, len(policies), ended=ended)


def play(
    env: SequentialEnv[Any, Any],
    act: Act,
    seeds: Sequence[int],
    actors: int = 1,
    masks: bool = False,
    ended: Callable[[], None] = lambda: None,
) -> list[Outcomes]:
    """Return what each actor comes to in the episodes of all seeds.

    A copy that has ended its episode takes the next one: some are short. BrokenCostModel where a trial lacks a metric.
    """
    episodes = len(seeds) * actors  # all actors play a seed before the next one: what is drawn of it may be kept
    together = _together(env, episodes)
    envs = copies(env, together)
    now, following = np.arange(together), together  # the episode of each copy, -1 where none is left
    observations, _ = envs.reset(seed=[seeds[k // actors] for k in now.tolist()])  # type: ignore[arg-type]
    starts = np.ones(together, bool)
    tapes = [_Tape(env) for _ in range(episodes)]
    for row, tape in enumerate(tapes[:together]):
        tape.began = np.asarray(observations[row]).tobytes()
    while (now >= 0).any():
        taken = act(observations, starts, masks_of(envs) if masks else None, now % actors)
        observations, rewards, terminated, truncated, infos = envs.step(taken)
        starts = terminated | truncated
        for row in np.flatnonzero(now >= 0).tolist():
            tapes[now[row]].hear(float(rewards[row]), bool(starts[row]), infos, row)
        for row in np.flatnonzero(starts & (now >= 0)).tolist():
            ended()
            now[row], following = (following, following + 1) if following < episodes else (-1, following)
        begun = starts & (now >= 0)
        if begun.any():
            observations = _begin(envs, begun, [seeds[k // actors] for k in now.tolist()])
            for row in np.flatnonzero(begun).tolist():
                tapes[now[row]].began = np.asarray(observations[row]).tobytes()
    envs.close()
    return [_outcomes(env, tapes[actor::actors]) for actor in range(actors)]


def _together(env: SequentialEnv[Any, Any], episodes: int) -> int:
    own = env.vectors(1) is not None
    return min(episodes, TOGETHER if own else 1 if env.trial == "step" else ONE_BY_ONE)


def _begin(envs: VectorEnv[Any, Any, Any], rows: Bools, seeds: list[int]) -> NDArray[Any]:
    """Begin the episodes of these copies, and return what all observe."""
    given = [seed if begun else None for seed, begun in zip(seeds, rows.tolist(), strict=True)]
    options = None if rows.all() else {"reset_mask": rows}
    observations: NDArray[Any] = envs.reset(seed=given, options=options)[0]  # type: ignore[arg-type]
    return observations


class _Tape:
    """One episode as it is played. table: metrics, violation, return and steps of each trial, once it has ended."""

    def __init__(self, env: SequentialEnv[Any, Any]) -> None:
        self._each = env.trial == "step"
        self._names = [metric.name for metric in env.problem.cost_model.metrics]
        self._return, self._steps = 0.0, 0
        self.began = b""
        self._rows: list[list[float]] = []
        self.table = np.empty((0, 0))
        self.design: dict[str, Any] | None = None

    def hear(self, reward: float, done: bool, infos: dict[str, Any], row: int) -> None:
        """Take a step in; where it ends a trial, what that came to."""
        self._return += reward
        self._steps += 1
        if not done and not self._each:
            return
        info = of_row(infos["final_info"] if done else infos, row)
        told = info.get("metrics", {})
        missing = [name for name in self._names if name not in told]
        if missing:
            raise BrokenCostModel(f"info['metrics'] must hold {missing[0]!r} where a trial ends, got {told!r}.")
        values = [float(told[name]) for name in self._names]
        self._rows.append([*values, float(info.get("violation", 0.0)), self._return, float(self._steps)])
        self.design = info.get("design")
        self._return, self._steps = 0.0, 0
        if done:
            self.table, self._rows = np.array(self._rows, np.float64), []


def _outcomes(env: SequentialEnv[Any, Any], tapes: list[_Tape]) -> Outcomes:
    metrics = env.problem.cost_model.metrics
    columns = np.concatenate([tape.table for tape in tapes]).T.copy()
    names = [*(metric.name for metric in metrics), "violation"]
    got = dict(zip(names, columns[: len(names)], strict=True))
    sound = checked(env.problem.cost_model, got, {}, DesignSpace(), columns.shape[1])
    violation = sound.pop("violation")
    told = {name: np.where(violation > 0, np.nan, column) for name, column in sound.items()}
    lengths = np.array([len(tape.table) for tape in tapes], np.int64)
    began = tuple(tape.began for tape in tapes)
    return Outcomes(told, violation, columns[-2], columns[-1], lengths, began, tapes[-1].design)


@dataclass(frozen=True, eq=False)
class Ranked:
    """How good some are, each (n,). violation: less comes first. worth: where that ties, more; NaN is the least."""

    violation: Floats
    worth: Floats


def ranked(objective: Objective, sets: Sequence[Outcomes]) -> Ranked:
    """Return how good sets of instances are: the means of each metric go through the objective, see `in_order`.

    So a constraint such as "kept >= 0.9" is one on the mean over instances.
    """
    means = [one.means() for one in sets]
    columns = {name: np.concatenate([mean[name] for mean in means]) for name in means[0]}
    return in_order(objective, columns, np.array([one.returns.mean() for one in sets]))


def in_order(objective: Objective, columns: Columns, returns: Floats) -> Ranked:
    """Return how good metrics, each (n,), are: by violation, then by the objective.

    Several objectives are weighed against each other as in training, by the return, (n,), which pays for infeasible
    trials too; their constraints come first, if they have any.
    """
    if len(objective.names) == 1:
        return Ranked(objective.violation(columns), -objective.losses(columns)[:, 0])
    if not objective.subject_to:
        return Ranked(np.zeros(len(returns)), returns)
    return Ranked(objective.violation(columns), returns)


def best(found: Ranked) -> int:
    """Return the row of the least violation, among these that of the highest worth, the first where they tie."""
    worth = np.where(np.isnan(found.worth), -np.inf, found.worth)
    return int(np.lexsort((-worth, found.violation))[0])
