"""Optuna's NSGA-II behind ask and tell, in memory.

Source: Deb, Pratap, Agarwal and Meyarivan, IEEE TEVC 6(2), 2002, doi:10.1109/4235.996017; the sampler is Optuna's own.
Every option that Optuna does not deprecate is set here.
"""

from typing import Any

from designgym.agents.optuna_base import LiveOptunaAgent
from designgym.envs import DesignSpace, Float, Integer


class OptunaNSGA2(LiveOptunaAgent):
    """One or several objectives under constraints, by the trials' own mechanism.

    Known designs that it asks again join its population unpriced, as they do in Optuna; a population with no other
    children takes in a new neighbour of the last of them.
    """

    summary = "Optuna's NSGA-II: one or several objectives, constraints"
    constrained = True
    adopts = True
    tries = 50
    hyperparameters = DesignSpace(
        Integer("size", 2, 1024, log=True, default=50, meaning="designs in the population"),
        Float("mutation", 0.1, 8.0, log=True, default=1.0, meaning="parameters of a child redrawn, on average"),
        Float("crossover", 0.0, 1.0, default=0.9, meaning="share of children that have two parents"),
        Float("swapping", 0.0, 1.0, default=0.5, meaning="chance of each parameter to come from the second parent"),
    )

    def _sampler(self, seed: int) -> Any:
        import optuna

        swapping = float(self.settings["swapping"])
        return optuna.samplers.NSGAIISampler(
            population_size=int(self.settings["size"]),
            mutation=None,  # redrawn uniformly; the operators on offer are for real numbers alone
            mutation_prob=min(1.0, float(self.settings["mutation"]) / len(self.space.cardinalities)),
            crossover=optuna.samplers.nsgaii.UniformCrossover(swapping),
            crossover_prob=float(self.settings["crossover"]),
            swapping_prob=swapping,
            seed=seed,
            constraints_func=None,
            elite_population_selection_strategy=None,
            child_generation_strategy=None,
            after_trial_strategy=None,
        )
