"""What a problem's Gymnasium environments promise, checked on any problem."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils.env_checker import check_env, data_equivalence
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.testing import require
from designgym.envs.choice_features import choice_features_of
from designgym.envs.design_env import DesignEnv
from designgym.envs.faces import squash
from designgym.envs.problem import Problem
from designgym.envs.stepwise_env import StepwiseDesignEnv
from designgym.envs.vector_env import DesignVectorEnv

MOST_PATHS = 2_000  # designs of a space whose stepwise paths are all walked
PATHS = 200  # random ones of a larger space


@contextmanager
def without_warnings(what: str) -> Iterator[None]:
    """AssertionError where Gymnasium, or a cost model's arithmetic, warns inside the block."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    told = [str(w.message) for w in caught if issubclass(w.category, UserWarning | RuntimeWarning)]
    require(not told, f"{what}: no step may warn, got {told[:1]}. Mend what the warning names.")


def check_design_env(problem: Problem) -> None:
    """Check `DesignEnv`: Gymnasium's own rules, episodes that depend on the actions alone, infos in plain numbers."""
    with without_warnings("DesignEnv"):
        check_env(DesignEnv(problem), skip_render_check=True)
        check_env(DesignEnv(problem, horizon=3), skip_render_check=True)
    first, second = (rollout(DesignEnv(problem, horizon=4), seed=7, episodes=3) for _ in range(2))
    require(
        data_equivalence(first, second, exact=True),
        "the same seed must give the same episodes, but it did not. Keep no state, draw no numbers.",
    )
    require(
        [step[2] for step in first] == [False, False, False, True] * 3, "an episode must end after `horizon` steps."
    )
    for observation, reward, _, _, info in first:
        evaluations = problem.evaluate({name: np.array([value]) for name, value in info["design"].items()})
        require(
            reward == evaluations.reward[0] and info["violation"] == evaluations.violation[0],
            f"a step's reward must be its design's, {evaluations.reward[0]}, got {reward}.",
        )
        require(
            np.array_equal(observation[-evaluations.losses.shape[1] :], squash(evaluations.losses)[0]),
            "an observation must end in the losses x as x / (1 + |x|), but does not.",
        )
        require(
            ("reason" in info) != info["feasible"] and (info["feasible"] or info["reason"]),
            f"info must hold a reason exactly where a design is infeasible, got {info}.",
        )


def rollout(env: gymnasium.Env[Any, Any], seed: int, episodes: int) -> list[Any]:
    """Return every step of some episodes of random actions."""
    env.action_space.seed(seed)
    steps: list[Any] = []
    for episode in range(episodes):
        env.reset(seed=seed + episode)
        over = False
        while not over:
            steps.append(env.step(env.action_space.sample()))
            over = steps[-1][2] or steps[-1][3]
    return steps


def check_vector_env(problem: Problem, actions: int = 1000) -> None:
    """Check that `DesignVectorEnv` equals `DesignEnv` bit for bit on this many random actions, final infos included."""
    for copies, horizon in ((max(1, actions // 4), 1), (max(1, actions // 12), 3)):
        many = DesignVectorEnv(problem, copies, horizon)
        one = DesignEnv(problem, horizon)
        many.single_action_space.seed(copies)
        observations, _ = many.reset(seed=1)
        require(not observations.any(), "an episode must begin with an observation of zeros.")
        for step in range(4):
            batch = np.stack([many.single_action_space.sample() for _ in range(copies)])
            with without_warnings("DesignVectorEnv"):
                observations, rewards, ended, truncated, infos = many.step(batch)
            require(observations in many.observation_space, "vector observations must lie in their space.")
            final = (step + 1) % horizon == 0
            require(
                (ended == final).all() and not truncated.any(),
                f"all copies must end after each {horizon} designs, got {ended[:3]} at step {step + 1}.",
            )
            told = infos["final_info"] if final else infos
            seen = np.stack(list(infos["final_obs"])) if final else observations
            require(not final or not observations.any(), "an ended copy must begin anew with zeros.")
            for i in range(copies):
                if step % horizon == 0:
                    one.reset()
                one._steps = step % horizon
                _check_copy(one.step(batch[i]), (seen[i], rewards[i], ended[i], told), i)


def _check_copy(alone: Any, among: tuple[Any, ...], i: int) -> None:
    observation, reward, ended, _, info = alone
    told: dict[str, Any] = among[3]
    pairs = {"observation": (observation, among[0]), "reward": (reward, among[1]), "termination": (ended, among[2])}
    pairs |= {name: (info[name], told[name][i]) for name in ("losses", "violation", "feasible")}
    for group in ("design", "metrics"):
        marked = [name for name in told[group] if f"_{name}" in told[group] and told[group][f"_{name}"][i]]
        require(marked == list(info[group]), f"copy {i} must tell the {group} {list(info[group])}, got {marked}.")
        pairs |= {f"{group} {name}": (value, told[group][name][i]) for name, value in info[group].items()}
    for name, (a, b) in pairs.items():
        if np.asarray(a).tobytes() != np.asarray(b).tobytes():
            raise AssertionError(
                f"copy {i} of a vector environment must equal the environment alone, bit for bit, got {name} {b} and "
                f"{a}. A cost model's row i must depend on design i alone."
            )


def check_stepwise_env(problem: Problem, bins: int = 8) -> None:
    """Check `StepwiseDesignEnv`: each path of open choices ends in one design, every design ends one path."""
    space = problem.space
    env = StepwiseDesignEnv(problem, bins)
    with without_warnings("StepwiseDesignEnv"):
        check_env(StepwiseDesignEnv(problem, bins), skip_render_check=True)
        first, second = (rollout(StepwiseDesignEnv(problem, bins), seed=7, episodes=20) for _ in range(2))
    require(data_equivalence(first, second, exact=True), "the same seed must give the same episodes, but it did not.")
    rng = np.random.default_rng(0)
    for _ in range(PATHS):
        _check_end(problem, *_walk(env, rng, []))
    if not space.has_floats:
        drawn = space.sample(PATHS, rng)
        for i in range(PATHS):
            _check_reached(env, {name: column[i : i + 1] for name, column in drawn.items()})
        if space.size <= MOST_PATHS:
            ends = sorted(_all_ends(env, []))
            wanted = list(range(int(space.size)))
            if choice_features_of(problem) is not None:
                allowed = space.contains(space.unrank(np.arange(int(space.size))))
                wanted = np.flatnonzero(allowed).tolist()
            require(ends == wanted, f"{len(wanted)} designs must end one path each, got {len(ends)} paths.")
    _check_masked(env, rng)


def _walk(env: StepwiseDesignEnv, rng: np.random.Generator, actions: list[int]) -> tuple[Any, int]:
    """Take these actions, then random open ones to the end; return the last step and the number of steps."""
    _, info = env.reset()
    result: Any = None
    for step in range(env.observation_space.shape[0]):  # type: ignore[index]
        mask = info["action_mask"]
        if mask.dtype != np.int8 or not mask.any() or not np.array_equal(mask, env.action_masks()):
            raise AssertionError(
                "before the end some choice must be open, in info['action_mask'] (int8) as in action_masks(), "
                f"got {mask}."
            )
        action = actions[step] if step < len(actions) else int(rng.choice(np.flatnonzero(mask)))
        result = env.step(action)
        info = result[4]
        require(result[0] in env.observation_space, "an observation must lie in its space, but does not.")
        if result[2]:
            return result, step + 1
        require(result[1] == 0, f"the reward must be 0 before the end, got {result[1]}.")
    raise AssertionError("an episode must end after at most one step a digit of the space, but it goes on.")


def _check_end(problem: Problem, last: Any, steps: int) -> None:
    _, reward, _, _, info = last
    require("design" in info, lambda: f"a path of open choices must end in a design, got {info}.")
    design: Columns = {name: np.array([value]) for name, value in info["design"].items()}
    idle = [name for name, awake in problem.space.active(design).items() if not awake[0]]
    wanted = sum(len(p.cardinalities) for p in problem.space.parameters if p.name not in idle)
    require(steps == wanted, f"a design of {wanted} digits that matter must take as many steps, got {steps}.")
    evaluations = problem.evaluate(design)
    require(
        not problem.space.illegal(design).any() and reward == evaluations.reward[0],
        f"a path must end in a design's own reward, {evaluations.reward[0]}, got {reward}.",
    )
    require(not info["action_mask"].any(), "no choice may be open at the end.")


def _check_reached(env: StepwiseDesignEnv, design: Columns) -> None:
    env.reset()
    wanted = {name: column.item() for name, column in design.items()}
    last: Any = None
    for action in env.actions_of(design):
        if not env.action_masks()[action]:
            raise AssertionError(f"the mask must leave every design open, but closes {action} on the way to {wanted}.")
        last = env.step(action)
    require(
        last[2] and last[4]["design"] == wanted,
        f"actions_of must lead to its design, {wanted}, got {last[4].get('design')}.",
    )


def _all_ends(env: StepwiseDesignEnv, actions: list[int]) -> Iterator[int]:
    """Yield the rank of the design at the end of every path of open choices that begins with these actions."""
    env.reset()
    info: dict[str, Any] = {}
    for action in actions:
        info = env.step(action)[4]
    open_choices: NDArray[np.int64] = np.flatnonzero(env.action_masks())
    if not len(open_choices):
        design = {name: np.array([value]) for name, value in info["design"].items()}
        yield int(env.problem.space.rank(design)[0])
    for choice in open_choices.tolist():
        yield from _all_ends(env, [*actions, choice])


def _check_masked(env: StepwiseDesignEnv, rng: np.random.Generator) -> None:
    """A masked choice ends the episode in a violation."""
    for steps in range(5):
        env.reset()
        for _ in range(steps):
            if env.step(int(rng.choice(np.flatnonzero(env.action_masks()))))[2]:
                return
        closed = np.flatnonzero(~env.action_masks())
        if len(closed):
            _, reward, ended, _, info = env.step(int(closed[0]))
            require(
                ended and not info["feasible"] and info["violation"] > 0 and reward < env.problem.objective.floor,
                f"a masked choice must end the episode in a violation, got {info}.",
            )
