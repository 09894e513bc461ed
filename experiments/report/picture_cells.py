"""A cost model's tables of cells, drawn below each other so that their columns line up, such as strips of layers."""

from __future__ import annotations

from typing import Any

from designgym.cost_models.pictures import Cells, Picture
from designgym.experiments.report.drawing import Figure, axis, layout, plain_text
from designgym.experiments.report.palette import colour_of
from designgym.experiments.report.picture_layout import NARROW, PAPER, PIXELS, WIDE, Slots
from designgym.experiments.report.text import short_label, shortened

SHADES = [[0.0, "@accent/0.04"], [1.0, "@accent/0.5"]]  # ink stays legible on all of them, light and dark
ROW, TITLE = 30, 30  # pixels of a row of cells, and of the name above a table
WIDEST = 150  # pixels of a cell at most
LETTER = 0.6  # width of a letter, of its size
LARGEST, SMALLEST = 13.0, 8.0  # letters in cells
LONG, FEWEST = 12, 4  # letters of a text that is written whole rather than large, and of one that is written at all
UPRIGHT = 20  # letters of heads that are turned upright


def cells_figure(picture: Picture, slots: Slots) -> Figure:
    """Return a picture of cells as plotly.js takes it. slots: of the designs that have a colour."""
    tables = sorted((mark for mark in picture.marks if isinstance(mark, Cells)), key=lambda one: one.panel)
    found: Figure = {}
    for name, most in (("layout", WIDE), ("paper", PAPER), ("narrow", NARROW)):
        found[name] = _layout(picture, tables, slots, PIXELS[most])
    found["data"], found["narrowData"] = (_traces(picture, tables, PIXELS[most]) for most in (WIDE, NARROW))
    return found


def _tops(tables: list[Cells]) -> list[float]:
    """Return the middle of the first row of each table, in rows; above each is room for its name."""
    tops, at = [], TITLE / ROW
    for one in tables:
        tops.append(at + 0.5)
        at += len(one.rows) + TITLE / ROW
    return tops


def _traces(picture: Picture, tables: list[Cells], pixels: int) -> list[dict[str, Any]]:
    size, most = _letters(tables, pixels, len(picture.x.names))
    heads = [head.partition("\n")[0] for head in picture.x.names]
    traces = []
    for one, top in zip(tables, _tops(tables), strict=True):
        told = [
            [
                f"{plain_text(head)}, {plain_text(row)}: <b>{plain_text(text)}</b>"
                for head, text in zip(heads, texts, strict=True)
            ]
            for row, texts in zip(one.rows, one.texts, strict=True)
        ]
        written = [[plain_text(_cut(text, most)) for text in texts] for texts in one.texts]
        traces.append({
            "type": "heatmap", "name": plain_text(shortened(one.name, 80)), "z": one.levels.round(4).tolist(),
            "y0": top, "dy": 1, "zmin": 0, "zmax": 1, "colorscale": SHADES, "showscale": False, "xgap": 2, "ygap": 2,
            "text": written, "hovertext": told, "hoverinfo": "text",
            "textfont": {"size": size or SMALLEST, "color": "@ink"}, **({"texttemplate": "%{text}"} if size else {}),
        })  # fmt: skip
    return traces


def _beside(tables: list[Cells]) -> int:
    """Return pixels for the names of rows."""
    return round(16 + 7.0 * max(len(name) for one in tables for name in one.rows))


def _cell(tables: list[Cells], pixels: int, columns: int) -> float:
    """Return how wide a cell is, in pixels."""
    return min(WIDEST, (pixels - _beside(tables)) / columns)


def _letters(tables: list[Cells], pixels: int, columns: int) -> tuple[float, int]:
    """Return the size of letters in cells, 0 where there is no room for any, and how many a cell has room for."""
    room = _cell(tables, pixels, columns) - 6
    longest = max(1, *(len(text) for one in tables for texts in one.texts for text in texts))
    size = round(min(LARGEST, max(SMALLEST, room / (LETTER * min(longest, LONG)))), 1)
    most = int(room / (LETTER * size) + 0.05)
    return (size, most) if most >= min(longest, FEWEST) else (0.0, 0)


def _cut(text: str, most: int) -> str:
    """Return a text that a cell has room for; pointing at the cell tells all of it."""
    return text if len(text) <= most or not most else f"{text[: most - 1].rstrip()}…"


def _layout(picture: Picture, tables: list[Cells], slots: Slots, pixels: int) -> dict[str, Any]:
    columns, beside = len(picture.x.names), _beside(tables)
    cell = _cell(tables, pixels, columns)
    heads, above, angle = _heads(picture.x.names, cell)
    tops = _tops(tables)
    rows = tops[-1] - 0.5 + len(tables[-1].rows)
    end = min(1.0, cell * columns / (pixels - beside))
    bare = {"showgrid": False, "showline": False, "ticks": "", "automargin": False, "fixedrange": True}
    x = axis("", side="top", range=[-0.5, columns - 0.5], domain=[0.0, end], tickvals=list(range(columns)), **bare)
    x |= {"ticktext": heads, "tickangle": angle, "tickfont": {"color": "@ink", "size": 12}}
    places = [(top + i, name) for top, one in zip(tops, tables, strict=True) for i, name in enumerate(one.rows)]
    y = axis("", range=[rows, 0.0], tickvals=[place for place, _ in places], **bare)
    y |= {"ticktext": [f"{plain_text(name)}\u00a0" for _, name in places]}
    margin = {"l": beside, "r": 4, "t": above, "b": 6}
    shape = layout(x, y, hovermode="closest", height=round(rows * ROW + above + 6), margin=margin, showlegend=False)
    return shape | {"annotations": _titles(picture, tables, tops, slots, pixels)}


def _heads(names: tuple[str, ...], cell: float) -> tuple[list[str], int, int]:
    """Return the heads of columns, pixels above the tables for them, and their angle: as much as there is room for."""
    lines = [name.split("\n") for name in names]

    def fits(texts: list[str], size: float) -> bool:
        return max(map(len, texts)) * LETTER * size <= cell - 4

    first, second = [one[0] for one in lines], [one[1] if len(one) > 1 else "" for one in lines]
    if fits(first, 12) and any(second) and fits(second, 10.5):
        small = "font-size: 10.5px"
        both = zip(first, second, strict=True)
        return [f'{plain_text(a)}<br><span style="{small}">{plain_text(b)}</span>' for a, b in both], 38, 0
    if fits(first, 12):
        return [plain_text(text) for text in first], 22, 0
    texts = [shortened(text, UPRIGHT) for text in first]
    return [plain_text(text) for text in texts], round(14 + 12 * LETTER * max(map(len, texts))), -90


def _titles(
    picture: Picture, tables: list[Cells], tops: list[float], slots: Slots, pixels: int
) -> list[dict[str, Any]]:
    notes = []
    for one, top in zip(tables, tops, strict=True):
        title = picture.panels[one.panel] or one.name
        colour = f"@{colour_of(slots[title].slot)}" if title in slots else "@ink"
        shown = shortened(short_label(title) if title in slots else title, int(pixels / 7.5))
        notes.append({
            "text": f"<b>{plain_text(shown)}</b>", "x": 0.0, "y": top - 0.5 - 3 / ROW, "xref": "paper", "yref": "y",
            "xanchor": "left", "yanchor": "bottom", "xshift": -_beside(tables) + 4, "showarrow": False,
            "font": {"size": 12.5, "color": colour},
        })  # fmt: skip
    return notes
