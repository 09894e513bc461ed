"""The report page: what it says is checked against the log."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from chromium import Chromium
from report_pages import SMALL, drawn, figures, show, words
from small_sweep import KINDS, PROBLEM, log_sweep

from designgym.envs.optimum import Optimum, find_optimum
from designgym.experiments import LogError, load_sweep, load_trials
from designgym.experiments import statistics as stats
from designgym.experiments.parts import RunFiles, write_parquet
from designgym.experiments.report import write_report
from designgym.experiments.report.text import NBSP, percent

MOST_BYTES = 5_000_000


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Optimum]:
    """Let every problem's true optimum be known; return those that were asked for, by their objectives."""
    found: dict[str, Optimum] = {}

    def known_optimum(problem_id: str, options: Any, problem: Any) -> Optimum:
        return found.setdefault("+".join(problem.objective.names), find_optimum(problem))

    monkeypatch.setattr("designgym.envs.optimum.known_optimum", known_optimum)
    return found


# -- what the page says -----------------------------------------------------------------------------------------------


def test_headline_states_the_best_design_of_the_log(report_sweep: Path, report_page: Path) -> None:
    table = load_trials(report_sweep)
    problem = next(iter(load_sweep(report_sweep).problems))
    rows = [row for row in table.to_pylist() if row["problem"] == problem and row["feasible"]]
    best = min(rows, key=lambda row: row["metric.latency_s"])
    text = words(report_page)
    assert f"latency_s {1e6 * best['metric.latency_s']:.4g} µs" in text
    assert "no true optimum is stored" in text
    before = min(row["metric.latency_s"] for row in rows if row["ask"] == 0)
    gain = percent((before - best["metric.latency_s"]) / before).replace("\u00a0", " ")
    assert f"Over your start design: {gain} less latency_s" in text


def test_true_optimum_and_agents_figures(report_sweep: Path, tmp_path: Path, known: dict[str, Optimum]) -> None:
    text = words(write_report(report_sweep, tmp_path / "page.html"))
    optimum = known["latency_s"]
    table, logged = load_trials(report_sweep), load_sweep(report_sweep)
    label = next(iter(logged.problems))
    finals, reach = [], []
    for run in (r for r in logged.runs if r.problem == label and r.label == "genetic"):
        rows = [row for row in table.to_pylist() if row["run"] == run.key]
        best = np.minimum.accumulate([row["loss.latency_s"] if row["feasible"] else np.inf for row in rows])
        finals.append((best[-1] - optimum.loss) / (optimum.median_loss - optimum.loss))
        within = np.flatnonzero(best <= 1.05 * optimum.loss)
        reach.append(within[0] + 1 if len(within) else np.inf)
    row = text[text.index("runs within 1 %") :].split("genetic\n", 1)[1].split("\n")
    cells = [cell for cell in row if cell.strip()]
    assert cells[0] == "4"
    assert float(cells[1].split(" ")[0]) == pytest.approx(
        float(stats.interquartile_mean(np.array(finals))), rel=5e-3, abs=1e-9
    )
    assert cells[3] == percent(float(np.isfinite(reach).mean())).replace("\u00a0", " ")
    median = float(np.median(reach))
    assert cells[5] == ("never" if np.isinf(median) else f"{median:,.0f}")


def test_known_front_counts_what_was_found_of_it(report_sweep: Path, tmp_path: Path, known: dict[str, Optimum]) -> None:
    path = write_report(report_sweep, tmp_path / "page.html")
    front = np.unique(known["latency_s+energy_j"].front_losses, axis=0)
    problem = list(load_sweep(report_sweep).problems)[1]
    rows = [row for row in load_trials(report_sweep).to_pylist() if row["problem"] == problem and row["feasible"]]
    found = {(row["loss.latency_s"], row["loss.energy_j"]) for row in rows} & set(map(tuple, front.tolist()))
    assert f"has {len(front)} points, of which the runs found {len(found)}" in words(path)
    names = [trace["name"] for figure in figures(path).values() for trace in figure["data"]]
    assert {"true front", "reference point"} <= set(names)


def test_stored_optimum_that_a_trial_beats_is_not_believed(
    report_sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Optimum(("latency_s",), 9, 9, ({},), ((1.0,),), ({},), 0, (2.0,), 9, (2.0,), 1.0, "Tiling", "1")
    monkeypatch.setattr("designgym.envs.optimum.known_optimum", lambda *_: wrong)
    assert "beats the stored optimum" in words(write_report(report_sweep, tmp_path / "page.html"))


def test_other_version_of_the_cost_model_knows_no_optimum(
    report_sweep: Path, tmp_path: Path, known: dict[str, Optimum], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("small_sweep.Tiling.version", "2")
    text = words(write_report(report_sweep, tmp_path / "page.html"))
    assert "the cost model is now version 2, and the runs used 1" in text
    assert not known


def test_problem_that_cannot_be_made_here_is_still_reported(
    report_sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise ValueError("unknown problem")

    monkeypatch.setattr("designgym.experiments.commands.make_problem", gone)
    assert "could not be made here: unknown problem" in words(write_report(report_sweep, tmp_path / "page.html"))


def test_same_log_gives_the_same_bytes(report_sweep: Path, report_page: Path, tmp_path: Path) -> None:
    assert write_report(report_sweep, tmp_path / "again.html").read_bytes() == report_page.read_bytes()


def test_page_is_one_file_of_moderate_size_and_says_how_to_reproduce(report_sweep: Path, report_page: Path) -> None:
    text = report_page.read_text(encoding="utf-8")
    assert len(text.encode()) < MOST_BYTES
    assert text.count('id="plotly"') == 1
    assert not re.findall(r'(?:src|href)="(?!#|data:)', text)
    assert "numpy" in words(report_page)
    assert (report_sweep / "sweep.yaml").read_text().splitlines()[0] in text
    assert report_page == report_sweep / "report.html"
    assert not list(report_sweep.glob("*.tmp"))


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


def test_tags_are_balanced(report_page: Path) -> None:
    parser = _Balance()
    parser.feed(report_page.read_text(encoding="utf-8"))
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


def test_damaged_run_is_named_and_the_others_are_reported(tmp_path: Path) -> None:
    directory = log_sweep(tmp_path / "damaged", SMALL)
    runs = load_sweep(directory).runs
    path = RunFiles(directory, runs[1].key).parquet
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : 2 * third] = bytes(third)
    path.write_bytes(bytes(data))
    with pytest.warns(UserWarning, match="left out"):
        text = words(write_report(directory))
    assert "3 of 4 runs finished; 1 damaged, left out" in text
    assert f"{runs[1].label}, seed {runs[1].seed}: {path} is damaged" in text
    assert "180 designs priced" in text


def test_repeats_told_count_for_nothing_and_rows_may_lie_in_any_order(tmp_path: Path) -> None:
    """A told agent's log has its repeats, and a slow model's rows come as they finish: the page is the same."""
    given = SMALL | {"agents": ["random"]}
    plain = log_sweep(tmp_path / "plain", given)
    told = Path(shutil.copytree(plain, tmp_path / "told"))
    rng = np.random.default_rng(0)
    for run in load_sweep(told).runs:
        rows, meta = RunFiles(told, run.key).read()
        assert rows is not None
        places = np.sort(np.append(np.arange(len(rows)), rng.integers(0, len(rows), 20)))
        again = np.append(False, places[1:] == places[:-1])
        rows = rows.take(places)
        for name, column in (("index", np.arange(len(places))), ("fresh", ~again)):
            rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(column))
        write_parquet(RunFiles(told, run.key).parquet, rows.take(rng.permutation(len(places))), meta)
    one, other = write_report(plain), write_report(told)
    assert figures(one) == figures(other)
    assert words(one).replace(str(plain), "") == words(other).replace(str(told), "")


def test_what_failed_runs_left_can_be_unfolded(tmp_path: Path) -> None:
    directory = log_sweep(tmp_path / "failed", SMALL, priced={3: 1})
    key = load_sweep(directory).runs[3].key
    RunFiles(directory, key).error.write_text("RuntimeError: hung\nTraceback\n  evaluate()", "utf-8")
    page = write_report(directory).read_text("utf-8")
    item = page[page.index('<ul class="errors">') :].partition("</ul>")[0]
    assert "<summary>genetic, seed 1: RuntimeError: hung</summary>" in item
    assert "<pre><code>Traceback\n  evaluate()</code></pre>" in item
    assert f"runs/{key}.error.txt" in item


# -- sweeps that are small --------------------------------------------------------------------------------------------


def test_one_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    path = write_report(log_sweep(tmp_path / "one", SMALL | {"agents": ["random"], "seeds": 1}))
    assert re.search(r"It was found as design \d+\.", words(path))
    assert not re.search(r"1 of 1 run|of the pairs|in the median run", words(path))
    assert 'class="versus"' not in path.read_text("utf-8")


def test_one_design_is_spoken_of_in_the_singular(tmp_path: Path) -> None:
    options = {"objective": {"minimize": ["latency_s"], "subject_to": ["energy_j <= 1e-9"]}}
    given = SMALL | {"agents": ["random"], "seeds": 1, "budget": 1}
    none = given | {"problems": [{"id": PROBLEM, "options": options}]}
    assert "The one design priced is not feasible" in words(write_report(log_sweep(tmp_path / "none", none)))


def test_where_no_run_comes_within_1_percent_the_page_says_who_came_closest_and_how_close(
    tmp_path: Path, known: dict[str, Optimum]
) -> None:
    path = write_report(log_sweep(tmp_path / "short", SMALL | {"budget": 6}))
    said = re.search(
        r"(\w+) came closest: it ended at a regret of ([\d.]+); (\w+), next, at ([\d.]+)\. "
        r"The first ended lower in \d+ % of the pairs of their runs.* No run came within 1 % of the optimum\.",
        words(path),
    )
    assert said is not None
    assert {said[1], said[3]} == {"random", "genetic"}
    assert float(said[2]) <= float(said[4])
    assert re.search(r"Who gets within (5|10|20|50|100|200) %, and how soon", words(path))
    shares = figures(path)["figure-3"]["data"]
    assert max(max(trace["y"]) for trace in shares) > 0


# -- agents: in pairs, and what they cost -----------------------------------------------------------------------------


def test_agents_in_pairs_are_those_of_the_log(report_sweep: Path, report_page: Path) -> None:
    table = report_page.read_text("utf-8").split('<table class="versus">')[2].partition("</table>")[0]
    table = re.sub(r"<wbr[^>]*>", "", table)
    rows = [re.sub(r"<[^>]+>", " ", row).replace(NBSP, " ") for row in table.split("<tr>")[2:]]
    label = next(iter(load_sweep(report_sweep).problems))
    finals: dict[str, list[float]] = {}
    for run in (r for r in load_sweep(report_sweep).runs if r.problem == label):
        mine = [row for row in load_trials(report_sweep).to_pylist() if row["run"] == run.key and row["feasible"]]
        finals.setdefault(run.label, []).append(min(row["loss.latency_s"] for row in mine))
    order = [next(name for name in finals if name in row) for row in rows]
    told = [[int(share) for share in re.findall(r"(\d+) %", row)] for row in rows]
    assert all(told[i][j - 1] + told[j][i] == 100 for i in range(len(order)) for j in range(i + 1, len(order)))
    for name, row in zip(order, rows, strict=True):
        shares = iter(re.findall(r"(\d+) %", row))
        for other in (o for o in order if o != name):
            pairs = [0.5 * (a == b) + (a < b) for a in finals[name] for b in finals[other]]
            assert int(next(shares)) == pytest.approx(100 * np.mean(pairs), abs=0.51)


def test_time_per_proposal_and_repeats_are_those_of_the_runs(tmp_path: Path) -> None:
    directory = log_sweep(tmp_path / "timed", SMALL)
    for run in load_sweep(directory).runs:
        files = RunFiles(directory, run.key)
        rows, meta = files.read()
        assert rows is not None
        counts = {"asked": 100, "repeats": 40, "agent_s": 0.002 if run.label == "genetic" else 0.05, "timed": 100}
        write_parquet(files.parquet, rows, meta | counts)
    text = words(write_report(directory))
    costs = text[text.rindex("time a proposal") :]
    cells = [cell for cell in costs.split("genetic\n", 1)[1].split("\n") if cell.strip()]
    assert cells[:3] == ["200", "80 (40 %)", "20 µs"]
    old = words(write_report(log_sweep(tmp_path / "old", SMALL)))
    assert "The log of these runs does not tell." in old
