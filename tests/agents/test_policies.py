"""Policies that are kept: loaded, they act as they were trained to, in environments like those of their training."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="needs the extra rl")

from designgym.agents.check_episodes import Drifts, Lanes, Walks
from designgym.agents.policies import Policy, load_policy
from designgym.agents.registry import make_sequential_agent
from designgym.agents.sequential import play
from designgym.envs import MeteredEpisodes, SequentialEnv, make_sequential
from designgym.envs.copies import copies, masks_of

SHORT = {"steps": 64, "batch": 64, "learning_rate": 3e-3, "width": 32, "envs": 8}


def trained(name: str, env: SequentialEnv[Any, Any], budget: int, **settings: Any) -> dict[str, bytes]:
    agent = make_sequential_agent(name, MeteredEpisodes(env, budget, seed=3), 3, **settings)
    assert play(agent) == "budget"
    return agent.policy_files()


def mean_return(policy: Policy, env: SequentialEnv[Any, Any], seeds: range) -> float:
    envs = copies(env, len(seeds))
    observations, _ = envs.reset(seed=list(seeds))  # type: ignore[arg-type]
    starts, returns, left = np.ones(len(seeds), bool), np.zeros(len(seeds)), np.ones(len(seeds), bool)
    while left.any():
        masks = masks_of(envs) if policy.masks else None
        observations, rewards, terminated, truncated, _ = envs.step(policy.act(observations, starts, masks))
        returns += rewards * left
        starts = terminated | truncated
        left &= ~starts
    return float(returns.mean())


@pytest.mark.parametrize(
    ("name", "env", "settings"),
    [
        ("ppo", Walks(), SHORT),
        ("maskable_ppo", Walks(), SHORT),
        ("recurrent_ppo", Walks(), SHORT),
        ("sac", Drifts(), {"width": 32, "startup": 50, "envs": 8, "updates": 2, "learning_rate": 3e-3}),
    ],
    ids=["ppo", "maskable_ppo", "recurrent_ppo", "sac"],
)
def test_a_kept_policy_acts_better_than_one_that_never_learned(
    name: str, env: SequentialEnv[Any, Any], settings: dict[str, Any]
) -> None:
    files = trained(name, env, 400 if name == "sac" else 1200, **settings)
    raw = trained(name, env, 1, **settings)
    assert set(files) == {"policy.zip", "observations.json"}
    held_out = range(10**6, 10**6 + 200)
    learned = mean_return(load_policy(name, env, files), env, held_out)
    assert learned > mean_return(load_policy(name, env, raw), env, held_out) + 0.5
    again = mean_return(load_policy(name, env, files), env, held_out)
    assert learned == again


def test_the_library_itself_reads_the_policy(tmp_path: Any) -> None:
    from stable_baselines3 import PPO

    (tmp_path / "policy.zip").write_bytes(trained("ppo", Walks(), 20, **SHORT)["policy.zip"])
    assert PPO.load(tmp_path / "policy.zip", device="cpu").observation_space.shape == (2,)


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    files = trained("ppo", Walks(), 20, **SHORT)
    with pytest.raises(ValueError, match=r"trained on observations Box.*\(2,\).*got Box.*\(1,\).*Choose another"):
        load_policy("ppo", Lanes(), files)
    with pytest.raises(ValueError, match=r"trained on actions Discrete\(3\), got Box"):
        load_policy("ppo", Drifts(), files)
    with pytest.raises(ValueError, match=r"got no observations\.json\. Train again"):
        load_policy("ppo", Walks(), {"policy.zip": b""})
    with pytest.raises(ValueError, match=r"policy of ppo cannot be read: .* Train again"):
        load_policy("ppo", Walks(), files | {"policy.zip": files["policy.zip"][:100]})
    with pytest.raises(ValueError, match=r"policy of dqn cannot be read: \w+: .*\. Train again"):
        load_policy("dqn", Walks(), files)
    with pytest.raises(ValueError, match="Ucb keeps no policy"):
        load_policy("ucb", Lanes(), {})
    agent = make_sequential_agent("ppo", MeteredEpisodes(Walks(), 3), 0)
    with pytest.raises(ValueError, match="no policy before it is trained"):
        agent.policy_files()
    bounded = make_sequential("RelaxationSequence-v0", distribution="low", instances=5)
    other = make_sequential("RelaxationSequence-v0", distribution="high", instances=5)
    load_policy("ppo", other, trained("ppo", bounded, 20, **SHORT))  # another distribution of the same kind is fine
