"""What a searcher is: it asks for designs and is told what they came to."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace, Evaluations, MeteredProblem, Problem, RunOver


class Agent(ABC):
    """Searches one problem within one run's budget. Same problem, same rng, same hyperparameters: same trials.

    hyperparameters: the agent's own knobs as a design space, with defaults. batch: designs it asks at a time.
    """

    hyperparameters: ClassVar[DesignSpace] = DesignSpace()
    summary: ClassVar[str] = ""
    batch: int = 1

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        self.problem = problem
        self.space = problem.space
        self.rng = rng
        self.settings = settings_of(type(self).hyperparameters, hyperparameters)

    @property
    def population(self) -> int:
        """Designs that it holds at a time; ten times as many repeats in a row end a run."""
        return self.batch

    @abstractmethod
    def ask(self, n: int) -> Columns:
        """Return about n designs to price, canonical and valid; none when the agent has nothing left to ask."""

    @abstractmethod
    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Learn what designs came to: those just asked, or any others that are known (a user's present designs)."""

    def search(self) -> None:
        """Ask and tell until the run is over (RunOver), or nothing is left to ask."""
        while not (isinstance(self.problem, MeteredProblem) and self.problem.finished):
            designs = self.ask(self.batch)
            if not batch_length(designs):
                return
            self.tell(designs, self.problem.evaluate(designs))


def settings_of(hyperparameters: DesignSpace, given: dict[str, Any]) -> dict[str, Any]:
    """Fill defaults in; ValueError names an unknown hyperparameter or a value that is not allowed."""
    columns = hyperparameters.parse(given)
    return {name: values[0] for name, values in hyperparameters.describe(columns).items()}


def run(agent: Agent, start: Columns | None = None) -> str:
    """Search to the end; return why it ended: "budget", "complete", "repeats", or the reason of another RunOver.

    start: designs priced and told first.
    """
    problem = agent.problem
    if isinstance(problem, MeteredProblem):
        problem.patience = max(problem.patience, 10 * agent.population)
    try:
        if start is not None:
            agent.tell(start, problem.evaluate(start))
        agent.search()
    except RunOver as over:
        return over.reason
    if not isinstance(problem, MeteredProblem):
        return "done"
    return "complete" if problem.exhausted else "budget" if problem.finished else "done"
