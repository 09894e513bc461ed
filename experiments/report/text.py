"""Numbers and names as the page writes them; what is HTML says so."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape

from designgym.experiments.quantities import SCALED, quantity
from designgym.experiments.report.study import BestDesign, ProblemStudy

NBSP = "\u00a0"
WITHIN_1 = f"within 1{NBSP}%"
MOST_IN_A_LINE = 12  # letters of a parameter's value; a longer one, such as an order of many, may break
POWERS = {"2": "²", "3": "³"}


def percent(value: float) -> str:
    """Return a share in per cent at the precision a reader can use: 0 %, < 0.01 %, 0.35 %, 12 %, 340 %."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    hundredths = 100.0 * value
    if hundredths == 0:
        return f"0{NBSP}%"
    if abs(hundredths) < 0.01:
        return f"<{NBSP}0.01{NBSP}%"
    return f"{hundredths:.2g}{NBSP}%" if abs(hundredths) < 10 else f"{hundredths:,.0f}{NBSP}%"


def count(value: float) -> str:
    """Return a number of designs: 1,240; "never" for inf."""
    return "never" if math.isinf(value) else f"{value:,.0f}"


def number(value: float, digits: int = 3) -> str:
    """Return a plain number, without an exponent where that stays short."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    return f"{value:.{digits}g}" if value == 0 or 1e-4 <= abs(value) < 1e6 else f"{value:.{digits - 1}e}"


def several(n: int, what: str) -> str:
    """Return a number of things: 1 seed, 10 seeds."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def listed(items: Sequence[str]) -> str:
    """Join as a sentence does: a, b and c."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def shortened(label: str, most: int = 38) -> str:
    """Return a label with its middle left out where it is too long for a legend."""
    kept = most - 1
    return label if len(label) <= most else f"{label[: kept - kept // 3]}…{label[-(kept // 3) :]}"


def short_label(label: str) -> str:
    """Return an agent's label for a legend: of many settings the values alone, genetic(16, 0.75, 0.125, 0.33, 5)."""
    return label if len(label) <= 38 else shortened(re.sub(r"(?<=[(\s])\w+=", "", label))


def code(name: str) -> str:
    """Return a name as it stands in the log, as HTML."""
    return f"<code>{escape(name)}</code>"


def breakable(name: str) -> str:
    """Return a name as HTML that may break at its words, but not before a last letter or two: latency_s."""
    return re.sub(r"(?<=[_,/(=]).(?!.?$)|(?<=[a-z])[A-Z]", r"<wbr>\g<0>", escape(name))


# -- units ------------------------------------------------------------------------------------------------------------


def pretty(unit: str) -> str:
    """Return a unit as a reader writes it: mm2 as mm², nothing for a plain number."""
    return "" if unit == "1" else re.sub(r"(?<=m)[23]\b", lambda power: POWERS[power[0]], unit)


def apart(unit: str) -> str:
    """Return a unit that stands apart from its numbers; nothing for one that takes SI prefixes, as in 4.62 ms."""
    return "" if unit in SCALED else pretty(unit)


def figure_only(value: float | int, unit: str) -> str:
    """Return a number, with its unit only where that takes SI prefixes."""
    return quantity(value, unit if unit in SCALED else "").replace(" ", NBSP)


def metric_unit(problem: ProblemStudy, name: str) -> str:
    """Return a metric's unit as its cost model gives it."""
    return problem.metrics[name].unit if name in problem.metrics else ""


def metric_meaning(problem: ProblemStudy, name: str) -> str:
    """Return what a metric means."""
    return problem.metrics[name].meaning if name in problem.metrics else ""


def metric_value(problem: ProblemStudy, name: str, value: float) -> str:
    """Return a metric's value with its unit."""
    return quantity(value, pretty(metric_unit(problem, name))).replace(" ", NBSP)


def metric_html(problem: ProblemStudy, name: str, value: float) -> str:
    """Return a metric's value with its unit, as HTML."""
    return escape(metric_value(problem, name, value))


def parameter_unit(problem: ProblemStudy, column: str) -> str:
    """Return the unit of the parameter that owns a column."""
    return str(problem.parameter_of[column].get("unit") or "")


def parameter_meaning(problem: ProblemStudy, column: str) -> str:
    """Return what the parameter that owns a column means."""
    return str(problem.parameter_of[column].get("meaning") or "")


def parameter_html(problem: ProblemStudy, column: str, best: BestDesign) -> str:
    """Return a parameter's value in a design as HTML, its unit only where that takes SI prefixes; a dash if idle."""
    value = best.design[column]
    if value is None:
        return '<span title="idle in this design">–</span>'
    if not isinstance(value, str):
        return escape(figure_only(value, parameter_unit(problem, column)))
    if len(value) <= MOST_IN_A_LINE:
        return escape(value)
    # An order of many breaks between them, a single name at its words.
    pieces = escape(value).replace(",", ",<wbr>") if "," in value else breakable(value)
    return f'<span class="long">{pieces}</span>'
