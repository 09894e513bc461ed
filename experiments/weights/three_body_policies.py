"""Train the policies of `ThreeBodyStepping-v0`: an eta for each tenth of a year from what is observed of three bodies.

For each bound on the relative error of the energy at the end: the fewest force evaluations, mean over initial states,
that keep it on nine in ten of them. Trained by CMA-ES (Hansen, "The CMA Evolution Strategy: A Tutorial",
arXiv:1604.00772), a cross-entropy method that learns how its parameters vary together, on draws of the training states:
what a draw asks is set against the best single eta on the same states, which takes most of the chance out of it. Last,
the bias is moved, on further training states, to the fewest evaluations that keep the bound on nine in ten of them and
on as many as the single eta: on the states that a policy was trained on it keeps more than elsewhere.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.solver_schedule.three_body import SHARE, integrations
from designgym.cost_models.solver_schedule.three_body_policy import FEATURES, Policy, played
from designgym.cost_models.solver_schedule.three_body_starts import of_seeds

Floats = NDArray[np.float64]

BOUNDS = (1e-4, 1e-6, 1e-8)
FIRST_TRAINING, TRAINING = 1_001, 2_000  # seeds of the initial states; bench threebody judges on others
FIRST_CALIBRATION, CALIBRATION = 3_001, 2_000
ETAS = np.logspace(-3.0, -1.0, 60)  # single ones that a policy is set against
HIDDEN = 0
POPULATION, DRAWN = 24, 250  # policies of a generation, initial states that each is played on
GENERATIONS = {1e-4: 160, 1e-6: 160, 1e-8: 110}
FIRST_SPREAD, SPREAD_OF_HIDDEN = 0.06, 0.25
BROKEN = 20.0  # what a share of the states costs, in the logarithm of evaluations, where the bound breaks on it
MOST_IN_TRAINING = {1e-4: 8_000, 1e-6: 12_000, 1e-8: 20_000}  # evaluations; 30,000 in the end
SHIFTS = np.linspace(-0.12, 0.12, 49)  # of the bias, in log10 of eta


@dataclass(frozen=True)
class Single:
    """The best single eta for a bound: the fewest evaluations that keep it on SHARE of the states.

    evaluations, error: of each state by it, (states,).
    """

    eta: float
    evaluations: Floats
    error: Floats


def best_single(found: dict[str, Floats], bound: float) -> Single:
    """Return the best of ETAS. found: what `integrations` tells of them. ValueError where none keeps the bound."""
    kept = np.flatnonzero((found["energy_error"] <= bound).mean(axis=1) >= SHARE)
    if not len(kept):
        raise ValueError(f"some eta must keep {bound:g} on {SHARE:.0%} of the states, got none. Loosen the bound.")
    best = kept[np.argmin(found["force_evals"][kept].mean(axis=1))]
    return Single(float(ETAS[best]), found["force_evals"][best], found["energy_error"][best])


def singles(states: Floats) -> dict[str, Floats]:
    """Return what each of ETAS comes to, (etas, states)."""
    return integrations(np.zeros(len(ETAS), np.int64), ETAS[:, None], states)


def losses(found: dict[str, Floats], single: Single, rows: NDArray[np.int64], bound: float, most: int) -> Floats:
    """Return the logarithm of evaluations over the single eta's, and what broken bounds cost, (policies,).

    found: of policies played on the states `rows`. The share that must be kept is higher where the single eta keeps
    more than its own on these states.
    """
    spent = np.log(found["force_evals"].mean(axis=1) / np.minimum(single.evaluations[rows], most).mean())
    kept, own = (found["energy_error"] <= bound).mean(axis=1), single.error <= bound
    missing = SHARE + own[rows].mean() - own.mean() - kept
    return np.asarray(spent + BROKEN * np.maximum(missing, 0.0))


def beginning(single: Single, hidden: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return weights to begin with, those of the single eta, and the scale of each."""
    linear, unit = 1 + len(FEATURES), len(FEATURES) + 2
    weights, scales = np.zeros(linear + hidden * unit), np.ones(linear + hidden * unit)
    weights[0] = np.log10(single.eta)
    for place in range(linear, len(weights), unit):
        weights[place : place + unit - 1] = 0.5 * rng.standard_normal(unit - 1)
        scales[place : place + unit - 1] = SPREAD_OF_HIDDEN / FIRST_SPREAD
    return weights, scales


def trained(
    bound: float, states: Floats, single: Single, generations: int, hidden: int = HIDDEN, seed: int = 0
) -> Policy:
    """Return a policy for a bound, trained on initial states, (n, 12). single: the best single eta there."""
    from cmaes import CMA

    rng = np.random.default_rng([seed, round(-np.log10(bound))])
    weights, scales = beginning(single, hidden, rng)
    most, begun = MOST_IN_TRAINING.get(bound, 30_000), time.perf_counter()
    search = CMA(weights / scales, FIRST_SPREAD, seed=seed, population_size=POPULATION)
    middle = np.zeros_like(weights)
    for generation in range(generations):
        rows = rng.choice(len(states), min(DRAWN, len(states)), replace=False)
        asked = [search.ask() for _ in range(POPULATION)]
        found = played([Policy(one * scales, bound) for one in asked], states[rows], most)
        told = losses(found, single, rows, bound, most)
        search.tell(list(zip(asked, told.tolist(), strict=True)))
        if generation >= generations * 3 // 4:  # a mean of the last quarter is less of a draw than the last one
            middle += np.mean([asked[row] for row in np.argsort(told)[: POPULATION // 2]], axis=0) * scales
        if generation % 20 == 19:
            seconds = time.perf_counter() - begun
            print(f"{bound:g}: {generation + 1}, {np.median(told):.3f}, {seconds:.0f} s", file=sys.stderr, flush=True)
    return Policy(middle / (generations - generations * 3 // 4), bound)


def calibrated(policy: Policy, states: Floats, single_eta: float) -> Policy:
    """Return the policy with its bias moved to the fewest evaluations that keep the bound often enough.

    That is on SHARE of the states, and on as many as a single eta.
    """
    single = integrations([0], np.array([[single_eta]]), states)["energy_error"]
    share = max(SHARE, float((single <= policy.bound).mean()))
    moved = [Policy(policy.weights + shift * np.eye(1, len(policy.weights))[0], policy.bound) for shift in SHIFTS]
    found = played(moved, states)
    kept = np.flatnonzero((found["energy_error"] <= policy.bound).mean(axis=1) >= share)
    if not len(kept):
        return moved[0]
    return moved[kept[np.argmin(found["force_evals"][kept].mean(axis=1))]]


def told(policy: Policy, states: Floats, single: Single) -> dict[str, Any]:
    """Return what policy and single eta come to on training states, (n, 12)."""
    found = played([policy], states)
    spent, error = found["force_evals"][0], found["energy_error"][0]
    return {
        "evaluations": float(spent.mean()), "kept": float((error <= policy.bound).mean()),
        "single_eta": single.eta, "single_evaluations": float(single.evaluations.mean()),
        "single_kept": float((single.error <= policy.bound).mean()),
    }  # fmt: skip


def write(path: Path, policies: Sequence[Policy], facts: dict[str, Any]) -> None:
    """Write policies as `shipped` reads them, with how they were trained and what they came to."""
    arrays: dict[str, Any] = {f"weights_{policy.bound:.0e}": policy.weights for policy in policies}
    np.savez(path, bounds=[policy.bound for policy in policies], facts=json.dumps(facts), **arrays)


def main() -> None:
    """Train a policy for each bound, print what it came to, write all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file to write, .npz")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    states, further = of_seeds(FIRST_TRAINING, TRAINING), of_seeds(FIRST_CALIBRATION, CALIBRATION)
    found, policies = singles(states), []
    facts: dict[str, Any] = {"seed": given.seed, "first_training_seed": FIRST_TRAINING, "training_seeds": TRAINING}
    facts |= {"first_calibration_seed": FIRST_CALIBRATION, "calibration_seeds": CALIBRATION}
    for bound in BOUNDS:
        single = best_single(found, bound)
        policy = trained(bound, states, single, GENERATIONS[bound], seed=given.seed)
        policies.append(calibrated(policy, further, single.eta))
        facts[f"{bound:.0e}"] = told(policies[-1], states, single)
        print(f"{bound:g}: {json.dumps(facts[f'{bound:.0e}'])}", flush=True)
        write(given.out, policies, facts)


if __name__ == "__main__":
    main()
