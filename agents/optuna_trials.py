"""Designs as Optuna's trials, and studies that stay in memory and say nothing.

Optuna's storages copy a trial deeply, distributions and all, when it is added. A trial here shares what never changes,
so that thousands of known designs are taken in within a second.
"""

import contextlib
import copy
import datetime
import functools
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs import Objective
from designgym.envs.bridges import OptunaSpace

LARGEST = 1e100  # a Gaussian process squares its values
CONSTRAINT = "violation"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from announcing studies and experimental options; leave its settings as they were."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def new_study(objectives: int, sampler: Any = None) -> Any:
    """Return an empty study that minimises, in memory. Without a sampler it gets a random one, to be replaced."""
    import optuna

    with quiet():
        directions = [optuna.study.StudyDirection.MINIMIZE] * objectives
        storage = optuna.storages.InMemoryStorage()
        sampler = sampler or optuna.samplers.RandomSampler(seed=0)
        return optuna.create_study(storage=storage, sampler=sampler, directions=directions)


@functools.cache
def _known_trial_class() -> Any:
    from optuna.trial import FrozenTrial

    class KnownTrial(FrozenTrial):
        """A finished trial whose copies share its parameters' distributions and values, which never change."""

        def __deepcopy__(self, memo: dict[int, Any]) -> "KnownTrial":
            return copy.copy(self)

    return KnownTrial


def known_trials(
    space: OptunaSpace, designs: Columns, values: NDArray[np.float64], violations: NDArray[np.float64] | None
) -> list[Any]:
    """Return priced designs as finished trials, to be added to a study. values: (n, k); violations: (n,), or none."""
    from optuna.trial import TrialState

    make, now = _known_trial_class(), datetime.datetime.now()
    shared: dict[tuple[str, ...], dict[str, Any]] = {}  # which parameters matter: their distributions
    trials = []
    for i, (params, row) in enumerate(zip(space.params(designs), values.tolist(), strict=True)):
        names = tuple(params)
        if names not in shared:
            shared[names] = {name: space.distributions[name] for name in names}
        trial = make(
            number=-1,
            trial_id=-1,
            state=TrialState.COMPLETE,
            value=None,
            values=row,
            datetime_start=now,
            datetime_complete=now,
            params=params,
            distributions=shared[names],
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
        if violations is not None:
            trial.set_constraint(CONSTRAINT, float(violations[i]))
        trials.append(trial)
    return trials


def squashed(violation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Violations, 0 to inf, to [0, 1] in the same order: Optuna takes no infinite constraint."""
    return 1.0 - 1.0 / (1.0 + violation)


def scaled_losses(objective: Objective, losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each loss in a scale fit for modelling, (n, k): its logarithm where the reward takes logarithms.

    NaN where there is none.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if objective.reward in ("log", "product"):
            sign = np.where(np.arange(losses.shape[1]) < len(objective.minimize), 1.0, -1.0)
            losses = sign * np.log(sign * losses)
    return np.where(np.isfinite(losses), np.clip(losses, -LARGEST, LARGEST), np.nan)


def worst_so_far(values: NDArray[np.float64], before: Sequence[float]) -> NDArray[np.float64]:
    """Replace each NaN of (n, k) by its column's largest number up to there. before: the largest before the first."""
    stacked = np.vstack([before, values])
    worst = np.fmax.accumulate(stacked, axis=0)
    return np.where(np.isnan(values), worst[1:], values)
