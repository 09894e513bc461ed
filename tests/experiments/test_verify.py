"""`designgym verify`: the best designs of a sweep under options that search did not see."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chromium import Chromium
from noisy_problems import NOISY, QUIET, SLOW, register
from report_pages import drawn, figures, words
from small_sweep import log_sweep

from designgym.envs.registry import make_problem
from designgym.experiments import LogError, load_trials
from designgym.experiments.cli import main
from designgym.experiments.report import write_report
from designgym.experiments.verified import Comparison, comparisons, ratio, read_verified
from designgym.experiments.verify import verify

GIVEN: dict[str, Any] = {"name": "noisy", "agents": ["random", "genetic"], "seeds": 2, "budget": 80}
TWO = {"objective": {"minimize": ["energy_j"], "maximize": ["throughput"]}}


def swept(path: Path, *problems: Any, priced: dict[int, int] | None = None) -> Path:
    register()
    return log_sweep(path, GIVEN | {"problems": list(problems) or [NOISY]}, priced)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("verify") / "noisy")


def rows_of(directory: Path) -> list[dict[str, Any]]:
    table = read_verified(directory)
    assert table is not None
    return table.to_pylist()


# -- what is priced ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["latency_s", "throughput"])
def test_the_best_designs_of_the_log_are_priced_under_the_other_options(objective: str, tmp_path: Path) -> None:
    directory = swept(tmp_path / "noisy", {"id": NOISY, "options": {"objective": objective}})
    log = {path: path.read_bytes() for path in (directory / "runs").iterdir()}
    verify(directory, {"noise_seed": 1}, top=7)
    assert {path: path.read_bytes() for path in (directory / "runs").iterdir()} == log
    found, problem = rows_of(directory), make_problem(NOISY, noise_seed=1)
    assert [(row["agent"], row["place"]) for row in found] == [(a, i) for a in GIVEN["agents"] for i in range(1, 8)]
    for row in found:
        design = {name: row[f"design.{name}"] for name in ("x", "y", "mode")}
        metrics = problem.evaluate(problem.space.parse(design)).metrics
        for name in ("latency_s", "energy_j", "throughput"):
            assert row[f"verified.{name}"] == metrics[name][0]
        sign = -1 if objective == "throughput" else 1
        assert row["loss.verified"] == sign * metrics[objective][0]
    # The log, by hand: distinct designs, feasible ones, the least losses.
    logged = [row for row in load_trials(directory).to_pylist() if row["feasible"]]
    for agent in GIVEN["agents"]:
        least = {
            (row["design.x"], row["design.y"], row["design.mode"]): row[f"loss.{objective}"]
            for row in logged
            if row["agent"] == agent
        }
        mine = [row for row in found if row["agent"] == agent]
        assert [row["loss.searched"] for row in mine] == sorted(least.values())[:7]
        first = next(r for r in logged if r["run"] == mine[0]["run"] and r["index"] == mine[0]["number"] - 1)
        assert first["metric.energy_j"] == mine[0]["searched.energy_j"]


def test_sets_lie_side_by_side_and_a_set_replaces_its_own(tmp_path: Path) -> None:
    directory = swept(tmp_path / "noisy")
    verify(directory, {"noise_seed": 1}, top=5)
    verify(directory, {"noise_seed": 7, "bound": 70}, top=5)
    before = [row for row in rows_of(directory) if row["set"] == "bound=70, noise_seed=7"]
    again = verify(directory, {"noise_seed": 1}, top=3)
    found = rows_of(directory)
    assert len(before) == 10
    assert [row for row in found if row["set"] == "bound=70, noise_seed=7"] == before
    assert len([row for row in found if row["set"] == "noise_seed=1"]) == 6
    assert {one.options for one in again.comparisons} == {"noise_seed=1"}
    assert [path.name for path in directory.iterdir() if path.suffix == ".tmp"] == []


def test_what_cannot_be_written_leaves_the_file_as_it_was(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verify(sweep, {"noise_seed": 1})
    before = (sweep / "verified.parquet").read_bytes()

    def full(*args: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(LogError, match="Make room"):
        verify(sweep, {"noise_seed": 9})
    assert (sweep / "verified.parquet").read_bytes() == before


def test_several_objectives_are_verified_each(tmp_path: Path) -> None:
    directory = swept(tmp_path / "two", {"id": NOISY, "options": TWO})
    verify(directory, {"noise_seed": 1}, top=4)
    rows = rows_of(directory)
    assert len(rows) == 2 * 2 * 4
    for objective, sign in (("energy_j", 1), ("throughput", -1)):
        mine = [row for row in rows if row["objective"] == objective and row["agent"] == "random"]
        losses = [row["loss.searched"] for row in mine]
        assert losses == sorted(losses)
        assert losses == [sign * row[f"searched.{objective}"] for row in mine]
        assert [row["loss.verified"] for row in mine] == [sign * row[f"verified.{objective}"] for row in mine]
    write_report(directory)
    text = words(directory / "report.html")
    assert "Verified under noise_seed=1: energy_j" in text
    assert "Verified under noise_seed=1: throughput" in text


def test_designs_that_are_not_feasible_there_are_lost_whole(tmp_path: Path) -> None:
    directory = swept(tmp_path / "noisy")
    found = verify(directory, {"bound": 49}, top=10)
    rows = rows_of(directory)
    for row in rows:
        assert row["feasible"] == (row["design.x"] + row["design.y"] <= 49)
        assert (row["violation"] == 0) == row["feasible"]
    together = found.comparisons[0]
    assert 0 < together.infeasible == int(np.isinf(together.verified).sum())
    write_report(directory)
    assert "not feasible there" in words(directory / "report.html")


@pytest.mark.parametrize("workers", [1, 3])
def test_slow_models_are_priced_in_threads_and_what_fails_is_counted(tmp_path: Path, workers: int) -> None:
    directory = swept(tmp_path / "slow", SLOW)
    expected = swept(tmp_path / "fast", NOISY)
    best = verify(expected, {"noise_seed": 1}, top=6)
    found = verify(directory, {"noise_seed": 1}, top=6, workers=workers)
    assert found.failed == 0
    for one, other in zip(found.comparisons, best.comparisons, strict=True):
        assert np.array_equal(one.searched, other.searched)
        assert np.array_equal(one.verified, other.verified)
    x = rows_of(directory)[0]["design.x"]
    failing = verify(directory, {"fails": x}, top=6, workers=workers)
    failed = {(r["design.x"], r["design.y"], r["design.mode"]) for r in rows_of(directory) if r["design.x"] == x}
    assert failing.failed == len(failed) > 0
    lost = [row for row in rows_of(directory) if row["set"] == f"fails={x}" and row["design.x"] == x]
    assert all(np.isinf(row["violation"]) and np.isnan(row["verified.latency_s"]) for row in lost)


def test_an_unfinished_sweep_is_verified_and_a_better_design_since_is_told(tmp_path: Path) -> None:
    directory = swept(tmp_path / "part", priced={0: 1, 1: 1, 2: 0, 3: 0})
    verify(directory, {"noise_seed": 1}, top=3)
    write_report(directory)
    assert "verify again" not in words(directory / "report.html")
    whole = swept(tmp_path / "whole")
    (whole / "verified.parquet").write_bytes((directory / "verified.parquet").read_bytes())
    write_report(whole)
    assert "found better designs since: verify again" in words(whole / "report.html")


def test_problems_without_the_option_are_left_out(tmp_path: Path) -> None:
    directory = swept(tmp_path / "both", NOISY, QUIET, {"id": NOISY, "options": {"noise_seed": 1}})
    found = verify(directory, {"noise_seed": 1}, top=3)
    assert {one.problem for one in found.comparisons} == {"VerifyNoisy-v0(noise_seed=2)"}
    assert "noise_seed" in found.skipped[QUIET]
    assert found.skipped["VerifyNoisy-v0(noise_seed=1)"] == "noise_seed=1 is what search saw"
    with pytest.raises(ValueError, match="must be one of objective, got 'noise_seed'"):
        verify(directory, {"noise_seed": 1}, environments=[QUIET])
    both = verify(directory, {"noise_seed": 5}, top=3, environments=["VerifyNoisy"])
    assert len({one.problem for one in both.comparisons}) == 2
    assert write_report(directory).exists()


REFUSED = [
    ({}, {}, ["--set", "got none", "noise_seed=1"]),
    ({"noise_seed": 2}, {}, ["must differ from what search saw", "noise_seed=2"]),
    ({"noise_sed": 1}, {}, ["noise_sed", "Did you mean 'noise_seed'?"]),
    ({"size": 40}, {}, ["the space must stay the same", "size=40", "x then takes other values"]),
    ({"left_out": True}, {}, ["designs must be legal under left_out=true", "x=", "Verify under options"]),
    ({"noise_seed": "often"}, {}, ["noise_seed must be a whole number", "'often'"]),
    ({"noise_seed": 1}, {"top": 0}, ["--top", "at least 1", "got 0"]),
    ({"noise_seed": 1}, {"workers": 0}, ["--workers", "at least 1", "got 0"]),
    ({"noise_seed": 1}, {"environments": ["VerifyNoise-v0"]}, ["--environment", "Did you mean 'VerifyNoisy-v0'?"]),
]


@pytest.mark.parametrize(("options", "more", "parts"), REFUSED, ids=str)
def test_refusals_say_rule_value_and_remedy(
    sweep: Path, options: dict[str, Any], more: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(ValueError) as error:
        verify(sweep, options, **more)
    assert "\n" not in str(error.value)
    assert [part for part in parts if part not in str(error.value)] == [], str(error.value)


def test_another_version_of_the_model_is_refused(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noisy_problems.Noisy.version", "2")
    with pytest.raises(ValueError, match="now version 2, and the runs used 1"):
        verify(sweep, {"noise_seed": 1})


# -- what is said of it -----------------------------------------------------------------------------------------------


def compared(searched: list[float], verified: list[float]) -> Comparison:
    rows = np.arange(len(searched))
    infeasible = int(np.isinf(verified).sum())
    return Comparison("s", "p", "a", "o", rows, np.array(searched), np.array(verified), infeasible)


def test_place_and_correlation_of_a_worked_example() -> None:
    # Of the six pairs of 1, 2, 3, 4 those with 3 before 2 and 4 before 2 turn round: (4 - 2) / 6.
    one = compared([0.1, 0.2, 0.3, 0.4], [1.0, 4.0, 2.0, 3.0])
    assert (one.place, one.correlation) == (1, pytest.approx(2 / 6))
    assert compared([0.1, 0.2, 0.3], [3.0, 2.0, 1.0]).correlation == -1
    assert compared([0.1, 0.2, 0.3], [3.0, 2.0, 1.0]).place == 3
    assert compared([0.1, 0.2, 0.3], [1.0, 2.0, np.inf]).correlation == 1
    assert compared([0.1, 0.2, 0.3], [np.inf, 2.0, 1.0]).place == 3
    assert np.isnan(compared([0.1, 0.2, 0.3], [1.0, 1.0, 1.0]).correlation)
    assert np.isnan(compared([0.1, 0.2], [1.0, 2.0]).correlation)
    assert ratio(2.0, 3.0) == ratio(-2.0, -3.0) == 1.5
    assert all(np.isnan(ratio(*pair)) for pair in ((0.0, 1.0), (-1.0, 1.0), (1.0, np.inf)))


def test_all_agents_together_are_the_best_distinct_designs() -> None:
    designs, losses = ["a", "b", "c", "a", "d", "e"], [1.0, 4.0, 5.0, 1.0, 2.0, 3.0]
    table = pa.table({
        "set": ["s"] * 6, "problem": ["p"] * 6, "agent": ["one"] * 3 + ["two"] * 3, "objective": ["o"] * 6,
        "loss.searched": losses, "loss.verified": [2 * loss for loss in losses], "feasible": [True] * 6,
        "design.x": designs,
    })  # fmt: skip
    together, *agents = comparisons(table)
    assert [designs[row] for row in together.rows] == ["a", "d", "e"]
    assert [one.agent for one in agents] == ["one", "two"]
    assert together.verified.tolist() == [2.0, 4.0, 6.0]


def test_the_report_has_figure_and_table_of_what_was_verified(tmp_path: Path, chromium: Chromium) -> None:
    directory = swept(tmp_path / "noisy")
    write_report(directory)
    assert "Verified" not in words(directory / "report.html")
    found = verify(directory, {"noise_seed": 1}, top=5)
    page = write_report(directory)
    together = found.comparisons[0]
    text = words(page)
    assert "Verified under noise_seed=1" in text
    assert f"takes place {together.place} of the 5 best" in text
    share = (together.verified[0] / together.searched[0] - 1) * 100
    assert f"{abs(share):.2g} % {'more' if share > 0 else 'less'} loss" in text or abs(share) >= 9.5
    named = {one["layout"]["yaxis"].get("title", {}).get("text", ""): one for one in figures(page).values()}
    figure = named["latency_s (ms) verified"]
    points = {trace["name"]: trace for trace in figure["data"]}
    assert points.keys() == {"nothing lost", "random", "genetic"}
    mine = [row for row in rows_of(directory) if row["agent"] == "genetic"]
    assert points["genetic"]["x"] == pytest.approx([1e3 * row["searched.latency_s"] for row in mine], rel=1e-5)
    assert points["genetic"]["y"] == pytest.approx([1e3 * row["verified.latency_s"] for row in mine], rel=1e-5)
    assert points["nothing lost"]["x"] == points["nothing lost"]["y"]
    drawn(chromium, page, width=390, height=844)
    assert chromium.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.read_bytes() == write_report(directory).read_bytes()


def test_a_damaged_file_is_named_in_the_page_and_the_rest_is_there(tmp_path: Path) -> None:
    directory = swept(tmp_path / "noisy")
    verify(directory, {"noise_seed": 1})
    path = directory / "verified.parquet"
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(LogError, match=r"is damaged\. Delete it, and verify again"):
            read_verified(directory)
    text = words(write_report(directory))
    assert "verified.parquet is damaged. Delete it, and verify again." in text
    assert "Best so far" in text
    with pytest.raises(LogError, match="verify again"):
        verify(directory, {"noise_seed": 5})


# -- the command ------------------------------------------------------------------------------------------------------


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["designgym", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_the_command_prints_what_is_lost_and_writes_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = str(swept(tmp_path / "both", NOISY, QUIET))
    command = ("verify", directory, "--set", "noise_seed=1", "--top", "4")
    assert call(monkeypatch, *command, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    together, first, second = found["comparisons"]
    assert (together["agent"], first["agent"], second["agent"]) == (None, "random", "genetic")
    assert together["searched"] == min(first["searched"], second["searched"])
    assert first["ratio"] == pytest.approx(first["verified"] / first["searched"])
    assert (found["set"], found["top"], list(found["skipped"])) == ("noise_seed=1", 4, [QUIET])
    assert Path(found["report"]).read_text("utf-8").count("Verified under noise_seed=1") >= 1
    assert call(monkeypatch, *command) == 0
    said = capsys.readouterr().out
    assert "VerifyNoisy-v0 under noise_seed=1" in said
    assert f"left out: {QUIET}" in said
    assert f"{together['place']} of 4" in said


@pytest.mark.parametrize("words", [["--set", "noise_seed=2"], [], ["--set", "noise_seed=1", "--top", "0"]], ids=str)
def test_bad_input_is_one_line_and_exit_code_2(
    sweep: Path, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "verify", str(sweep), *words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
