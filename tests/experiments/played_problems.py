"""A sequential environment that notes every step it takes, dawdles, and can be told to die; and an agent that rests."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.check_episodes import Walks
from designgym.cost_models.base import Columns
from designgym.envs import DesignProblem, Evaluations


class SlowWalks(Walks):
    """step_s: time of a step. paid: a file that gets a byte a step. trap: a file; a reset removes it, and dies."""

    def __init__(self, step_s: float = 0.0, paid: str = "", trap: str = "") -> None:
        self._step_s, self._paid, self._trap = step_s, paid, trap
        self._steps = np.zeros(1)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if self._trap and Path(self._trap).exists():
            Path(self._trap).unlink()
            os._exit(1)
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> Any:
        self._steps += 1  # as an environment does that holds its state in arrays
        time.sleep(self._step_s)
        if self._paid:
            with open(self._paid, "ab") as file:
                file.write(b".")
        return super().step(action)


def slow_walks() -> DesignProblem:
    return Walks.problem


class Resting(Agent):
    """Prices four designs, by a cheap model where there is one, then the best, asks it once more, and rests."""

    checkpoints = True

    def __init__(self, problem: Any, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.best: Columns | None = None

    def ask(self, n: int) -> Columns:
        return self.space.sample(n, self.rng)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        first = int(np.argmax(evaluations.reward))
        self.best = {name: column[first : first + 1] for name, column in designs.items()}

    def search(self) -> None:
        fidelity = "cheap" if self.problem.problem.cheap is not None else "faithful"
        while True:
            self.rest()
            asked = self.ask(4)
            best = int(np.argmax(self.problem.evaluate(asked, fidelity).reward))
            one = {name: column[best : best + 1] for name, column in asked.items()}
            self.tell(one, self.problem.evaluate(one))
            if self.best is not None:
                self.problem.evaluate(self.best)


class Stubborn(Resting):
    """Does not pickle."""

    def __init__(self, problem: Any, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._lock = threading.Lock()


PROBLEM = {"SlowWalks-v0": "played_problems:slow_walks"}
PLAYED = {"SlowWalks-v0": "played_problems:SlowWalks"}
AGENTS = {"resting": "played_problems:Resting", "stubborn": "played_problems:Stubborn"}


def register() -> None:
    """Make them known in this process for good."""
    from designgym.agents import register_agent
    from designgym.envs.registry import register_sequential

    register_sequential("SlowWalks-v0", PLAYED["SlowWalks-v0"], PROBLEM["SlowWalks-v0"])
    for name, entry_point in AGENTS.items():
        register_agent(name, entry_point)


def registered(monkeypatch) -> None:
    """Make them known for one test."""
    from designgym.agents import registry as agents
    from designgym.envs import registry as envs

    for known, more in ((envs._PROBLEMS, PROBLEM), (envs._SEQUENTIAL, PLAYED), (agents._AGENTS, AGENTS)):
        monkeypatch.setattr(known, "_entry_points", {**known._entry_points, **more})
