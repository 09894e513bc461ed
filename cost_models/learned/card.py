"""The card of a surrogate: what it was learned from and how, what was decided by data, and how good it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from designgym.cost_models.dataset import Dataset
from designgym.cost_models.learned.conformal import LEVEL
from designgym.cost_models.learned.curve import Curve
from designgym.cost_models.learned.scoring import Scored, finite
from designgym.cost_models.learned.surrogate import Surrogate

OF_THE_FILE = ("format", "model", "libraries", "state")  # what a model file adds to a card


def with_card(surrogate: Surrogate, card: dict[str, Any]) -> Surrogate:
    """Return a surrogate with its card, whose hash is its version.

    What the file adds is left out of it: the same fit has one version wherever and whenever it is written. A fit to
    other data, by another seed or by other code has other scores, to all their digits.
    """
    told = {name: value for name, value in card.items() if name not in OF_THE_FILE}
    text = json.dumps(told, sort_keys=True, allow_nan=False)
    return replace(surrogate, card=card, version=f"surrogate-{hashlib.sha256(text.encode()).hexdigest()[:12]}")


def origins_of(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the problems that rows are of, as the card tells them."""
    kept = [dataset.origins[int(i)] for i in np.unique(dataset.problem)]
    names = ("label", "id", "options", "cost_model", "version")
    return [{name: getattr(origin, name) for name in names} for origin in kept]


def card_of(
    dataset: Dataset, fidelity: str, surrogate: Surrogate, scored: Sequence[Scored], curve: Curve | None, model: str,
    seed: int, shares: tuple[float, float],
) -> dict[str, Any]:  # fmt: skip
    """Return what a surrogate's card says: data, space, metrics, what was decided, domain, scores, as JSON values."""
    domain, regressors = surrogate.domain, surrogate.regressors
    decided = {
        target.name: {
            "learned_as": target.kind, "because": target.rule,
            "models": {m.model: m.weights[m.metrics.index(target.name)] for m in regressors.members
                       if target.name in m.metrics and m.weights[m.metrics.index(target.name)]},
            "errors_in_choosing": regressors.errors.get(target.name, {}),
            "interval": "ratio" if surrogate.intervals[target.name].multiplicative else "difference",
            "fitted_exactly": surrogate.intervals[target.name].exact,
        }
        for target in regressors.targets
    }  # fmt: skip
    card = {
        "data": {
            "sha256": dataset.sha256, "sources": list(dataset.sources), "designs": len(dataset),
            "could_be_built": int(dataset.feasible.sum()), "fidelity": fidelity,
        },
        "origins": origins_of(dataset),
        "space": {
            "columns": [asdict(spec) for spec in dataset.specs],
            "parameters": list(dataset.origins[int(dataset.problem[0])].parameters),
        },
        "metrics": [asdict(metric) for metric in surrogate.learned],
        "fit": {
            "model": model, "seed": seed, "uses": list(surrogate.uses), "level": LEVEL,
            "shares": {"test": shares[0], "calibration": shares[1]}, "decided": decided,
            "feasibility": None if surrogate.feasibility is None else surrogate.feasibility.model,
        },
        "domain": {
            "low": domain.low, "high": domain.high, "categories": domain.categories, "reach": domain.reach,
            "references": len(domain.references),
        },
        "scores": [one.as_card() for one in scored],
        "curve": None if curve is None else curve.as_card(),
    }  # fmt: skip
    told: dict[str, Any] = finite(card)
    return told
