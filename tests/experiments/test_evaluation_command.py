"""`designgym evaluate`: policies of a training's directory scored, kept beside it, and shown on its page."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from report_pages import figures, show, words
from runs_in_process import spec_of

from designgym.agents.check_episodes import Walks
from designgym.agents.policies import load_policy
from designgym.envs import registry as envs
from designgym.experiments.cli import main
from designgym.experiments.cli.console import assignments
from designgym.experiments.driver import sweep
from designgym.experiments.evaluation_arms import seeds_of
from designgym.experiments.evaluation_intervals import PARTS
from designgym.experiments.kept_policies import policy_folders, read_policy, write_policy

HERE = "designgym.agents.check_episodes"
AGENT = {"name": "cross_entropy", "hyperparameters": {"population": 12, "episodes": 2}}


@pytest.fixture(autouse=True)
def _small_environments(monkeypatch) -> None:
    registered(monkeypatch)


class Strict(Walks):
    """Walks that come to nothing where they do not end within `near` of the target."""

    def __init__(self, near: float = 0.0) -> None:
        self._near = near

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = super().step(action)
        if terminated and info["metrics"]["cost"] - 1.0 > self._near:
            info = {"metrics": {"cost": np.nan}, "violation": info["metrics"]["cost"] - 1.0 - self._near}
        return observation, reward, terminated, truncated, info


def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = {"Lanes-v0": f"{HERE}:lanes", "Walks-v0": f"{HERE}:walks", "Strict-v0": f"{HERE}:walks"}
    played = {"Lanes-v0": f"{HERE}:Lanes", "Walks-v0": f"{HERE}:Walks", "Strict-v0": f"{__name__}:Strict"}
    monkeypatch.setattr(envs._PROBLEMS, "_entry_points", {**envs._PROBLEMS._entry_points, **problems})
    monkeypatch.setattr(envs._SEQUENTIAL, "_entry_points", {**envs._SEQUENTIAL._entry_points, **played})


def train(out: Path, **changes: Any) -> Path:
    given: dict[str, Any] = {"kind": "training", "problems": ["Walks"], "agents": [AGENT], "seeds": 3, "budget": 400}
    sweep(spec_of(**{**given, **changes}), out, workers=2, silent=True)
    return out


def call(monkeypatch: pytest.MonkeyPatch, *given: Any) -> int:
    monkeypatch.setattr(sys, "argv", ["designgym", *map(str, given)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def arms(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {arm["kind"]: arm for arm in entry["arms"]}


def alone(folder: Path, seeds: list[int]) -> tuple[float, float]:
    """Return the mean cost and return of a policy, played an episode at a time."""
    kept = read_policy(folder)
    costs, returns = [], []
    for seed in seeds:
        env = Walks()
        policy = load_policy(kept.about["agent"], env, kept.files)
        observation, _ = env.reset(seed=seed)
        total, done = 0.0, False
        while not done:
            (action,) = policy.act(observation[None], np.zeros(1, bool))
            observation, reward, done, _, info = env.step(action)
            total += reward
        costs.append(info["metrics"]["cost"])
        returns.append(total)
    return float(np.mean(costs)), float(np.mean(returns))


@pytest.fixture(scope="module")
def walked(ray, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        registered(patch)
        return train(tmp_path_factory.mktemp("walked") / "policy")


def test_a_trainings_policies_are_scored_and_kept_beside_it(walked, tmp_path, monkeypatch, capsys) -> None:
    out = tmp_path / "policy"
    shutil.copytree(walked, out)
    assert call(monkeypatch, "evaluate", out, "--episodes", "30", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (entry,) = told["entries"]
    assert json.loads((out / "evaluation.json").read_text())["entries"] == [entry]
    assert (entry["env"], entry["instances"], entry["episodes"], entry["count"]) == ("Walks-v0", "held-out", 30, 30)
    found = arms(entry)
    seeds = seeds_of("held-out", 30)
    for one, folder in zip(found["policy"]["each"], policy_folders(out), strict=True):
        assert one["key"] == folder.name
        assert (one["metrics"]["cost"], one["returns"]) == pytest.approx(alone(folder, seeds))
    costs = [one["metrics"]["cost"] for one in found["policy"]["each"]]
    middle, low, high = found["policy"]["metrics"]["cost"]
    assert middle == pytest.approx(np.mean(costs))
    assert low < middle < high
    assert found["fixed"]["label"] == "best fixed: action 1"
    difference = found["policy"]["less_fixed"]["metrics"]["cost"]["difference"]
    assert difference[0] == pytest.approx(middle - found["fixed"]["metrics"]["cost"][0])
    assert found["hindsight"]["metrics"]["cost"][0] < found["fixed"]["metrics"]["cost"][0]
    assert "this environment draws from few instances" in entry["notes"][0]
    text = words(out / "report.html")
    assert "Scores" in text
    assert "cross_entropy" in text
    assert any("best fixed" in json.dumps(figure) for figure in figures(out / "report.html").values())


def test_another_distribution_is_another_entry(walked, tmp_path, monkeypatch, capsys) -> None:
    out = tmp_path / "policy"
    shutil.copytree(walked, out)
    for words_ in ((), ("--instances", "training"), ("--seed", "1")):
        assert call(monkeypatch, "evaluate", out, "--episodes", "10", *words_) == 0
    entries = json.loads((out / "evaluation.json").read_text())["entries"]
    assert [(entry["instances"], entry["seed"]) for entry in entries] == [("held-out", 1), ("training", 0)]
    assert "the fixed policy was chosen on these very instances" in entries[1]["notes"]
    said = capsys.readouterr().out
    assert "10 episodes, held-out instances" in said
    assert "best fixed: action 1" in said
    assert call(monkeypatch, "evaluate", out, "--episodes", "10", "-o", tmp_path / "other.json") == 0
    assert len(json.loads((tmp_path / "other.json").read_text())["entries"]) == 1
    (out / "evaluation.json").write_text("{")
    assert call(monkeypatch, "report", out) == 0
    assert "evaluation.json is damaged. Delete it, and evaluate again." in words(out / "report.html")


@pytest.mark.parametrize("near", [-1.0, 1.0, float("inf")])
def test_where_instances_come_to_nothing_that_is_counted(walked, near, tmp_path, monkeypatch, capsys) -> None:
    out = tmp_path / "policy"
    shutil.copytree(walked, out)
    how = ("evaluate", out, "--env", "Strict", "--set", f"near={'.inf' if near == np.inf else near}", "--episodes", 40)
    assert call(monkeypatch, *how) == 0
    said = capsys.readouterr().out
    (entry,) = json.loads((out / "evaluation.json").read_text())["entries"]
    assert (entry["env"], entry["options"]) == ("Strict-v0", {"near": near})
    found = arms(entry)
    targets = np.array([Walks().reset(seed=seed)[0][1] for seed in seeds_of("held-out", 40)])
    staying = np.abs(targets) <= near  # the fixed action stays where it is
    less = found["policy"]["less_fixed"]
    if near < 0:
        assert found["policy"]["metrics"]["cost"] == [None, None, None]
        assert found["policy"]["feasible"] == [0.0, 0.0, 0.0]
        assert list(found) == ["policy"], "nothing stands for a best action or for hindsight"
        for told in (said, words(out / "report.html").lower()):
            assert "there is no baseline: no constant action comes to anything on any of the training instances" in told
            assert "best of" not in told
    else:
        assert found["fixed"]["feasible"][0] == pytest.approx(staying.mean())
        assert less["metrics"]["cost"]["pairs"] <= staying.mean()
        share = found["policy"]["feasible"][0] - staying.mean()
        assert less["feasible"][0] == pytest.approx(share)
        assert found["hindsight"]["feasible"][0] >= staying.mean()
    assert "Strict-v0" in words(out / "report.html")


def test_one_policys_folder_is_scored_alone(walked, monkeypatch, capsys) -> None:
    folder = policy_folders(walked)[0]
    before = sorted(walked.iterdir())
    assert call(monkeypatch, "evaluate", folder, "--episodes", "10", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["file"] is None
    assert sorted(walked.iterdir()) == before
    (entry,) = told["entries"]
    assert arms(entry)["policy"]["policies"] == 1
    assert any("one policy of cross_entropy" in note for note in entry["notes"])


def test_a_sequence_is_scored_instance_by_instance(ray, tmp_path, monkeypatch, capsys) -> None:
    out = train(tmp_path / "policy", problems=["Lanes"], seeds=2, budget=4000)
    assert call(monkeypatch, "evaluate", out, "--episodes", "3", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert (entry["episodes"], entry["count"]) == (3, 120)
    found = arms(entry)
    assert found["fixed"]["label"] == "best fixed: arm=2"
    assert found["hindsight"]["feasible"] is None
    assert found["hindsight"]["less_fixed"]["metrics"]["cost"]["difference"][2] < 0
    assert len(found["fixed"]["points"]["cost"]) == 3 * PARTS


def test_a_policy_made_elsewhere_may_run_code(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "theirs"))
    about = {"agent": "ppo", "label": "ppo", "env": "Walks-v0", "options": {}, "seed": 0}
    write_policy(tmp_path / "ppo", about, {"policy.zip": b"what is no policy", "observations.json": b"{}"})
    assert call(monkeypatch, "evaluate", tmp_path / "ppo") == 2
    assert "loading it can run" not in capsys.readouterr().err, "they kept it themselves"
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "ours"))
    assert call(monkeypatch, "evaluate", tmp_path / "ppo") == 2
    said = capsys.readouterr().err
    assert "was not kept by you on this machine, and loading it can run any code that it holds" in said
    assert "--trust" in said
    assert said.count("\n") == 1
    assert call(monkeypatch, "evaluate", tmp_path / "ppo", "--trust") == 2
    assert "--trust" not in capsys.readouterr().err


def test_numbers_alone_need_no_trust(walked, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DESIGNGYM_STATE_DIR", str(tmp_path / "another"))
    folder = policy_folders(walked)[0]
    assert not read_policy(folder).trusted
    assert call(monkeypatch, "evaluate", folder, "--episodes", "2") == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--env", "Wolks"), "Did you mean 'Walks-v0'"),
        (("--env", "LABS"), "must be a sequential environment"),
        (("--env", "Lanes"), r"cross_entropy\) in Lanes-v0: the policy was trained on observations of shape"),
        (("--set", "size=3"), "an option must"),
        (("--instances", "new"), "--instances must be held-out or training, got 'new'"),
        (("--episodes", "0"), "--episodes must be at least 1, got 0"),
        (("--seed", "-1"), "--seed must be an integer of at least 0"),
    ],
)
def test_what_cannot_be_scored_is_one_line(walked, given, said, monkeypatch, capsys) -> None:
    assert call(monkeypatch, "evaluate", walked, *given) == 2
    error = capsys.readouterr().err
    assert re.search(said, error), error
    assert error.count("\n") == 1


def test_a_directory_without_policies_and_a_damaged_one(walked, tmp_path, monkeypatch, capsys) -> None:
    assert call(monkeypatch, "evaluate", tmp_path / "nowhere") == 2
    assert "must be a directory of policies" in capsys.readouterr().err
    assert call(monkeypatch, "evaluate", tmp_path) == 2
    assert "holds no policy. Give the directory of `designgym train`" in capsys.readouterr().err
    shutil.copytree(walked, tmp_path / "policy")
    file = policy_folders(tmp_path / "policy")[1] / "policy.npz"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert call(monkeypatch, "evaluate", tmp_path / "policy") == 2
    assert "policy.npz is not the file that was kept" in capsys.readouterr().err


def test_the_scores_are_drawn(walked, tmp_path, monkeypatch, chromium: Chromium) -> None:
    out = tmp_path / "policy"
    shutil.copytree(walked, out)
    assert call(monkeypatch, "evaluate", out, "--episodes", "20") == 0
    show(chromium, out / "report.html")
    assert chromium.errors == []
    drawn = "[...document.querySelectorAll('#scores .plot')].map((p) => p.querySelectorAll('.point').length)"
    targets = {float(Walks().reset(seed=seed)[0][1]) for seed in seeds_of("held-out", 20)}
    assert chromium.evaluate(drawn) == [6, len(targets)]  # three policies and three arms; a different episode each
    assert chromium.evaluate("document.querySelectorAll('#scores .errorbar').length") >= 3
    assert "scores" in chromium.evaluate("document.querySelector('nav.contents').innerHTML")


def test_the_table_of_scores_fits_a_page_of_1200_pixels(walked, tmp_path, monkeypatch, chromium: Chromium) -> None:
    out = tmp_path / "policy"
    shutil.copytree(walked, out)
    assert call(monkeypatch, "evaluate", out, "--episodes", "20") == 0
    file = out / "evaluation.json"
    told = json.loads(file.read_text())
    (entry,) = told["entries"]
    entry["objective"] |= {"subject_to": ["kept_share >= 0.95"]}
    for metric in entry["metrics"]:
        metric["name"] = "force_evals"
    entry["objective"]["minimize"] = ["force_evals"]
    for arm in entry["arms"]:
        arm["label"] += " gamma=0.995 ent_coef=0.01"
        for where in (arm, *arm["each"]):
            where["metrics"] = {"force_evals": where["metrics"]["cost"]}
        arm["points"] = {"force_evals": arm["points"]["cost"]}
        arm["metrics"]["force_evals"] = [12345.678, 11234.567, 13456.789]
        if arm["less_fixed"]:
            less = arm["less_fixed"]["metrics"]
            arm["less_fixed"]["metrics"] = {"force_evals": less["cost"] | {"difference": [-12345.6, -13456.7, -1123.4]}}
    file.write_text(json.dumps(told))
    assert call(monkeypatch, "report", out) == 0
    show(chromium, out / "report.html", width=1200)
    widths = "[...document.querySelectorAll('#scores .scroll')].map((box) => [box.scrollWidth, box.clientWidth])"
    for needed, there in chromium.evaluate(widths):
        assert needed <= there


def test_one_run_has_no_interval_over_runs(ray, tmp_path, monkeypatch, capsys) -> None:
    out = train(tmp_path / "policy", seeds=1)
    assert call(monkeypatch, "report", out) == 0
    text = words(out / "report.html")
    assert not re.search(r"\[([^\[\],]+), \1\]", text)
    assert call(monkeypatch, "evaluate", out, "--episodes", "1") == 0
    said = capsys.readouterr().out
    assert "Walks-v0: 1 episode, held-out instances" in said
    assert "1 different" not in said
    assert "1 episodes" not in said


def test_an_option_may_be_a_number_with_an_exponent() -> None:
    assert assignments(["bound=1e-6", "more=-2E+3", "name=e5", "text=1e"], "--set") == {
        "bound": 1e-6, "more": -2000.0, "name": "e5", "text": "1e"
    }  # fmt: skip
