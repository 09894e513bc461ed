"""A sequential environment and one run's state: its budget of trials and its listener. An agent's only door to it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs.copies import APART, MeteredCopies
from designgym.envs.endings import BudgetSpent
from designgym.envs.metered import Answer, Listener
from designgym.envs.objective import Evaluations
from designgym.envs.problem import BrokenCostModel, DesignProblem, priced
from designgym.envs.sequential import RETURN, SequentialEnv


class MeteredEpisodes:
    """A sequential environment with a budget of trials: episodes, or the instances of a sequence.

    Nothing is remembered: the same actions cost a trial each time. Past the budget, `reset` and `step` raise
    BudgetSpent. listener hears every trial that ends. seed: episode i begins with seed + i * 2^32.

    It pickles, the listener left behind. asked: trials that ended. evaluating_s: seconds spent in the environment and
    the listener.
    """

    def __init__(
        self, env: SequentialEnv[Any, Any], budget: int, listener: Listener | None = None, seed: int = 0
    ) -> None:
        if budget < 1:
            raise ValueError(f"budget must be at least 1 trial, got {budget}.")
        if env.trial not in ("episode", "step"):
            raise ValueError(f"trial must be 'episode' or 'step', got {env.trial!r} of {type(env).__name__}.")
        self.env = env
        self.budget = budget
        self.asked = 0
        self.repeats_total = 0
        self.evaluating_s = 0.0
        self.action_space = env.action_space
        self.observation_space = env.observation_space
        self._trial_problem = env.trial_problem
        self.listener = listener
        self._seed = int(seed)
        self._episode = 0
        self._running, self._steps, self._return = False, 0, 0.0

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"listener": None}

    @property
    def problem(self) -> DesignProblem:
        """The fixed policies of the environment."""
        return self.env.problem

    @property
    def finished(self) -> bool:
        """Whether the budget is spent."""
        return self.asked >= self.budget

    def reset(self) -> tuple[Any, dict[str, Any]]:
        """Begin the next episode. BudgetSpent when no trial is left; ValueError where one is under way.

        What is given up half-way would be a trial that nobody counts.
        """
        self.check_left()
        if self._running and self._steps and self.env.trial == "episode":
            raise ValueError(f"an episode must be played to its end, got a reset after {self._steps} steps. Step on.")
        started = time.perf_counter()
        try:
            observation, info = self.env.reset(seed=self.next_seed())
        finally:
            self.evaluating_s += time.perf_counter() - started
        self._running, self._steps, self._return = True, 0, 0.0
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step; the listener hears the trial that it ends. BudgetSpent when no trial is left."""
        self.check_left()
        if not self._running:
            raise ValueError("an episode must be running to take a step, got none. Call reset() first.")
        started = time.perf_counter()
        try:
            observation, reward, terminated, truncated, info = self.env.step(action)
            self._running = not (terminated or truncated)
            self._steps += 1
            self._return += float(reward)
            if self.env.trial == "step" or not self._running:
                returned, self._return = self._return, 0.0
                self.hear(in_columns(info), np.array([returned]))
        finally:
            self.evaluating_s += time.perf_counter() - started
        return observation, float(reward), terminated, truncated, info

    def copies(self, count: int) -> MeteredCopies:
        """Return copies of the environment that are stepped together, within the same budget."""
        return MeteredCopies(self, count)

    def next_seed(self) -> int:
        """Return the seed of the next episode, which begins with it."""
        self._episode += 1
        return self._seed + (self._episode - 1) * APART

    def check_left(self) -> None:
        """BudgetSpent when no trial is left."""
        if self.finished:
            raise BudgetSpent(f"the budget of {self.budget} trials is spent.")

    def hear(self, told: dict[str, Any], returned: NDArray[np.float64]) -> None:
        """Count trials that ended together, and let the listener hear them, in one answer.

        told: columns, what `info` held of each. returned: the sum of each one's rewards, (n,).
        """
        designs, evaluations = outcome(self._trial_problem, told, returned)
        asks, self.asked = self.asked, self.asked + len(returned)
        if self.listener is not None:
            self.listener(Answer(designs, evaluations, np.ones(len(returned), bool), "faithful", asks))


def outcome(problem: DesignProblem, told: dict[str, Any], returned: NDArray[np.float64]) -> tuple[Columns, Evaluations]:
    """Return what each of n trials chose and what it came to, from the infos of the steps that ended them.

    problem: the environment's `trial_problem`. told: their infos in columns. BrokenCostModel names what is missing.
    """
    chosen = told.get("design", {})
    missing = [name for name in problem.space.columns if name not in chosen]
    if missing:
        got = ", ".join(chosen) or "nothing"
        raise BrokenCostModel(f"info['design'] must hold {missing[0]!r} where a trial ends, got {got}.")
    designs = {name: _plain(chosen[name]) for name in problem.space.columns}
    held = told.get("metrics", {})
    lacking = [metric.name for metric in problem.cost_model.metrics if metric.name not in {*held, RETURN.name}]
    if lacking:
        got = ", ".join(held) or "nothing"
        raise BrokenCostModel(f"info['metrics'] must hold {lacking[0]!r} where a trial ends, got {got}.")
    model = Told(problem.cost_model.metrics, told, returned)
    return designs, problem.objective(priced(model, designs, problem.space, len(returned)))


def _plain(column: Any) -> NDArray[Any]:
    """Return a column of numbers; Gymnasium joins what it does not take for one as objects."""
    array = np.asarray(column)
    return np.array(array.tolist()) if array.dtype == object else array


def in_columns(info: dict[str, Any]) -> dict[str, Any]:
    """Return what an environment's info says, as columns of one row."""
    parts = {name: {key: np.array([v]) for key, v in info.get(name, {}).items()} for name in ("design", "metrics")}
    return parts | {"violation": np.array([info.get("violation", 0.0)], np.float64)}


class Told:
    """What environments' infos say, as the cost model that they stand in for would say it."""

    version = ""

    def __init__(self, metrics: Any, told: dict[str, Any], returned: NDArray[np.float64]) -> None:
        self.metrics = metrics
        self._told, self._returned = told, returned

    def evaluate(self, designs: Columns) -> Columns:
        """Return the metrics of the trials."""
        n = len(self._returned)
        told = {
            **self._told.get("metrics", {}),
            RETURN.name: self._returned,
            "violation": self._told.get("violation", np.zeros(n)),
        }
        return {name: np.asarray(value, np.float64) for name, value in told.items()}
