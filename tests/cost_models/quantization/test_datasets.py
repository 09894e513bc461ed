"""Data: splits as defined, and files that do not hold what they must refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

from designgym.cost_models.quantization.datasets import NAMES, SPLITS, dataset, dataset_of_file

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(40, 3))
LABELS = np.arange(40) % 4


def saved(path: Path, **arrays: Any) -> str:
    file = path / "data.npz"
    np.savez(file, **arrays)
    return str(file)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "counts"),
    [
        ("digits", (64,), 10, (898, 449, 450)),
        ("breast_cancer", (30,), 2, (284, 142, 143)),
        ("wine", (13,), 3, (89, 44, 45)),
        ("diabetes", (10,), 0, (221, 110, 111)),
    ],
)
def test_sizes(name: str, shape: tuple[int, ...], classes: int, counts: tuple[int, ...]) -> None:
    data = dataset(name)
    assert (data.shape, data.classes) == (shape, classes)
    assert data.task == ("classification" if classes else "regression")
    assert tuple(len(data.inputs[split]) for split in SPLITS) == counts
    for split in SPLITS:
        assert data.inputs[split].dtype == np.float32
        assert data.targets[split].shape == data.inputs[split].shape[:1]
        with pytest.raises(ValueError, match="read-only"):
            data.inputs[split][0] = 0.0


def test_the_digits_are_split_as_scikit_learn_splits_them() -> None:
    images, labels = load_digits(return_X_y=True)
    train, rest, train_labels, rest_labels = train_test_split(
        images, labels, test_size=0.5, random_state=0, stratify=labels
    )
    validation, test, _, test_labels = train_test_split(
        rest, rest_labels, test_size=0.5, random_state=0, stratify=rest_labels
    )
    data = dataset("digits")
    for split, expected in zip(SPLITS, (train, validation, test), strict=True):
        assert np.array_equal(data.inputs[split], expected / 16.0)
    assert np.array_equal(data.targets["train"], train_labels)
    assert np.array_equal(data.targets["test"], test_labels)


def test_splits_are_all_the_examples_once_in_raw_units() -> None:
    data = dataset("diabetes")
    together = np.concatenate([np.column_stack([data.inputs[s], data.targets[s]]) for s in SPLITS])
    found = load_diabetes(scaled=False)
    expected = np.column_stack([found.data, found.target]).astype(np.float32)
    assert np.array_equal(np.sort(together.view(f"V{4 * 11}").ravel()), np.sort(expected.view(f"V{4 * 11}").ravel()))


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"got 'digit'\. Did you mean 'digits'") as error:
        dataset("digit")
    assert all(name in str(error.value) for name in NAMES)


def test_a_file_is_split_with_equal_shares_of_classes(tmp_path: Path) -> None:
    data = dataset_of_file(saved(tmp_path, inputs=INPUTS, labels=LABELS))
    assert (data.task, data.classes, data.shape) == ("classification", 4, (3,))
    assert [len(data.inputs[split]) for split in SPLITS] == [20, 10, 10]
    assert np.array_equal(np.bincount(data.targets["train"]), [5, 5, 5, 5])
    rows = {tuple(row): label for row, label in zip(INPUTS.astype(np.float32), LABELS, strict=True)}
    for split in SPLITS:
        assert [rows[tuple(row)] for row in data.inputs[split]] == list(data.targets[split])


def test_a_file_of_targets_is_a_regression(tmp_path: Path) -> None:
    data = dataset_of_file(saved(tmp_path, inputs=INPUTS.reshape(40, 3, 1), targets=INPUTS.sum(axis=1, keepdims=True)))
    assert (data.task, data.classes, data.shape) == ("regression", 0, (3, 1))
    for split in SPLITS:
        assert data.targets[split] == pytest.approx(data.inputs[split].sum(axis=(1, 2)), abs=1e-6)


def test_a_file_may_say_how_many_classes_there_are(tmp_path: Path) -> None:
    assert dataset_of_file(saved(tmp_path, inputs=INPUTS, labels=LABELS, classes=6)).classes == 6


@pytest.mark.parametrize(
    ("arrays", "line"),
    [
        ({"inputs": INPUTS}, "must hold 'inputs' and either 'labels' or 'targets', got inputs. Save it"),
        ({"inputs": INPUTS, "labels": LABELS, "targets": LABELS}, "got inputs, labels, targets"),
        ({"inputs": INPUTS, "labels": LABELS[:-1]}, r"labels \(n,\), got \(40, 3\) and \(39,\)"),
        ({"inputs": INPUTS[:, 0], "labels": LABELS}, r"inputs must be \(n, ...\)"),
        ({"inputs": np.where(INPUTS > 2, np.nan, INPUTS), "labels": LABELS}, "inputs must be finite float32, got 1 "),
        ({"inputs": INPUTS * 1e300, "labels": LABELS}, "inputs must be finite float32, got 120 that are not"),
        ({"inputs": INPUTS, "targets": np.full(40, np.inf)}, "targets must be finite float32, got 40 "),
        ({"inputs": INPUTS.astype(str), "labels": LABELS}, "inputs must be real numbers, got <U32"),
        ({"inputs": INPUTS, "labels": LABELS - 1}, r"labels must be in \[0, 2\], got -1"),
        ({"inputs": INPUTS, "labels": LABELS, "classes": 3}, r"labels must be in \[0, 2\], got 3"),
        ({"inputs": INPUTS, "labels": LABELS, "classes": [3, 4]}, "classes must be one whole number"),
        ({"inputs": INPUTS, "labels": LABELS, "classes": -1}, "classes must be at least 2, got -1"),
        ({"inputs": INPUTS, "labels": LABELS + 0.5}, "labels must be whole numbers, got 0.5"),
        ({"inputs": INPUTS, "labels": np.where(LABELS, 0, LABELS)}, "at least 2 classes, got 1"),
        ({"inputs": INPUTS, "labels": np.arange(40) // 38}, "at least 4 examples, to be split, got 2 of class 1"),
        ({"inputs": INPUTS[:3], "targets": LABELS[:3]}, "examples must be at least 4, to be split, got 3"),
        ({"inputs": np.array([None, 1]), "labels": LABELS}, "must be a .npz of numbers"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_hold_data_is_refused_in_one_line(
    tmp_path: Path, arrays: dict[str, Any], line: str
) -> None:
    with pytest.raises(ValueError, match=line) as error:
        dataset_of_file(saved(tmp_path, **arrays))
    assert "\n" not in str(error.value)


def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("1, 2, 3")
    np.save(tmp_path / "single.npy", INPUTS)
    for name, line in (
        ("text.npz", "must be a .npz"),
        ("single.npy", "got: a single array"),
        ("none.npz", "must exist"),
    ):
        with pytest.raises(ValueError, match=line) as error:
            dataset_of_file(str(tmp_path / name))
        assert "\n" not in str(error.value)
