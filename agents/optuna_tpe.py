"""Optuna's tree-structured Parzen estimator behind ask and tell, in memory.

Source: Bergstra et al., NeurIPS 2011; Watanabe, arXiv:2304.11127; the sampler is Optuna's own. Every option that
Optuna does not deprecate is set here, for its defaults change between versions.
"""

import logging
import warnings
from typing import Any

import numpy as np

from designgym.agents.base import Agent
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import DesignSpace, Evaluations, Integer, Problem

MOST_TRIES = 100  # proposals against the space's constraints before a valid design is drawn instead
FAILED = 1e300  # Optuna takes neither NaN nor an infinite constraint; ranks decide among the infeasible


class OptunaTPE(Agent):
    """Multivariate TPE over groups of parameters that occur together; constraints by the trial's own mechanism."""

    summary = "Optuna's TPE sampler: multivariate, grouped, constraints, conditional parameters define-by-run"
    hyperparameters = DesignSpace(
        Integer("startup", 1, 4096, log=True, default=10, meaning="random designs before the estimator is used"),
        Integer("candidates", 1, 1024, log=True, default=24, meaning="draws from the good density for each proposal"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._optuna_space = self.space.to_optuna()
        self._study = self._make_study(int(rng.integers(0, 2**31)))
        self._pending: list[tuple[Any, Columns]] = []

    def _make_study(self, seed: int) -> Any:
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=int(self.settings["startup"]),
                n_ei_candidates=int(self.settings["candidates"]),
                seed=seed,
                multivariate=True,
                group=True,
                constant_liar=False,
                constraints_func=None,
            )
        directions = [optuna.study.StudyDirection.MINIMIZE] * len(self.problem.objective.names)
        storage = optuna.storages.InMemoryStorage()
        return optuna.create_study(storage=storage, sampler=sampler, directions=directions)

    def ask(self, n: int) -> Columns:
        asked = []
        for _ in range(n):
            trial, design = self._ask_valid()
            self._pending.append((trial, design))
            asked.append(design)
        return {name: np.concatenate([design[name] for design in asked]) for name in self.space.columns}

    def _ask_valid(self) -> tuple[Any, Columns]:
        """Ask until the space's constraints hold; Optuna learns each violation, and no budget is spent on it."""
        for _ in range(MOST_TRIES):
            trial = self._study.ask()
            design = self._optuna_space.suggest(trial)
            violation = float(self.space.violation(design)[0])
            if violation == 0:
                return trial, design
            trial.set_constraint("violation", violation)
            self._study.tell(trial, [FAILED] * len(self.problem.objective.names))
        return None, self.space.sample(1, self.rng)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        pending, self._pending = self._pending, []
        losses = np.nan_to_num(evaluations.losses, nan=FAILED, posinf=FAILED, neginf=-FAILED)
        violations = np.minimum(evaluations.violation, FAILED)
        for i in range(batch_length(designs)):
            values, violation = losses[i].tolist(), float(violations[i])
            asked = i < len(pending) and pending[i][0] is not None
            if asked and self._is(pending[i][1], designs, i):
                pending[i][0].set_constraint("violation", violation)
                self._study.tell(pending[i][0], values)
            else:
                self._add({name: column[i : i + 1] for name, column in designs.items()}, values, violation)

    def _is(self, design: Columns, designs: Columns, row: int) -> bool:
        return all(design[name][0] == designs[name][row] for name in self.space.columns)

    def _add(self, design: Columns, values: list[float], violation: float) -> None:
        """Tell a design that Optuna did not ask for."""
        from optuna.trial import create_trial

        params = self._optuna_space.params(design)[0]
        distributions = {name: self._optuna_space.distributions[name] for name in params}
        constraints = {"violation": violation}
        self._study.add_trial(
            create_trial(values=values, params=params, distributions=distributions, constraints=constraints)
        )
