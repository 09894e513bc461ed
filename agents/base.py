"""What a searcher is: it asks for designs and is told what they came to."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from designgym.agents.rest import Resting
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace, Evaluations, MeteredProblem, Problem, RunOver


@dataclass(frozen=True)
class ToldBefore:
    """What an earlier part of a run told its agent: every design in order, repeats included, and how many asks."""

    designs: Columns
    asks: int


class Agent(Resting, ABC):
    """Searches one problem within one run's budget. Same problem, same rng, same hyperparameters: same trials.

    hyperparameters: the agent's own knobs as a design space, with defaults. batch: designs it asks at a time.

    told: how a run that was cut off is continued. An agent is asked again from its start while the log answers, unless
    its asking is dear and it declares itself told: then it is told the log, in batches of any size, and asked on. It
    keeps two promises for that: its state follows from the sequence of designs told and what they came to alone, and
    everything it draws comes from the generator of its last `reseed`. It leaves `search` as it is.

    needs_local_costs: whether it searches paths by `problem.local_costs()`, which its constructor asks for. A
    ValueError that names the agent refuses other problems.

    needs_floats: whether it searches spaces with a Float alone. A ValueError that names it refuses others.

    trains: whether it trains a policy in a loop of its own, in `search`. It asks again what it knows, and no design by
    itself.

    A slow cost model has several designs under way: then an agent is asked again, one design at a time, before it was
    told all that it asked, and is told in the order asked.
    """

    hyperparameters: ClassVar[DesignSpace] = DesignSpace()
    summary: ClassVar[str] = ""
    told: ClassVar[bool] = False
    needs_local_costs: ClassVar[bool] = False
    needs_floats: ClassVar[bool] = False
    trains: ClassVar[bool] = False
    batch: int = 1

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        self.problem = problem
        self.space = problem.space
        self.rng = rng
        self.settings = settings_of(type(self).hyperparameters, hyperparameters)
        self.asked = 0
        self._root = int(rng.integers(2**63)) if self.told else 0

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.told and cls.search is not Agent.search:
            raise TypeError(
                f"{cls.__name__} must leave search() as it is to be told, got one of its own. Drop it, or set told = "
                "False."
            )

    @property
    def population(self) -> int:
        """Designs that it holds at a time; ten times as many repeats in a row end a run."""
        return self.batch

    @abstractmethod
    def ask(self, n: int) -> Columns:
        """Return about n designs, n > 0, to price, canonical and valid; none when the agent has nothing left to ask."""

    @abstractmethod
    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Learn what designs came to: those just asked, or any others that are known (a user's present designs)."""

    def reseed(self, rng: np.random.Generator) -> None:
        """Draw from this generator from now on. Before each ask of a told agent; a sampler inside it is seeded here."""
        self.rng = rng

    def ask_on(self, n: int) -> Columns:
        """Ask, with the draws of a told agent seeded by how many designs were asked before."""
        if self.told:
            self.reseed(np.random.default_rng([self._root, self.asked]))
        designs = self.ask(n)
        self.asked += batch_length(designs)
        return designs

    def search(self) -> None:
        """Ask and tell until the run is over (RunOver), or nothing is left to ask."""
        while not (isinstance(self.problem, MeteredProblem) and self.problem.finished):
            designs = self.ask_on(self.batch)
            if not len(next(iter(designs.values()), ())):  # `evaluate` checks that columns are of one length
                return
            self.tell(designs, self.problem.evaluate(designs))


def settings_of(hyperparameters: DesignSpace, given: dict[str, Any]) -> dict[str, Any]:
    """Fill defaults in; ValueError names an unknown hyperparameter or a value that is not allowed."""
    columns = hyperparameters.parse(given)
    return {name: values[0] for name, values in hyperparameters.describe(columns).items()}


def run(agent: Agent, start: Columns | None = None, told: ToldBefore | None = None) -> str:
    """Search to the end; return why it ended: "budget", "complete", "repeats", or the reason of another RunOver.

    start: designs priced and told first. told: what an earlier part of the run told this agent, start included; the
    problem answers it, the agent is told it at once, and goes on from there.
    """
    problem = agent.problem
    _have_patience(agent)
    try:
        if told is not None and told.asks:
            tell_again(agent, told)
        elif start is not None:
            agent.asked += batch_length(start)
            agent.tell(start, problem.evaluate(start))
        agent.search()
    except RunOver as over:
        return over.reason
    if not isinstance(problem, MeteredProblem):
        return "done"
    return "complete" if problem.exhausted else "budget" if problem.finished else "done"


def tell_again(agent: Agent, told: ToldBefore) -> None:
    """Tell a told agent what an earlier part of its run came to. ValueError for an agent that is not told."""
    if not agent.told:
        raise ValueError(f"only a told agent can be told a log, got {type(agent).__name__}. Ask it again instead.")
    _have_patience(agent)
    agent.tell(told.designs, agent.problem.evaluate(told.designs))
    agent.asked = batch_length(told.designs)
    if isinstance(agent.problem, MeteredProblem):
        agent.problem.asks = told.asks


def _have_patience(agent: Agent) -> None:
    if isinstance(agent.problem, MeteredProblem):
        agent.problem.patience = max(agent.problem.patience, 10 * agent.population)
