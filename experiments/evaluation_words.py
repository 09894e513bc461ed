"""An evaluation in words: what was scored on what, and what each policy's arm is worth beside the best fixed policy."""

from __future__ import annotations

from typing import Any

from designgym.experiments.quantities import quantity
from designgym.experiments.report.text import several

FEWER = 0.02  # by which the share of feasible instances may be lower where an arm is said to win
KINDS = {"held-out": "held-out instances", "training": "training instances, those that fixed policies are chosen on"}


def heading(entry: dict[str, Any]) -> str:
    """Return where policies were scored, and on how many instances."""
    options = "".join(f" {name}={value}" for name, value in entry["options"].items())
    many = several(entry["episodes"], "episode")
    if entry["trial"] == "step":
        many = f"{several(entry['count'], 'instance')} in {several(entry['episodes'], 'sequence')}"
    return f"{entry['env']}{options}: {many}, {KINDS[entry['instances']]}"


def rule(entry: dict[str, Any]) -> str:
    """Return when an arm is said to beat the best fixed policy."""
    wanted = entry["objective"]
    names = [*wanted["minimize"], *wanted["maximize"]]
    better = f"the interval of the difference in {names[0]} is on the better side"
    if len(names) > 1:
        better = f"it is better in one of {', '.join(names)}, by its interval, and worse in none"
    kept = f"the lower end of the difference in feasible shares is at least {-100 * FEWER:.0f} points"
    if wanted["subject_to"]:
        kept = f"{' and '.join(wanted['subject_to'])} holds for each of its policies"
    return f"An arm beats the best fixed policy where {better}, and {kept}."


def verdicts(entry: dict[str, Any]) -> list[str]:
    """Return a sentence for each arm of policies that can be compared."""
    return [_verdict(entry, arm) for arm in entry["arms"] if arm["kind"] == "policy" and arm["less_fixed"]]


def _verdict(entry: dict[str, Any], arm: dict[str, Any]) -> str:
    wanted = entry["objective"]
    names = [*wanted["minimize"], *wanted["maximize"]]
    found = {name: _compared(entry, arm, name) for name in names}
    if any(side is None for side, _ in found.values()):
        return (
            f"{arm['label']} does not beat the best fixed policy: no instance came to something with both; "
            f"{_feasible(arm)}."
        )
    better, worse = ([name for name in names if found[name][0] == side] for side in ("better", "worse"))
    told = "does not beat the best fixed policy"
    if better and worse:
        told = (
            f"neither beats the best fixed policy nor is beaten, better in {' and '.join(better)}, worse in "
            f"{' and '.join(worse)}"
        )
    elif better and _keeps(entry, arm):
        told = "beats the best fixed policy"
    parts = [f"its mean {name} is {text}" for name, (_, text) in found.items()]
    if len(names) > 1:
        parts.append(f"its mean return is {_of_three(arm['less_fixed']['returns'], '1')}")
    pairs = arm["less_fixed"]["metrics"][names[0]]["pairs"]
    if pairs < 1:
        parts[-1] += f", where both come to something, in {100 * pairs:.1f} % of the pairs"
    too_few = "" if not better or _keeps(entry, arm) or wanted["subject_to"] else ": too many fewer may be feasible"
    return f"{arm['label']} {told}: {'; '.join(parts)}; {_feasible(arm)}{too_few}{_constraints(entry, arm)}."


def _compared(entry: dict[str, Any], arm: dict[str, Any], name: str) -> tuple[str | None, str]:
    """Return where an arm is in a metric, "better", "worse" or "", and in words; None where there is no pair."""
    unit = next(metric["unit"] for metric in entry["metrics"] if metric["name"] == name)
    less = arm["less_fixed"]["metrics"][name]
    middle, low, high = less["difference"]
    if middle is None:
        return None, ""
    side = "lower" if high < 0 else "higher" if low > 0 else ""
    good = "lower" if name in entry["objective"]["minimize"] else "higher"
    over = "" if less["ratio"] is None else f", {less['ratio'][0]:.3g} times as much"
    return side and ("better" if side == good else "worse"), f"{_of_three(less['difference'], unit)}{over}"


def _of_three(found: list[float], unit: str) -> str:
    middle, low, high = found
    side = "lower than" if high < 0 else "higher than" if low > 0 else "not to be told apart from"
    return f"{side} that one's, {signed(middle, unit)} [{signed(low, unit)}, {signed(high, unit)}]"


def _keeps(entry: dict[str, Any], arm: dict[str, Any]) -> bool:
    """Whether what is to hold holds, or else few more instances are infeasible, if any: else nothing is won."""
    if entry["objective"]["subject_to"]:
        return bool(arm["meets"] == arm["policies"])
    return bool(arm["less_fixed"]["feasible"][1] >= -FEWER)


def _feasible(arm: dict[str, Any]) -> str:
    middle, low, high = arm["less_fixed"]["feasible"]
    own = f"{100 * arm['feasible'][0]:.1f} % of the instances are feasible"
    if low == high == 0:
        return f"{own}, as many"
    return f"{own}, {100 * middle:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


def _constraints(entry: dict[str, Any], arm: dict[str, Any]) -> str:
    """Say whether the objective's constraints hold in the mean over instances: else nothing is won."""
    if not entry["objective"]["subject_to"]:
        return ""
    wanted = " and ".join(entry["objective"]["subject_to"])
    if arm["meets"] == arm["policies"]:
        return f"; {wanted} holds in the mean over them"
    if not arm["meets"]:
        return f"; {wanted} does not hold in the mean over them"
    return f"; {wanted} holds in the mean over them with {arm['meets']} of its {arm['policies']} policies alone"


def interval(low: str, high: str) -> str:
    """Return an interval in brackets; nothing where there is none."""
    return "" if low == high == "–" else f"[{low}, {high}]"


def signed(value: float | None, unit: str) -> str:
    """Return a difference with its sign and unit."""
    if value is None:
        return "–"
    whole = float(round(value)) if abs(value) >= 1000 else value  # 1,686 rather than 1.69e+03
    return f"{'+' if value > 0 else ''}{quantity(whole, unit, 3)}"
