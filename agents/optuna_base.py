"""What agents over Optuna's samplers have in common: one study in memory, designs as trials, nothing priced twice.

A sampler that proposes a known design is asked again, a bounded number of times; after that a new neighbour of its
proposal is priced instead.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.agents.moves import mutate, random_mask, rows_of, valid_rows
from designgym.agents.optuna_trials import (
    CONSTRAINT,
    known_trials,
    new_study,
    quiet,
    scaled_losses,
    squashed,
    worst_so_far,
)
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Evaluations, Problem

Key = tuple[Any, ...]
NEIGHBOURS = 32  # neighbours drawn at a time where a sampler has nothing new
LARGEST_SEED = 2**31 - 2


class OptunaAgent(Agent):
    """One study, in memory. tries: proposals that may be known or break the space's constraints before a neighbour."""

    tries: ClassVar[int] = 20
    scalar: ClassVar[bool] = False  # whether the sampler takes one value only: then it is minus the reward

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._optuna_space = self.space.to_optuna()
        self._objectives = 1 if self.scalar else len(problem.objective.names)
        self._known: dict[Key, tuple[list[float], float]] = {}
        self._worst = [0.0] * self._objectives if self.scalar else [np.nan] * self._objectives

    @abstractmethod
    def _sampler(self, seed: int) -> Any:
        """Return the sampler with every option set that Optuna does not deprecate."""

    def _new_sampler(self) -> Any:
        with quiet():
            return self._sampler(int(self.rng.integers(0, LARGEST_SEED)))

    def _keys(self, designs: Columns) -> list[Key]:
        return list(zip(*(designs[name].tolist() for name in self.space.columns), strict=True))

    def _priced(self, evaluations: Evaluations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what Optuna is told: values, (n, k), never NaN, and violations in [0, 1], (n,)."""
        if self.scalar:
            return -evaluations.reward[:, None], squashed(evaluations.violation)
        values = scaled_losses(self.problem.objective, evaluations.losses)
        values = worst_so_far(values, self._worst)
        self._worst = np.fmax.reduce(np.vstack([self._worst, values])).tolist()
        return np.nan_to_num(values, nan=0.0), squashed(evaluations.violation)

    def _remember(self, designs: Columns, values: NDArray[np.float64], violations: NDArray[np.float64]) -> None:
        rows = zip(values.tolist(), violations.tolist(), strict=True)
        self._known.update(zip(self._keys(designs), rows, strict=True))

    def _elsewhere(self, design: Columns | None, taken: set[Key]) -> Columns:
        """Return a new valid design near this one, farther with every round; a random one where there is none."""
        for round_ in range(4 if design is not None else 0):
            assert design is not None
            copies = {name: np.repeat(column, NEIGHBOURS) for name, column in design.items()}
            mask = random_mask(NEIGHBOURS, self.space, 0.1 * round_, self.rng)
            new = self._first_new(valid_rows(self.space, mutate(self.space, copies, mask, 0.25, self.rng)), taken)
            if new is not None:
                return new
        drawn = self.space.sample(NEIGHBOURS, self.rng)
        new = self._first_new(drawn, taken)
        return rows_of(drawn, slice(0, 1)) if new is None else new

    def _first_new(self, designs: Columns, taken: set[Key]) -> Columns | None:
        for i, key in enumerate(self._keys(designs)):
            if key not in self._known and key not in taken:
                return rows_of(designs, slice(i, i + 1))
        return None

    def _joined(self, designs: list[Columns]) -> Columns:
        return {name: np.concatenate([design[name] for design in designs]) for name in self.space.columns}


class ToldOptunaAgent(OptunaAgent):
    """For samplers that read all they know from finished trials, and whose proposals are dear.

    The study holds the designs told, in order, and drafts: proposals, marked as failed, which samplers leave out. The
    sampler is made anew at every ask, so that a run continued from its log goes on as if it had never stopped.
    """

    told = True

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._trials: list[Any] = []
        self._constrained = False  # a constraint that all designs satisfy would only cost the sampler time
        self._study = new_study(self._objectives)
        self._drafts = 0

    def ask(self, n: int) -> Columns:
        if self._drafts > 1000 + len(self._trials):  # samplers walk through all trials at each ask
            self._rebuild()
        self._study.sampler = self._new_sampler()
        taken: set[Key] = set()
        designs = []
        for _ in range(n):
            design = self._propose(taken)
            taken.update(self._keys(design))
            designs.append(design)
        return self._joined(designs)

    def _propose(self, taken: set[Key]) -> Columns:
        from optuna.trial import TrialState

        known = None
        for _ in range(self.tries):
            trial = self._study.ask()
            design = self._optuna_space.suggest(trial)
            self._study.tell(trial, state=TrialState.FAIL)
            self._drafts += 1
            if self.space.violation(design)[0] == 0:
                if self._first_new(design, taken) is not None:
                    return design
                known = design
        return self._elsewhere(known, taken)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        if not batch_length(designs):
            return
        values, violations = self._priced(evaluations)
        self._remember(designs, values, violations)
        if not self._constrained and violations.any():
            self._constrained = True
            for trial in self._trials:
                trial.set_constraint(CONSTRAINT, 0.0)
            self._rebuild()
        told = known_trials(self._optuna_space, designs, values, violations if self._constrained else None)
        self._trials += told
        self._study.add_trials(told)

    def _rebuild(self) -> None:
        """Make the study anew, without drafts."""
        self._study, self._drafts = new_study(self._objectives), 0
        self._study.add_trials(self._trials)


class LiveOptunaAgent(OptunaAgent):
    """For samplers that keep notes in their own trials (populations, places in a sequence).

    A known design proposed again is answered from memory, so the sampler learns it, and nothing is asked of the
    problem. constrained: whether the sampler reads constraints. adopts: whether a design from elsewhere can join the
    sampler's population as one of its own.
    """

    constrained: ClassVar[bool] = False
    adopts: ClassVar[bool] = False

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._begin()

    def _begin(self) -> None:
        self._study = new_study(self._objectives, self._new_sampler())
        self._pending: list[tuple[Any, Key]] = []

    def ask(self, n: int) -> Columns:
        return self._joined([self._next() for _ in range(n)])

    def _next(self) -> Columns:
        from optuna.trial import TrialState

        taken = {key for _, key in self._pending}
        last = None
        for _ in range(self.tries):
            trial = self._study.ask()
            design = self._optuna_space.suggest(trial)
            violation = float(self.space.violation(design)[0])
            key = self._keys(design)[0]
            if violation > 0:
                self._answer_outside(trial, violation)
            elif key in self._known:
                self._answer(trial, *self._known[key])
                last = design
            elif key in taken:
                self._study.tell(trial, state=TrialState.FAIL)
            else:
                self._pending.append((trial, key))
                return design
        return self._instead(last, taken)

    def _instead(self, last: Columns | None, taken: set[Key]) -> Columns:
        """Return a design where the sampler has nothing new to propose."""
        design = self._elsewhere(last, taken)
        self._pending.append((self._adopted(design) if self.adopts else None, self._keys(design)[0]))
        return design

    def _adopted(self, design: Columns) -> Any:
        """Return a trial of the sampler that stands for this design."""
        self._study.enqueue_trial(self._optuna_space.params(design)[0])
        trial = self._study.ask()
        self._optuna_space.suggest(trial)
        return trial

    def _answer_outside(self, trial: Any, violation: float) -> None:
        """A design that breaks the space's constraints is told, and not priced."""
        values = self._worst
        if self.scalar:
            values = [-float(self.problem.objective.infeasible_reward(violation))]
        self._answer(trial, np.nan_to_num(values, nan=0.0).tolist(), float(squashed(np.array(violation))))

    def _answer(self, trial: Any, values: list[float], violation: float) -> None:
        if self.constrained:
            trial.set_constraint(CONSTRAINT, violation)
        self._study.tell(trial, values)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        if not batch_length(designs):
            return
        values, violations = self._priced(evaluations)
        self._remember(designs, values, violations)
        pending, self._pending = self._pending, []
        trials = {key: trial for trial, key in pending}
        for i, key in enumerate(self._keys(designs)):
            row = rows_of(designs, slice(i, i + 1))
            trial = trials.pop(key, None)
            if trial is None and self.adopts:
                trial = self._adopted(row)
            if trial is not None:
                self._answer(trial, values[i].tolist(), float(violations[i]))
            else:
                known = violations[i : i + 1] if self.constrained else None
                self._study.add_trials(known_trials(self._optuna_space, row, values[i : i + 1], known))
