"""Policies of three bodies: played in the environment they act as compiled; those shipped are worth what they say."""

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.three_body import ETAS, integrations
from designgym.cost_models.solver_schedule.three_body_policy import FEATURES, Policy, played, shipped
from designgym.cost_models.solver_schedule.three_body_starts import of_seeds


def random_policy(units: int, seed: int = 0, bound: float = 1e-5) -> Policy:
    rng = np.random.default_rng(seed)
    linear, unit = 1 + len(FEATURES), len(FEATURES) + 2
    weights = 0.2 * rng.standard_normal(linear + units * unit)
    weights[0] = -2.0
    return Policy(weights, bound)


def test_a_policy_without_features_is_a_fixed_eta() -> None:
    states, weights = of_seeds(1, 10), np.zeros(1 + len(FEATURES))
    for action in (6, 8, 9):
        weights[0] = np.log10(ETAS[action])
        found = played([Policy(weights.copy(), 1e-4)], states)
        expected = integrations([0], ETAS[action : action + 1, None], states)
        for name, column in found.items():
            assert column[0].tolist() == expected[name][0].tolist(), name


@pytest.mark.parametrize("units", [0, 2])
def test_a_plan_is_what_a_policy_did(units: int) -> None:
    state, policy = of_seeds(7, 1), random_policy(units)
    plan = policy.plan(state[0])
    assert len(set(plan.tolist())) > 1
    found, again = played([policy], state), integrations([0], plan[None], state)
    for name in found:
        assert found[name][0, 0] == again[name][0, 0], name


def test_policies_side_by_side_are_each_alone() -> None:
    states, policies = of_seeds(1, 40), [random_policy(1, seed) for seed in range(3)]
    together = played(policies, states)
    for row, policy in enumerate(policies):
        alone = played([policy], states[:3])
        assert together["force_evals"][row, :3].tolist() == alone["force_evals"][0].tolist()
        assert together["energy_error"][row, :3].tolist() == alone["energy_error"][0].tolist()


def test_evaluations_that_do_not_suffice_are_spent_and_break_the_bound() -> None:
    found = played([random_policy(0)], of_seeds(1, 2), most_evaluations=50)
    assert (found["force_evals"] == 50).all()
    assert (found["energy_error"] >= 1).all()


def test_weights_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weights must be 11 numbers and 12 for each hidden unit, got shape \(12,\)."):
        Policy(np.zeros(12), 1e-4)


def test_every_feature_counts() -> None:
    """Each moves actions on observations of an episode: none is constant there."""
    states = of_seeds(1, 30)
    weights = np.zeros(1 + len(FEATURES))
    weights[0] = -2.0
    still = played([Policy(weights, 1e-9)], states)["force_evals"]
    for place in range(1, len(weights)):
        moved = weights.copy()
        moved[place] = 0.5
        assert (played([Policy(moved, 1e-9)], states)["force_evals"] != still).any(), FEATURES[place - 1]


def test_shipped_policies_take_fewer_evaluations_at_the_bound_they_are_for() -> None:
    """On 300 initial states that training did not see; all of the claim is in `designgym bench threebody`."""
    states = of_seeds(500_001, 300)
    for bound, eta in ((1e-4, 0.0362), (1e-6, 0.0142)):  # the best single ones on the training states
        policy = shipped()[bound]
        learned, single = played([policy], states), integrations([0], np.array([[eta]]), states)
        less = learned["force_evals"][0] - single["force_evals"][0]
        assert less.mean() + 1.96 * less.std(ddof=1) / np.sqrt(len(less)) < 0
        kept = [(found["energy_error"][0] <= bound).mean() for found in (learned, single)]
        assert kept[0] >= kept[1] - 0.02 - 1.96 * np.sqrt(0.09 / len(less))
