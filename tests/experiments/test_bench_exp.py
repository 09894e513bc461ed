"""`designgym bench exp`: seeds one by one, beside somebody else's best chains, and finished searches read again."""

from pathlib import Path
from typing import Any

import pytest

from designgym.experiments.bench import exp as bench


def test_searches_are_told_seed_by_seed_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "QUICK", {6: 150})
    monkeypatch.setattr(bench, "BUDGETS", {8: 20})
    monkeypatch.setattr(bench, "WANTED", {6: (1.0, 2)})
    monkeypatch.setattr(bench, "DRAWN", 50)
    said: list[str] = []
    first = bench.exp(quick=True, out=tmp_path, say=said.append)
    searched = [row for row in first["rows"] if "seed" in row[0]]
    assert len(said) == 3
    assert [row[0].split(":")[0] for row in searched[:3]] == [f"6 operations, seed {seed}" for seed in bench.SEEDS[:3]]
    for _, figure, _, ratio, _ in searched[:3]:
        assert ratio == figure / bench.KNOWN[6]
    assert searched[3][1:] == (3.0, "", 1.5, "2 wanted")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a finished search was run again")

    monkeypatch.setattr(bench, "search", refuse)
    again = bench.exp(quick=True, out=tmp_path, say=said.append)
    assert [row for row in again["rows"] if "seed" in row[0]] == searched
