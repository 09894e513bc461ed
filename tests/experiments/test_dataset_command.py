"""`designgym dataset` as a user meets it: two words of one command, what it prints, and how it refuses."""

import json
import sys

import pytest
from small_problem import NAME, registered
from small_sweep import log_sweep, register

from designgym.cost_models.dataset_file import read_dataset
from designgym.experiments.cli import main


@pytest.fixture(autouse=True)
def _known(monkeypatch) -> None:
    register()
    registered(monkeypatch)


@pytest.fixture
def swept(tmp_path):
    given = {"name": "s", "problems": [{"id": NAME, "options": {"fails": 7}}], "agents": ["random"], "seeds": 2}
    return log_sweep(tmp_path / "s", {**given, "budget": 100})


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["designgym", *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


def test_directories_are_gathered_whatever_stands_first(swept, call, tmp_path) -> None:
    for words in (
        ["s", "-o", "data"],
        ["-o", "data", "s"],
        ["gather", "s", "--out", "data"],
        ["./s", "s", "-o", "data"],
    ):
        code, out, err = call("dataset", *words)
        assert (code, err) == (0, ""), "silent when piped"
        data = read_dataset(tmp_path / "data")
        assert f"{len(data):,} distinct designs (" in out
        assert "left out: " in out
        assert "trials whose evaluation failed" in out
        assert data.sha256[:16] in out
        assert f"{100 * data.feasible.mean():.1f} %" in out


def test_json_says_what_came_together(swept, call, tmp_path) -> None:
    code, out, _ = call("dataset", "s", "-o", "data", "--json")
    told, data = json.loads(out), read_dataset(tmp_path / "data")
    assert code == 0
    assert told["rows"] == len(data)
    assert told["feasible_share"] == data.feasible.mean()
    assert told["problems"] == [
        {"problem": NAME, "fidelity": "faithful", "rows": len(data), "feasible": int(data.feasible.sum()),
         "cost_model": "SmallModel", "version": "1"}
    ]  # fmt: skip
    assert told["trials"] == told["rows"] + told["repeated"] + told["failed"] == 200
    assert told["sha256"] == data.sha256
    assert told["left_out"] == []


def test_sample_and_search_on_it(call, tmp_path) -> None:
    code, out, err = call(
        "dataset", "sample", NAME, "-n", "300", "--how", "random", "--set", "workload=b", "-o", "data"
    )
    assert (code, err) == (0, "")
    assert "300 distinct designs (300 from random)" in out
    assert f"{NAME}(workload=b)" in out
    options = ["--set", "workload=b", "--set", "cost_model=dataset:data/"]
    code, out, _ = call("run", NAME, *options, "--agent", "genetic", "--budget", "100", "--json")
    assert (code, json.loads(out)["trials"]) == (0, 100)
    assert json.loads(out)["best"] is not None
    code, out, _ = call("price", NAME, "rows=32", "sram_kb=8", *options)
    assert "not in the dataset" in out
    code, _, err = call("run", NAME, "--set", "cost_model=dataset:data/")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "workload 'b' there and 'a' here" in err


def test_a_space_with_fewer_designs_is_said(call) -> None:
    words = "dataset", "sample", NAME, "-n", "100000", "-o", "data"
    code, out, _ = call(*words, "--json")
    told = json.loads(out)
    assert (code, told["missing"]) == (0, 100_000 - told["rows"])
    assert f"the space has no more: {told['missing']:,} designs fewer" in call(*words)[1]


def test_help_explains_both(call) -> None:
    _, out, _ = call("dataset", "--help")
    assert "designgym dataset DIR... -o" in out
    assert "designgym dataset sample ID" in out
    for word in ("gather", "sample"):
        assert "--out" in call("dataset", word, "--help")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere", "-o", "data"], "nowhere holds no sweep: it has no sweep.json"),
        (["s"], "Missing option '-o'"),
        (["-o", "data"], "Missing argument 'DIR...'"),
        ([], "Missing command"),
        (["s", "-o", "data", "--problem", "OfflineSmal"], "--problem must be one of the sweeps, got 'OfflineSmal'"),
        (["s", "-o", "s"], "s holds other files (lock) and no dataset"),
        (
            ["sample", NAME, "--how", "grid", "-o", "data"],
            "--how must be one of sobol, random, from-agents, got 'grid'",
        ),
        (["sample", "OfflineSmal", "-o", "data"], "Did you mean 'OfflineSmall-v0'?"),
        (["sample", NAME, "-n", "0", "-o", "data"], "-n must be at least 1, got 0"),
    ],
)
def test_what_is_wrong_is_one_line(swept, call, tmp_path, words, said) -> None:
    code, _, err = call("dataset", *words)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert said in err
    assert not (tmp_path / "data").exists()
