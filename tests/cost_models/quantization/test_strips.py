"""Strips of layers: what compressed networks' cost models show of their designs, cell by cell."""

from typing import Any

import numpy as np
import pytest

from designgym.cost_models.pictures import Cells, Picture
from designgym.cost_models.quantization.networks import Layer
from designgym.cost_models.quantization.strips import Row, strips
from designgym.envs import make_problem


def drawn(problem_id: str, *designs: dict[str, Any], **options: Any) -> tuple[Picture, list[Cells]]:
    problem = make_problem(problem_id, **options)
    parsed = [problem.space.parse(design) for design in designs]
    columns = {name: np.concatenate([one[name] for one in parsed]) for name in problem.space.columns}
    (picture,) = problem.cost_model.pictures(columns, tuple(f"design {i}" for i in range(len(designs))))
    return picture, list(picture.marks)


def test_a_layers_head_says_its_share_of_the_work() -> None:
    # 64 x 32, 32 x 32 and 32 x 10 weights, each used once: of 3,392.
    picture, _ = drawn("MixedPrecision-v0", {})
    assert picture.x.names == (
        "layer1\n60\u00a0% of MACs", "layer2\n30\u00a0% of MACs", "layer3\n9\u00a0% of MACs"
    )  # fmt: skip
    small = strips(["one"], [Layer("a", 1, 1, 1), Layer("b", 100, 10, 1)], [[Row("r", (0, 1), ("x", "y"))]], "It is.")
    assert small[0].x.names[0] == "a\n<\u00a01\u00a0% of MACs"


def test_bits_of_weights_and_activations() -> None:
    bits = {"layer1_weight_bits": 2, "layer2_weight_bits": 5, "layer3_activation_bits": 4}
    picture, (one, other) = drawn("MixedPrecision-v0", bits, {})
    assert (one.name, other.name) == picture.panels == ("design 0", "design 1")
    assert one.rows == ("weights", "activations")
    assert one.texts == (("2", "5", "8"), ("8", "8", "4"))
    assert one.levels == pytest.approx(np.array([[0, 1 / 2, 1], [1, 1, 1 / 3]]))
    assert other.texts == (("8",) * 3,) * 2


def test_patterns_and_saliencies() -> None:
    design = {"layer1_pattern": "2:4", "layer1_saliency": "wanda", "layer3_pattern": "1:8"}
    _, (one,) = drawn("StructuredSparsity-v0", design)
    assert one.texts == (("2:4", "dense", "1:8"), ("wanda", "–", "obs"))
    assert one.levels[0] == pytest.approx([1 / 2, 1, 1 / 8])


def test_ranks() -> None:
    _, (one,) = drawn("LowRank-v0", {"layer1_rank": 12, "layer3_rank": 1})
    assert one.texts == (("12 of 32", "32 of 32", "1 of 10"),)
    assert one.levels[0] == pytest.approx([12 / 32, 1, 1 / 10])


def test_products_by_addition() -> None:
    design = {"layer1_mantissa_bits": 8, "layer2_offset": 6}
    _, (one,) = drawn("ApproximateMultiplier-v0", design)
    assert one.rows == ("mantissa bits", "offset l")
    assert one.texts == (("8", "4", "4"), ("3", "6", "3"))


def test_every_network_has_a_strip() -> None:
    for network in ("cnn", "transformer", "diabetes"):
        picture, (one,) = drawn("MixedPrecision-v0", {}, network=network)
        assert one.levels.shape == (2, len(picture.x.names))
