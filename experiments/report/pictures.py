"""Pictures that a cost model offers of the agents' best designs, drawn in the page's style; see `Draws`."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from designgym.cost_models.base import Draws
from designgym.cost_models.pictures import Cells, Image, Picture, Series
from designgym.experiments.report.drawing import Figure, plain_text, rounded, with_legend
from designgym.experiments.report.frame import Part, card, figures
from designgym.experiments.report.palette import DASHES, SYMBOLS, colour_of, dash_of, symbol_of
from designgym.experiments.report.picture_cells import cells_figure
from designgym.experiments.report.picture_layout import NARROW, PAPER, WIDE, Slots, layout_of, suffix
from designgym.experiments.report.study import ProblemStudy
from designgym.experiments.report.text import short_label

if TYPE_CHECKING:
    from designgym.envs import DesignProblem
    from designgym.experiments.report.digest import Digest

FEW = 60  # points of a series that are told apart
SYMBOLS_BESIDE = tuple(f"{symbol}-open" for symbol in SYMBOLS)
GREYS = [[0.0, "@paper"], [1.0, "@ink"]]


def pictures_of(
    digest: Digest, problem: DesignProblem | None, why: str, labels: list[str], others: Mapping[str, dict[str, Any]]
) -> tuple[tuple[Picture, ...], str]:
    """Ask a problem's cost model for pictures of the best design of each agent; return why there are none, "" else.

    labels: of the agents to show, in order. why: the reason where the problem cannot be made here. others: designs by
    name that tables of cells show too: with several objectives these alone, for the best by one of them says little.
    """
    if problem is None:
        return (), why
    if not isinstance(problem.cost_model, Draws):
        return (), ""
    found = {label: kept.trials() for label in labels if (kept := digest.first.get(label)) is not None}
    designs = {label: trials.design(0) for label, trials in found.items() if trials is not None and len(trials)}
    if not designs:
        return (), ""
    try:
        pictures = _asked(problem, designs)
        if others and any(map(of_cells, pictures)):
            more = _asked(problem, {**designs, **others} if len(digest.objectives) == 1 else others)
            pictures = [*filter(of_cells, more), *(one for one in pictures if not of_cells(one))]
        return tuple(pictures), ""
    except Exception as error:  # a plug-in's model may raise anything, and the page must still be written
        return (), f"the cost model could not draw them: {type(error).__name__}: {' '.join(str(error).split())}"


def _asked(problem: DesignProblem, designs: Mapping[str, dict[str, Any]]) -> list[Picture]:
    parsed = [problem.space.parse(design) for design in designs.values()]
    columns = {name: np.concatenate([one[name] for one in parsed]) for name in problem.space.columns}
    assert isinstance(problem.cost_model, Draws)
    return list(problem.cost_model.pictures(columns, tuple(designs)))


def of_cells(picture: Picture) -> bool:
    """Return whether a picture consists of tables of cells."""
    return any(isinstance(mark, Cells) for mark in picture.marks)


def pictures_block(problem: ProblemStudy, part: Part) -> str:
    """Return the pictures as cards, or why there are none; nothing where the cost model offers none."""
    if problem.no_pictures:
        note = "Pictures that the cost model may offer of the best designs are left out: "
        return card("Pictures", f"{note}{escape(problem.no_pictures)}.", "")
    slots = {agent.label: agent for agent in problem.agents}
    objective = problem.objectives[0]
    best = f"Of each agent’s best design{'' if problem.single else f' by {objective}'}. "
    placed = []
    for picture in problem.pictures:
        of = best if problem.single or not of_cells(picture) else "Of designs along the front that was found. "
        placed.append(
            part.place(picture_figure(picture, slots), picture.title, escape(of + picture.meaning), wide=True)
        )
    return figures(*placed) if placed else ""


def picture_figure(picture: Picture, slots: Slots) -> Figure:
    """Return a picture as plotly.js takes it. slots: by the names of designs, the agents or what else has a colour."""
    if of_cells(picture):
        return cells_figure(picture, slots)
    wide, paper, narrow = (layout_of(picture, slots, most) for most in (WIDE, PAPER, NARROW))
    beside = _beside(picture, slots)
    # What is quiet lies behind all others.
    drawn = [mark for mark in picture.marks if not isinstance(mark, Cells)]
    marks = sorted(drawn, key=lambda mark: not (isinstance(mark, Series) and mark.quiet))
    data = [_trace(picture, mark, slots, beside) for mark in marks]
    if len(picture.panels) > 1 or picture.y.names:
        shapes = {"layout": wide, "paper": paper, "narrow": narrow}
        return {"data": data} | {name: shape | {"showlegend": False} for name, shape in shapes.items()}
    printed = with_legend({"data": data, "layout": paper}, wide=True)["layout"]
    return with_legend({"data": data, "layout": wide, "paper": printed, "narrow": narrow}, wide=True)


def _beside(picture: Picture, slots: Slots) -> dict[str, int]:
    """Number the names that are no agent's, in order."""
    names = dict.fromkeys(mark.name for mark in picture.marks if mark.name not in slots)
    return {name: i for i, name in enumerate(names)}


# -- marks ------------------------------------------------------------------------------------------------------------


def _trace(picture: Picture, mark: Series | Image, slots: Slots, beside: Mapping[str, int]) -> dict[str, Any]:
    name = plain_text(short_label(mark.name))
    where = {"xaxis": f"x{suffix(mark.panel)}", "yaxis": f"y{suffix(mark.panel)}", "name": name}
    if isinstance(mark, Image):
        values = mark.values[::-1]
        grey = {"colorscale": GREYS, "showscale": False, "hoverinfo": "skip", "xgap": 0, "ygap": 0}
        low, high = float(values.min()), float(values.max())
        shown = [rounded(row) for row in values]
        return {"type": "heatmap", "z": shown, "zmin": low, "zmax": high if high > low else low + 1.0} | grey | where
    mode = {"points": "markers", "lines": "lines+markers", "steps": "lines"}[mark.kind]
    shape = "hv" if mark.kind == "steps" else "linear"
    style = _style(mark, slots, beside, len(mark.x))
    style["line"] = style["line"] | {"shape": shape}
    labels = [plain_text(text) for text in mark.labels] or [""] * len(mark.x)
    told = f"%{{text}}<extra>{name}</extra>"
    if not picture.y.names:
        x, y = (plain_text(one.title or letter) for one, letter in ((picture.x, "x"), (picture.y, "y")))
        told = f"{x} %{{x:.4g}}, {y} %{{y:.4g}}{' %{text}' if mark.labels else ''}<extra>{name}</extra>"
    elif picture.x.title:
        told = f"%{{text}} {plain_text(picture.x.title)} %{{x:.4g}}<extra>{name}</extra>"
    more: dict[str, Any] = {"hoverinfo": "skip"} if mark.quiet else {"hovertemplate": told}
    hidden = {"showlegend": False} if mark.quiet else {}
    return {
        "type": "scatter", "mode": mode, "x": rounded(mark.x), "y": rounded(mark.y), "text": labels,
    } | where | style | more | hidden  # fmt: skip


def _style(mark: Series, slots: Slots, beside: Mapping[str, int], points: int) -> dict[str, Any]:
    """Return line and marker: an agent's own, or grey with a dash and a symbol of its own; small where many are."""
    size = 9 if points == 1 else 7 if points <= FEW else 4.5 if points <= 150 else 3.5
    if mark.quiet:
        return {"marker": {"color": "@muted/0.4", "size": 3}, "line": {"color": "@muted/0.4", "width": 1}}
    if mark.name in slots:
        slot = slots[mark.name].slot
        colour, symbol, dash, width = f"@{colour_of(slot)}", symbol_of(slot), dash_of(slot), 2.0
        size += 3 if points == 1 else 0
    else:
        place = beside[mark.name]
        colour, symbol = "@muted", SYMBOLS_BESIDE[place % len(SYMBOLS_BESIDE)]
        dash, width = DASHES[place % len(DASHES)], 1.4
    if points > FEW:
        symbol = "circle"
    marker = {"color": colour, "size": size, "symbol": symbol}
    return {"marker": marker, "line": {"color": colour, "width": width, "dash": dash}}
