"""Optuna's tree-structured Parzen estimator behind ask and tell, in memory.

Source: Bergstra et al., NeurIPS 2011; Watanabe, arXiv:2304.11127; the sampler is Optuna's own. Every option that
Optuna does not deprecate is set here, for its defaults change between versions.
"""

import functools
from typing import Any

from designgym.agents.optuna_base import ToldOptunaAgent
from designgym.envs import Categorical, DesignSpace, Integer


@functools.cache
def _flat_sampler_class() -> Any:
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    class FlatTPESampler(TPESampler):
        """For spaces without conditions: what all trials have in common is then the whole space.

        Optuna compares every trial's distributions to find that out, which took most of the time of a proposal.
        """

        whole: dict[str, Any]  # name to distribution

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
                return {}
            return self.whole

    return FlatTPESampler


class OptunaTPE(ToldOptunaAgent):
    """TPE over groups of parameters that occur together; constraints by the trials' own mechanism."""

    summary = "Optuna's TPE sampler: multivariate, constraints, conditional parameters define-by-run"
    hyperparameters = DesignSpace(
        Integer("startup", 1, 4096, log=True, default=10, meaning="random designs before the estimator is used"),
        Integer("candidates", 1, 1024, log=True, default=24, meaning="draws from the good density for each proposal"),
        Categorical("density", ("joint", "separate"), meaning="one density of all parameters, or one for each"),
    )

    def _sampler(self, seed: int) -> Any:
        import optuna

        joint = self.settings["density"] == "joint"
        conditional = any(parameter.when for parameter in self.space.parameters)
        make: Any = _flat_sampler_class() if joint and not conditional else optuna.samplers.TPESampler
        sampler = make(
            n_startup_trials=int(self.settings["startup"]),
            n_ei_candidates=int(self.settings["candidates"]),
            seed=seed,
            multivariate=joint,
            group=joint and conditional,  # without conditions all parameters are one group
            constant_liar=False,  # designs are told before the next is asked
            constraints_func=None,
        )
        if joint and not conditional:
            sampler.whole = {name: d for name, d in sorted(self._optuna_space.distributions.items()) if not d.single()}
        return sampler
