"""The problem of mixed precision: its size, its stored optima, and a network that a user brings."""

from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.operations import Relu, Weighted
from designgym.envs import make_problem
from designgym.envs.optimum import find_optimum, known_optimum


@pytest.mark.parametrize(("network", "layers"), [("mlp", 3), ("cnn", 4), ("transformer", 8), ("diabetes", 3)])
def test_the_space_has_seven_widths_for_each_of_two_numbers_a_layer(network: str, layers: int) -> None:
    problem = make_problem("MixedPrecision-v0", network=network)
    assert problem.space.size == 7 ** (2 * layers)
    assert problem.objective.names == ("bit_operations_ratio",)
    whole = problem.evaluate({name: np.array([8]) for name in problem.space.columns})
    assert whole.metrics["bit_operations_ratio"][0] == 1.0


@pytest.mark.slow
def test_the_optimum_of_the_mlp_is_that_of_all_its_designs() -> None:
    problem = make_problem("MixedPrecision-v0")
    found, known = find_optimum(problem), known_optimum("MixedPrecision-v0", {}, problem)
    assert known is not None
    assert found.designs == known.designs
    assert (found.valid, found.feasible) == (117_649, known.feasible)


def test_a_front_has_two_objectives() -> None:
    problem = make_problem("MixedPrecision-v0", front=True)
    assert problem.objective.names == ("bit_operations_ratio", "accuracy")
    assert not problem.objective.subject_to


def test_a_network_of_ones_own_from_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes, weights, before = [], [], "x"
    for k, step in enumerate(zoo.network("mlp").steps):
        operation, after = step.operation, f"y{k}"
        if isinstance(operation, Weighted):
            weights += [
                numpy_helper.from_array(operation.weight, f"w{k}"),
                numpy_helper.from_array(operation.bias, f"b{k}"),
            ]
            nodes.append(helper.make_node("Gemm", [before, f"w{k}", f"b{k}"], [after], name=f"fc{k}"))
        else:
            assert isinstance(operation, Relu)
            nodes.append(helper.make_node("Relu", [before], [after], name=f"relu{k}"))
        before = after
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "mine", [helper.make_tensor_value_info("x", kind, ["n", 64])],
        [helper.make_tensor_value_info(before, kind, ["n", 10])], weights,
    )  # fmt: skip
    path, data = tmp_path / "mine.onnx", tmp_path / "mine.npz"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    digits = dataset("digits")
    inputs = np.concatenate([digits.inputs[split] for split in ("train", "validation", "test")])
    labels = np.concatenate([digits.targets[split] for split in ("train", "validation", "test")])
    np.savez(data, inputs=inputs, labels=labels)
    problem = make_problem("MixedPrecision-v0", network=str(path), data=str(data))
    assert problem.space.size == 7**6
    assert problem.space.columns[0] == "fc0_weight_bits"
    designs = {name: np.array([8, 2]) for name in problem.space.columns}
    found = problem.evaluate(designs)
    assert found.metrics["accuracy"][0] > 0.95 > found.metrics["accuracy"][1]
    np.savez(data, inputs=inputs, labels=9 - labels)
    assert problem.evaluate(designs).metrics["accuracy"].tolist() == found.metrics["accuracy"].tolist()
    np.savez(data, inputs=inputs, labels=labels + 5)
    with pytest.raises(ValueError, match="labels"):
        make_problem("MixedPrecision-v0", network=str(path), data=str(tmp_path / "mine.npz"), drop=0.02)


def test_wrong_options_are_one_line() -> None:
    with pytest.raises(ValueError, match=r"drop must be in \[0, 1\), got 1.5"):
        make_problem("MixedPrecision-v0", drop=1.5)
