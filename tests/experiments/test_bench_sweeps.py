"""The bench of sweeps: its agent asks every design once, and its long sweeps stay in a small driver."""

import numpy as np

from designgym.envs import MeteredProblem
from designgym.experiments.bench import sweeps


def test_a_strider_asks_no_design_twice() -> None:
    metered = MeteredProblem(sweeps.cheap(), 200_000)
    agent = sweeps.Strider(metered, np.random.default_rng(0), width=5_000)
    for _ in range(20):
        designs = agent.ask(5_000)
        agent.tell(designs, metered.evaluate(designs))
    assert metered.asked == 100_000
    assert metered.repeats_total == 0
    assert np.gcd(sweeps.STRIDE, int(metered.space.size)) == 1


def test_a_sweep_in_a_process_of_its_own_tells_time_and_memory(tmp_path) -> None:
    found = sweeps._in_a_process("sweep", tmp_path / "out", 40_000)
    assert 0 < found["seconds"] < 120
    assert 50 < found["mib"] < sweeps.DRIVER_MIB
    from designgym.experiments import load_sweep

    assert sum(run.trials for run in load_sweep(tmp_path / "out").runs) == 40_000
