"""Other people's searchers, asked and told behind our meter, so that distinct designs are counted alike.

They live in this bench alone and are in no registry but while it runs. Each keeps its library's defaults; none knows
that designs may repeat or that some of a space may be out of bounds. Extra `peers`.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from designgym.agents.base import Agent
from designgym.cost_models.base import Columns
from designgym.envs import Categorical, Evaluations, Problem

PENALTY = 1e9  # the loss of an infeasible design is this times 1 + its violation: libraries want a number


@dataclass(frozen=True)
class Digit:
    """One knob as a peer sees it. choices: 0 for a real number in [0, 1); ordered: whether they have an order."""

    name: str
    choices: int
    ordered: bool


class Peer(Agent):
    """What the adapters share: knobs as digits of the space, and losses as finite numbers.

    module: what must be installed. several: whether it takes several objectives; one: whether it takes one.
    """

    module: ClassVar[str] = ""
    one: ClassVar[bool] = True
    several: ClassVar[bool] = True

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.objectives = len(problem.objective.names)
        if not (self.several if self.objectives > 1 else self.one):
            wanted = "several objectives" if self.one is False else "one objective"
            raise ValueError(f"{type(self).__name__} needs {wanted}, got {self.objectives}. Leave it out.")
        self.digits = [
            Digit(f"k{i}", cardinality, not isinstance(parameter, Categorical))
            for i, (parameter, cardinality) in enumerate(
                (parameter, cardinality)
                for parameter in self.space.parameters
                for cardinality in parameter.cardinalities
            )
        ]
        self.seed = int(rng.integers(2**31))

    def designs(self, rows: list[list[Any]]) -> Columns:
        """Return choices, one list a design, as columns."""
        return self.space.from_digits(
            [
                np.array([row[i] for row in rows], np.int64 if digit.choices else np.float64)
                for i, digit in enumerate(self.digits)
            ]
        )

    def losses(self, evaluations: Evaluations) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return finite losses, (n, k)."""
        bad = PENALTY * (1.0 + np.minimum(evaluations.violation, PENALTY))
        return np.where(evaluations.feasible[:, None], evaluations.losses, bad[:, None])


class _Pymoo(Peer):
    """pymoo's genetic algorithms over mixed variables. Source: Blank and Deb, IEEE Access 8, 2020."""

    module = "pymoo"

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        from pymoo.core.problem import Problem as Declared
        from pymoo.core.termination import NoTermination
        from pymoo.core.variable import Choice, Integer, Real

        variables: dict[str, Any] = {}
        for digit in self.digits:
            if not digit.choices:
                variables[digit.name] = Real(bounds=(0.0, np.nextafter(1.0, 0.0)))
            elif digit.ordered:
                variables[digit.name] = Integer(bounds=(0, digit.choices - 1))
            else:
                variables[digit.name] = Choice(options=list(range(digit.choices)))
        self._algorithm = self._make()
        declared = Declared(vars=variables, n_obj=self.objectives)
        self._algorithm.setup(declared, termination=NoTermination(), seed=self.seed, verbose=False)

    def _make(self) -> Any:
        raise NotImplementedError

    def ask(self, n: int) -> Columns:
        """Return a generation, whatever n is."""
        self._asked = self._algorithm.ask()
        rows = [] if self._asked is None else [[x[d.name] for d in self.digits] for x in self._asked.get("X")]
        return self.designs(rows)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._asked.set("F", self.losses(evaluations))
        for individual in self._asked:
            individual.evaluated.update({"F", "G", "H"})
        self._algorithm.tell(infills=self._asked)


class PymooGA(_Pymoo):
    """pymoo's genetic algorithm for mixed variables, population 50."""

    summary = "pymoo's MixedVariableGA"
    several = False
    batch = 50

    def _make(self) -> Any:
        from pymoo.core.mixed import MixedVariableGA

        return MixedVariableGA()


class PymooNSGA2(_Pymoo):
    """pymoo's NSGA-II with its operators for mixed variables, population 100."""

    summary = "pymoo's NSGA2 over mixed variables"
    batch = 100

    def _make(self) -> Any:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.core.mixed import MixedVariableDuplicateElimination, MixedVariableMating, MixedVariableSampling

        unique = MixedVariableDuplicateElimination()
        mating = MixedVariableMating(eliminate_duplicates=unique)
        return NSGA2(sampling=MixedVariableSampling(), mating=mating, eliminate_duplicates=unique)


class NevergradNGOpt(Peer):
    """nevergrad's NGOpt: it picks an optimiser by the space and the budget.

    Source: Meunier et al., IEEE TEVC 26(6), 2022, doi:10.1109/TEVC.2021.3108185.
    """

    summary = "nevergrad's NGOpt"
    module = "nevergrad"

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        import nevergrad

        parts = []
        for digit in self.digits:
            if not digit.choices:
                parts.append(nevergrad.p.Scalar(lower=0.0, upper=float(np.nextafter(1.0, 0.0))))
            elif digit.ordered and digit.choices > 1:
                # TransitionChoice moves one step at a time: NGOpt then repeats itself for ever at a local optimum.
                parts.append(nevergrad.p.Scalar(lower=0, upper=digit.choices - 1).set_integer_casting())
            else:
                parts.append(nevergrad.p.Choice(range(digit.choices)))
        space = nevergrad.p.Tuple(*parts)
        space.random_state = np.random.RandomState(self.seed)  # the kind that nevergrad takes
        budget = int(min(getattr(problem, "budget", 1000), 10**9))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._optimizer = nevergrad.optimizers.NGOpt(space, budget=budget, num_workers=1)

    def ask(self, n: int) -> Columns:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._asked = self._optimizer.ask()
        return self.designs([list(self._asked.value)])

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        losses = self.losses(evaluations)[0].tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._optimizer.tell(self._asked, losses if self.objectives > 1 else losses[0])


class RayTuneOptuna(Peer):
    """Ray Tune's OptunaSearch, asked as Tune asks it; without Tune's trials, which cost seconds each."""

    summary = "Ray Tune's OptunaSearch"
    module = "ray.tune.search.optuna"

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        import optuna
        from ray.tune.search.optuna import OptunaSearch

        optuna.logging.set_verbosity(logging.ERROR)
        kinds = optuna.distributions
        space: dict[str, Any] = {}
        for digit in self.digits:
            if not digit.choices:
                space[digit.name] = kinds.FloatDistribution(0.0, float(np.nextafter(1.0, 0.0)))
            elif digit.ordered:
                space[digit.name] = kinds.IntDistribution(0, digit.choices - 1)
            else:
                space[digit.name] = kinds.CategoricalDistribution(tuple(range(digit.choices)))
        self._names = [f"loss{j}" for j in range(self.objectives)]
        several = self.objectives > 1
        metric, mode = (self._names, ["min"] * self.objectives) if several else (self._names[0], "min")
        self._search = OptunaSearch(space, metric=metric, mode=mode, seed=self.seed)
        self._count = 0

    def ask(self, n: int) -> Columns:
        self._count += 1
        asked: Any = self._search.suggest(str(self._count))
        return self.designs([[asked[digit.name] for digit in self.digits]])

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        result = dict(zip(self._names, self.losses(evaluations)[0].tolist(), strict=True))
        self._search.on_trial_complete(str(self._count), result | {"training_iteration": 1})


class Smac3(Peer):
    """SMAC3's facade for hyperparameters: random forests and expected improvement.

    Source: Lindauer et al., JMLR 23(54), 2022.
    """

    summary = "SMAC3's HyperparameterOptimizationFacade"
    module = "smac"
    several = False

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        import tempfile

        from ConfigSpace import Categorical as Choice
        from ConfigSpace import ConfigurationSpace, Float, Integer
        from smac import HyperparameterOptimizationFacade, Scenario

        space = ConfigurationSpace(seed=self.seed)
        for digit in self.digits:
            if not digit.choices:
                space.add(Float(digit.name, (0.0, float(np.nextafter(1.0, 0.0)))))
            elif digit.choices > 1:
                ordered = Integer(digit.name, (0, digit.choices - 1))
                space.add(ordered if digit.ordered else Choice(digit.name, list(range(digit.choices))))
        self._folder = tempfile.TemporaryDirectory(prefix="designgym-smac-")  # SMAC writes what it does, always
        trials = 2 * int(min(getattr(problem, "budget", 1000), 10**6))  # repeats cost nothing here
        scenario = Scenario(
            space, deterministic=True, n_trials=trials, seed=self.seed, output_directory=Path(self._folder.name)
        )
        self._smac = HyperparameterOptimizationFacade(scenario, _never_called, overwrite=True, logging_level=False)

    def ask(self, n: int) -> Columns:
        self._asked = self._smac.ask()
        return self.designs([[int(v) if d.choices else float(v) for d, v in self._values()]])

    def _values(self) -> list[tuple[Digit, Any]]:
        config = dict(self._asked.config)
        return [(digit, config.get(digit.name, 0)) for digit in self.digits]

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        from smac.runhistory import TrialValue

        self._smac.tell(self._asked, TrialValue(cost=float(self.losses(evaluations)[0, 0]), time=0.0))


def _never_called(config: Any, seed: int = 0) -> float:
    raise RuntimeError("SMAC is asked and told, it does not evaluate.")


PEERS: dict[str, type[Peer]] = {
    "pymoo_ga": PymooGA,
    "pymoo_nsga2": PymooNSGA2,
    "nevergrad_ngopt": NevergradNGOpt,
    "ray_tune_optuna": RayTuneOptuna,
    "smac3": Smac3,
}


def why_missing(name: str) -> str:
    """Return why a peer cannot run here, in one line; "" where it can."""
    try:
        importlib.import_module(PEERS[name].module)
    except Exception as error:  # a library may raise anything while it is imported
        return " ".join(f"{type(error).__name__}: {error}".split())
    return ""


def make_peers_known() -> None:
    """Register the peers as agents in this process."""
    from designgym.agents.registry import register_agent

    for name, peer in PEERS.items():
        register_agent(name, f"{peer.__module__}:{peer.__name__}")
