"""Which policies are scored: what policy.json must hold, and what is refused before anything is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from designgym.experiments.evaluation_policies import targets_of
from designgym.experiments.kept_policies import ABOUT, PolicyError, write_policy

TRAINED = {
    "agent": "cross_entropy", "label": "cross_entropy", "env": "RelaxationSequence-v0", "options": {"instances": 5},
    "seed": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    "changed", [{"agent": ["x"]}, {"env": 5}, {"options": []}, {"seed": "0"}, {"label": None}], ids=str
)
def test_what_is_said_of_a_policy_must_be_of_its_kind(changed: dict[str, Any], tmp_path: Path) -> None:
    write_policy(tmp_path / "one", {**TRAINED, **changed}, {"policy.npz": b""})
    with pytest.raises(PolicyError, match=r"policy\.json is damaged\. Train again"):
        targets_of(tmp_path / "one", None, {}, trust=True)


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": 3, "format": ""}', "\N{BULLET}"])
def test_what_is_no_policy_json_is_damaged(text: str, tmp_path: Path) -> None:
    (tmp_path / ABOUT).write_text(text)
    with pytest.raises(PolicyError, match=r"is damaged\. Train again"):
        targets_of(tmp_path, None, {}, trust=False)


def test_a_signature_of_any_text_is_only_wrong(tmp_path: Path) -> None:
    write_policy(tmp_path / "one", {**TRAINED, "agent": "ppo"}, {"policy.zip": b""})
    about = json.loads((tmp_path / "one" / ABOUT).read_text()) | {"signature": "\ud800"}
    (tmp_path / "one" / ABOUT).write_text(json.dumps(about))
    with pytest.raises(PolicyError, match="was not kept by you on this machine"):
        targets_of(tmp_path / "one", None, {}, trust=False)


def test_an_option_of_fixed_policies_is_refused_where_policies_play(tmp_path: Path) -> None:
    write_policy(tmp_path / "one", TRAINED, {"policy.npz": b""})
    with pytest.raises(ValueError, match=r"seed is an option of the fixed policies .* Leave it out"):
        targets_of(tmp_path / "one", None, {"seed": 3}, trust=False)
