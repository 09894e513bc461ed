"""The contract every agent keeps, as functions that anyone's tests can call; none needs pytest.

`check_agent("my_agent")` runs them all on small problems of every kind of parameter. A failure is an AssertionError
that states the rule, the value and the remedy.
"""

import copy
import random
from typing import Any

import numpy as np

from designgym.agents.base import ToldBefore, run
from designgym.agents.check_problems import (
    CONDITIONAL,
    CONTINUOUS,
    FLAT,
    ONE,
    TINY,
    TWO,
    Bowl,
    Sealed,
    SealedProblem,
    problems,
    problems_for,
)
from designgym.agents.moves import joined, rows_of
from designgym.agents.registry import agent_class, make_agent
from designgym.agents.search import Trials, search
from designgym.cost_models.testing import pickled_copy, require
from designgym.envs import Answer, DesignProblem, Evaluations, MeteredProblem, ReplayDiffers

__all__ = [
    "CONDITIONAL",
    "CONTINUOUS",
    "FLAT",
    "ONE",
    "TINY",
    "TWO",
    "Bowl",
    "check_agent",
    "check_class",
    "check_declared",
    "check_hyperparameters",
    "check_resume",
    "check_same_seed",
    "check_sealed",
    "check_small_space",
    "check_start",
    "check_told",
    "check_trials",
    "problems",
    "problems_for",
]

SAME_AGAIN = (
    "Draw only from self.rng; let nothing depend on time, on hashing, on what is already priced or, if told, on how "
    "tells are batched."
)


def check_agent(name: str, budget: int = 120, **hyperparameters: Any) -> None:
    """Run every check of the contract for a registered agent."""
    check_declared(name)
    for label, problem in problems_for(agent_class(name))[0].items():
        answers: list[Answer] = []
        try:
            trials = _searched(name, label, problem, budget, listener=answers.append, **hyperparameters)
        except ValueError:
            continue  # An agent may refuse a space with a Float, if it does so by name.
        check_trials(name, label, problem, trials, budget)
        check_start(name, problem, budget, **hyperparameters)
        check_same_seed(name, label, problem, trials, budget, **hyperparameters)
        if agent_class(name).told:
            check_told(name, label, problem, answers, budget, **hyperparameters)
        else:
            check_resume(name, label, problem, trials, budget, **hyperparameters)
    check_sealed(name, budget, **hyperparameters)
    check_small_space(name, **hyperparameters)
    check_hyperparameters(name, budget=min(40, budget))


def check_declared(name: str) -> None:
    """Its class can be sent to a worker, says in one line what it does, and each hyperparameter says what it means."""
    check_class(name, agent_class(name))


def check_class(name: str, cls: Any) -> None:
    """The same for a class, of whichever kind of agent."""
    require(
        pickled_copy(f"{name}'s class", cls) is cls,
        f"{name}: its class must be found in its module, got another from pickle. Define it at module level.",
    )
    require(
        isinstance(cls.summary, str) and cls.summary and "\n" not in cls.summary,
        f"{name}: {cls.__name__}.summary must say in one line what it does, got {cls.summary!r}. Write summary =.",
    )
    for parameter in cls.hyperparameters.parameters:
        require(
            parameter.meaning,
            f"{name}: hyperparameter {parameter.name} must say what it means, got ''. Add meaning=.",
        )


def _searched(name: str, label: str, problem: DesignProblem, budget: int, seed: int = 1, **options: Any) -> Trials:
    """Search; AssertionError where that raises, except for a refusal of a Float or of a missing library."""
    try:
        return search(problem, name, budget, seed, **options)
    except (AssertionError, ImportError):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and problem.space.has_floats and "Float" in str(error):
            raise
        raise AssertionError(
            f"{name} must search the {label} problem to its end, got {_told(error)}. Let ask() return "
            "columns of the space and tell() take any designs."
        ) from error


def _told(error: Exception) -> str:
    """What was raised, in one line without its full stop."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")


def check_trials(name: str, label: str, problem: DesignProblem, trials: Trials, budget: int) -> None:
    """Valid canonical designs, each once, at most the budget, and no fewer without a reason."""
    inside = problem.space.contains(trials.designs)
    require(
        inside.all(),
        lambda: (
            f"{name} must ask designs of the space, got {_first(problem, trials, ~inside)} on the {label} problem. "
            "Draw with space.sample, change with agents.moves, and drop what space.violation marks."
        ),
    )
    require(len(trials), f"{name} must price designs of the {label} problem, got none. Let ask() return some.")
    require(
        len(trials) <= budget, f"{name} must price at most {budget} designs, got {len(trials)}. Ask the meter alone."
    )
    rows = set(zip(*(trials.designs[c].tolist() for c in problem.space.columns), strict=True))
    require(
        len(rows) == len(trials),
        f"{name}: each design must be priced once, got {len(trials) - len(rows)} twice. Ask the meter alone.",
    )
    spent = len(trials) + agent_class(name).needs_local_costs  # which count as one design
    full = spent >= min(budget, problem.space.size)
    require(
        full or trials.ended != "budget",
        f"{name} must spend its budget of {budget}, got {len(trials)} designs. Let BudgetSpent come from the meter.",
    )


def _first(problem: DesignProblem, trials: Trials, rows: Any) -> str:
    """Name the first of these trials."""
    names = problem.space.describe(rows_of(trials.designs, np.flatnonzero(rows)[:1]))
    return ", ".join(f"{name}={value}" for name, values in names.items() for value in values)


def check_same_seed(
    name: str, label: str, problem: DesignProblem, trials: Trials, budget: int, /, **hyperparameters: Any
) -> None:
    """The same seed gives the same trials whatever the global generators hold, and leaves them alone."""
    random.seed(12345)  # to catch an agent that draws from them
    np.random.seed(12345)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    again = _searched(name, label, problem, budget, **hyperparameters)
    after = random.getstate(), np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    for module, same in (("random", before[0] == after[0]), ("numpy.random", (before[1] == after[1]).all())):
        require(
            same,
            f"{name} must draw from the rng it is given, got draws from {module} itself on the {label} problem. Use "
            "self.rng.",
        )
    _check_equal(trials, again, f"{name} with the same seed must give the same trials on the {label} problem")


def check_resume(
    name: str, label: str, problem: DesignProblem, trials: Trials, budget: int, /, **hyperparameters: Any
) -> None:
    """A run continued from its first trials ends in the trials of one that was never interrupted."""
    rule = f"{name} continued from its log must end as uninterrupted on the {label} problem"
    for kept in {1, len(trials) // 2, len(trials) - 1} - {0}:
        logged = (rows_of(trials.designs, slice(kept)), trials.evaluations.take(slice(kept)))
        try:
            again = search(problem, name, budget, seed=1, logged=logged, **hyperparameters)
        except ReplayDiffers as differs:
            raise AssertionError(f"{rule} after {kept} trials, got another: {differs} {SAME_AGAIN}") from differs
        _check_equal(trials, again, f"{rule} after {kept} trials")


def check_start(name: str, problem: DesignProblem, budget: int, **hyperparameters: Any) -> None:
    """Designs that it did not ask for are told first, priced first, and left as they are."""
    start = problem.space.sample(3, np.random.default_rng(7))
    rule = f"{name} must be told designs it did not ask for"
    try:
        trials = search(problem, name, budget, seed=1, start=start, **hyperparameters)
    except Exception as error:
        raise AssertionError(f"{rule}, got {_told(error)}. Let tell() take any designs of the space.") from error
    first = rows_of(trials.designs, slice(3))
    same = len(trials) >= 3 and all((first[column] == start[column]).all() for column in start)
    require(same, f"{rule}, got them lost. Let tell() take any designs.")
    agent = make_agent(name, MeteredProblem(problem, budget), 1, **hyperparameters)
    told, evaluations = {name_: column.copy() for name_, column in start.items()}, problem.evaluate(start)
    before = copy.deepcopy(evaluations)
    agent.tell(told, evaluations)
    pairs = [(told[column], start[column]) for column in start]
    pairs += [(getattr(evaluations, key), getattr(before, key)) for key in ("losses", "violation", "reward")]
    pairs += [(evaluations.metrics[key], before.metrics[key]) for key in before.metrics]
    require(
        all(np.array_equal(now, then, equal_nan=True) for now, then in pairs),
        f"{name}.tell must leave designs and evaluations as they are, but it changed them. The log holds the same "
        "arrays: work on copies.",
    )


def check_told(
    name: str, label: str, problem: DesignProblem, answers: list[Answer], budget: int, **hyperparameters: Any
) -> None:
    """A told agent that is told its first asks in one batch goes on as before. answers: those of the whole run."""
    whole = _fresh(problem, answers)
    for asks in {1, len(answers) // 2, len(answers) - 1} - {0}:
        told = joined(*(answer.designs for answer in answers[:asks]))
        logged, rest = _fresh(problem, answers[:asks]), list[Answer]()
        metered = MeteredProblem(problem, budget, rest.append, (logged.designs, logged.evaluations))
        run(make_agent(name, metered, 1, **hyperparameters), told=ToldBefore(told, asks))
        rule = f"{name} told its first {asks} asks at once must go on as before on the {label} problem"
        _check_equal(whole, _fresh(problem, [*answers[:asks], *rest]), rule)


def _fresh(problem: DesignProblem, answers: list[Answer]) -> Trials:
    """Return the designs that were priced."""
    rows = [np.flatnonzero(answer.fresh) for answer in answers]
    designs = joined(*(rows_of(answer.designs, fresh) for answer, fresh in zip(answers, rows, strict=True)))
    parts = [answer.evaluations.take(fresh) for answer, fresh in zip(answers, rows, strict=True)]
    return Trials(problem.space, designs, Evaluations.concatenate(parts))


def check_sealed(name: str, budget: int = 60, **hyperparameters: Any) -> None:
    """It prices nothing but through the meter: not on a cost model at hand, nor on the problem inside the meter."""
    open_problem = next(iter(problems_for(agent_class(name))[0].values()))
    model = Sealed(open_problem.cost_model)
    sealed = SealedProblem(open_problem.space, model, open_problem.objective)
    trials = _searched(name, "sealed", sealed, budget, **hyperparameters)
    require(
        model.priced == len(trials),
        f"{name} must price designs through the meter alone, got {model.priced} priced and {len(trials)} metered. "
        "Call self.problem.evaluate, or none at all, and let BudgetSpent pass.",
    )


def check_small_space(name: str, **hyperparameters: Any) -> None:
    """A space smaller than the budget ends the run, with no more designs than it has; one that repeats is stopped."""
    metered = MeteredProblem(small := problems_for(agent_class(name))[1], 1000)
    if agent_class(name).needs_floats:
        _check_refused(name, metered, hyperparameters)
        return
    ended, size = run(make_agent(name, metered, 0, **hyperparameters)), small.space.size
    require(
        ended in {"complete", "repeats", "done"} and metered.spent() <= size + agent_class(name).needs_local_costs,
        f"{name} on {size} designs must end complete, on repeats or done, got {ended!r} after {metered.spent()}. "
        "Let what the meter raises pass.",
    )


def _check_refused(name: str, metered: MeteredProblem, hyperparameters: dict[str, Any]) -> None:
    try:
        make_agent(name, metered, 0, **hyperparameters)
    except ValueError as refused:
        told = str(refused)
        require(
            name in told and "Float" in told,
            f"{name} must say who refuses a space without a Float, got {told!r}. Name the agent and the Float.",
        )
        return
    raise AssertionError(f"{name}: needs_floats must be true, got a space without a Float taken. Leave it out.")


def check_hyperparameters(name: str, settings: int = 4, budget: int = 40) -> None:
    """Settings drawn at random from its declared hyperparameter space work."""
    space = agent_class(name).hyperparameters
    drawn = space.describe(space.sample(settings, np.random.default_rng(0)))
    label, problem = next(iter(problems_for(agent_class(name))[0].items()))
    for i in range(settings if space.parameters else 0):
        setting = {key: values[i] for key, values in drawn.items()}
        trials = _searched(name, f"{label} (with {setting})", problem, budget, seed=0, **setting)
        require(len(trials), f"{name} must work with {setting}, got no trials. Narrow the hyperparameter's range.")


def _check_equal(one: Trials, other: Trials, rule: str) -> None:
    n = min(len(one), len(other))
    for column in one.designs:
        differs = np.flatnonzero(one.designs[column][:n] != other.designs[column][:n])
        require(not len(differs), f"{rule}, got another {column} in trial {differs[:1]}. {SAME_AGAIN}")
    require(len(one) == len(other), f"{rule}, got {len(other)} trials instead of {len(one)}. {SAME_AGAIN}")
    same = np.array_equal(one.evaluations.losses, other.evaluations.losses, equal_nan=True)
    require(same, f"{rule}, got other losses for the same designs. Leave what is told as it is.")
