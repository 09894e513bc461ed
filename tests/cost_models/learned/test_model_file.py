"""A model file is read as it was written, or refused by name."""

import hashlib
import io
import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_problem import SPACE, registered, small_dataset

from designgym.cost_models.learned import model_file, trusted
from designgym.cost_models.learned.fitting import FittedSurrogate, fit_surrogate
from designgym.cost_models.learned.model_file import CARD, MODEL, ModelFileError, read_surrogate, write_surrogate
from designgym.cost_models.learned.regression import fit_metrics
from designgym.cost_models.learned.regressors import MODELS
from designgym.cost_models.learned.trees import check_trees
from designgym.cost_models.learned.trusted import OUR_TRUST, TRUSTED, UntrustedModel, packed, unpacked


@pytest.fixture(scope="module")
def fitted() -> Iterator[FittedSurrogate]:
    with pytest.MonkeyPatch.context() as patch:
        registered(patch)
        yield fit_surrogate(
            small_dataset(400), model="extra_trees", classifier="logistic", targets=["latency_s"], curve=False
        )


@pytest.fixture(scope="module")
def kept(fitted, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "model"
    write_surrogate(fitted, directory)
    return directory


@pytest.fixture
def copied(kept, tmp_path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "copy"))


def predictions(made: Any) -> dict[str, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made.evaluate(SPACE.sample(200, np.random.default_rng(3)))


def estimators(data: bytes) -> Any:
    import skops.io

    return skops.io.loads(data, trusted=list(OUR_TRUST))


def replaced(directory: Path, change: Callable[[Any], Any]) -> None:
    """Put another content into a model file, its SHA-256 into the card: the work of who can write both."""
    import skops.io

    changed = change(estimators((directory / MODEL).read_bytes()))
    data = changed if isinstance(changed, bytes) else skops.io.dumps(changed)
    (directory / MODEL).write_bytes(data)
    card = json.loads((directory / CARD).read_text())
    card["model"]["sha256"] = hashlib.sha256(data).hexdigest()
    (directory / CARD).write_text(json.dumps(card))


def test_it_is_read_as_it_was_written(fitted, kept) -> None:
    made, seen = read_surrogate(kept)
    assert seen.tolist() == fitted.seen.tolist()
    first, second = predictions(fitted.surrogate), predictions(made)
    assert all((first[name] == second[name]).all() for name in first)
    assert made.metrics == fitted.surrogate.metrics
    assert made.version == fitted.surrogate.version
    assert sorted(os.listdir(kept)) == [CARD, MODEL]


def test_the_card_says_what_the_model_is(fitted, kept) -> None:
    card = json.loads((kept / CARD).read_text())
    assert card["model"]["sha256"] == hashlib.sha256((kept / MODEL).read_bytes()).hexdigest()
    assert [column["name"] for column in card["space"]["columns"]] == list(SPACE.columns)
    assert card["metrics"][0]["unit"] == "s"
    assert card["origins"][0]["id"] == "OfflineSmall-v0"
    assert card["fit"]["decided"]["latency_s"]["models"] == {"extra_trees": 1.0}
    assert card["scores"][0]["metrics"]["latency_s"]["relative_rmse"] > 0
    assert card["libraries"].keys() >= {"scikit-learn", "skops"}
    assert card["domain"]["low"]["rows"] == 1.0


def test_another_file_than_the_cards_is_refused_before_it_is_opened(copied, monkeypatch) -> None:
    opened: list[bytes] = []
    monkeypatch.setattr(model_file, "unpacked", opened.append)
    data = bytearray((copied / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / MODEL).write_bytes(data)
    with pytest.raises(ModelFileError, match="is not the file that its card names"):
        read_surrogate(copied)
    assert opened == []


def test_a_foreign_class_is_refused_by_name(copied) -> None:
    from sklearn.svm import SVR

    replaced(copied, lambda held: held | {"regressors": {"x": SVR()}})
    with pytest.raises(ModelFileError, match=r"holds a sklearn\.svm\._classes\.SVR"):
        read_surrogate(copied)


def test_a_function_is_refused_by_name(copied) -> None:
    from sklearn.preprocessing import FunctionTransformer

    replaced(copied, lambda held: held | {"regressors": {"x": FunctionTransformer(np.sqrt)}})
    with pytest.raises(ModelFileError, match=r"FunctionTransformer|numpy\.sqrt|numpy\.ufunc"):
        read_surrogate(copied)


def test_a_class_named_as_a_trusted_one_but_loaded_otherwise_is_refused(copied) -> None:
    def disguised(held: Any) -> bytes:
        inside = zipfile.ZipFile(io.BytesIO((copied / MODEL).read_bytes()))
        schema = json.loads(inside.read("schema.json"))
        schema["__loader__"] = "OperatorFuncNode"
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            file.writestr("schema.json", json.dumps(schema))
        return out.getvalue()

    replaced(copied, disguised)
    with pytest.raises(ModelFileError, match="by 'OperatorFuncNode'"):
        read_surrogate(copied)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left_child", 10**6, "leads to node 1000000 of"),
        ("right_child", 0, "leads to node 0 of"),  # a circle
        ("feature", 99, "asks for column 99 of"),
        ("feature", -7, "asks for column -7 of"),
    ],
)
def test_a_corrupted_tree_is_refused_by_name(copied, field: str, value: int, said: str) -> None:
    def spoil(held: Any) -> Any:
        tree = held["regressors"]["extra_trees latency_s"].estimators_[3].tree_
        state = tree.__getstate__()
        state["nodes"] = state["nodes"].copy()
        state["nodes"][field][0] = value
        tree.__setstate__(state)
        return held

    replaced(copied, spoil)
    with pytest.raises(
        ModelFileError, match=f"corrupted tree, regressors extra_trees latency_s estimators_ 3 .*{said}"
    ):
        read_surrogate(copied)


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 77), ("is_categorical", 1)]
)
def test_a_corrupted_tree_of_boosting_is_refused_by_name(field: str, value: int) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    x = np.random.default_rng(0).random((300, 3))
    model = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5).fit(x, x[:, 0])
    check_trees({"boosting latency_s": model})
    model._predictors[2][0].nodes[field][0] = value
    with pytest.raises(UntrustedModel, match="corrupted tree, boosting latency_s _predictors 2 0"):
        unpacked(packed({"boosting latency_s": model}))


@pytest.mark.parametrize("field", ["values", "threshold", "value", "num_threshold"])
def test_a_tree_whose_numbers_are_none_is_refused_by_name(field: str) -> None:
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

    x = np.random.default_rng(0).random((60, 3))
    model: Any
    if field in ("value", "num_threshold"):
        model = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=5).fit(x, x[:, 0])
        model._predictors[1][0].nodes[field][2] = np.nan
    else:
        model = ExtraTreesRegressor(3, random_state=0).fit(x, x[:, 0])
        state = model.estimators_[1].tree_.__getstate__()
        (state["values"] if field == "values" else state["nodes"]["threshold"])[2] = np.nan
        model.estimators_[1].tree_.__setstate__(state)
    with pytest.raises(UntrustedModel, match=r"corrupted tree, .* 1.* node 2 has a value or threshold"):
        unpacked(packed(model))


def test_a_tree_of_another_width_than_its_forest_is_refused() -> None:
    from sklearn.ensemble import ExtraTreesRegressor

    x = np.random.default_rng(0).random((50, 5))
    narrow, wide = (ExtraTreesRegressor(3, random_state=0).fit(x[:, :k], x[:, 0]) for k in (2, 5))
    narrow.estimators_[1] = wide.estimators_[1]
    with pytest.raises(UntrustedModel, match="takes 5 columns where its model has 2"):
        unpacked(packed(narrow))


@pytest.mark.parametrize("model", [model for model in MODELS if model != "ensemble"])
def test_every_model_of_the_project_is_kept_and_read(model: str) -> None:
    data = small_dataset_of(60)
    values = {"latency_s": data.metrics["latency_s"]}
    made = fit_metrics(data.specs, data.designs, values, model=model)
    again = type(made).from_state(json.loads(json.dumps(made.state())), unpacked(packed(made.estimators)))
    assert np.array_equal(made.predict(data.designs)["latency_s"], again.predict(data.designs)["latency_s"])


def small_dataset_of(n: int) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        registered(patch)
        data = small_dataset(n)
    return data.take(data.feasible)


def test_a_model_of_another_package_is_not_kept(fitted, tmp_path) -> None:
    from sklearn.svm import SVR

    fitted.surrogate.regressors.estimators["other"] = SVR()
    try:
        with pytest.raises(ModelFileError, match=r"cannot be kept in a file: it holds a sklearn\.svm"):
            write_surrogate(fitted, tmp_path / "model")
    finally:
        del fitted.surrogate.regressors.estimators["other"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("limit", "said"), [("MOST_BYTE", "unpacks to"), ("SCHEMA_BYTE", r"has a schema\.json of")])
def test_a_file_that_unpacks_to_too_much_is_refused(kept, monkeypatch, limit: str, said: str) -> None:
    monkeypatch.setattr(trusted, limit, 99)
    with pytest.raises(ModelFileError, match=rf"{said} [0-9,]+ bytes, more than the 99 that are taken"):
        read_surrogate(kept)


def test_trust_never_comes_from_a_file() -> None:
    assert isinstance(TRUSTED, frozenset)
    assert set(OUR_TRUST) <= TRUSTED
    assert not any(name.startswith(("builtins.eval", "operator.", "functools.", "os.")) for name in TRUSTED)


def test_it_is_written_whole_or_not_at_all(fitted, copied, monkeypatch) -> None:
    before = {name: (copied / name).read_bytes() for name in os.listdir(copied)}

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_file.os, "fsync", full)
    with pytest.raises(ModelFileError, match="cannot be written: no space left"):
        write_surrogate(fitted, copied)
    assert {name: (copied / name).read_bytes() for name in os.listdir(copied)} == before
    assert os.listdir(copied.parent) == [copied.name]


def test_it_takes_the_place_of_a_model_and_of_nothing_else(fitted, copied, tmp_path) -> None:
    (copied / "report.html").write_text("old")
    assert write_surrogate(fitted, copied).version == read_surrogate(copied)[0].version
    assert sorted(os.listdir(copied)) == [CARD, MODEL]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "thesis.tex").write_text("dear")
    with pytest.raises(ModelFileError, match=r"holds other files \(thesis.tex\)"):
        write_surrogate(fitted, tmp_path / "notes")


def test_what_is_no_model_is_refused_in_a_line(copied, tmp_path) -> None:
    with pytest.raises(ModelFileError, match=r"holds no model: it has no model\.json"):
        read_surrogate(tmp_path / "nowhere")
    card = json.loads((copied / CARD).read_text())
    (copied / CARD).write_text(json.dumps(card | {"format": 99}))
    with pytest.raises(ModelFileError, match="must be of format 1, got 99"):
        read_surrogate(copied)
    del card["state"]["intervals"]["latency_s"]
    (copied / CARD).write_text(json.dumps(card))
    with pytest.raises(ModelFileError, match="does not fit together"):
        read_surrogate(copied)
    (copied / CARD).write_text("{")
    with pytest.raises(ModelFileError, match="is damaged or no card"):
        read_surrogate(copied)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("state", "intervals", "latency_s", "edges"), [3.0, 2.0]),
        (("state", "intervals", "latency_s", "reach"), []),
        (("state", "intervals", "latency_s", "counts"), [0]),
        (("state", "regressors", "targets", 0, "kind"), "cube"),
        (("state", "regressors", "targets", 0, "scale"), "1"),
        (("state", "regressors", "targets", 0, "scale"), -1.0),
        (("state", "regressors", "encoding", "specs", 0, "name"), "height"),
        (("state", "regressors", "encoding", "extras"), [{"name": "x", "log": False, "centre": 0.0, "scale": 1.0}]),
        (("state", "regressors", "members", 0, "metrics"), ["energy_j"]),
        (("state", "regressors", "members", 0, "sees"), "everything"),
        (("state", "feasibility", "share"), "all"),
        (("domain", "reach"), None),
        (("domain", "low"), {}),
        (("domain", "high", "rows"), "many"),
        (("metrics", 0, "name"), "energy_j"),
        (("libraries",), []),
    ],
)
def test_a_card_edited_by_hand_is_refused_in_a_line_when_it_is_read(copied, place: tuple[Any, ...], value: Any) -> None:
    card = json.loads((copied / CARD).read_text())
    inner = card
    for step in place[:-1]:
        inner = inner[step]
    assert inner[place[-1]] != value
    inner[place[-1]] = value
    (copied / CARD).write_text(json.dumps(card))
    with pytest.raises(ModelFileError, match="does not fit together") as refused:
        read_surrogate(copied)
    assert "\n" not in str(refused.value)


def test_another_scikit_learn_is_said(copied) -> None:
    card = json.loads((copied / CARD).read_text())
    card["libraries"]["scikit-learn"] = "1.0.2"
    (copied / CARD).write_text(json.dumps(card))
    with pytest.warns(UserWarning, match=r"fitted with scikit-learn 1\.0\.2"):
        read_surrogate(copied)
