"""Optuna's covariance matrix adaptation evolution strategy (CMA-ES) behind ask and tell, in memory.

Source: Hansen and Ostermeier, Evolutionary Computation 9(2), 2001, doi:10.1162/106365601750190398; with margin:
Hamano et al., GECCO 2022, doi:10.1145/3512290.3528827; the sampler is Optuna's own, over the package cmaes.
"""

import math
from typing import Any

import numpy as np

from designgym.agents.extras import require
from designgym.agents.optuna_base import Key, LiveOptunaAgent
from designgym.cost_models.base import Columns
from designgym.envs import Categorical, DesignSpace, Integer, Ordinal, Problem


class OptunaCmaEs(LiveOptunaAgent):
    """CMA-ES over ordered parameters; Optuna draws categories and conditional parameters at random.

    It takes one value, minus the reward, which orders the infeasible too. A distribution so narrow that it proposes
    nothing new is started anew.
    """

    summary = "Optuna's CMA-ES (extra gp): for numbers; categories and conditional parameters are drawn at random"
    scalar = True
    tries = 100
    hyperparameters = DesignSpace(
        Ordinal("size", (0.5, 1, 2, 4, 8), default=1, meaning="population in units of the usual 4 + 3 ln(parameters)"),
        Integer("startup", 1, 1024, log=True, default=1, meaning="random designs before the distribution is used"),
        Categorical(
            "variant",
            ("margin", "plain", "separable", "adaptive"),
            meaning="margin keeps integers from freezing; separable: a diagonal matrix; adaptive: of its learning rate",
        ),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        require("optuna_cmaes", "gp", "cmaes", "scipy")
        super().__init__(problem, rng, **hyperparameters)

    def _sampler(self, seed: int) -> Any:
        import optuna

        usual = 4 + math.floor(3 * math.log(max(1, len(self.space.cardinalities))))
        variant = self.settings["variant"]
        return optuna.samplers.CmaEsSampler(
            n_startup_trials=int(self.settings["startup"]),
            independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            warn_independent_sampling=False,
            seed=seed,
            consider_pruned_trials=False,
            popsize=max(4, round(usual * float(self.settings["size"]))),
            use_separable_cma=variant == "separable",
            with_margin=variant == "margin",
            lr_adapt=variant == "adaptive",
            source_trials=None,
        )

    def _instead(self, last: Columns | None, taken: set[Key]) -> Columns:
        pending = self._pending
        self._begin()
        # Trials of the study before are no part of the new one: what they came to is added as any known design.
        self._pending = [(None, key) for _, key in pending]
        return super()._instead(last, taken)
