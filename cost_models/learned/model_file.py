"""A surrogate as a directory: model.skops, its estimators and arrays, and model.json, its card, which is read first.

Nothing of model.skops is loaded before its SHA-256 is the one in the card; the classes in it are compared with a list
in `trusted`, its trees checked by `trees`. A directory is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from designgym.cost_models.base import ColumnSpec, Metric
from designgym.cost_models.learned.card import with_card
from designgym.cost_models.learned.conformal import Intervals
from designgym.cost_models.learned.domain import Domain
from designgym.cost_models.learned.feasibility import FittedFeasibility
from designgym.cost_models.learned.fitting import FittedSurrogate
from designgym.cost_models.learned.regression import FittedMetrics
from designgym.cost_models.learned.seen import Keys
from designgym.cost_models.learned.surrogate import Surrogate
from designgym.cost_models.learned.trusted import UntrustedModel, packed, unpacked

FORMAT = 1
MODEL, CARD = "model.skops", "model.json"
LIBRARIES = ("designgym", "numpy", "scikit-learn", "skops")


class ModelFileError(ValueError):
    """A model file cannot be written or read. One line; it names the file."""


def write_surrogate(fitted: FittedSurrogate, directory: Path | str) -> Surrogate:
    """Write a surrogate, in place of one that is there, and return it with the card and version that it now has.

    ModelFileError where the directory holds something else, cannot be written, or the model is of classes not kept.
    """
    directory, surrogate = Path(directory), fitted.surrogate
    refuse_foreign(directory)
    arrays = {"references": surrogate.domain.references, "seen": fitted.seen}
    feasibility = surrogate.feasibility
    try:
        data = packed({
            "regressors": surrogate.regressors.estimators,
            "feasibility": {} if feasibility is None else feasibility.estimators,
            "arrays": arrays,
        })  # fmt: skip
    except UntrustedModel as error:
        raise ModelFileError(f"{directory}: {error}") from None
    card = {
        "format": FORMAT,
        "model": {"file": MODEL, "sha256": hashlib.sha256(data).hexdigest(), "byte": len(data)},
        "libraries": {name: version(name) for name in LIBRARIES},
        **surrogate.card,
        "state": {
            "regressors": surrogate.regressors.state(),
            "feasibility": None if feasibility is None else feasibility.state(),
            "intervals": {name: asdict(intervals) for name, intervals in surrogate.intervals.items()},
        },
    }
    text = json.dumps(card, indent=1, allow_nan=False)
    _write(directory, {MODEL: data, CARD: text.encode()})
    return with_card(surrogate, json.loads(text))


def read_card(directory: Path | str) -> dict[str, Any]:
    """Return a model's card, unchecked but for its form. ModelFileError where there is none."""
    path = Path(directory) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        written = card["format"]
    except FileNotFoundError:
        raise ModelFileError(
            f"{directory} holds no model: it has no {CARD}. Give what `designgym surrogate fit` wrote."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged or no card: {' '.join(str(error).split())}. Fit the model again."
        ) from None
    if written != FORMAT:
        raise ModelFileError(f"{path} must be of format {FORMAT}, got {written!r}. Use the designgym that wrote it.")
    found: dict[str, Any] = card
    return found


def read_surrogate(directory: Path | str, beside: Any = None) -> tuple[Surrogate, Keys]:
    """Return what a directory holds, and the keys of the designs that it has seen.

    beside: the cost model whose features and bounds it needs, if its card names any. ModelFileError where a file is
    missing, is not the one of its card, holds what is not trusted, or does not make sense.
    """
    directory = Path(directory)
    card = read_card(directory)
    try:
        data = (directory / MODEL).read_bytes()
        wanted = card["model"]["sha256"]
    except (OSError, KeyError, TypeError) as error:
        raise ModelFileError(f"{directory / MODEL} cannot be read: {error}. Fit the model again.") from None
    if hashlib.sha256(data).hexdigest() != wanted:
        raise ModelFileError(
            f"{directory / MODEL} is not the file that its card names: their SHA-256 differ. Fit the model again."
        )
    try:
        _warn_of_versions(directory, card)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Trying to unpickle estimator")  # said above, once for all
            held = unpacked(data)
        surrogate, seen = _surrogate(card, held, beside)
        _try_out(surrogate)
        return surrogate, seen
    except UntrustedModel as error:
        raise ModelFileError(f"{directory / MODEL} {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        said = said if type(error) is ValueError else f"{type(error).__name__}: {said}"
        remedy = "" if said.endswith("again") else " Fit the model again."
        raise ModelFileError(f"{directory} does not fit together: {said}.{remedy}") from error


def _surrogate(card: dict[str, Any], held: Mapping[str, Any], beside: Any) -> tuple[Surrogate, Keys]:
    state, domain, arrays = card["state"], card["domain"], held["arrays"]
    specs = tuple(ColumnSpec(**one) for one in card["space"]["columns"])
    learned = tuple(Metric(**one) for one in card["metrics"])
    references, seen = (np.asarray(arrays[name]) for name in ("references", "seen"))
    if references.dtype != np.float64 or references.ndim != 2 or seen.dtype != np.uint64:
        raise ValueError(f"references must be float64 of two dimensions, got {references.dtype} {references.shape}")
    regressors = FittedMetrics.from_state(state["regressors"], held["regressors"])
    feasibility = None
    if state["feasibility"] is not None:
        feasibility = FittedFeasibility.from_state(state["feasibility"], held["feasibility"])
    for part in (regressors, feasibility):
        if part is not None and part.encoding.specs != specs:
            raise ValueError("the columns that an estimator sees are not those of the space. Fit the model again.")
    if regressors.names != tuple(metric.name for metric in learned):
        raise ValueError(f"metrics must be those learned, {', '.join(regressors.names)}, got others in the card.")
    made = {
        name: Intervals(
            bool(one["multiplicative"]), tuple(map(float, one["edges"])), tuple(map(float, one["reach"])),
            tuple(map(int, one["counts"])), bool(one["exact"]),
        )
        for name, one in state["intervals"].items()
    }  # fmt: skip
    intervals = {metric.name: made[metric.name] for metric in learned}
    within = Domain(
        specs, dict(domain["low"]), dict(domain["high"]),
        {name: tuple(known) for name, known in domain["categories"].items()}, references, float(domain["reach"]),
    )  # fmt: skip
    uses = tuple(card["fit"]["uses"])
    surrogate = Surrogate(
        specs, learned, regressors, feasibility, intervals, within, beside if uses else None, uses, {}, ""
    )
    return with_card(surrogate, card), seen


def _try_out(surrogate: Surrogate) -> None:
    """Predict one design. ValueError and others where the parts of a model do not fit each other.

    It is the first of the space, and what its features and bounds are told to be is 1: the numbers mean nothing.
    """
    design = {spec.name: np.array([spec.low]) for spec in surrogate.specs}
    added = {extra.name: np.ones(1) for extra in surrogate.regressors.encoding.extras}
    bounds = {name: np.ones(1) for name in surrogate.regressors.bounded}
    predicted = surrogate.predict(design, added, bounds)
    for metric in surrogate.learned:
        surrogate.intervals[metric.name].ends(predicted[metric.name])
    if surrogate.feasibility is not None:
        surrogate.feasibility.predict(design, added)
    surrogate.domain.contains(design)


def _warn_of_versions(directory: Path, card: Mapping[str, Any]) -> None:
    wrote, here = card.get("libraries", {}).get("scikit-learn"), version("scikit-learn")
    if wrote != here:
        warnings.warn(
            f"{directory} was fitted with scikit-learn {wrote}, this is {here}: predictions may differ. Fit it again, "
            f"or install that version.",
            UserWarning,
            stacklevel=3,
        )


def refuse_foreign(directory: Path) -> None:
    """ModelFileError where a directory holds something else, which a model would take the place of."""
    if directory.exists() and not directory.is_dir():
        raise ModelFileError(f"{directory} is a file. Choose a directory for the model.")
    names = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else []
    if names and CARD not in names:
        raise ModelFileError(f"{directory} holds other files ({names[0]}) and no model. Choose another directory.")


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    """Put a directory with these files in the place of what is there, whole, or leave everything as it was."""
    scratch = old = None
    directory = directory.absolute()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
        os.chmod(scratch, 0o755)
        for name, data in files.items():
            with open(scratch / name, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        if directory.exists():
            old = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
            os.replace(directory, old)
        os.replace(scratch, directory)
    except OSError as error:
        if old is not None and not directory.exists():
            os.replace(old, directory)
            old = None
        reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
        raise ModelFileError(f"{directory} cannot be written: {reason}. Choose another directory.") from error
    finally:
        for left in (scratch, old):
            if left is not None and left.exists() and left != directory:
                shutil.rmtree(left, ignore_errors=True)
