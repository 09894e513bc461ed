"""Bellman's recursion over a problem's local costs: the path whose steps cost least in sum, then the next one.

Source: Nguyen et al., "Bellman Optimal Stepsize Straightening of Flow-Matching Models" (BOSS), ICLR 2024,
arXiv:2312.16414. It is exact for that sum, which stands in for the loss: the path of least sum need not be the one of
least loss, so that later paths are priced too as far as the budget goes.
"""

import itertools

import numpy as np

from designgym.agents.base import Agent
from designgym.agents.shortest_paths import ShortestPaths
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace, Evaluations, Ordinal, Problem, Subset


class DynamicProgramming(Agent):
    """Asks paths in the order of their local costs' sum. Those costs count as one design of the budget.

    Searches problems whose designs are paths, one subset each, and whose cost model offers local costs; ValueError
    refuses others. Nothing that it is told changes what it asks.
    """

    summary = "Bellman's recursion over local costs (BOSS): the paths of least sum, in order; needs local_costs()"
    hyperparameters = DesignSpace(
        Ordinal("batch", (1, 2, 4, 8, 16, 32, 64, 128, 256), default=16, meaning="paths asked at a time")
    )
    needs_local_costs = True

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["batch"])
        parameters = self.space.parameters
        if len(parameters) != 1 or not isinstance(parameters[0], Subset) or self.space.constraints:
            raise ValueError(
                "dynamic_programming searches paths, which are one subset without constraints, got "
                f"{', '.join(p.name for p in parameters)}. Use it on FlowStepSizes-v0, or choose another agent."
            )
        try:
            costs = problem.local_costs()  # type: ignore[attr-defined]
        except (AttributeError, ValueError) as error:
            raise ValueError(f"dynamic_programming needs local_costs(): {error} Choose another agent.") from error
        m = parameters[0].n + 1
        if costs.shape != (m + 1, m + 1):
            raise ValueError(f"local costs must be of shape {(m + 1, m + 1)}, got {costs.shape}. Mend local_costs().")
        self._paths = iter(ShortestPaths(costs, parameters[0].k + 1))

    def ask(self, n: int) -> Columns:
        paths = [points[1:-1] - 1 for _, points in itertools.islice(self._paths, n)]
        inner = np.array(paths, np.int64).reshape(len(paths), len(self.space.columns))
        return {name: inner[:, j].copy() for j, name in enumerate(self.space.columns)}

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        """Nothing to learn: the local costs said it all."""
