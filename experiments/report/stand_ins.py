"""What a page says of results that are no cost model's own: a surrogate's predictions, or rows of a dataset. HTML."""

from __future__ import annotations

from html import escape

from designgym.envs.cost_model_files import is_cost_model_file
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.text import code

IN_DOMAIN = "in_domain"  # the metric by which a surrogate says whether a design is like those it learned from
VERIFY = "designgym verify DIR --cost-model own"


def stand_in(problem: ProblemStudy) -> str:
    """Return a paragraph on what stood in for the problem's own cost model; "" where nothing did."""
    given = problem.logged.given.get("cost_model")
    if not is_cost_model_file(given):
        return ""
    kind, _, path = str(given).partition(":")
    named = f"<code>{escape(path)}</code>"
    if kind == "surrogate":
        return f"{_predicted(named)}{_outside(problem)} {_verified(problem)}"
    if kind == "dataset":
        return (
            f"<strong>Priced from a dataset</strong>, {named}: a design that is not in it counts as infeasible, and "
            f"the best is the best of its rows. {_verified(problem)}"
        )
    return ""


def _predicted(named: str) -> str:
    return (
        f"<strong>Found on a surrogate</strong>, {named}: all numbers here are its predictions, and search favours "
        "designs that it flatters."
    )


def _outside(problem: ProblemStudy) -> str:
    """Say how many of the best designs are unlike what the surrogate learned from, if any are."""
    outside = [best.metrics.get(IN_DOMAIN) == 0 for best in problem.best]
    if not any(outside):
        return ""
    what = "The best design lies" if outside[0] else f"{sum(outside)} of the best designs lie"
    return f" <strong>{what} outside what it was trained on.</strong>"


def _verified(problem: ProblemStudy) -> str:
    """Say how to price the best by the problem's own model, or that it was done."""
    verified = problem.verified
    if verified and any("cost_model=" in one.options for one in verified.comparisons):
        return "Below, under <em>Verified</em>, the best are priced by another cost model."
    return f"{code(VERIFY)} prices the best of them by the problem’s own cost model."
