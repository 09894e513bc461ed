"""The contract every agent keeps, as functions that anyone's tests can call; none needs pytest.

`check_agent("my_agent")` runs them all on small problems of every kind of parameter. A failure is an AssertionError
that states the rule, the value and the remedy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.agents.base import run
from designgym.agents.registry import agent_class, make_agent
from designgym.agents.search import Trials, search
from designgym.cost_models.base import Columns, Metric
from designgym.envs import (
    Answer,
    Categorical,
    DesignProblem,
    DesignSpace,
    Evaluations,
    Float,
    Integer,
    MeteredProblem,
    Objective,
    Ordinal,
    Permutation,
    Subset,
)


@dataclass(frozen=True)
class Bowl:
    """Two smooth conflicting metrics of the unit cube, and a violation in one corner; for tests of agents only."""

    space: DesignSpace

    metrics = (
        Metric("latency_s", "s", "lower", "1 + squared distance from the corner at .8"),
        Metric("energy_j", "J", "lower", "1 + squared distance from the corner at .2"),
    )
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        """designs: columns of the space, each (n,)."""
        unit = self.space.encode(designs)
        violation = np.maximum(0.0, unit[:, 0] - 0.9)
        latency_s = 1.0 + ((unit - 0.8) ** 2).sum(axis=1)
        energy_j = 1.0 + ((unit - 0.2) ** 2).sum(axis=1)
        return {"latency_s": latency_s, "energy_j": energy_j, "violation": violation}


FLAT = DesignSpace(
    Integer("rows", 4, 64, 4),
    Ordinal("kb", (8, 16, 32, 64)),
    Categorical("flow", ("os", "ws", "is")),
    Integer("c", 0, 9),
)
CONDITIONAL = DesignSpace(
    Categorical("method", ("plain", "tuned")),
    Integer("effort", 1, 20, when=("method", {"tuned"})),
    Permutation("order", ("k", "c", "p", "q")),
    Subset("steps", 7, 3),
    constraints=("effort <= 18", "steps_0 + steps_2 >= 4"),
)
CONTINUOUS = DesignSpace(Float("alpha", 0.0, 1.0), Float("rate", 1e-4, 1.0, log=True), Categorical("kind", ("a", "b")))
TINY = DesignSpace(Integer("a", 0, 4), Categorical("b", ("x", "y")))

ONE = Objective(minimize=("latency_s",), subject_to=("energy_j <= 3",))
TWO = Objective(minimize=("latency_s", "energy_j"))


def problems() -> dict[str, DesignProblem]:
    """Return small problems by name: flat, conditional, several objectives, continuous."""
    return {
        "flat": DesignProblem(FLAT, Bowl(FLAT), ONE),
        "conditional": DesignProblem(CONDITIONAL, Bowl(CONDITIONAL), ONE),
        "two objectives": DesignProblem(FLAT, Bowl(FLAT), TWO),
        "continuous": DesignProblem(CONTINUOUS, Bowl(CONTINUOUS), ONE),
    }


def check_agent(name: str, budget: int = 120, **hyperparameters: Any) -> None:
    """Run every check of the contract for a registered agent."""
    for label, problem in problems().items():
        try:
            trials = search(problem, name, budget, seed=1, **hyperparameters)
        except ValueError as refusal:
            if problem.space.has_floats and ("Float" in str(refusal)):
                continue  # An agent may refuse a space with a Float, if it does so by name.
            raise
        check_trials(name, label, problem, trials, budget)
        check_same_seed(name, label, problem, trials, budget, **hyperparameters)
        check_resume(name, label, problem, trials, budget, **hyperparameters)
        check_start(name, problem, budget, **hyperparameters)
    check_sealed(name, budget, **hyperparameters)
    check_small_space(name, **hyperparameters)
    check_hyperparameters(name)


def check_trials(name: str, label: str, problem: DesignProblem, trials: Trials, budget: int) -> None:
    """Valid canonical designs, each once, at most the budget, and no fewer without a reason."""
    inside = problem.space.contains(trials.designs)
    assert inside.all(), (
        f"{name} must ask designs of the space, got {problem.space.describe(_rows(trials.designs, ~inside))} on the "
        f"{label} problem. Draw with space.sample, change with agents.moves, and drop what space.violation marks."
    )
    assert len(trials) <= budget, f"{name} must price at most {budget} designs, got {len(trials)}. Ask the meter alone."
    rows = set(zip(*(trials.designs[c].tolist() for c in problem.space.columns), strict=True))
    assert len(rows) == len(trials), f"{name}: each design must be priced once, got {len(trials) - len(rows)} twice."
    full = len(trials) == min(budget, problem.space.size)
    assert full or trials.ended != "budget", f"{name} must spend its budget of {budget}, got {len(trials)} designs."


def check_same_seed(
    name: str, label: str, problem: DesignProblem, trials: Trials, budget: int, **hyperparameters: Any
) -> None:
    """The same seed gives the same trials whatever NumPy's global generator holds, and leaves it alone."""
    np.random.seed(12345)  # noqa: NPY002  (to catch an agent that draws from it)
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    again = search(problem, name, budget, seed=1, **hyperparameters)
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert (before == after).all(), f"{name} must draw from the rng it is given, got draws from numpy.random itself."
    _assert_equal(trials, again, f"{name} with the same seed must give the same trials on the {label} problem")


def check_resume(
    name: str, label: str, problem: DesignProblem, trials: Trials, budget: int, **hyperparameters: Any
) -> None:
    """A run continued from its first trials ends in the trials of one that was never interrupted."""
    for kept in {1, len(trials) // 2, len(trials) - 1} - {0}:
        logged = (_rows(trials.designs, slice(kept)), trials.evaluations.take(slice(kept)))
        again = search(problem, name, budget, seed=1, logged=logged, **hyperparameters)
        _assert_equal(trials, again, f"{name} continued after {kept} trials must end as uninterrupted ({label})")


def check_start(name: str, problem: DesignProblem, budget: int, **hyperparameters: Any) -> None:
    """Designs that it did not ask for are told first, and priced first."""
    start = problem.space.sample(3, np.random.default_rng(7))
    trials = search(problem, name, budget, seed=1, start=start, **hyperparameters)
    first = _rows(trials.designs, slice(3))
    same = all((first[column] == start[column]).all() for column in start)
    assert same, f"{name} must be told designs it did not ask for, got them lost. Let tell() take any designs."


class _Sealed:
    """A cost model that lets itself be used only while the problem evaluates."""

    def __init__(self, model: Any) -> None:
        self._model, self._open = model, False

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or not self._open:
            raise AssertionError(f"an agent must reach the cost model by problem.evaluate alone, got .{attribute}.")
        return getattr(self._model, attribute)


@dataclass(frozen=True)
class _SealedProblem(DesignProblem):
    """Opens the cost model for the length of one evaluation."""

    def __post_init__(self) -> None:
        """The metrics were checked before the model was sealed."""

    def evaluate(self, *arguments: Any, **keywords: Any) -> Evaluations:
        self.cost_model._open = True  # type: ignore[attr-defined]
        try:
            return super().evaluate(*arguments, **keywords)
        finally:
            self.cost_model._open = False  # type: ignore[attr-defined]


def check_sealed(name: str, budget: int = 60, **hyperparameters: Any) -> None:
    """It works on a problem whose cost model raises at any access but problem.evaluate."""
    open_problem = problems()["flat"]
    sealed = _SealedProblem(open_problem.space, _Sealed(open_problem.cost_model), open_problem.objective)
    trials = search(sealed, name, budget, seed=1, **hyperparameters)
    assert len(trials), f"{name} must price designs on a sealed problem, got none."


def check_small_space(name: str, **hyperparameters: Any) -> None:
    """A space smaller than the budget ends the run, with no more designs than it has; one that repeats is stopped."""
    answers: list[Answer] = []
    metered = MeteredProblem(DesignProblem(TINY, Bowl(TINY), ONE), 1000, answers.append)
    ended = run(make_agent(name, metered, 0, **hyperparameters))
    assert ended in {"complete", "repeats", "done"}, f"{name} on {TINY.size} designs must end, got {ended!r}."
    assert metered.spent() <= TINY.size


def check_hyperparameters(name: str, settings: int = 4, budget: int = 40) -> None:
    """Every setting of its declared hyperparameter space works: drawn at random, and each knob has a meaning."""
    space = agent_class(name).hyperparameters
    for parameter in space.parameters:
        assert parameter.meaning, f"{name}: hyperparameter {parameter.name} must say what it means. Add meaning=."
    drawn = space.describe(space.sample(settings, np.random.default_rng(0)))
    for i in range(settings if space.parameters else 0):
        setting = {key: values[i] for key, values in drawn.items()}
        trials = search(problems()["flat"], name, budget, seed=0, **setting)
        assert len(trials), f"{name} must work with {setting}, got no trials."


def _assert_equal(one: Trials, other: Trials, rule: str) -> None:
    assert len(one) == len(other), f"{rule}, got {len(one)} and {len(other)} trials."
    for column in one.designs:
        differs = one.designs[column] != other.designs[column]
        assert not differs.any(), (
            f"{rule}, got another {column} in trial {int(np.argmax(differs))}. Draw only from self.rng; let nothing "
            "depend on time, hashing or what is already priced."
        )
    same = np.array_equal(one.evaluations.losses, other.evaluations.losses, equal_nan=True)
    assert same, f"{rule}, got other losses for the same designs."


def _rows(designs: Columns, rows: Any) -> Columns:
    return {name: column[rows] for name, column in designs.items()}
