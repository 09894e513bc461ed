"""Fit a surrogate to a dataset, and score one on designs that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designgym.cost_models.base import Metric
from designgym.cost_models.dataset import Dataset
from designgym.cost_models.learned.card import card_of, origins_of, with_card
from designgym.cost_models.learned.conformal import FEWEST, calibrate
from designgym.cost_models.learned.curve import Curve, learning_curve
from designgym.cost_models.learned.domain import fit_domain
from designgym.cost_models.learned.feasibility import fit_feasibility
from designgym.cost_models.learned.known import USES, Known, of_dataset
from designgym.cost_models.learned.regression import fit_metrics
from designgym.cost_models.learned.scoring import Scored, score_rows
from designgym.cost_models.learned.seen import Keys, keys_of
from designgym.cost_models.learned.splits import CALIBRATION, TEST, Split, split_dataset
from designgym.cost_models.learned.surrogate import ENDS, IN_DOMAIN, Surrogate
from designgym.cost_models.registry import nearest

FAITHFUL = "faithful"
FEWEST_TRAINED = 20  # designs
CURVE_UP_TO = 10_000  # training designs up to which a learning curve is made unasked
Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class FittedSurrogate:
    """A surrogate, how good it is, and what it has seen.

    scored: on the designs that its own split held out, first, then by each further split, for which another model was
    fitted. curve: None where none was made. seen: keys of the designs that it was trained and calibrated on.
    """

    surrogate: Surrogate
    scored: tuple[Scored, ...]
    curve: Curve | None
    seen: Keys


def fit_surrogate(
    dataset: Dataset,
    *,
    model: str = "ensemble",
    classifier: str = "ensemble",
    targets: Sequence[str] = (),
    split: str = "random",
    further: Sequence[str] = (),
    seed: int = 0,
    beside: Sequence[Any] = (),
    uses: Collection[str] = USES,
    curve: bool | None = None,
    test: float = TEST,
    calibration: float = CALIBRATION,
    progress: Progress | None = None,
) -> FittedSurrogate:
    """Learn what designs cost from those priced.

    model: one of `regressors.regressor_names()`. classifier: of which designs can be built, one of
    `feasibility.CLASSIFIERS`. targets: metrics, all by default. split: what is held out, see
    `split_dataset`; further: splits by which other models are fitted, to score them alone. beside: the cost model of
    each problem of the dataset, whose features and bounds are then used, those in `uses`. curve: whether to make a
    learning curve; by default up to CURVE_UP_TO training designs. Faithful rows alone are learned from, if there are
    any. The same arguments give the same model. ValueError, in one line, for what cannot be learned from.
    """
    tell = progress or (lambda line: None)
    dataset, fidelity = _of_one_fidelity(dataset)
    learned = _learned(dataset, targets)
    known = of_dataset(dataset, beside, uses)
    known = Known(known.features, {name: b for name, b in known.bounds.items() if _bounded(dataset, name, b, learned)})
    _refuse_mixture(dataset, known)
    scored, fits = [], []
    for how in (split, *further):
        parts = split_dataset(dataset, how, seed, test, calibration)
        tell(f"split by {parts.name}")
        fits.append(_fit(dataset, known, parts, learned, (model, classifier), seed, beside, tell))
        held = dataset.take(parts.test), known.take(parts.test)
        scored.append(score_rows(fits[-1], *held, how, parts.meaning, parts.name == "random"))
    parts = split_dataset(dataset, split, seed, test, calibration)
    surrogate = fits[0]
    made = None
    if curve if curve is not None else len(parts.train) <= CURVE_UP_TO:
        made = learning_curve(dataset, known, parts, learned, surrogate.regressors, seed, scored[0], tell)
    card = card_of(dataset, fidelity, surrogate, scored, made, model, seed, (test, calibration))
    seen = np.sort(keys_of(dataset)[np.concatenate([parts.train, parts.calibration])])
    return FittedSurrogate(with_card(surrogate, card), tuple(scored), made, seen)


def score_surrogate(
    surrogate: Surrogate, dataset: Dataset, *, seen: Keys, beside: Sequence[Any] = (), name: str = "other data"
) -> Scored:
    """Score a surrogate on the rows of a dataset that it has not seen. seen: keys of those that it has.

    Coverage is reported, not promised: who drew the designs is not known here. ValueError where none are left, or the
    dataset has other columns, other units or no such metrics.
    """
    refuse_other_data(surrogate, dataset)
    dataset, _ = _of_one_fidelity(dataset)
    new = ~np.isin(keys_of(dataset), seen)
    if not new.any():
        raise ValueError(f"all {len(dataset):,} designs of the dataset are among those learned from. Price others.")
    rows = dataset.take(new)
    meaning = f"{len(rows):,} designs not learned from" + (f", of {len(dataset):,}" if not new.all() else "")
    return score_rows(surrogate, rows, of_dataset(rows, beside, surrogate.uses), name, meaning, False)


def refuse_other_data(surrogate: Surrogate, dataset: Dataset) -> None:
    """ValueError says what of a dataset differs from what a surrogate was learned from."""
    if dataset.specs != surrogate.specs:
        ours, theirs = ({spec.name: spec for spec in specs} for specs in (surrogate.specs, dataset.specs))
        names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        raise ValueError(f"the dataset must have the columns learned from, it differs in {', '.join(names)}.")
    declared = {metric.name: metric for metric in dataset.declared}
    for metric in surrogate.learned:
        got = declared.get(metric.name)
        if got is None or got.unit != metric.unit:
            has = "none" if got is None else f"it in {got.unit}"
            raise ValueError(f"the dataset must have {metric.name} in {metric.unit}, got {has}.")


# -- parts ------------------------------------------------------------------------------------------------------------


def _fit(
    dataset: Dataset, known: Known, parts: Split, learned: tuple[Metric, ...], models: tuple[str, str], seed: int,
    beside: Sequence[Any], tell: Progress,
) -> Surrogate:  # fmt: skip
    """Fit to the training rows of a split and calibrate on its calibration rows."""
    train, far = dataset.take(parts.train), dataset.take(parts.calibration)
    can, can_far = train.feasible, far.feasible
    if can.sum() < FEWEST_TRAINED or can_far.sum() < FEWEST:
        raise ValueError(
            f"at least {FEWEST_TRAINED} designs that can be built are needed to train and {FEWEST} to calibrate, got "
            f"{can.sum()} and {can_far.sum()} in a split by {parts.name}. Price more."
        )
    of_train, of_far = known.take(parts.train), known.take(parts.calibration).take(can_far)
    good, of_good = train.take(can), of_train.take(can)
    values = {metric.name: good.metrics[metric.name] for metric in learned}
    regressors = fit_metrics(
        dataset.specs, good.designs, values, features=of_good.features, bounds=of_good.bounds, model=models[0],
        seed=seed, progress=tell,
    )  # fmt: skip
    feasibility = None
    if not can.all():
        tell(f"feasibility: {len(train):,} designs")
        feasibility = fit_feasibility(
            dataset.specs, train.designs, can, features=of_train.features, model=models[1], seed=seed
        )
    tell("intervals and domain")
    one = int(dataset.problem[0]) if len(np.unique(dataset.problem)) == 1 else None
    surrogate = Surrogate(
        dataset.specs, learned, regressors, feasibility, {}, fit_domain(dataset.specs, train.designs, seed),
        beside[one] if known.uses and one is not None else None, known.uses, {"origins": origins_of(dataset)}, "",
    )  # fmt: skip
    calibration = far.take(can_far)
    predicted = surrogate.predict(calibration.designs, of_far.features, of_far.bounds)
    surrogate.intervals.update({name: calibrate(predicted[name], calibration.metrics[name]) for name in predicted})
    return surrogate


def _of_one_fidelity(dataset: Dataset) -> tuple[Dataset, str]:
    """Return the faithful rows, if there are any, else all, which must be of one fidelity; and which it is."""
    names = np.unique(dataset.fidelity).tolist()
    if FAITHFUL in names:
        return (dataset if names == [FAITHFUL] else dataset.take(dataset.fidelity == FAITHFUL)), FAITHFUL
    if len(names) != 1:
        raise ValueError(
            f"a surrogate is learned from designs of one fidelity, got {', '.join(names) or 'no designs'}."
        )
    return dataset, str(names[0])


def _learned(dataset: Dataset, targets: Sequence[str]) -> tuple[Metric, ...]:
    declared = {metric.name: metric for metric in dataset.declared}
    for name in targets:
        if name not in declared:
            raise ValueError(f"the dataset has no metric {name!r}. {nearest(name, declared)}")
    own = _made_by_surrogates(declared)
    if refused := [name for name in targets if name in own]:
        raise ValueError(f"a surrogate makes {refused[0]} itself and learns it from none. Leave it out of the targets.")
    return tuple(metric for name, metric in declared.items() if name in (targets or declared) and name not in own)


def _made_by_surrogates(names: Collection[str]) -> set[str]:
    """Return which metrics a surrogate adds to those learned: a dataset of designs priced by another has them too."""
    return {IN_DOMAIN, *(name + ending for name in names for ending in ENDS)} & set(names)


def _bounded(dataset: Dataset, name: str, bound: Any, learned: tuple[Metric, ...]) -> bool:
    """Whether a metric is learned relative to its bound: both are above 0 wherever a design could be built."""
    if name not in [metric.name for metric in learned]:
        return False
    can = dataset.feasible
    return bool((bound > 0).all() and (dataset.metrics[name][can] > 0).all())


def _refuse_mixture(dataset: Dataset, known: Known) -> None:
    """ValueError where problems differ in nothing that a model would see of a design."""
    labels = [dataset.origins[int(i)].label for i in np.unique(dataset.problem)]
    if len(labels) > 1 and not known.features:
        raise ValueError(
            f"a surrogate cannot tell {len(labels)} problems apart by their parameters alone, got {', '.join(labels)}. "
            "Give it one of them, or cost models that have features."
        )
