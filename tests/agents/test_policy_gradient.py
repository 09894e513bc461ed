"""The policy gradient: its network's gradients, what its policy draws and learns, and what it finds."""

import numpy as np
import pytest

from designgym.agents import search
from designgym.agents.policy_gradient import PolicyGradient
from designgym.agents.policy_loss import Lesson, PolicyLoss
from designgym.agents.policy_network import Adam, Batch, Pass, PolicyNetwork
from designgym.agents.sequences import Sequences
from designgym.agents.testing import CONDITIONAL, FLAT, Bowl
from designgym.cost_models.base import batch_length
from designgym.envs import DesignProblem, DesignSpace, Float, Objective, make_problem

LATENCY = Objective(minimize=("latency_s",))


def a_batch(space: DesignSpace, n: int, rng: np.random.Generator) -> tuple[Sequences, Batch]:
    sequences = Sequences(space, 8)
    chosen = sequences.draw(n, lambda j, chosen, awake: rng.random((n, sequences.most)))
    masks, awake = sequences.masks(chosen)
    return sequences, Batch(chosen.T, masks.transpose(1, 0, 2), awake.T)


def a_lesson(seen: Pass, rng: np.random.Generator) -> Lesson:
    """Old chances lie on both sides of today's, some of them within the clip."""
    shape = seen.values.shape
    return Lesson(rng.normal(size=shape[1]), rng.normal(size=shape), seen.log_chances + rng.normal(0.0, 0.3, shape))


@pytest.mark.parametrize("clip", [0.0, 0.2])
@pytest.mark.parametrize("space", [FLAT, CONDITIONAL], ids=["flat", "conditional"])
def test_gradients_are_finite_differences(space: DesignSpace, clip: float) -> None:
    rng = np.random.default_rng(3)
    sequences, batch = a_batch(space, 7, rng)
    network = PolicyNetwork(len(sequences), sequences.most, 5, rng)
    network.weights[:] = rng.normal(0.0, 0.4, len(network.weights))
    loss = PolicyLoss(clip, entropy=0.3, critic=0.7)
    seen = network.forward(batch)
    lesson = a_lesson(seen, rng)
    found = loss.gradient(network, seen, lesson)
    expected, step = np.empty_like(found), 1e-6
    for i in range(len(found)):
        kept = network.weights[i]
        network.weights[i] = kept + step
        above = loss(network.forward(batch), lesson)
        network.weights[i] = kept - step
        expected[i] = (above - loss(network.forward(batch), lesson)) / (2 * step)
        network.weights[i] = kept
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-8)
    assert (np.abs(found) > 1e-6).mean() > 0.3  # not all of them trivially 0
    ratio = np.exp(seen.log_chances - lesson.log_chances)[batch.awake]
    assert 0.1 < ((ratio > 0.8) & (ratio < 1.2)).mean() < 0.9  # clipped and free ones were among them


def test_chances_add_up_to_one_over_what_is_open_and_an_idle_choice_leaves_no_trace() -> None:
    rng = np.random.default_rng(0)
    sequences, batch = a_batch(CONDITIONAL, 40, rng)
    network = PolicyNetwork(len(sequences), sequences.most, 4, rng)
    network.weights[:] = rng.normal(0.0, 1.0, len(network.weights))
    seen = network.forward(batch)
    assert np.exp(seen.logs).sum(axis=2) == pytest.approx(1.0)
    assert (np.exp(seen.logs)[~batch.open] == 0).all()
    assert (~batch.awake).any()
    other = Batch(np.where(batch.awake, batch.chosen, 1), batch.open, batch.awake)
    again = network.forward(other)
    assert (again.logs == seen.logs).all()
    assert (again.log_chances == seen.log_chances).all()


def test_designs_are_drawn_as_likely_as_the_network_says() -> None:
    space = DesignSpace(*FLAT.parameters[1:3])
    agent = PolicyGradient(DesignProblem(space, Bowl(space), LATENCY), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    agent._network.weights[:] = rng.normal(0.0, 0.7, len(agent._network.weights))
    drawn = agent._drawn(60_000, 0.0)
    shares = np.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=12) / 60_000
    every = np.array([[i, j] for i in range(4) for j in range(3)])
    masks, awake = agent._sequences.masks(every)
    seen = agent._network.forward(Batch(every.T, masks.transpose(1, 0, 2), awake.T))
    assert shares == pytest.approx(np.exp(seen.log_chances.sum(axis=0)), abs=0.008)


def test_adam_finds_the_bottom_of_a_bowl() -> None:
    weights, adam = np.array([3.0, -2.0]), Adam(2, 0.05)
    for _ in range(500):
        adam.descend(weights, 2.0 * (weights - np.array([1.0, 0.5])))
    assert weights == pytest.approx([1.0, 0.5], abs=1e-2)


@pytest.mark.parametrize("clip", [0.0, 0.2])
def test_good_choices_become_likely_and_the_critic_learns_what_to_expect(clip: float) -> None:
    problem = make_problem("NKLandscape-v0", letters=3, n=6, k=0, instance=100)
    agent = PolicyGradient(problem, np.random.default_rng(0), clip=clip, patience=1024, batch=32)
    rng = np.random.default_rng(1)
    for _ in range(40):
        chosen = agent._drawn(32, 0.0)
        designs = agent._sequences.designs(chosen, rng)
        agent.tell(designs, problem.evaluate(designs))
    best = next(iter(problem.space.enumerate()))
    best = {n: c[np.argmax(problem.evaluate(best).reward)][None] for n, c in best.items()}
    drawn = agent._drawn(400, 0.0)
    assert (drawn == agent._sequences.chosen(best)[0]).mean() > 0.8


def test_it_asks_hundreds_at_a_time_each_of_them_new() -> None:
    problem = make_problem("LABS-v0", length=16)
    agent = PolicyGradient(problem, np.random.default_rng(0), batch=512)
    asked = []
    for _ in range(4):
        designs = agent.ask(512)
        assert batch_length(designs) == 512
        asked.append(problem.space.rank(designs))
        agent.tell(designs, problem.evaluate(designs))
    assert len(np.unique(np.concatenate(asked))) == 4 * 512


def test_it_comes_closer_than_random_search_on_real_numbers() -> None:
    space = DesignSpace(*(Float(f"x{i}", 0.0, 1.0) for i in range(4)))
    problem = DesignProblem(space, Bowl(space), LATENCY)

    def found(agent: str) -> float:
        return float(np.mean([search(problem, agent, 600, seed).evaluations.losses.min() - 1 for seed in range(20)]))

    assert found("policy_gradient") < 0.5 * found("random")


def test_a_restart_forgets_what_was_learned_but_not_what_was_asked() -> None:
    problem = DesignProblem(FLAT, Bowl(FLAT), LATENCY)
    agent = PolicyGradient(problem, np.random.default_rng(0), batch=8, patience=2, rate=0.1)
    designs = FLAT.sample(8, np.random.default_rng(1))
    before = agent._network
    for _ in range(3):  # the first improves, two more do not
        agent.tell(designs, problem.evaluate(designs))
    assert agent._network is not before
    assert not len(agent._elites[1])
    assert not agent._seen.new(designs).any()
