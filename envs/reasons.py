"""Why a design is infeasible, in words: what it breaks of the space, the cost model and the objective."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from designgym.cost_models.base import Columns
from designgym.envs.constraints import Constraint
from designgym.envs.objective import Evaluations
from designgym.envs.problem import Problem
from designgym.envs.space import DesignSpace

ROUNDING = 1e-9  # of a violation: what the sum over the constraints may differ from it by rounding alone


def reason_of(problem: Problem, design: Columns, evaluation: Evaluations) -> str:
    """design: one canonical design; evaluation: what it came to. Return clauses joined by "; ", "" where feasible.

    A design outside the space was not priced, so only the space speaks of it.
    """
    violation = evaluation.violation.item()
    if not violation:
        return ""
    unpriced = all(math.isnan(column.item()) for column in evaluation.metrics.values())
    if unpriced and (clauses := _outside(problem.space, design)):
        return "; ".join(clauses)
    broken = _broken(problem.objective._parsed, evaluation.metrics)
    said = _model_says(problem, design, violation, sum(excess for _, excess in broken))
    return "; ".join([said] * bool(said) + [clause for clause, _ in broken])


def _outside(space: DesignSpace, design: Columns) -> list[str]:
    illegal = [p for p in space.parameters if not p.legal([design[name] for name in p.columns])[0]]
    if illegal:
        return [f"{name} has no value {design[name].item():g}" for p in illegal for name in p.columns]
    functions = [f for f in space.constraints if not isinstance(f, str)]
    clauses = [clause for clause, _ in _broken(space._texts, design)]
    return clauses + [_says(f, design) for f in functions if not f(design)[0]]


def _says(constraint: Any, design: Columns) -> str:
    """Return what an object that is called as a constraint says of one design that breaks it, else its name."""
    reason = getattr(constraint, "reason", None)
    name = getattr(constraint, "__name__", type(constraint).__name__)
    return str(reason(design)) if reason is not None else f"{name} does not hold"


def _model_says(problem: Problem, design: Columns, violation: float, explained: float) -> str:
    model = getattr(getattr(problem, "problem", problem), "cost_model", None)
    reason = getattr(model, "reason", None)  # the protocol `Explains`, whose isinstance takes twenty times as long
    said = str(reason(design)) if reason is not None else ""
    if math.isinf(violation):
        return said or "the evaluation failed"
    own = violation - explained
    return said or (f"the cost model reports a violation of {own:.3g}" if own > ROUNDING * violation else "")


def _broken(constraints: Iterable[Constraint], columns: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return, for each constraint that one design breaks, a clause with the values it reads, and by how much."""
    broken = []
    for constraint in constraints:
        excess = constraint.violation(columns).item()
        if excess:
            values = ", ".join([f"{name} = {columns[name].item():.6g}" for name in sorted(constraint.used)])
            broken.append((f"{constraint.text} does not hold for {values}", excess))
    return broken
