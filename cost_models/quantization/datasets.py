"""Data that a network is judged on: inputs and targets in three splits, from scikit-learn or from a file.

Source: digits, breast_cancer, wine and diabetes as scikit-learn bundles them (the UCI Machine Learning Repository;
diabetes: Efron et al., Annals of Statistics 32(2), 2004, doi:10.1214/009053604000000067), in raw units but for the
digits, whose pixels 0 to 16 are divided by 16.
"""

import difflib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
NAMES = ("digits", "breast_cancer", "wine", "diabetes")
LEAST = 4  # examples of a class, or in all: fewer cannot be halved twice


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples in three splits: half of them to train on, a quarter each for validation and test.

    inputs: float32 (n, *shape) by split. targets by split: labels 0 to classes - 1, int64 (n,), or for a regression
    float32 (n,). classes is 0 for a regression. All arrays are read-only.
    """

    name: str
    task: Literal["classification", "regression"]
    inputs: Mapping[str, NDArray[np.float32]]
    targets: Mapping[str, NDArray[Any]]
    classes: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example's input."""
        return self.inputs["train"].shape[1:]


@lru_cache
def dataset(name: str) -> Dataset:
    """Return one of the data sets that come with scikit-learn; ValueError names the nearest of another name."""
    import sklearn.datasets

    if name not in NAMES:
        near = difflib.get_close_matches(str(name), NAMES, 1, 0.0)[0]
        raise ValueError(f"data set must be one of {', '.join(NAMES)}; got {name!r}. Did you mean {near!r}?")
    if name == "diabetes":
        found = sklearn.datasets.load_diabetes(scaled=False)
        return split(name, found.data, found.target.astype(np.float32), 0)
    found = getattr(sklearn.datasets, f"load_{name}")()
    inputs = found.data / 16.0 if name == "digits" else found.data
    return split(name, inputs, found.target.astype(np.int64), len(found.target_names))


def split(name: str, inputs: NDArray[Any], targets: NDArray[Any], classes: int) -> Dataset:
    """Split examples into halves, then one half into quarters, with equal shares of every class (classes > 0).

    By scikit-learn's `train_test_split(test_size=.5, random_state=0)`, twice.
    """
    from sklearn.model_selection import train_test_split

    def halves(x: NDArray[Any], y: NDArray[Any]) -> list[NDArray[Any]]:
        parts: list[NDArray[Any]] = train_test_split(
            x, y, test_size=0.5, random_state=0, stratify=y if classes else None
        )
        return parts

    train, rest, train_targets, rest_targets = halves(inputs.astype(np.float32), targets)
    validation, test, validation_targets, test_targets = halves(rest, rest_targets)
    task: Literal["classification", "regression"] = "classification" if classes else "regression"
    return Dataset(
        name, task, _kept(train, validation, test), _kept(train_targets, validation_targets, test_targets), classes
    )


def dataset_of_file(path: str) -> Dataset:
    """Return the data of a .npz file with `inputs` (n, ...) and either `labels` (n,) or, for a regression, `targets`.

    labels: 0 to classes - 1; classes is the largest plus one, or what the file's own `classes` says. Splits are made as
    for the others. ValueError in one line: no such file or array, shapes that do not go together, NaN or infinity,
    labels that are no such numbers, too few examples of a class to split.
    """
    arrays = _read(path)
    if "inputs" not in arrays or ("labels" in arrays) == ("targets" in arrays):
        held = ", ".join(sorted(arrays)) or "nothing"
        raise ValueError(
            f"{path} must hold 'inputs' and either 'labels' or 'targets', got {held}. "
            f"Save it with numpy.savez(path, inputs=..., labels=...)."
        )
    inputs, own = arrays["inputs"], "labels" if "labels" in arrays else "targets"
    targets = arrays[own].reshape(-1) if arrays[own].shape[1:] == (1,) else arrays[own]
    _check_numbers(path, "inputs", inputs)
    _check_numbers(path, own, targets)
    if inputs.ndim < 2 or targets.shape != inputs.shape[:1]:
        raise ValueError(
            f"{path}: inputs must be (n, ...) and {own} (n,), got {inputs.shape} and {targets.shape}. "
            f"Give one of {own} an example."
        )
    if len(inputs) < LEAST:
        raise ValueError(f"{path}: examples must be at least {LEAST}, to be split, got {len(inputs)}. Add more.")
    if own == "targets":
        found = split(path, inputs, targets.astype(np.float32), 0)
        for name, part in found.targets.items():
            if np.ptp(part) == 0:
                raise ValueError(f"{path}: targets must differ, got {part[0]:g} for all {name} examples. Add others.")
        return found
    return split(path, inputs, targets.astype(np.int64), _classes(path, targets, arrays.get("classes")))


def _read(path: str) -> dict[str, NDArray[Any]]:
    try:
        stored = np.load(path, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            raise ValueError("a single array")
        with stored:
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise ValueError(f"data file {path} must exist, found none. Check the path.") from None
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"data file {path} must be a .npz of numbers, got: {reason}. Write it anew.") from None


def _check_numbers(path: str, name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{path}: {name} must be real numbers, got {array.dtype}. Convert them.")
    with np.errstate(over="ignore"):
        wrong = int(np.sum(~np.isfinite(array.astype(np.float32))))  # as float32, as they are used
    if wrong:
        raise ValueError(f"{path}: {name} must be finite float32, got {wrong} that are not. Remove or fill them.")


def _classes(path: str, labels: NDArray[Any], given: NDArray[Any] | None) -> int:
    """Return how many classes there are, having checked the labels."""
    if np.any(labels != np.floor(labels)):
        wrong = float(labels[labels != np.floor(labels)][0])
        raise ValueError(f"{path}: labels must be whole numbers, got {wrong:g}. For a regression call them targets.")
    if given is not None and (given.size != 1 or given.dtype.kind not in "iu"):
        raise ValueError(f"{path}: classes must be one whole number, got {given.dtype} {given.shape}. Leave it out.")
    classes = int(labels.max()) + 1 if given is None else int(given.reshape(()))
    if given is not None and classes < 2:
        raise ValueError(f"{path}: classes must be at least 2, got {classes}. Raise it or leave it out.")
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        more = "" if given is None else " or raise classes"
        raise ValueError(
            f"{path}: labels must be in [0, {max(classes, 1) - 1}], got {int(outside[0])}. Number them from 0{more}."
        )
    names, counts = np.unique(labels, return_counts=True)
    if counts.min() < LEAST:
        raise ValueError(
            f"{path}: every class must have at least {LEAST} examples, to be split, got {counts.min()} of class "
            f"{int(names[counts.argmin()])}. Add some or leave the class out."
        )
    if classes < 2:
        raise ValueError(f"{path}: labels must be of at least 2 classes, got 1. Nothing is to be told apart.")
    return classes


def _kept(*arrays: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for name, array in zip(SPLITS, arrays, strict=True):
        found[name] = np.ascontiguousarray(array)
        found[name].flags.writeable = False
    return MappingProxyType(found)
