"""Agents of sequential environments: the contract, and what bandits learn."""

import gymnasium
import numpy as np
import pytest
from scipy.optimize import lsq_linear

from designgym.agents import make_sequential_agent, sequential_agent_names
from designgym.agents._polynomial_kernel import bounded_least_squares
from designgym.agents.check_episodes import ARMS, INSTANCES, STEPS, Lanes, Walks
from designgym.agents.cross_entropy_policy import Policy
from designgym.agents.episode_checks import check_sequential_agent
from designgym.agents.playing import play_trials
from designgym.agents.registry import sequential_agent_class
from designgym.agents.rl_players import TrainedPlayer
from designgym.agents.sequential import play
from designgym.agents.tsallis_inf import _Learner
from designgym.envs import MeteredEpisodes, make_sequential


@pytest.mark.parametrize("name", sequential_agent_names())
def test_sequential_agent_keeps_the_contract(name: str) -> None:
    if not issubclass(sequential_agent_class(name), TrainedPlayer):
        check_sequential_agent(name)
        return
    pytest.importorskip("sb3_contrib", reason="needs the extra rl")
    replayed = {"updates": 1, "startup": 16} if name in ("dqn", "sac") else {}
    check_sequential_agent(name, 24, width=16, steps=8, **replayed)


def costs(name: str, trials: int = 2000, seed: int = 3, **hyperparameters: object) -> np.ndarray:
    heard: list[float] = []
    env = MeteredEpisodes(Lanes(), trials, lambda answer: heard.extend(answer.evaluations.losses[:, 0]), seed)
    assert play(make_sequential_agent(name, env, seed, **hyperparameters)) == "budget"
    return np.array(heard)


def test_an_agents_draws_are_not_its_environments() -> None:
    """Both begin with the run's seed; with one stream an agent that knows nothing would beat any fixed arm."""
    best = min(costs("fixed_action", INSTANCES, seed=0, action=arm).mean() for arm in range(ARMS))
    blind = [costs("tsallis_inf", INSTANCES, seed=s, loss_scale=1e6).mean() for s in range(20)]
    assert np.mean(blind) > best + 0.02


def test_bandits_that_observe_nothing_come_to_the_best_arm() -> None:
    best = min(costs("fixed_action", action=arm).mean() for arm in range(ARMS))
    fixed = costs("fixed_action", action=0).mean()
    for name, trials, settings in (
        ("epsilon_greedy", 2000, {}),
        ("ucb", 2000, {"loss_scale": 1.0}),
        ("tsallis_inf", 8000, {"loss_scale": 1.0}),
    ):
        late = costs(name, trials, **settings)[-1000:].mean()
        assert late < best + 0.25 * (fixed - best), name


@pytest.mark.parametrize(
    ("name", "settings"),
    [("chebyshev_bandit", {"loss_scale": 2.0}), ("tsallis_inf_binned", {"bins": 5, "loss_scale": 2.0})],
)
def test_bandits_that_observe_do_better_than_any_fixed_arm(name: str, settings: dict[str, float]) -> None:
    best = min(costs("fixed_action", action=arm).mean() for arm in range(ARMS))
    assert costs(name, 4000, **settings)[-1000:].mean() < best - 0.05


def test_the_probabilities_of_tsallis_inf_are_those_of_its_definition() -> None:
    learner, rng = _Learner(4), np.random.default_rng(0)
    assert learner.probabilities() == pytest.approx(np.full(4, 0.25))
    for _ in range(50):
        p = learner.probabilities()
        arm = int(rng.choice(4, p=p))
        learner.learn(arm, (0.9, 0.4, 0.1, 0.3)[arm], p[arm])
    p = learner.probabilities()
    assert p.sum() == pytest.approx(1.0)
    # Stationary point of <p, L> - 4 sum sqrt(p) / rate + x sum(p): all of L - 2 / (rate sqrt(p)) are one number.
    rate = 2.0 / np.sqrt(learner._t)
    spread = learner._losses - 2.0 / (rate * np.sqrt(p))
    assert np.ptp(spread) < 1e-6 * np.abs(spread).max()


def test_bounded_least_squares_are_scipys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        features, wanted = rng.normal(size=(30, 5)), rng.normal(size=30) * 3
        bounds = rng.uniform(0.1, 1.0, 5)
        found = np.zeros(5)
        bounded_least_squares(features.T @ features, features.T @ wanted, bounds, found)
        assert found == pytest.approx(lsq_linear(features, wanted, (-bounds, bounds), tol=1e-14).x, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "trials", "reached"),
    [({}, 3000, 1.1), ({"hidden": 4, "episodes": 5}, 6000, 1.3), ({"actions": "unordered"}, 3000, 1.8)],
)
def test_cross_entropy_learns_a_policy(settings: dict[str, object], trials: int, reached: float) -> None:
    heard: list[float] = []
    env = MeteredEpisodes(Walks(), trials, lambda answer: heard.extend(answer.evaluations.losses[:, 0]), 3)
    agent = make_sequential_agent("cross_entropy", env, 3, **settings)
    play(agent)
    assert np.mean(heard[:24]) > 3.5
    assert np.mean(heard[-200:]) < reached, "it walks to what it sees; 1 is there"
    observation, reward, steps = env.env.reset(seed=99)[0], 0.0, 0
    while not steps or (reward == 0.0 and steps < STEPS):
        action = agent.policy.act(agent.weights, agent._seen.standard(observation))
        observation, reward, *_ = env.env.step(action)
        steps += 1
    assert reward >= -2.0


def test_policies_of_a_box_reach_both_ends() -> None:
    box = gymnasium.spaces.Box(np.array([-1.0, 10.0]), np.array([1.0, 20.0]), dtype=np.float64)
    policy = Policy(gymnasium.spaces.Box(-1, 1, (3,)), box, 0, True)
    assert policy.parameters == 8
    assert policy.act(np.zeros(8), np.ones(3)) == pytest.approx([0.0, 15.0])
    assert policy.act(np.full(8, 9.0), np.ones(3)) == pytest.approx([1.0, 20.0])
    with pytest.raises(ValueError, match="takes Discrete actions or a bounded Box"):
        Policy(gymnasium.spaces.Box(-1, 1, (3,)), gymnasium.spaces.Box(-np.inf, np.inf, (1,)), 0, True)


def test_a_bandit_refuses_episodes_and_names_who_plays_them() -> None:
    with pytest.raises(ValueError, match=r"Ucb answers sequences .* got Walks.* Choose an agent that plays episodes"):
        make_sequential_agent("ucb", MeteredEpisodes(Walks(), 3), 0)


def test_a_contextual_bandit_refuses_what_it_can_not_read() -> None:
    env = Lanes()
    env.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    with pytest.raises(ValueError, match=r"chebyshev_bandit needs one number of known range .* Let the env"):
        make_sequential_agent("chebyshev_bandit", MeteredEpisodes(env, 3), 0)


@pytest.mark.parametrize(("distribution", "most"), [("high", 70.0), ("low", 48.0)])
def test_the_chebyshev_bandit_learns_to_relax(distribution: str, most: float) -> None:
    """Over all 5,000 systems, exploration included; the best fixed omega comes to 103.7 and 59.1."""
    env = make_sequential("RelaxationSequence", distribution=distribution)
    trials = play_trials(env, "chebyshev_bandit", 5000, seed=1)
    assert trials.evaluations.metrics["iterations"].mean() < most
