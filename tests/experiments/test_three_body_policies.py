"""Training of policies of three bodies: what is minimised, a short training from end to end, how a bias is moved."""

import json
from importlib.resources import files

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.three_body import integrations
from designgym.cost_models.solver_schedule.three_body_policy import FEATURES, Policy, played, shipped
from designgym.cost_models.solver_schedule.three_body_starts import of_seeds
from designgym.experiments.weights import three_body_policies as training

pytest.importorskip("cmaes", reason="the extra gp has it")


def test_the_best_single_eta_is_the_cheapest_that_keeps_the_bound() -> None:
    found = {"force_evals": np.full((60, 10), 100.0), "energy_error": np.full((60, 10), 1e-3)}
    found["energy_error"][10:30, :9] = 1e-5  # nine in ten
    found["energy_error"][30:40, :8] = 1e-5
    found["force_evals"] -= np.arange(60)[:, None]
    single = training.best_single(found, 1e-4)
    assert single.eta == training.ETAS[29]
    assert single.evaluations.tolist() == [71.0] * 10
    with pytest.raises(ValueError, match=r"some eta must keep 1e-07 on 90% of the states, got none"):
        training.best_single(found, 1e-7)


def test_losses_are_evaluations_over_the_single_etas_and_broken_bounds() -> None:
    own = training.Single(0.01, np.full(20, 200.0), np.where(np.arange(20) < 18, 1e-5, 1e-3))
    found = {"force_evals": np.array([[100.0] * 10, [100.0] * 10]), "energy_error": np.full((2, 10), 1e-5)}
    found["energy_error"][1, :3] = 1.0
    first, second = training.losses(found, own, np.arange(10), 1e-4, 1000)
    assert first == pytest.approx(np.log(0.5))
    # On these ten the single eta keeps all, a tenth more than on the twenty: so should a policy.
    assert second == pytest.approx(np.log(0.5) + training.BROKEN * (0.9 + 0.1 - 0.7))


@pytest.mark.parametrize("hidden", [0, 1])
def test_a_short_training_takes_fewer_evaluations_where_it_learned(hidden: int) -> None:
    states, bound = of_seeds(training.FIRST_TRAINING, 60), 1e-4
    etas = integrations(np.zeros(60, np.int64), training.ETAS[:, None], states)
    single = training.best_single(etas, bound)
    policy = training.calibrated(training.trained(bound, states, single, 24, hidden), states, single.eta)
    assert len(policy.weights) == 1 + len(FEATURES) + hidden * (len(FEATURES) + 2)
    told = training.told(policy, states, single)
    assert told["kept"] >= 0.9
    assert told["evaluations"] < told["single_evaluations"]


def test_a_bias_is_moved_to_the_fewest_evaluations_that_keep_the_bound() -> None:
    states, weights = of_seeds(training.FIRST_TRAINING, 100), np.zeros(1 + len(FEATURES))
    weights[:3] = -1.25, 0.0, 0.1
    spent, kept = [], []
    for shift in training.SHIFTS:
        weights[0] = -1.25 + shift
        found = played([Policy(weights.copy(), 1e-4)], states)
        spent.append(found["force_evals"].mean())
        kept.append((found["energy_error"] <= 1e-4).mean())
    weights[0] = -1.25
    # A single eta of .1 asks for nine in ten, one of .03 for what it keeps itself, which is more.
    of_single = (integrations([0], np.array([[0.03]]), states)["energy_error"] <= 1e-4).mean()
    assert min(kept) < 0.9 < of_single <= max(kept)
    for single_eta, share in ((0.1, 0.9), (0.03, of_single)):
        moved = training.calibrated(Policy(weights, 1e-4), states, single_eta)
        assert moved.weights[1:].tolist() == weights[1:].tolist()
        cheapest = min(one for one, own in zip(spent, kept, strict=True) if own >= share)
        assert played([moved], states)["force_evals"].mean() == cheapest


def test_policies_are_read_as_they_were_written(tmp_path) -> None:
    policies = [Policy(np.arange(11.0), 1e-4), Policy(np.ones(23), 1e-6)]
    training.write(tmp_path / "policies.npz", policies, {"seed": 0})
    held = np.load(tmp_path / "policies.npz")
    assert held["bounds"].tolist() == [1e-4, 1e-6]
    assert held["weights_1e-06"].tolist() == [1.0] * 23


def test_the_shipped_policies_come_to_what_their_file_says() -> None:
    with files("designgym.cost_models.solver_schedule").joinpath("data", "three_body_policies.npz").open("rb") as file:
        facts = json.loads(str(np.load(file)["facts"]))
    assert (facts["first_training_seed"], facts["training_seeds"]) == (training.FIRST_TRAINING, training.TRAINING)
    assert tuple(shipped()) == training.BOUNDS
    states = of_seeds(training.FIRST_TRAINING, training.TRAINING)
    for bound in (1e-4, 1e-6):
        held = facts[f"{bound:.0e}"]
        found = integrations([0], np.array([[held["single_eta"]]]), states)
        single = training.Single(held["single_eta"], found["force_evals"][0], found["energy_error"][0])
        # Another machine's logarithms may round otherwise, which moves chaotic trajectories.
        assert training.told(shipped()[bound], states, single) == pytest.approx(held, rel=0.01)
        assert held["evaluations"] < 0.85 * held["single_evaluations"]
        assert held["kept"] >= 0.9
