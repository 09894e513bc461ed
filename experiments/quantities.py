"""Numbers with units as engineers write them: 4.62 ms, 12.3 mJ, 1,024."""

import math

PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
SCALED = frozenset({"s", "J", "W", "Hz", "J s", "V", "A", "C", "F", "H", "Ω", "Pa", "N", "B", "FLOP", "m"})


def quantity(value: float | int | None, unit: str = "", digits: int = 4) -> str:
    """Return a value with its unit, SI prefixes where the unit takes them, at `digits` significant digits."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if math.isinf(value):
        return "∞"
    suffix = f" {unit}" if unit not in ("", "1") else ""
    if unit in SCALED and value:
        value = float(f"{value:.{digits - 1}e}")  # rounded first, so that 0.99999 s is 1 s and not 1000 ms
        exponent = min(max(3 * math.floor(math.log10(abs(value)) / 3), -15), 15)
        return f"{value / 10.0**exponent:.{digits}g} {PREFIXES[exponent]}{unit}"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}{suffix}"
    return f"{value:.{digits}g}{suffix}"


def share(value: float) -> str:
    """Return a share in per cent: 3.1 %, 0.02 %."""
    return f"{100 * value:.2g} %" if abs(value) < 0.1 else f"{100 * value:.1f} %"


def duration(seconds: float) -> str:
    """Return a time a person waits: 850 ms, 12.3 s, 4 min 05 s, 2 h 10 min."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60):02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
