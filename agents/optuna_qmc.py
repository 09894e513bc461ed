"""Optuna's quasi-Monte Carlo sampler behind ask and tell, in memory.

Source: Sobol' 1967, doi:10.1016/0041-5553(67)90144-9, or Halton 1960, doi:10.1007/BF01386213, scrambled; the sampler is
Optuna's own, the points are SciPy's.
"""

from typing import Any

from designgym.agents.optuna_base import LiveOptunaAgent
from designgym.envs import Categorical, DesignSpace


class OptunaQMC(LiveOptunaAgent):
    """Fills the space; learns nothing. `quasi_random` does the same, thousands of times faster."""

    summary = "Optuna's quasi-Monte Carlo sampler: scrambled Sobol' or Halton points"
    hyperparameters = DesignSpace(
        Categorical("sequence", ("sobol", "halton"), meaning="whose points, after a scrambling of their own each run"),
    )

    def _sampler(self, seed: int) -> Any:
        import optuna

        return optuna.samplers.QMCSampler(
            qmc_type=self.settings["sequence"],
            scramble=True,
            seed=seed,
            independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            warn_asynchronous_seeding=False,
            warn_independent_sampling=False,
        )
