"""A surrogate from two datasets, many cheap designs and few faithful ones: fitted, written, and its cheap model found.

Method: `designgym.cost_models.learned.two_fidelity`. Where the cost model that priced the cheap designs can be made
here, and is quick, it is asked for every design; else it is learned from them, and lies in LOW beside the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from designgym.cost_models.dataset import Dataset
    from designgym.cost_models.learned.fitting import FittedSurrogate
    from designgym.cost_models.learned.two_fidelity import Choice
    from designgym.experiments.surrogate import Kept

FORMS, MODELS = ("alone", "beside", "ratio"), ("gaussian_process", "extra_trees", "boosting")
LOW_MODEL = "boosting"  # of cheap designs there are many

Progress = Callable[[str], None]


def fit_two_files(
    low: Path | str, high: Path | str, out: Path | str, progress: Progress | None = None, *, model: str | None = None,
    targets: Sequence[str] = (), **how: Any,
) -> Kept:  # fmt: skip
    """Fit a surrogate of the metrics of `high` beside what priced `low`, and write it with its report to `out`.

    model: by default, with the form it is learned in, what has the least error by cross-validation on the first target.
    targets: metrics of both, all by default. how: as `fit_surrogate` takes it. ValueError, in one line, where the two
    are not of one space and one kind.
    """
    from designgym.cost_models.dataset_file import read_dataset
    from designgym.cost_models.learned.card import with_card
    from designgym.cost_models.learned.fitting import fit_surrogate
    from designgym.cost_models.learned.model_file import refuse_foreign, write_surrogate
    from designgym.cost_models.learned.two_fidelity import Cheap
    from designgym.envs.surrogate import LOW
    from designgym.experiments.report.surrogate_page import fitted_page, write_surrogate_page
    from designgym.experiments.surrogate import REPORT, Kept

    tell = progress or (lambda line: None)
    refuse_foreign(Path(out))
    cheap_data, faithful = read_dataset(low), read_dataset(high)
    wanted = shared_metrics(cheap_data, faithful, targets, (str(low), str(high)))
    called = callable_model(cheap_data, str(low))
    learned = None if called is not None else learned_low(cheap_data, faithful, wanted, int(how.get("seed", 0)), tell)
    cheap = Cheap(called if learned is None else learned.surrogate)
    choice = chosen(faithful, cheap, wanted[0], () if model is None else (model,), tell)
    fitted = fit_surrogate(
        faithful, beside=[cheap] * len(faithful.origins), uses=choice.uses, model=choice.model, targets=wanted,
        progress=progress, **how,
    )  # fmt: skip
    told = {
        "origin": None if learned is not None else _origin(cheap_data), "sha256": cheap_data.sha256,
        "designs": len(cheap_data), "form": choice.form, "chosen_on": wanted[0],
        "errors": {f"{form} {by}": error for (form, by), error in choice.errors.items()},
    }  # fmt: skip
    card = {**fitted.surrogate.card, "low": told}
    surrogate = write_surrogate(replace(fitted, surrogate=with_card(fitted.surrogate, card)), out)
    if learned is not None and choice.uses:
        write_surrogate(learned, Path(out) / LOW)
    page = Path(out) / REPORT
    write_surrogate_page(page, fitted_page(Path(out).resolve().name, fitted, surrogate))
    return Kept(fitted, surrogate, Path(out), page)


def shared_metrics(low: Dataset, high: Dataset, targets: Sequence[str], names: tuple[str, str]) -> list[str]:
    """Return the metrics to learn. ValueError where spaces differ, or a metric is not in both in one unit."""
    if low.specs != high.specs:
        ours, theirs = ({spec.name: spec for spec in one.specs} for one in (high, low))
        differ = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        raise ValueError(f"{names[0]} and {names[1]} must be of one space, they differ in {', '.join(differ)}.")
    units = {metric.name: metric.unit for metric in low.declared}
    both = [metric.name for metric in high.declared if units.get(metric.name) == metric.unit]
    for name in targets:
        if name not in both:
            raise ValueError(
                f"{names[0]} and {names[1]} must both have {name} in one unit. They share {', '.join(both) or 'none'}."
            )
    if not both:
        raise ValueError(f"{names[0]} and {names[1]} must share a metric in one unit, got none.")
    return list(targets) or both


def callable_model(low: Dataset, path: str) -> Any | None:
    """Return the cost model that priced the cheap designs; None where it cannot be made here, or is slow."""
    from designgym.envs.surrogate import cost_model_of

    if len(low.origins) != 1:
        return None
    try:
        model = cost_model_of(vars(low.origins[0]), path)
        same = model.version == low.origins[0].version
    except ValueError:
        return None
    return model if same and not getattr(model, "slow", False) else None


def chosen(faithful: Dataset, cheap: Any, target: str, models: Sequence[str], tell: Progress) -> Choice:
    """Choose form and model on the faithful designs that could be built."""
    from designgym.cost_models.learned.two_fidelity import choose

    good = faithful.take(faithful.feasible)
    features, cheaply = cheap.features(good.designs), cheap.bounds(good.designs)[target]
    return choose(
        good.specs, good.designs, good.metrics[target], features, cheaply,
        forms=FORMS, models=models or MODELS, progress=tell,
    )  # fmt: skip


def learned_low(low: Dataset, faithful: Dataset, targets: Sequence[str], seed: int, tell: Progress) -> FittedSurrogate:
    """Learn the cheap metrics from the cheap designs, thinned where a model of the faithful ones contradicts them."""
    from designgym.cost_models.learned.fitting import fit_surrogate
    from designgym.cost_models.learned.regression import fit_metrics
    from designgym.cost_models.learned.two_fidelity import bias_weights, thinned

    good, many = faithful.take(faithful.feasible), low.take(low.feasible)
    target = targets[0]
    teacher = fit_metrics(good.specs, good.designs, {target: good.metrics[target]}, model="extra_trees", seed=seed)
    taught = np.maximum(teacher.predict(many.designs)[target], np.finfo(np.float64).tiny)
    rows = thinned(bias_weights(taught, many.metrics[target]), seed)
    tell(f"the cheap model is learned from {len(rows):,} of its {len(many):,} designs")
    return fit_surrogate(
        many.take(rows), model=LOW_MODEL, targets=targets, seed=seed, uses=(), curve=False, progress=tell
    )


def _origin(low: Dataset) -> dict[str, Any]:
    origin = low.origins[0]
    return {name: getattr(origin, name) for name in ("label", "id", "options", "cost_model", "version")}
