"""How the report page looks and works, in headless Chromium."""

import base64
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from chromium import Chromium
from report_pages import SMALL, TWO, drawn, figures, show
from small_sweep import HOSTILE, LONG, PROBLEM, log_sweep, register

from designgym.envs.registry import make_problem
from designgym.experiments.report import write_report
from designgym.experiments.report.drawing import axis, layout, log_ticks, title_text, with_legend
from designgym.experiments.report.frame import Part, render
from designgym.experiments.report.gather import study
from designgym.experiments.report.palette import DARK, LIGHT
from designgym.experiments.report.parallel import _continuous as parallel_axis
from designgym.experiments.report.tables import agents_table
from designgym.experiments.report.text import breakable, short_label
from designgym.experiments.report.values import _labels as panel_labels
from designgym.experiments.report.versus import versus_card

# -- texts from outside -----------------------------------------------------------------------------------------------


def test_no_text_from_outside_is_run(tmp_path: Path, chromium: Chromium) -> None:
    options: dict[str, Any] = {"title": HOSTILE, "hostile": True}
    problems = [{"id": PROBLEM, "options": options | more} for more in ({}, TWO)]
    path = write_report(log_sweep(tmp_path / "hostile", SMALL | {"problems": problems}))
    drawn(chromium, path)
    assert chromium.evaluate("document.documentElement.dataset.hacked") is None
    assert chromium.evaluate("document.querySelectorAll('img').length") == 0
    assert HOSTILE[:60] in chromium.evaluate("document.querySelector('h2').textContent")


# -- how it looks -----------------------------------------------------------------------------------------------------


def test_page_draws_every_figure_without_a_network(report_page: Path, chromium: Chromium, tmp_path: Path) -> None:
    drawn(chromium, report_page)
    assert chromium.screenshot(tmp_path / "page.png").stat().st_size > 50_000
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 1280
    assert chromium.pdf(tmp_path / "page.pdf").stat().st_size > 20_000
    # Figures are drawn anew for paper: as wide as its columns, light, and without what a reader could click.
    chromium.evaluate("dispatchEvent(new Event('beforeprint'))")
    widths = "[...document.querySelectorAll('.plot .main-svg:first-child')].map((svg) => svg.clientWidth)"
    assert set(chromium.evaluate(widths)) == {325, 680}
    chromium.evaluate("dispatchEvent(new Event('afterprint'))")
    assert chromium.errors == []


def test_long_page_draws_on_scrolling_and_for_print(report_page: Path, chromium: Chromium, tmp_path: Path) -> None:
    text = report_page.read_text()
    assert "const AT_ONCE = 24;" in text
    page = tmp_path / "page.html"
    page.write_text(text.replace("const AT_ONCE = 24;", "const AT_ONCE = 1;"))
    count = "document.querySelectorAll('.plot .main-svg:first-child').length"
    whole = len(figures(page))
    show(chromium, page, width=1280, height=500)
    chromium.wait_for("document.documentElement.dataset.report === 'drawn'")
    assert 1 <= chromium.evaluate(count) < whole
    chromium.evaluate("[...document.querySelectorAll('.plot')].at(-1).scrollIntoView({behavior: 'instant'})")
    chromium.wait_for("[...document.querySelectorAll('.plot')].at(-1).querySelector('.main-svg') !== null")
    chromium.evaluate("dispatchEvent(new Event('beforeprint'))")
    chromium.wait_for(f"{count} === {whole}")
    assert chromium.errors == []


def test_page_on_a_phone_scrolls_down_only_and_its_contents_are_folded(report_page: Path, chromium: Chromium) -> None:
    drawn(chromium, report_page, width=390, height=844)
    assert chromium.evaluate("document.querySelector('.contents details').open") is False
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390
    rights = "[...document.querySelectorAll('.plot .main-svg')].map((svg) => svg.getBoundingClientRect().right)"
    assert max(chromium.evaluate(rights)) <= 390


def test_figures_save_as_png_and_svg(report_page: Path, chromium: Chromium, tmp_path: Path) -> None:
    drawn(chromium, report_page)
    # As anchors with a data URL: what the browser would put into its downloads.
    chromium.evaluate(
        "window.saved = []; HTMLAnchorElement.prototype.click = function () { saved.push([this.download, this.href]) }"
    )
    shown = chromium.evaluate("[...document.querySelectorAll('[data-save]')].filter((b) => b.checkVisibility()).length")
    assert shown == 2 * len(figures(report_page))
    chromium.evaluate("document.querySelectorAll('[data-figure=figure-0]').forEach((button) => button.click())")
    chromium.wait_for("saved.length === 2")
    saved = dict(chromium.evaluate("saved"))
    assert set(saved) == {"best-so-far-by-designs-priced.png", "best-so-far-by-designs-priced.svg"}
    kind, _, data = saved["best-so-far-by-designs-priced.png"].partition(",")
    assert kind == "data:image/png;base64"
    image = base64.b64decode(data)
    assert image.startswith(b"\x89PNG")
    assert int.from_bytes(image[16:20]) > 800
    kind, _, data = saved["best-so-far-by-designs-priced.svg"].partition(",")
    assert kind == "data:image/svg+xml"
    drawing = ElementTree.fromstring(unquote(data))
    texts = {"".join(node.itertext()) for node in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"local_search", "designs priced (log scale)"} <= texts
    assert chromium.errors == []


def test_contents_lead_to_every_part(report_page: Path, chromium: Chromium) -> None:
    drawn(chromium, report_page, width=1440)
    broken = "[...document.querySelectorAll('.contents a')].filter((a) => !document.querySelector(a.hash)).length"
    assert chromium.evaluate("document.querySelectorAll('.contents a').length") > 15
    assert chromium.evaluate(broken) == 0
    assert chromium.evaluate("document.querySelector('.contents details').open") is True
    right = "document.querySelector('.contents').getBoundingClientRect().right"
    assert chromium.evaluate(right) <= chromium.evaluate("document.querySelector('main').getBoundingClientRect().left")


def test_long_names_stay_in_their_cells(tmp_path: Path, chromium: Chromium) -> None:
    settings = [{"population": 8 * i, "mutation": 0.05 * i, "crossover": 0.75} for i in range(1, 4)]
    agents = ["random", *({"name": "genetic", "hyperparameters": setting} for setting in settings)]
    _, (problem,) = study(log_sweep(tmp_path / "long", SMALL | {"agents": agents, "seeds": 2, "budget": 12}))
    tables = f'<div class="card" style="width: 50rem">{agents_table(problem)}{versus_card(problem)}</div>'
    path = tmp_path / "tables.html"
    path.write_text(render("tables", tables, Part()), "utf-8")
    over = """[...document.querySelectorAll("td .agent")].filter((name) =>
        name.getBoundingClientRect().right > name.closest("td").getBoundingClientRect().right).length"""
    for width in (1280, 390):
        show(chromium, path, width=width)
        assert chromium.evaluate("document.querySelectorAll('td .agent').length") == 8
        assert chromium.evaluate(over) == 0


LONG_AGENTS = [
    "random",
    {"name": "genetic", "hyperparameters": {"population": 16, "crossover": 0.75, "mutation": 0.125, "reach": 0.33}},
    {"name": "genetic", "hyperparameters": {"population": 32, "crossover": 0.25, "mutation": 0.0625, "reach": 0.66}},
]


@pytest.fixture(scope="module")
def long_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional space of every kind of parameter, with one objective and with two, all names long."""
    options = {"workload": "/home/somebody/workloads/transformers/gpt2_small_prefill_batch_1.onnx"}
    problems = [{"id": LONG, "options": options}, {"id": LONG, "options": {"several": True}}]
    given = SMALL | {"name": "a_sweep_with_a_long_name_that_somebody_chose", "problems": problems}
    return write_report(log_sweep(tmp_path_factory.mktemp("long") / "long", given | {"agents": LONG_AGENTS}))


@pytest.mark.parametrize("window", [{"width": 1280}, {"width": 390}, {"width": 717, "paper": True}], ids=str)
def test_long_names_and_values_stay_on_the_page(long_page: Path, chromium: Chromium, window: dict[str, Any]) -> None:
    drawn(chromium, long_page, **window)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= window["width"]
    wide = """[...document.querySelectorAll("h1, h2, p, dt, dd, h3, .best div")].filter((node) =>
        node.checkVisibility() && node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent)"""
    assert chromium.evaluate(wide) == []
    if "paper" in window:
        beside = """[...document.querySelectorAll("table")].filter((table) => table.getBoundingClientRect().right >
            table.closest(".card").getBoundingClientRect().right).map((table) => table.className)"""
        assert chromium.evaluate(beside) == []
        return
    # Texts of a figure that its edge cuts; a box of plotly.js may reach a pixel or two beyond the letters.
    cut = """[...document.querySelectorAll(".plot")].flatMap((plot) => {
        const room = plot.getBoundingClientRect();
        return [...plot.querySelectorAll("svg text")].filter((text) => text.textContent.trim()).filter((text) => {
            const box = text.getBoundingClientRect();
            return box.left < room.left - 3 || box.right > room.right + 3 || box.top < room.top - 3;
        }).map((text) => text.textContent);
    })"""
    assert chromium.evaluate(cut) == []


def test_idle_parameter_has_no_unit_and_every_value_of_a_category_its_name(long_page: Path, chromium: Chromium) -> None:
    drawn(chromium, long_page)
    idle = "[...document.querySelectorAll('.best dd')].map((dd) => dd.textContent).filter((text) => text[0] === '–')"
    assert set(chromium.evaluate(idle)) <= {"–"}
    values = next(figure for figure in figures(long_page).values() if "yaxis3" in figure["layout"])
    upright = [note["text"] for note in values["layout"]["annotations"] if note["xref"] == "x3"]
    assert [text[0] for text in upright] == ["c", "m", "t"]


@pytest.mark.parametrize("grouped", [False, True])
def test_a_legend_has_as_many_rows_as_plotly_makes(grouped: bool) -> None:
    more = {"legendgroup": "a"} if grouped else {}
    widest = "simulated_annealing"
    names = ["random", "genetic", "beam", widest]
    shape = layout(axis("x"), axis("y"))
    made = with_legend({"data": [{"name": name, **more} for name in names], "layout": shape})
    rows = [(made[which]["height"] - shape["height"]) // 19 + 1 for which in ("layout", "narrow")]
    # Side by side as they are where they are in groups, else all as wide as the widest.
    assert rows == ([2, 3] if grouped else [2, 4])
    alone = with_legend({"data": [{"name": widest}], "layout": shape})
    assert alone["layout"]["showlegend"] is False


@pytest.mark.parametrize(("low", "high"), [(-2.7, -1.2), (-1.5, 0.0), (0.2, 0.5), (-3.0, 1.0), (2.0, 2.02)])
def test_a_log_axis_has_at_least_three_ticks_in_sight(low: float, high: float) -> None:
    ticks, names = log_ticks(low, high)
    assert len(ticks) == len(names) == len(set(names))
    # Axes have a little room around their values.
    room = 0.2 * (high - low)
    assert 3 <= sum(low - room <= np.log10(tick) <= high + room for tick in ticks) <= 9


def test_long_texts_are_broken_and_shortened_where_they_tell_least() -> None:
    assert breakable("latency_s") == "latency_s"
    assert breakable("area_of_routingLogic") == "area_<wbr>of_<wbr>routing<wbr>Logic"
    assert short_label("genetic(population=16)") == "genetic(population=16)"
    assert short_label("genetic(population=16, crossover=0.75, reach=0.5)") == "genetic(16, 0.75, 0.5)"
    assert title_text("best latency_s (ms)") == "best latency_s (ms)"
    broken = "best end_to_end_latency_of_the_<br>whole_network_s (ms)"
    assert title_text("best end_to_end_latency_of_the_whole_network_s (ms)") == broken


@pytest.mark.parametrize(
    "names", [["100 MHz", "150 MHz", "200 MHz", "250 MHz"], [f"{4 * i:,}" for i in range(1, 513)], ["a", "b"]]
)
@pytest.mark.parametrize(("inside", "beside"), [(193.0, 21.0), (104.0, 21.0)])
def test_values_below_neighbouring_panels_do_not_overlap(names: list[str], inside: float, beside: float) -> None:
    shown = panel_labels(names, inside, beside)
    letter, place = 6.7, inside / len(names)
    spans = [
        ((at + 0.4) * place - letter * len(text) / 2, (at + 0.4) * place + letter * len(text) / 2)
        for at, text in zip(shown["tickvals"], shown["ticktext"], strict=True)
    ]
    assert spans
    assert all(one[1] + 4 <= other[0] for one, other in pairwise(spans))
    assert spans[-1][1] <= inside + beside / 2 or len(spans) == 1


def test_ticks_of_parallel_coordinates_are_values_of_their_parameter() -> None:
    _, ticks = parallel_axis({"low": 4, "high": 256, "step": 4}, [4, 8, 200], "PE")
    assert len(ticks) >= 4
    assert [int(name) % 4 for _, name in ticks] == [0] * len(ticks)
    assert all(place == pytest.approx((int(name) - 4) / 252) for place, name in ticks)


def test_dark_page_has_dark_figures(report_page: Path, chromium: Chromium) -> None:
    drawn(chromium, report_page, dark=True)
    rgb = f"rgb({', '.join(str(int(DARK['paper'][i : i + 2], 16)) for i in (1, 3, 5))})"
    papers = "[...document.querySelectorAll('.plot .main-svg:first-child')].map((svg) => svg.style.background)"
    assert set(chromium.evaluate(papers)) == {rgb}
    assert chromium.evaluate("document.querySelector('.plot').innerHTML.includes('\"@')") is False
    # The pressed button of the Pareto front, which plotly.js would paint as light as its letters.
    fills = "[...document.querySelectorAll('.updatemenu-item-rect')].map((rect) => getComputedStyle(rect).fill)"
    wash = f"rgb({', '.join(str(int(DARK['wash'][i : i + 2], 16)) for i in (1, 3, 5))})"
    assert set(chromium.evaluate(fills)) == {rgb, wash}


def test_page_without_script_says_so_and_keeps_its_tables(report_page: Path, chromium: Chromium) -> None:
    broken = report_page.with_name("old.html")
    broken.write_text(report_page.read_text("utf-8").replace("new DecompressionStream", "new NoSuchStream"), "utf-8")
    show(chromium, broken)
    assert chromium.evaluate("document.documentElement.dataset.report") == "failed"
    assert chromium.evaluate("getComputedStyle(document.getElementById('problems-with-script')).display") == "block"


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stand_out_from_the_paper(palette: dict[str, str]) -> None:
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(palette[one]), luminance(palette[other])))
        return (high + 0.05) / (low + 0.05)

    lines = [name for name in palette if name.startswith("agent-")]
    assert min(contrast(name, "paper") for name in lines) >= 3.0
    assert contrast("ink", "paper") >= 7.0
    assert min(contrast(name, "paper") for name in ("muted", "accent", "warn")) >= 4.5


def test_problem_of_these_tests_is_a_registered_one() -> None:
    register()
    assert make_problem(PROBLEM).space.size == 127_008
