"""Surrogates from files: fit one to a dataset's directory, score one on another's, and write what there is to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from designgym.cost_models.dataset import Dataset
    from designgym.cost_models.learned.fitting import FittedSurrogate
    from designgym.cost_models.learned.scoring import Scored
    from designgym.cost_models.learned.surrogate import Surrogate

REPORT, SCORED = "report.html", "scored.html"
USES = ("features", "bounds")

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Kept:
    """A surrogate that was fitted and written. surrogate: as it can be read again; page: where its report is."""

    fitted: FittedSurrogate
    surrogate: Surrogate
    directory: Path
    page: Path


def fit_file(
    data: Path | str, out: Path | str, uses: Sequence[str] = USES, progress: Progress | None = None, **how: Any
) -> Kept:
    """Fit a surrogate to the dataset at `data`, and write it with its report to `out`.

    uses: which of features and bounds to take from the cost models that priced the dataset, where they offer them.
    how: as `fit_surrogate` takes it. ValueError, in one line, where that cannot be done.
    """
    from designgym.cost_models.dataset_file import read_dataset
    from designgym.cost_models.learned.fitting import fit_surrogate
    from designgym.cost_models.learned.model_file import refuse_foreign, write_surrogate
    from designgym.experiments.report.surrogate_page import fitted_page, write_surrogate_page

    refuse_foreign(Path(out))  # before the work, not after it
    dataset = read_dataset(data)
    beside = cost_models_of(dataset, str(data)) if uses else ()
    fitted = fit_surrogate(dataset, beside=beside, uses=uses, progress=progress, **how)
    surrogate = write_surrogate(fitted, out)
    page = Path(out) / REPORT
    write_surrogate_page(page, fitted_page(Path(out).resolve().name, fitted, surrogate))
    return Kept(fitted, surrogate, Path(out), page)


def score_file(model: Path | str, data: Path | str) -> tuple[Surrogate, Scored, Path]:
    """Score the surrogate at `model` on the designs at `data` that it has not seen, and write a page beside it.

    Return the surrogate, its scores, and where the page is. ValueError, in one line, where they do not fit.
    """
    from designgym.cost_models.dataset_file import read_dataset
    from designgym.cost_models.learned.fitting import score_surrogate
    from designgym.cost_models.learned.model_file import read_surrogate
    from designgym.experiments.report.surrogate_page import scored_page, write_surrogate_page

    surrogate, seen = read_surrogate(model)
    dataset = read_dataset(data)
    beside: Sequence[Any] = ()
    if surrogate.uses and "low" in surrogate.card:
        from designgym.envs.surrogate import cheap_of

        beside = [cheap_of(surrogate.card, str(model))] * len(dataset.origins)
    elif surrogate.uses:
        beside = cost_models_of(dataset, str(data))
    scored = score_surrogate(surrogate, dataset, seen=seen, beside=beside, name=str(data))
    page = Path(model) / SCORED
    write_surrogate_page(page, scored_page(Path(model).resolve().name, surrogate, scored, dataset.sha256))
    return surrogate, scored, page


def cost_models_of(dataset: Dataset, path: str) -> list[Any]:
    """Return the cost model of each problem of a dataset, None for one that a file holds: it is not run from there.

    ValueError where one cannot be made here.
    """
    from designgym.envs.surrogate import NotRun, cost_model_of

    models: list[Any] = []
    for origin in dataset.origins:
        try:
            models.append(cost_model_of(vars(origin), path))
        except NotRun:
            models.append(None)
    return models
