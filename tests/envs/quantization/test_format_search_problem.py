"""The problem of number formats: its size, its stored optima, and a network that a user brings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.agents import search
from designgym.cost_models.quantization import format_search, zoo
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.operations import Relu, Weighted
from designgym.envs import make_problem
from designgym.envs.optimum import find_optimum, known_optimum

ID = "FormatSearch-v0"
DENSE = (7 * 7 * 3 * 3 + 24 * 3 * 3 + 18 + 7 * 3 * 3 + 2 * 7 * 3 * 3) * 5  # family by family, and 5 ways of smoothing
SHORT = (7 * 7 * 3 * 2 + 24 * 3 * 2 + 18 + 7 * 3 * 2 + 2 * 7 * 3 * 2) * 5  # without groups
METHODS = 3 * 2 * 2


@pytest.mark.parametrize(
    ("network", "size", "together"),
    [
        ("mlp", DENSE * SHORT**2, DENSE), ("cnn", SHORT // 5 * (DENSE // 5) ** 2 * DENSE, DENSE),
        ("transformer", SHORT**8, SHORT), ("diabetes", SHORT**3, SHORT),
    ],
)  # fmt: skip
def test_the_space_is_what_its_families_come_to(network: str, size: int, together: int) -> None:
    """Groups are left out where a layer's inputs, or those of all that have one format, are no more than one."""
    assert (DENSE, SHORT) == (4320, 2910)
    problem = make_problem(ID, network=network)
    assert problem.space.size == size * METHODS > 10**9
    assert not problem.space.constraints
    assert make_problem(ID, network=network, tied=True).space.size == together * METHODS
    assert problem.objective.names == ("total_energy_j",)
    assert problem.objective.subject_to == (("r2" if network == "diabetes" else "accuracy") + "_drop <= 0.01",)


def test_what_does_not_matter_to_a_family_is_idle() -> None:
    space = make_problem(ID, tied=True).space
    for family, own in (
        ("integer", {"bits", "activation_bits", "rule", "granularity"}),
        ("minifloat", {"exponent_bits", "mantissa_bits", "rule", "granularity"}),
        ("microscaling", {"element", "block"}),
        ("ternary", {"activation_bits", "rule", "granularity"}),
        ("mixture", {"mixture_bits", "activation_bits", "rule", "granularity"}),
    ):
        awake = {name for name, matters in space.active(space.parse({"family": family})).items() if matters[0]}
        assert awake == own


def test_the_true_optimum_of_one_format_for_all() -> None:
    problem = make_problem(ID, tied=True)
    known = known_optimum(ID, {"tied": True}, problem)
    assert known is not None
    assert known.valid == 51_840
    drawn = problem.evaluate(problem.space.sample(500, np.random.default_rng(1)))
    assert known.losses[0] < drawn.losses[drawn.feasible, 0].min()
    front = known_optimum(ID, {"tied": True, "front": True}, make_problem(ID, tied=True, front=True))
    assert front is not None
    assert front.front_losses.shape[1] == 2
    assert len(front.front_losses) > 10


@pytest.mark.slow
def test_the_optimum_of_one_format_for_all_is_that_of_all_its_designs() -> None:
    problem = make_problem(ID, tied=True)
    found, known = find_optimum(problem), known_optimum(ID, {"tied": True}, problem)
    assert known is not None
    assert (found.designs, found.feasible) == (known.designs, known.feasible)


@pytest.mark.slow
def test_formats_of_their_own_beat_one_for_all() -> None:
    """The best of three searches of 3,000 of the whole space: 2.49 nJ, where the tied one's true optimum has 2.60.

    Of ten searches the best finds 2.43, and six less than that optimum.
    """
    known = known_optimum(ID, {"tied": True}, make_problem(ID, tied=True))
    problem = make_problem(ID)
    found = [search(problem, "genetic", 3000, seed).best for seed in range(3)]
    assert known is not None
    assert min(one.metrics["total_energy_j"] for one in found if one) < known.metrics["total_energy_j"]


def test_a_search_beats_drawing_at_random() -> None:
    problem = make_problem(ID)
    found, drawn = (search(problem, agent, 300, 0).best for agent in ("local_search", "random"))
    assert found is not None
    assert drawn is not None
    assert found.metrics["total_energy_j"] < drawn.metrics["total_energy_j"]


def test_a_front_has_two_objectives() -> None:
    assert make_problem(ID, front=True).objective.names == ("total_energy_j", "accuracy")
    assert make_problem(ID, network="diabetes", front=True).objective.names == ("total_energy_j", "r2")
    assert make_problem(ID, objective="model_byte").objective.names == ("model_byte",)


def test_on_a_front_a_nanojoule_moves_the_reward() -> None:
    """The default design's reward is its accuracy less 1; half the energy is worth half of that 1."""
    problem = make_problem(ID, front=True)
    priced = problem.evaluate(problem.space.parse({}))
    assert priced.reward[0] == pytest.approx(priced.metrics["accuracy"][0] - 1.0)
    half = priced.metrics | {"total_energy_j": priced.metrics["total_energy_j"] / 2, "violation": priced.violation}
    assert problem.objective(half).reward[0] == pytest.approx(priced.reward[0] + 0.5)
    designs = problem.space.sample(60, np.random.default_rng(0))
    told = problem.evaluate(designs)
    assert not np.array_equal(np.argsort(told.reward), np.argsort(told.metrics["accuracy"]))


@pytest.mark.parametrize(
    ("design", "why"),
    [
        ({"family": "minifloat", "exponent_bits": 0}, r"exponent_bits must be an integer in \[2, 5\], got 0"),
        ({"bits": 1}, r"bits must be an integer in \[2, 8\], got 1"),
        ({"family": "float"}, "family must be one of integer, minifloat, .* got 'float'"),
        ({"rounding": "awq"}, "rounding must be one of nearest, gptq, learned, got 'awq'"),
    ],
)  # fmt: skip
def test_a_format_that_cannot_exist_is_refused_in_a_line(design: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        make_problem(ID, tied=True).space.parse(design)
    assert "\n" not in str(caught.value)


def test_a_network_of_ones_own_from_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes, weights, before = [], [], "x"
    for k, step in enumerate(zoo.network("wine").steps):
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
        nodes, "mine", [helper.make_tensor_value_info("x", kind, ["n", 13])],
        [helper.make_tensor_value_info(before, kind, ["n", 3])], weights,
    )  # fmt: skip
    path, data = tmp_path / "mine.onnx", tmp_path / "mine.npz"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    own = dataset("wine")
    np.savez(
        data,
        inputs=np.concatenate([own.inputs[split] for split in ("train", "validation", "test")]),
        labels=np.concatenate([own.targets[split] for split in ("train", "validation", "test")]),
    )
    problem = make_problem(ID, network=str(path), data=str(data))
    assert problem.space.size == SHORT**3 * METHODS
    found = problem.evaluate(problem.space.parse({"fc0_family": "minifloat", "rounding": "learned"}))
    assert found.metrics["accuracy"][0] > 0.9
    version = problem.cost_model.version
    np.savez(data, inputs=own.inputs["train"], labels=own.targets["train"])
    again = problem.evaluate(problem.space.parse({"fc0_family": "minifloat", "rounding": "learned"}))
    assert again.metrics["accuracy"].tolist() == found.metrics["accuracy"].tolist(), "what was read is kept"
    format_search._parts.cache_clear()  # as in another process, which has read nothing
    format_search._walk.cache_clear()
    with pytest.raises(ValueError, match=r"must stay as they were when the problem was made[^\n]*$"):
        problem.evaluate(problem.space.parse({}))
    other = make_problem(ID, network=str(path), data=str(data))
    assert other.cost_model.version != version


def test_wrong_options_are_one_line() -> None:
    with pytest.raises(ValueError, match=r"drop must be in \[0, 1\), got 1.5"):
        make_problem(ID, drop=1.5)
