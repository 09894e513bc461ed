"""Sweeps of `kind: training`: each run keeps the policy that it ends with."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import played_problems
import pyarrow.compute as pc
import pytest
import tiny_problems
from runs_in_process import assert_as_undisturbed, spec_of

from designgym.agents.check_episodes import Walks
from designgym.agents.policies import load_policy
from designgym.agents.registry import make_sequential_agent
from designgym.agents.sequential import play
from designgym.envs import MeteredEpisodes
from designgym.experiments import load_sweep, load_trials
from designgym.experiments.cli import main
from designgym.experiments.driver import sweep
from designgym.experiments.kept_policies import PolicyError, canonical, policy_folders, read_policy, write_policy
from designgym.experiments.parts import RunFiles
from designgym.experiments.report import write_report
from designgym.experiments.report.gather import study_all
from designgym.experiments.runs import runs
from designgym.experiments.spec import SpecError, SweepSpec
from designgym.experiments.training import trainable

SETTINGS = {"population": 4, "episodes": 2}
CROSS = {"name": "cross_entropy", "hyperparameters": SETTINGS}


@pytest.fixture(autouse=True)
def _names(monkeypatch) -> None:
    tiny_problems.registered(monkeypatch)
    played_problems.registered(monkeypatch)


def training(**keys: Any) -> SweepSpec:
    given = {"kind": "training", "problems": ["SlowWalks"], "agents": [CROSS], "budget": 40, "seeds": 2}
    return spec_of(**(given | keys))


def learned(seed: int) -> dict[str, bytes]:
    """The policy of a run of `training`, without a sweep."""
    agent = make_sequential_agent("cross_entropy", MeteredEpisodes(Walks(), 40, seed=seed), seed, **SETTINGS)
    play(agent)
    return agent.policy_files()


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "train"}, r"kind must be search or training, got 'train'"),
        (
            {"problems": ["SlowWalks", "LABS"]},
            r"problems\[1\]\.id: .*such as .*SlowWalks-v0.*, got LABS-v0",
        ),
        ({"agents": ["ucb"]}, r"agents\[0\]\.name: .*keep their policy, .*cross_entropy.*, got 'ucb'\. Choose one"),
        ({"agents": [CROSS, "random"]}, r"agents\[1\]\.name: .*keep their policy, .*, got 'random'"),
        ({"agents": ["sac"]}, r"sac in SlowWalks-v0: .*Discrete\(3\).*ppo"),
        ({"start": [{"arm": 1}]}, "start is for searches of designs"),
    ],
    ids=["kind", "one-shot", "keeps none", "searches", "unfit", "start"],
)
def test_what_cannot_be_trained_is_refused_before_it_begins(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said) as refused:
        training(**keys)
    assert "\n" not in str(refused.value)


def test_who_keeps_a_policy() -> None:
    assert "cross_entropy" in trainable()
    assert "ppo" in trainable()
    assert "ucb" not in trainable()


def test_a_training_run_is_the_run_of_a_search_that_keeps_its_policy() -> None:
    (one, _), (other, _) = runs(training()), runs(training(kind="search"))
    assert one.key == other.key
    assert (one.keeps_policy, other.keeps_policy) == (True, False)


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_training_keeps_the_policy_of_each_run(ray, tmp_path, monkeypatch) -> None:
    spec, out = training(), tmp_path / "out"
    outcome = sweep(spec, out, workers=2, silent=True)
    assert (outcome.failed, outcome.finished) == ((), 2)
    assert_as_undisturbed(out, runs(spec))
    folders = policy_folders(out)
    assert sorted(folder.name for folder in folders) == sorted(run.key for run in runs(spec))
    for folder in folders:
        kept = read_policy(folder)
        assert kept.trusted
        assert kept.files == learned(kept.about["seed"])
        wanted = {"agent": "cross_entropy", "label": "cross_entropy", "env": "SlowWalks-v0", "options": {}}
        assert kept.about.items() >= {**wanted, "trials": 40, "key": folder.name}.items()
        assert kept.about["hyperparameters"].items() >= SETTINGS.items()
        assert kept.about["versions"]["numpy"] == np.__version__
        policy = load_policy(kept.about["agent"], Walks(), kept.files)
        assert set(policy.act(np.array([[0.0, 5.0], [0.0, -5.0]]), np.ones(2, bool)).tolist()) <= {0, 1, 2}
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "another user"))
    assert not read_policy(folders[0]).trusted
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    assert sweep(spec, out, silent=True).finished == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before, "nothing is trained again"


def test_a_run_whose_policy_is_missing_is_not_finished(ray, tmp_path, capsys) -> None:
    spec, out = training(seeds=3), tmp_path / "out"
    missing, damaged, whole = runs(spec)
    sweep(spec, out, workers=2, silent=True)
    (RunFiles(out, missing.key).policy / "policy.json").unlink()
    file = RunFiles(out, damaged.key).policy / "policy.npz"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    unchanged = RunFiles(out, whole.key).parquet.stat().st_mtime_ns
    trials = load_trials(out)
    assert sweep(spec, out, workers=2).finished == 3
    said = capsys.readouterr().err
    assert said.count("its policy is not there, or damaged: it is trained again") == 2
    assert RunFiles(out, whole.key).parquet.stat().st_mtime_ns == unchanged
    assert load_trials(out).equals(trials), "no trial is made anew"
    for run in runs(spec):
        assert read_policy(RunFiles(out, run.key).policy).files == learned(run.seed)


def test_a_search_becomes_a_training_by_its_policies_alone(ray, tmp_path) -> None:
    out = tmp_path / "out"
    sweep(training(kind="search"), out, workers=2, silent=True)
    with pytest.raises(PolicyError, match="holds no policy"):
        policy_folders(out)
    trials = load_trials(out)
    sweep(training(), out, workers=2, silent=True)
    assert load_trials(out).equals(trials)
    assert len(policy_folders(out)) == 2


def test_without_a_key_no_training_begins(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "file" / "below"))
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="Set DESIGNGYM_STATE_DIR"):
        sweep(training(), tmp_path / "out", silent=True)
    assert not (tmp_path / "out").exists()


# -- its report --------------------------------------------------------------------------------------------------------


def test_the_report_of_a_training_is_about_what_was_learned(ray, tmp_path) -> None:
    slow = {"name": "cross_entropy", "hyperparameters": SETTINGS | {"population": 64}}
    spec, out = training(agents=[CROSS, slow], budget=120, seeds=3), tmp_path / "out"
    sweep(spec, out, workers=2, silent=True)
    text = re.sub(r"<[^>]+>", "", write_report(out).read_text()).replace("\N{NO-BREAK SPACE}", " ")
    assert "rewards over a trial: what agents learn from" in text
    assert "designs priced" not in text, "nothing was searched"
    assert "720 trials played in" in text
    assert "of training" in text
    assert "in which policies were trained" in text
    assert re.search(r"cross_entropy\(\S+\) comes to the least mean cost over the last 20 % of trials: ", text)
    assert "mean cost, last trials" in text
    assert "designgym evaluate DIR scores them" in text
    assert "The policy that a finished run ended with is in policies/" in text
    assert "What agents learn from" in text, "the mean return"
    assert "The mean so far" not in text, "nobody pays for trials of a training on average"
    assert "Feasible trials" not in text, "all are"
    (played,) = study_all(out)[2]
    trials = load_trials(out)
    for player in played.players:
        rows = trials.filter(pc.equal(trials.column("agent").cast("string"), player.label))
        late = rows.filter(pc.greater_equal(rows.column("index"), 96)).column("metric.cost").to_numpy()
        assert np.mean([run.late for run in player.runs]) == pytest.approx(late.mean())
        assert player.mean == player.late != player.overall
    assert played.players[0].mean[0] <= played.players[1].mean[0]


# -- the command line --------------------------------------------------------------------------------------------------


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["designgym", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_train_keeps_policies_and_says_what_to_do_next(ray, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    how = ("train", "SlowWalks", "--agent", "cross_entropy", "--budget", "40", "--seeds", "2")
    how += ("--agent-set", "population=4", "--agent-set", "episodes=2")
    assert call(monkeypatch, *how, "-o", "policy") == 0
    said = capsys.readouterr().out
    assert "2 of 2 runs finished, 80 trials in policy" in said
    assert "2 policies in policy/policies" in said
    assert "designgym evaluate policy" in said
    assert (tmp_path / "policy" / "report.html").exists()
    for folder in policy_folders(tmp_path / "policy"):
        kept = read_policy(folder)
        assert kept.files == learned(kept.about["seed"])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "policy").glob("policies/*/*")}
    assert call(monkeypatch, *how, "-o", "policy", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["finished"], told["trials"], len(told["policies"])) == (2, 80, 2)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert call(monkeypatch, *how[:-1], "episodes=3", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["directory"] == "runs/train-SlowWalks-v0"
    assert load_sweep(tmp_path / told["directory"]).spec["kind"] == "training"


def test_policies_of_another_training_in_the_same_place_are_left_out(ray, tmp_path) -> None:
    out = tmp_path / "out"
    sweep(training(), out, workers=2, silent=True)
    other = training(budget=20, seeds=1)
    sweep(other, out, workers=2, silent=True)
    assert [folder.name for folder in policy_folders(out)] == [run.key for run in runs(other)]
    assert len(list(out.glob("policies/*"))) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("LABS",), "designgym: ENV: a training plays sequential environments, such as "),
        (("SlowWalks", "--agent", "ucb"), "designgym: --agent: "),
        (("SlowWalks", "--agent", "sac"), "sac in SlowWalks-v0: "),
        (("SlowWalks", "--agent", "cross_entropy", "--agent-set", "size=3"), "--agent-set: unknown parameter 'size'"),
        (("SlowWalks", "--agent", "cross_entropy", "--set", "size=3"), "designgym: --set: "),
        (("SlowWalks", "--budget", "0"), "--budget must be an integer of at least 1 (trials of a run), got 0"),
        (("SlowWalks", "--agent", "cross_entrpy"), "Did you mean 'cross_entropy'?"),
        (
            ("RelaxationSequence", "--set", "seed=3"),
            "--set: seed is an option of the fixed policies of Relaxation",
        ),
        (("RelaxationSequence", "--set", "observed=maybe"), "observed must be true or false, got 'maybe'"),
        (("SlowWalks", "--seeds", "0"), "--seeds must be an integer from 1"),
        (("SlowWolks",), "Did you mean 'SlowWalks-v0'"),
    ],
)
def test_what_train_cannot_do_is_one_line_that_names_the_flag(words, said, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "train", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


# -- a policy's folder -------------------------------------------------------------------------------------------------

ABOUT = {"agent": "ppo", "env": "Walks-v0", "seed": 1}


def test_a_folder_holds_what_was_kept(tmp_path: Path) -> None:
    folder = tmp_path / "policies" / "key"
    write_policy(folder, ABOUT, {"policy.zip": b"first"})
    write_policy(folder, ABOUT, {"policy.zip": b"second", "more.json": b"{}"})
    kept = read_policy(folder)
    assert kept.files == {"policy.zip": b"second", "more.json": b"{}"}
    assert kept.about.items() >= ABOUT.items()
    assert kept.trusted
    assert [path.name for path in folder.parent.iterdir()] == ["key"]
    assert policy_folders(folder) == policy_folders(tmp_path) == [folder]
    (tmp_path / "policies" / "other.tmp").mkdir()
    (tmp_path / "policies" / "other.tmp" / "policy.json").touch()
    assert policy_folders(tmp_path) == [folder], "one that was being written is none"


def test_a_policy_that_was_changed_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    write_policy(folder, ABOUT, {"policy.zip": b"data"})
    (folder / "policy.zip").write_bytes(b"evil")
    with pytest.raises(PolicyError, match=r"policy\.zip is not the file that was kept"):
        read_policy(folder)
    about = json.loads((folder / "policy.json").read_text())
    about["files"]["policy.zip"] = hash_of(b"evil")
    (folder / "policy.json").write_text(json.dumps(about))
    assert not read_policy(folder).trusted, "whoever changes the hash too cannot sign"
    about["files"]["policy.zip"] = hash_of(b"data")
    (folder / "policy.json").write_text(json.dumps(about | {"seed": 2}))
    (folder / "policy.zip").write_bytes(b"data")
    assert not read_policy(folder).trusted
    (folder / "policy.json").write_text(json.dumps(about))
    assert read_policy(folder).trusted


def test_what_is_no_policy_is_said_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    with pytest.raises(PolicyError, match=r"holds no policy: it has no policy\.json"):
        read_policy(folder)
    write_policy(folder, ABOUT, {"policy.zip": b"data"})
    about = json.loads((folder / "policy.json").read_text())
    (folder / "policy.zip").unlink()
    with pytest.raises(PolicyError, match=r"policy\.zip is missing"):
        read_policy(folder)
    (folder / "policy.json").write_text(json.dumps(about | {"format": "designgym policy 9"}))
    with pytest.raises(PolicyError, match="must be of format 'designgym policy 1', got 'designgym policy 9'"):
        read_policy(folder)
    (folder / "policy.json").write_text("{")
    with pytest.raises(PolicyError, match=r"policy\.json is damaged"):
        read_policy(folder)
    (tmp_path / "secret").write_text("not to be read")
    sealed = about | {"files": {"../secret": hash_of(b"not to be read")}}
    (folder / "policy.json").write_text(json.dumps(sealed))
    with pytest.raises(PolicyError, match="key/secret is missing"):
        read_policy(folder)


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_signed_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": 1, "a": [1, 2]}) == canonical({"a": [1, 2], "b": 1}) == b'{"a":[1,2],"b":1}'
