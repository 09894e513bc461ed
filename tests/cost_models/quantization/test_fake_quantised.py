"""Networks in any format: the table of uniform minifloats, and what equalisation saves of raw measurements."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.fake_quantised import Setting, rounded_forward, smoothing_factors
from designgym.cost_models.quantization.formats import format_of
from designgym.cost_models.quantization.microscaling import MX
from designgym.cost_models.quantization.networks import forward, layers
from designgym.cost_models.quantization.scales import Scaling
from designgym.cost_models.quantization.scores import scores

FOLDER = Path(__file__).parents[2] / "reference" / "quantization"
NAMES = {"mlp3": "mlp", "cnn4": "cnn"}


def accuracy(name: str, setting: Setting, split: str = "validation", only: tuple[str, ...] = ()) -> float:
    network, data = zoo.network(name), dataset(zoo.DATASETS[name])
    plain = dataclasses.replace(setting, smoothing=None)
    settings = {layer.name: setting if not only or layer.name in only else plain for layer in layers(network)}
    outputs = rounded_forward(network, data, settings, data.inputs[split])
    return scores(data.task, outputs, data.targets[split])["accuracy"]


def uniform_rows() -> list[dict[str, str]]:
    with (FOLDER / "quant_uniform_digits.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    return [row for row in rows if row["quantised"] == "wa" and row["scale_rule"] == "mse"]


def told_float(net: str) -> float:
    with (FOLDER / "quant_uniform_digits.csv").open() as file:
        return next(float(row["accuracy"]) for row in csv.DictReader(file)
                    if row["net"] == net and row["format"] == "fp32" and row["split"] == "val")  # fmt: skip


@pytest.mark.parametrize("net", NAMES)
def test_drops_of_uniform_formats_are_within_the_bands_of_the_table(net: str) -> None:
    name, compared = NAMES[net], 0
    whole = zoo.record(name)["validation"]["accuracy"]
    for row in uniform_rows():
        bits = int(row["bits"])
        if row["net"] != net or bits < 4 or "M0" in row["format"] or row["format"].startswith("E1"):
            continue
        form = format_of(f"int{bits}" if row["family"] == "int" else row["format"])
        drop = whole - accuracy(name, Setting(form, form, Scaling("mse")))
        assert drop == pytest.approx(told_float(net) - float(row["accuracy"]), abs=0.015 if bits == 8 else 0.025), row
        compared += 1
    assert compared > 10


def test_equalisation_saves_integers_on_raw_measurements() -> None:
    """Columns of breast_cancer differ by factors of thousands: integers see few of them, floats all."""
    eight, four = format_of("int8"), format_of("int4")
    first = (layers(zoo.network("breast_cancer"))[0].name,)
    whole = zoo.record("breast_cancer")["validation"]["accuracy"]
    assert whole > 0.96
    assert accuracy("breast_cancer", Setting(eight, eight)) < 0.70
    assert accuracy("breast_cancer", Setting(format_of("E4M3"), format_of("E4M3"))) > 0.94
    for exponent in (0.5, 1.0):
        assert accuracy("breast_cancer", Setting(eight, eight, smoothing=exponent), only=first) > 0.95
        assert accuracy("breast_cancer", Setting(four, four, smoothing=exponent), only=first) > 0.92


def test_equalisation_changes_no_float() -> None:
    network, data = zoo.network("breast_cancer"), dataset("breast_cancer")
    inputs = data.inputs["validation"]
    smooth = {layer.name: Setting(smoothing=0.5) for layer in layers(network)}
    assert rounded_forward(network, data, smooth, inputs) == pytest.approx(forward(network, inputs), rel=1e-3, abs=1e-3)
    weight, seen = np.array([[2.0, -4.0], [0.0, 0.0], [1.0, 0.5]]), np.array([[9.0, 1.0, 0.0], [-1.0, 2.0, 0.0]])
    assert smoothing_factors(weight, seen, 0.5).tolist() == [1.5, 1.0, 1.0]
    assert smoothing_factors(weight, seen, 1.0).tolist() == [9.0, 1.0, 1.0]


def test_blocks_and_floats_go_through_every_network() -> None:
    for name in ("mlp", "cnn", "transformer"):
        whole = zoo.record(name)["validation"]["accuracy"]
        assert accuracy(name, Setting()) == pytest.approx(whole, abs=1e-9)
        assert accuracy(name, Setting(MX["mxint8"], MX["mxint8"])) == pytest.approx(whole, abs=0.015)
        assert accuracy(name, Setting(MX["mxfp4_e2m1"], None)) > 0.8


def test_what_does_not_fit_is_one_line() -> None:
    network, data = zoo.network("cnn"), dataset("digits")
    name = layers(network)[0].name
    with pytest.raises(ValueError, match="smoothing is for dense layers, got the convolution"):
        rounded_forward(network, data, {name: Setting(smoothing=0.5)}, data.inputs["test"])
    with pytest.raises(ValueError, match="settings must be of"):
        rounded_forward(network, data, {"conv9": Setting()}, data.inputs["test"])
    with pytest.raises(ValueError, match=r"smoothing must be in \[0, 1\], got 2"):
        Setting(smoothing=2.0)
