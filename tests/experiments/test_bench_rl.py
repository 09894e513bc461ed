"""The bench of learners: what its figures are of."""

import pytest

pytest.importorskip("stable_baselines3", reason="needs the extra rl")

from designgym.experiments.bench import rl


def test_figures_are_of_both_ways_to_step_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rl, "COPIES", (4,))
    monkeypatch.setattr(rl, "STEPS", 10)
    monkeypatch.setattr(rl, "PROBLEM", "SystolicGemms-v0")
    rows = {what: (figure, ratio) for what, figure, _, ratio, _ in rl.rl()["rows"]}
    for what in ("random actions", "PPO"):
        for one, many in (
            ("OdeStepping-v0", "OdeStepping-v0's vectors, metered"),
            ("ThreeBodyStepping-v0", "ThreeBodyStepping-v0's vectors, metered"),
            ("DesignEnv", "DesignVectorEnv"),
        ):
            slow, fast = rows[f"{what}, 4 copies: DummyVecEnv over {one}"], rows[f"{what}, 4 copies: {many}"]
            assert slow[0] > 0
            assert slow[1] is None
            assert fast[1] == pytest.approx(fast[0] / slow[0])
    assert fast[0] < rows["random actions, 4 copies: DesignVectorEnv"][0], "training takes longer than stepping"
