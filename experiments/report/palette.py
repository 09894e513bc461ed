"""The page's colours, one set for light and one for dark, as CSS variables and for the figures.

Agents' lines keep at least 3:1 against the paper (WCAG 2.2, 1.4.11) and stay apart under the three dichromacies
(Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, doi:10.1109/TVCG.2009.113); dashes tell them apart without any
colour. The first three are close to Okabe and Ito's set (https://jfly.uni-koeln.de/color/).
"""

LIGHT = {
    "page": "#f6f6f4", "paper": "#ffffff", "ink": "#1c1e21", "muted": "#5c6167", "grid": "#e4e4e0", "rule": "#d4d4cf",
    "accent": "#00588c", "wash": "#eef4f8", "warn": "#8a4b00", "warn-wash": "#fdf3e3",
    "agent-0": "#0072b2", "agent-1": "#d55e00", "agent-2": "#009e73", "agent-3": "#8b3fd1",
    "agent-4": "#5a2d0c", "agent-5": "#d0509a", "agent-6": "#9a8412", "agent-7": "#5b6470",
}  # fmt: skip
DARK = {
    "page": "#131518", "paper": "#1d2025", "ink": "#ececea", "muted": "#a9afb7", "grid": "#33383f", "rule": "#3d434b",
    "accent": "#7cc0f2", "wash": "#1e2c38", "warn": "#f3c06b", "warn-wash": "#33291a",
    "agent-0": "#4aa8e8", "agent-1": "#f57c2a", "agent-2": "#39d3a5", "agent-3": "#a883ff",
    "agent-4": "#f0dc7a", "agent-5": "#f08fc8", "agent-6": "#a0895a", "agent-7": "#b9c0c8",
}  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "8px,2px,2px,2px", "2px,4px")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
SLOTS = len(DASHES)


def colour_of(slot: int) -> str:
    """Return the name of the colour of an agent's lines. slot: any number from 0; colours recur after eight."""
    return f"agent-{slot % SLOTS}"


def dash_of(slot: int) -> str:
    """Return the dash of an agent's lines: where a colour recurs it has another one, up to 64 agents."""
    return DASHES[(slot + slot // SLOTS) % SLOTS]


def symbol_of(slot: int) -> str:
    """Return the symbol of an agent's points."""
    return SYMBOLS[(slot + slot // SLOTS) % SLOTS]


def css_variables(colours: dict[str, str]) -> str:
    """Return the colours as declarations of CSS variables."""
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
