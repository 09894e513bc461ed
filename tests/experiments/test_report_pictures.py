"""Pictures that a cost model offers of the best designs, in the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from report_pages import drawn, figures, words
from small_sweep import HOSTILE, log_sweep

from designgym.cost_models import Columns, Metric
from designgym.cost_models.pictures import Axis, Image, Picture, Series
from designgym.envs import DesignProblem, DesignSpace, Integer, Objective
from designgym.envs.registry import problem_ids, register_problem
from designgym.experiments import load_trials
from designgym.experiments.report import write_report
from designgym.experiments.report.picture_layout import apart

DRAWN = "ReportDrawn-v0"
GIVEN: dict[str, Any] = {"name": "drawn", "agents": ["random", "genetic"], "seeds": 2, "budget": 40}


@dataclass(frozen=True)
class Drawn:
    """A bowl that shows its designs in every way there is. said: what its pictures say. breaks: drawing raises."""

    said: str = "What is seen."
    breaks: bool = False
    metrics = (Metric("latency_s", "s", "lower", "time"), Metric("energy_j", "J", "lower", "energy"))
    version = "1"

    def evaluate(self, designs: Columns) -> Columns:
        x, y = designs["x"].astype(float), designs["y"].astype(float)
        return {"latency_s": 1 + (x - 40) ** 2 + y, "energy_j": 1 + x + (y - 40) ** 2, "violation": 0.0 * x}

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        if self.breaks:
            raise ArithmeticError("the pen\nis dry")
        at = np.linspace(0.0, 1.0, 5)
        x, y = designs["x"].astype(float), designs["y"].astype(float)
        rows = [Series("stock", at, np.zeros(5), "lines", labels=("a", "b", "c", "d", ""))]
        rows += [
            Series(name, at**2 * x[i], np.full(5, i + 1.0), "lines", labels=(self.said[:12], "b", "c", "d", ""))
            for i, name in enumerate(names)
        ]
        clouds = [Series("truth", at, at, panel=i, quiet=i > 0) for i in range(len(names) + 1)]
        clouds += [Series(name, at + x[i] / 100, at + y[i] / 100, panel=i + 1) for i, name in enumerate(names)]
        images = [Image(name, np.outer(at, at + x[i]), panel=i) for i, name in enumerate(names)]
        curves = [Series("stock", at + 1, 10.0 ** (-3 * at), "steps")]
        curves += [Series(name, np.array([1.5]), np.array([1e-2 + x[i] / 1e3])) for i, name in enumerate(names)]
        rowed = Axis(names=("stock", *names))
        return (
            Picture("Rows", self.said, tuple(rows), Axis("when"), rowed, written=True),
            Picture("Clouds", self.said, tuple(clouds), Axis("u"), Axis("v"), ("truth", *names), equal=True),
            Picture("Images", self.said, tuple(images), panels=tuple(names), equal=True),
            Picture("Curves", self.said, tuple(curves), Axis("evaluations"), Axis("rms", log=True)),
        )


def drawn_problem(
    said: str = "What is seen.", breaks: bool = False, objective: Objective = Objective(minimize=("latency_s",))
) -> DesignProblem:
    """Return a small problem whose cost model draws."""
    return DesignProblem(DesignSpace(Integer("x", 1, 60), Integer("y", 1, 60)), Drawn(said, breaks), objective)


def swept(path: Path, options: dict[str, Any] | None = None, **more: Any) -> Path:
    if DRAWN not in problem_ids():
        register_problem(DRAWN, f"{__name__}:drawn_problem")
    return log_sweep(path, GIVEN | {"problems": [{"id": DRAWN, "options": options or {}}]} | more)


def best_of(directory: Path, agent: str, loss: str = "latency_s") -> dict[str, Any]:
    rows = [row for row in load_trials(directory).to_pylist() if row["agent"] == agent]
    return min(rows, key=lambda row: row[f"loss.{loss}"])


def picture(page: Path, kind: str) -> dict[str, Any]:
    """Return the figure of one of the pictures: all it takes is what only that one has."""
    tell = {
        "Rows": lambda one: one["layout"]["xaxis"].get("title", {}).get("text") == "when",
        "Clouds": lambda one: "scaleanchor" in one["layout"]["yaxis"] and one["data"][0]["type"] == "scatter",
        "Images": lambda one: one["data"][0]["type"] == "heatmap",
        "Curves": lambda one: one["layout"]["yaxis"].get("title", {}).get("text") == "rms (log scale)",
    }[kind]
    (found,) = (one for one in figures(page).values() if tell(one))
    return found


# -- what is drawn ----------------------------------------------------------------------------------------------------


def test_the_page_shows_the_best_design_of_each_agent(tmp_path: Path) -> None:
    directory = swept(tmp_path / "drawn")
    page = write_report(directory)
    text = words(page)
    for title in ("Rows", "Clouds", "Images", "Curves"):
        assert f"\n{title}\n" in text
    assert "Of each agent’s best design. What is seen." in text
    rows = {trace["name"]: trace for trace in picture(page, "Rows")["data"]}
    assert list(rows) == ["stock", "random", "genetic"]
    for place, agent in enumerate(GIVEN["agents"], 1):
        x = best_of(directory, agent)["design.x"]
        assert rows[agent]["x"] == pytest.approx([x * at**2 for at in np.linspace(0, 1, 5)], rel=1e-5)
        assert rows[agent]["y"] == [place] * 5
        assert rows[agent]["line"]["color"] == f"@agent-{place - 1}"
    assert rows["stock"]["line"]["color"] == "@muted"
    images = picture(page, "Images")["data"]
    values = np.outer(np.linspace(0, 1, 5), np.linspace(0, 1, 5) + best_of(directory, "random")["design.x"])
    # A heat map begins at the bottom, an image at the top.
    assert np.array(images[0]["z"]) == pytest.approx(values[::-1], rel=1e-5)
    assert page.read_bytes() == write_report(directory).read_bytes()


def test_several_objectives_show_the_best_by_the_first(tmp_path: Path) -> None:
    wanted = {"objective": {"minimize": ["energy_j", "latency_s"]}}
    directory = swept(tmp_path / "two", wanted)
    page = write_report(directory)
    assert "Of each agent’s best design by energy_j." in words(page)
    rows = {trace["name"]: trace for trace in picture(page, "Rows")["data"]}
    assert rows["genetic"]["x"][-1] == best_of(directory, "genetic", "energy_j")["design.x"]


def test_labels_are_written_upright_in_their_row(tmp_path: Path) -> None:
    figure = picture(write_report(swept(tmp_path / "drawn")), "Rows")
    notes = figure["layout"]["annotations"]
    upright = [note for note in notes if note.get("textangle") == -90]
    assert len(upright) == 3 * 4
    assert [note["text"] for note in notes if "textangle" not in note] == [
        "<b>stock</b>", "<b>random</b>", "<b>genetic</b>"
    ]  # fmt: skip
    assert figure["narrow"]["height"] == figure["layout"]["height"]


def test_what_is_quiet_lies_behind_and_needs_no_legend(tmp_path: Path) -> None:
    figure = picture(write_report(swept(tmp_path / "drawn")), "Clouds")
    assert [trace["name"] for trace in figure["data"]][:2] == ["truth", "truth"]
    assert figure["layout"]["showlegend"] is False
    assert {name for name in figure["layout"] if name.startswith("xaxis")} == {"xaxis", "xaxis2", "xaxis3"}
    curves = picture(write_report(swept(tmp_path / "again")), "Curves")
    assert curves["data"][0]["line"]["shape"] == "hv"
    assert curves["layout"]["yaxis"]["type"] == "log"
    assert curves["layout"].get("showlegend", True)


@pytest.mark.parametrize(
    "window",
    [{"width": 390, "dark": True}, *(pytest.param({"width": width}, marks=pytest.mark.slow) for width in (1280, 390))],
    ids=str,
)
def test_pictures_are_drawn_wide_narrow_and_dark(tmp_path: Path, chromium: Chromium, window: dict[str, Any]) -> None:
    page = write_report(swept(tmp_path / "drawn"))
    drawn(chromium, page, **window)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= window["width"]
    assert chromium.evaluate("document.querySelectorAll('.plot .hm image').length") >= 2
    assert chromium.evaluate("document.querySelector('main').innerHTML.includes('\"@')") is False


def test_texts_of_pictures_are_not_run(tmp_path: Path, chromium: Chromium) -> None:
    page = write_report(swept(tmp_path / "hostile", {"said": HOSTILE}))
    drawn(chromium, page)
    assert chromium.evaluate("document.documentElement.dataset.hacked") is None


# -- where there are none ---------------------------------------------------------------------------------------------


def test_a_model_that_cannot_draw_does_not_stop_the_page(tmp_path: Path) -> None:
    text = words(write_report(swept(tmp_path / "broken", {"breaks": True})))
    assert "are left out: the cost model could not draw them: ArithmeticError: the pen is dry." in text
    assert "Best so far" in text


def test_a_problem_that_cannot_be_made_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = swept(tmp_path / "drawn")
    monkeypatch.setattr(Drawn, "version", "2")
    text = words(write_report(directory))
    assert "are left out: the cost model is now version 2, and the runs used 1." in text


def test_a_model_that_offers_none_has_no_section(report_page: Path) -> None:
    assert "Pictures" not in words(report_page)


# -- labels that would lie on each other ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "least"), [([0.0, 1.0, 50.0], 12.0), ([99.0, 98.0, 97.0], 12.0), ([5.0] * 4, 12.0), ([50.0] * 20, 12.0)]
)
def test_labels_stand_apart_and_keep_their_order(places: list[float], least: float) -> None:
    moved = apart(places, least, 0.0, 100.0)
    order = sorted(range(len(places)), key=lambda i: places[i])
    gaps = [b - a for a, b in pairwise([moved[i] for i in order])]
    room = min(least, 100.0 / (len(places) - 1))
    assert min(gaps) >= room - 1e-9
    assert min(moved) >= -1e-9
    assert max(moved) <= 100 + 1e-9


def test_labels_that_are_apart_stay_where_they_are() -> None:
    assert apart([10.0, 40.0, 30.0], 9.0, 0.0, 50.0) == [10.0, 40.0, 30.0]


def test_pictures_have_a_layout_for_paper(tmp_path: Path, chromium: Chromium) -> None:
    page = write_report(swept(tmp_path / "drawn"))
    drawn(chromium, page)
    papers = {name: one["paper"]["height"] for name, one in figures(page).items() if "paper" in one}
    assert len(papers) == 4
    chromium.evaluate("dispatchEvent(new Event('beforeprint'))")
    for name, height in papers.items():
        assert chromium.evaluate(f"document.getElementById('{name}').layout.height") == height
    chromium.evaluate("dispatchEvent(new Event('afterprint'))")
    assert chromium.errors == []
