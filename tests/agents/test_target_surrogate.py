"""The target surrogate: it touches the loss, bounds it where it is smooth, and its inner steps go down it."""

import numpy as np
import pytest

from designgym.agents import search
from designgym.agents.policy_loss import Lesson, PolicyLoss
from designgym.agents.policy_network import Batch, Pass, PolicyNetwork
from designgym.agents.sequences import Sequences
from designgym.agents.target_loss import DISTANCES, TargetLoss
from designgym.agents.target_surrogate import TargetSurrogate
from designgym.agents.testing import CONDITIONAL, FLAT
from designgym.envs import DesignSpace, make_problem

LOSS = PolicyLoss(0.0, 0.3, 0.7)


def a_network(space: DesignSpace, rng: np.random.Generator, n: int = 7) -> tuple[PolicyNetwork, Batch]:
    sequences = Sequences(space, 8)
    chosen = sequences.draw(n, lambda j, chosen, awake: rng.random((n, sequences.most)))
    masks, awake = sequences.masks(chosen)
    batch = Batch(chosen.T, masks.transpose(1, 0, 2), awake.T)
    network = PolicyNetwork(len(sequences), sequences.most, 5, rng)
    network.weights[:] = rng.normal(0.0, 0.4, len(network.weights))
    return network, batch


def a_lesson(seen: Pass, rng: np.random.Generator) -> Lesson:
    shape = seen.values.shape
    return Lesson(rng.normal(size=shape[1]), rng.normal(size=shape), seen.log_chances)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("space", [FLAT, CONDITIONAL], ids=["flat", "conditional"])
def test_gradients_are_finite_differences(space: DesignSpace, distance: str) -> None:
    rng = np.random.default_rng(3)
    network, batch = a_network(space, rng)
    seen = network.forward(batch)
    surrogate = TargetLoss.of(LOSS, seen, a_lesson(seen, rng), 0.5, distance)
    network.weights += rng.normal(0.0, 0.3, len(network.weights))  # away from where it touches
    found, step = surrogate.gradient(network, network.forward(batch)), 1e-6
    expected = np.empty_like(found)
    for i in range(len(found)):
        kept = network.weights[i]
        network.weights[i] = kept + step
        above = surrogate(network.forward(batch))
        network.weights[i] = kept - step
        expected[i] = (above - surrogate(network.forward(batch))) / (2 * step)
        network.weights[i] = kept
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-8)
    assert (np.abs(found) > 1e-6).mean() > 0.3


@pytest.mark.parametrize("distance", DISTANCES)
def test_where_it_touches_its_slope_is_the_loss_s(distance: str) -> None:
    rng = np.random.default_rng(4)
    network, batch = a_network(CONDITIONAL, rng)
    seen = network.forward(batch)
    lesson = a_lesson(seen, rng)
    surrogate = TargetLoss.of(LOSS, seen, lesson, 0.5, distance)
    assert surrogate.gradient(network, seen) == pytest.approx(LOSS.gradient(network, seen, lesson), rel=1e-12)


@pytest.mark.parametrize(("distance", "smooth"), [("logits", 0.5), ("chances", 1.0)])
def test_it_is_above_the_loss_wherever_eta_is_at_most_the_inverse_of_its_smoothness(
    distance: str, smooth: float
) -> None:
    """The loss's second derivatives by logits: advantage times a softmax's, at most 1/2, or the divergence's own."""
    rng = np.random.default_rng(5)
    network, batch = a_network(CONDITIONAL, rng)
    loss = PolicyLoss(0.0, 0.0, 0.0)
    seen = network.forward(batch)
    lesson = a_lesson(seen, rng)
    eta = 1.0 / (smooth * float(np.abs(lesson.advantages).max()))
    start, kept = loss(seen, lesson), network.weights.copy()
    close, far = (TargetLoss.of(loss, seen, lesson, rate, distance) for rate in (eta, 100.0 * eta))
    below = 0
    for size in np.geomspace(0.01, 3.0, 200):
        network.weights[:] = kept + rng.normal(0.0, size, len(kept))
        here: Pass = network.forward(batch)
        assert close(here) >= loss(here, lesson) - start - 1e-9
        below += far(here) < loss(here, lesson) - start
    assert below > 20  # with a step that large it bounds nothing


def test_one_inner_step_is_the_plain_gradient_s() -> None:
    problem = make_problem("NKLandscape-v0", letters=3, n=6, k=2, instance=100)
    plain = search(problem, "policy_gradient", 200, 0, clip=0.0)
    one = search(problem, "target_surrogate", 200, 0, inner=1, eta=0.123)
    many = search(problem, "target_surrogate", 200, 0, inner=8)
    assert (problem.space.rank(one.designs) == problem.space.rank(plain.designs)).all()
    assert (problem.space.rank(many.designs) != problem.space.rank(plain.designs)).any()


@pytest.mark.parametrize("distance", DISTANCES)
def test_inner_steps_go_down_the_surrogate_and_evaluate_nothing(distance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[TargetLoss, Pass]] = []
    plain = TargetLoss.of

    def of(*given: object) -> TargetLoss:
        made.append((plain(*given), given[1]))  # type: ignore[arg-type]
        return made[-1][0]

    monkeypatch.setattr(TargetLoss, "of", of)
    problem = make_problem("NKLandscape-v0", letters=3, n=6, k=2, instance=100)
    agent = TargetSurrogate(problem, np.random.default_rng(0), inner=32, rate=0.01, distance=distance, batch=16)
    for _ in range(5):
        designs = agent.ask(16)
        agent.tell(designs, problem.evaluate(designs))
        surrogate, before = made[-1]
        assert surrogate(agent._network.forward(before.batch)) < surrogate(before)
    assert len(made) == 5  # one surrogate a batch


def test_a_smaller_eta_holds_the_chances_back() -> None:
    def moved(eta: float) -> float:
        problem = make_problem("NKLandscape-v0", letters=3, n=6, k=0, instance=100)
        agent = TargetSurrogate(problem, np.random.default_rng(0), inner=64, eta=eta, batch=32, entropy=0.0)
        chosen = agent._drawn(32, 0.0)
        masks, awake = agent._sequences.masks(chosen)
        batch = Batch(chosen.T, masks.transpose(1, 0, 2), awake.T)
        before = agent._network.forward(batch).log_chances
        designs = agent._sequences.designs(chosen, np.random.default_rng(1))
        agent.tell(designs, problem.evaluate(designs))
        return float(np.abs(agent._network.forward(batch).log_chances - before).mean())

    assert moved(0.01) < 0.2 * moved(10.0)
