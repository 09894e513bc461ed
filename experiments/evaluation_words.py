"""An evaluation in words: what was scored on what, and what each policy's arm is worth beside the best fixed action."""

from __future__ import annotations

from typing import Any

from designgym.experiments.quantities import quantity

KINDS = {"held-out": "held-out instances", "training": "training instances, those that fixed actions are chosen on"}


def heading(entry: dict[str, Any]) -> str:
    """Return where policies were scored, and on how many instances."""
    options = "".join(f" {name}={value}" for name, value in entry["options"].items())
    many = f"{entry['episodes']:,} episodes"
    if entry["trial"] == "step":
        many = f"{entry['count']:,} instances in {entry['episodes']:,} sequences"
    return f"{entry['env']}{options}: {many}, {KINDS[entry['instances']]}"


def verdicts(entry: dict[str, Any]) -> list[str]:
    """Return a sentence for each arm of policies that can be compared, of the first objective."""
    wanted = entry["objective"]
    name = [*wanted["minimize"], *wanted["maximize"]][0]
    unit = next(metric["unit"] for metric in entry["metrics"] if metric["name"] == name)
    lower = name in wanted["minimize"]
    arms = [arm for arm in entry["arms"] if arm["kind"] == "policy" and arm["less_fixed"]]
    return [_verdict(entry, arm, name, unit, lower) for arm in arms]


def _verdict(entry: dict[str, Any], arm: dict[str, Any], name: str, unit: str, lower: bool) -> str:
    less = arm["less_fixed"]["metrics"][name]
    middle, low, high = less["difference"]
    if middle is None:
        return f"{arm['label']}: no instance came to something both with it and with the best fixed action."
    found = "lower than" if high < 0 else "higher than" if low > 0 else "not to be told apart from"
    over = "" if less["ratio"] is None else f", {less['ratio'][0]:.3g} times as much"
    beats = "beats" if _beats(arm, high < 0 if lower else low > 0, entry) else "does not beat"
    text = (
        f"{arm['label']} {beats} the best fixed action: its mean {name} is {found} that one's, {signed(middle, unit)} "
        f"[{signed(low, unit)}, {signed(high, unit)}]{over}"
    )
    if less["pairs"] < 1:
        text += f", where both come to something, in {100 * less['pairs']:.1f} % of the pairs"
    return f"{text}; {_feasible(arm)}{_constraints(entry, arm)}."


def _beats(arm: dict[str, Any], better: bool, entry: dict[str, Any]) -> bool:
    """Whether an arm wins: better in the objective, and what is to hold holds, or else no fewer are feasible."""
    if entry["objective"]["subject_to"]:
        return bool(better and arm["meets"] == arm["policies"])
    _, _, high = arm["less_fixed"]["feasible"]
    return bool(better and high >= 0)


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


def signed(value: float | None, unit: str) -> str:
    """Return a difference with its sign and unit."""
    if value is None:
        return "–"
    whole = float(round(value)) if abs(value) >= 1000 else value  # 1,686 rather than 1.69e+03
    return f"{'+' if value > 0 else ''}{quantity(whole, unit, 3)}"
