"""The report page: what it says is checked against the log, how it looks in headless Chromium."""

import base64
import gzip
import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import HOW_TO_GET_ONE, Chromium, find_chromium
from small_sweep import HOSTILE, KINDS, PROBLEM, log_sweep, register

from designgym.envs.optimum import Optimum, find_optimum
from designgym.envs.registry import make_problem
from designgym.experiments import LogError, load_sweep, load_trials
from designgym.experiments import statistics as stats
from designgym.experiments.parts import RunFiles
from designgym.experiments.report import write_report
from designgym.experiments.report.palette import DARK, LIGHT
from designgym.experiments.report.text import percent

MOST_BYTES = 5_000_000
START = {"tile_m": 32, "tile_n": 16, "tile_k": 64, "buffer_kb": 64, "flow": "row", "clock_hz": 800_000_000}
TWO = {"objective": {"minimize": ["latency_s", "energy_j"]}}
SMALL: dict[str, Any] = {
    "name": "small",
    "problems": [PROBLEM],
    "agents": ["random", "genetic"],
    "seeds": 2,
    "budget": 60,
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    executable = find_chromium()
    if executable is None:
        if os.environ.get("DESIGNGYM_REQUIRE_CHROMIUM") == "1":
            pytest.fail(HOW_TO_GET_ONE)
        pytest.skip(HOW_TO_GET_ONE)
    with Chromium(executable) as browser:
        yield browser


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two problems, one and two objectives, a present design, three agents and four seeds."""
    given = SMALL | {
        "problems": [PROBLEM, {"id": PROBLEM, "options": TWO}],
        "agents": ["random", "genetic", "local_search"],
        "seeds": 4,
        "budget": 120,
        "start": [START],
    }
    return log_sweep(tmp_path_factory.mktemp("sweep") / "small", given)


@pytest.fixture(scope="module")
def page(sweep: Path) -> Path:
    return write_report(sweep)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Optimum]:
    """Let every problem's true optimum be known; return those that were asked for, by their objectives."""
    found: dict[str, Optimum] = {}

    def known_optimum(problem_id: str, options: Any, problem: Any) -> Optimum:
        return found.setdefault("+".join(problem.objective.names), find_optimum(problem))

    monkeypatch.setattr("designgym.envs.optimum.known_optimum", known_optimum)
    return found


def words(path: Path) -> str:
    """Return the text of a page as a reader sees it, without its figures and scripts."""
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"<wbr>|</?(?:b|strong|small|code|span)\b[^>]*>", "", text)
    text = re.sub(r"<[^>]+>", "\n", text).replace("\u00a0", " ").replace("&nbsp;", " ")
    return re.sub(r"[ \t]+", " ", text)


def figures(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="text/plain" id="figures">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found is not None
    return dict(json.loads(gzip.decompress(base64.b64decode(found[1]))))


# -- what the page says -----------------------------------------------------------------------------------------------


def test_headline_states_the_best_design_of_the_log(sweep: Path, page: Path) -> None:
    table = load_trials(sweep)
    problem = next(iter(load_sweep(sweep).problems))
    rows = [row for row in table.to_pylist() if row["problem"] == problem and row["feasible"]]
    best = min(rows, key=lambda row: row["metric.latency_s"])
    text = words(page)
    assert f"latency_s {1e6 * best['metric.latency_s']:.4g} µs" in text
    assert "no true optimum is stored" in text
    before = min(row["metric.latency_s"] for row in rows if row["ask"] == 0)
    gain = percent((before - best["metric.latency_s"]) / before).replace("\u00a0", " ")
    assert f"Over your start design: {gain} less latency_s" in text


def test_true_optimum_and_agents_figures(sweep: Path, tmp_path: Path, known: dict[str, Optimum]) -> None:
    text = words(write_report(sweep, tmp_path / "page.html"))
    optimum = known["latency_s"]
    table, logged = load_trials(sweep), load_sweep(sweep)
    label = next(iter(logged.problems))
    finals, reach = [], []
    for run in (r for r in logged.runs if r.problem == label and r.label == "genetic"):
        rows = [row for row in table.to_pylist() if row["run"] == run.key]
        best = np.minimum.accumulate([row["loss.latency_s"] if row["feasible"] else np.inf for row in rows])
        finals.append((best[-1] - optimum.loss) / (optimum.median_loss - optimum.loss))
        within = np.flatnonzero(best <= 1.05 * optimum.loss)
        reach.append(within[0] + 1 if len(within) else np.inf)
    row = text[text.index("final regret") :].split("genetic\n", 1)[1].split("\n")
    cells = [cell for cell in row if cell.strip()]
    assert cells[0] == "4"
    assert float(cells[1].split(" ")[0]) == pytest.approx(
        float(stats.interquartile_mean(np.array(finals))), rel=5e-3, abs=1e-9
    )
    assert cells[3] == percent(float(np.isfinite(reach).mean())).replace("\u00a0", " ")
    median = float(np.median(reach))
    assert cells[5] == ("never" if np.isinf(median) else f"{median:,.0f}")


def test_known_front_counts_what_was_found_of_it(sweep: Path, tmp_path: Path, known: dict[str, Optimum]) -> None:
    path = write_report(sweep, tmp_path / "page.html")
    front = np.unique(known["latency_s+energy_j"].front_losses, axis=0)
    problem = list(load_sweep(sweep).problems)[1]
    rows = [row for row in load_trials(sweep).to_pylist() if row["problem"] == problem and row["feasible"]]
    found = {(row["loss.latency_s"], row["loss.energy_j"]) for row in rows} & set(map(tuple, front.tolist()))
    assert f"has {len(front)} points, of which the runs found {len(found)}" in words(path)
    names = [trace["name"] for figure in figures(path).values() for trace in figure["data"]]
    assert {"true front", "reference point"} <= set(names)


def test_stored_optimum_that_a_trial_beats_is_not_believed(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Optimum(("latency_s",), 9, 9, ({},), ((1.0,),), ({},), 0, (2.0,), 9, (2.0,), 1.0, "Tiling", "1")
    monkeypatch.setattr("designgym.envs.optimum.known_optimum", lambda *_: wrong)
    assert "beats the stored optimum" in words(write_report(sweep, tmp_path / "page.html"))


def test_other_version_of_the_cost_model_knows_no_optimum(
    sweep: Path, tmp_path: Path, known: dict[str, Optimum], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("small_sweep.Tiling.version", "2")
    text = words(write_report(sweep, tmp_path / "page.html"))
    assert "the cost model is now version 2, and the runs used 1" in text
    assert not known


def test_problem_that_cannot_be_made_here_is_still_reported(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise ValueError("unknown problem")

    monkeypatch.setattr("designgym.envs.registry.make_problem", gone)
    assert "could not be made here (ValueError: unknown problem)" in words(write_report(sweep, tmp_path / "page.html"))


def test_same_log_gives_the_same_bytes(sweep: Path, page: Path, tmp_path: Path) -> None:
    assert write_report(sweep, tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_page_is_one_file_of_moderate_size_and_says_how_to_reproduce(sweep: Path, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert text.count('id="plotly"') == 1
    assert not re.findall(r'(?:src|href)="(?!#|data:)', text)
    assert "numpy" in words(page)
    assert (sweep / "sweep.yaml").read_text().splitlines()[0] in text
    assert page == sweep / "report.html"
    assert not list(sweep.glob("*.tmp"))


class _Balance(HTMLParser):
    VOID = frozenset({"meta", "link", "wbr", "br", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def test_tags_are_balanced(page: Path) -> None:
    parser = _Balance()
    parser.feed(page.read_text(encoding="utf-8"))
    assert not parser.open
    assert not parser.wrong


# -- sweeps that did not go well --------------------------------------------------------------------------------------


def test_unfinished_and_failed_runs_are_stated(tmp_path: Path, chromium: Chromium) -> None:
    # Runs go seed by seed: random 0, genetic 0, random 1, genetic 1.
    directory = log_sweep(tmp_path / "cut", SMALL, priced={1: 1, 2: 0, 3: 1})
    failed = load_sweep(directory).runs[3]
    RunFiles(directory, failed.key).error.write_text("RuntimeError: <b>the simulator hung</b>\n\ntrace", "utf-8")
    path = write_report(directory)
    text = words(path)
    assert "This sweep is not complete: 1 of 4 runs finished; 1 failed, 1 not finished and 1 not started." in text
    assert "genetic, seed 1: RuntimeError: &lt;b&gt;the simulator hung&lt;/b&gt;" in text
    assert "(unfinished)" in text
    drawn(chromium, path)


def test_nothing_feasible_is_said_and_needs_no_figure(tmp_path: Path, chromium: Chromium) -> None:
    options = {"objective": {"minimize": ["latency_s"], "subject_to": ["energy_j <= 1e-9"]}}
    path = write_report(log_sweep(tmp_path / "none", SMALL | {"problems": [{"id": PROBLEM, "options": options}]}))
    assert "None of the 240 designs priced is feasible" in words(path)
    show(chromium, path)
    assert not chromium.errors


def test_directory_without_a_sweep_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="holds no sweep"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_every_kind_of_parameter_and_a_maximised_metric(tmp_path: Path, chromium: Chromium) -> None:
    options = {"objective": {"maximize": ["throughput"]}}
    problems = [*({"id": KINDS, "options": {"kind": kind}} for kind in ("conditional", "continuous"))]
    given = SMALL | {"problems": [*problems, {"id": PROBLEM, "options": options}], "agents": ["random", "local_search"]}
    path = write_report(log_sweep(tmp_path / "kinds", given))
    text = words(path)
    assert "most throughput" in text
    assert "Distance below the best known" in text
    drawn(chromium, path)


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


def show(chromium: Chromium, path: Path, **window: Any) -> None:
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.show(path, **window)
    chromium.wait_for("['drawn', 'failed'].includes(document.documentElement.dataset.report)")


def drawn(chromium: Chromium, path: Path, **window: Any) -> None:
    """Show a page and fail on a script error, a request to anywhere, or a figure without something to see."""
    show(chromium, path, **window)
    status = json.loads(chromium.evaluate("document.getElementById('figures-status').textContent"))
    assert chromium.errors == []
    assert status["errors"] == []
    assert [url for url in chromium.requests if url != path.resolve().as_uri() and not url.startswith("data:")] == []
    assert {figure["id"] for figure in status["figures"]} == set(figures(path))
    assert len(status["figures"]) >= 4
    for figure in status["figures"]:
        assert max(figure["points"]) > 1, f"{figure['id']} has no data"
        marks = f"""[...document.querySelectorAll("#{figure["id"]} :is(.trace path, .point path, .points path)")]
            .filter((path) => path.getTotalLength() > 2).length"""
        assert chromium.evaluate(marks) > 0, f"{figure['id']} shows nothing"


def test_page_draws_every_figure_without_a_network(page: Path, chromium: Chromium, tmp_path: Path) -> None:
    drawn(chromium, page)
    assert chromium.screenshot(tmp_path / "page.png").stat().st_size > 50_000
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 1280
    assert chromium.pdf(tmp_path / "page.pdf").stat().st_size > 20_000
    assert chromium.errors == []


def test_page_on_a_phone_scrolls_down_only(page: Path, chromium: Chromium) -> None:
    drawn(chromium, page, width=390, height=844)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390
    rights = "[...document.querySelectorAll('.plot .main-svg')].map((svg) => svg.getBoundingClientRect().right)"
    assert max(chromium.evaluate(rights)) <= 390


def test_dark_page_has_dark_figures(page: Path, chromium: Chromium) -> None:
    drawn(chromium, page, dark=True)
    rgb = f"rgb({', '.join(str(int(DARK['paper'][i : i + 2], 16)) for i in (1, 3, 5))})"
    papers = "[...document.querySelectorAll('.plot .main-svg:first-child')].map((svg) => svg.style.background)"
    assert set(chromium.evaluate(papers)) == {rgb}
    assert chromium.evaluate("document.querySelector('.plot').innerHTML.includes('\"@')") is False


def test_page_without_script_says_so_and_keeps_its_tables(page: Path, chromium: Chromium) -> None:
    broken = page.with_name("old.html")
    broken.write_text(page.read_text("utf-8").replace("new DecompressionStream", "new NoSuchStream"), "utf-8")
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
