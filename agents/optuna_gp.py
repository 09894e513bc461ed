"""Optuna's Gaussian-process sampler behind ask and tell, in memory.

Source: log expected improvement, Ament et al., NeurIPS 2023, arXiv:2310.20708; the sampler is Optuna's own. Every
option that Optuna does not deprecate is set here.
"""

from typing import Any

import numpy as np

from designgym.agents.extras import require
from designgym.agents.optuna_base import ToldOptunaAgent
from designgym.agents.optuna_trials import new_study
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace, Integer, Problem

MOST_VALUES = 2**20  # of an integer: the sampler lists them all


class OptunaGP(ToldOptunaAgent):
    """Bayesian optimisation; conditional parameters are drawn at random, as Optuna's sampler does.

    A fit to n designs takes time that grows as n cubed, so at most `most` are modelled: the latest half, and of those
    before them the best half, by the first objective where there are several, feasible ones first.
    """

    summary = "Optuna's Gaussian-process sampler (extra gp); seconds a proposal once hundreds of designs are known"
    tries = 3  # the same data give nearly the same proposal
    hyperparameters = DesignSpace(
        Integer("startup", 1, 1024, log=True, default=10, meaning="random designs before the process is used"),
        Integer("most", 16, 4096, log=True, default=200, meaning="designs modelled at most: the best and the latest"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        require("optuna_gp", "gp", "torch", "scipy")
        super().__init__(problem, rng, **hyperparameters)
        for name, one in self._optuna_space.distributions.items():
            low, high = getattr(one, "low", 0), getattr(one, "high", 0)
            if isinstance(low, int) and high - low >= MOST_VALUES:
                raise ValueError(
                    f"optuna_gp needs integers of at most {MOST_VALUES:,} values, got {high - low + 1:,} of {name}. "
                    "Give it a coarser step, or take bayesian."
                )

    def _sampler(self, seed: int) -> Any:
        import optuna

        return optuna.samplers.GPSampler(
            seed=seed,
            independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            n_startup_trials=int(self.settings["startup"]),
            deterministic_objective=True,
            constraints_func=None,
            warn_independent_sampling=False,
        )

    def ask(self, n: int) -> Columns:
        most = int(self.settings["most"])
        if len(self._trials) <= max(most, int(self.settings["startup"])):
            return super().ask(n)
        whole = self._study
        self._study = new_study(self._objectives)
        self._study.add_trials(self._modelled(most))
        try:
            return super().ask(n)
        finally:
            self._study = whole

    def _modelled(self, most: int) -> list[Any]:
        """Return the trials to model, in the order told."""
        before, latest = self._trials[: -(most // 2)], self._trials[-(most // 2) :]
        worth = [(sum(trial.constraints.values()), trial.values[0]) for trial in before]
        best = sorted(range(len(before)), key=worth.__getitem__)[: most - len(latest)]
        return [before[i] for i in sorted(best)] + latest
