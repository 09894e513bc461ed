"""Networks with L-Mul for products: layers against `l_mul` itself, batches against single designs, costs by hand."""

import numpy as np
import pytest

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.adder_layers import AdderLayers
from designgym.cost_models.quantization.approximate_multiplier import ApproximateMultiplier
from designgym.cost_models.quantization.datasets import dataset
from designgym.cost_models.quantization.lmul import l_mul
from designgym.cost_models.quantization.operations import Weighted
from designgym.cost_models.quantization.scores import scores
from designgym.envs import make_problem

FLOAT_NLL = zoo.record("mlp")["validation"]["nll"]


def designs_of(model: ApproximateMultiplier, chosen: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip([name for pair in model.columns for name in pair], chosen.T, strict=True))


def drawn(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(1, 9 if k % 2 == 0 else 7, n) for k in range(6)], axis=1)


@pytest.mark.parametrize("name", ["mlp", "wine"])
def test_outputs_are_sums_of_l_mul(name: str) -> None:
    network, data = zoo.network(name), dataset(zoo.DATASETS[name])
    model = ApproximateMultiplier(name)
    chosen = drawn(4)
    found = model.evaluate(designs_of(model, chosen))
    for row in range(len(chosen)):
        values, place = {"input": data.inputs["validation"].astype(np.float64)}, 0
        for step in network.steps:
            operation, x = step.operation, values[step.reads[0]]
            if isinstance(operation, Weighted):
                bits, offset = chosen[row, 2 * place : 2 * place + 2].tolist()
                products = l_mul(x[:, :, None], operation.weight[None].astype(np.float64), bits, offset)
                values[step.name] = products.sum(axis=1) + operation.bias
                place += 1
            else:
                values[step.name] = operation.apply(x)
        told = scores("classification", values[network.steps[-1].name], data.targets["validation"])
        assert found["accuracy"][row] == pytest.approx(told["accuracy"], abs=1e-12)
        assert found["nll"][row] == pytest.approx(told["nll"], rel=1e-9)


def test_a_row_does_not_depend_on_the_others() -> None:
    model, chosen = ApproximateMultiplier(), drawn(60, 1)
    chosen[20:40, :3] = chosen[0, :3]
    together = model.evaluate(designs_of(model, chosen))
    for row in (0, 21, 39, 59):
        alone = model.evaluate(designs_of(model, chosen[row : row + 1]))
        assert all(column[0] == together[metric][row] for metric, column in alone.items())


def test_energies_by_hand() -> None:
    """Eight mantissa bits: integers of 17 bits, by the law .03 pJ (n / 8)^.868, and .9 pJ for a float's sum."""
    model = ApproximateMultiplier()
    found = model.evaluate(designs_of(model, np.array([[8, 4, 8, 4, 8, 4]])))
    one_pj = 0.03 * (17 / 8) ** 0.8685 + 0.9
    assert found["energy_j"][0] == pytest.approx(3392 * one_pj * 1e-12, rel=1e-4)
    assert found["energy_ratio"][0] == pytest.approx(one_pj / 4.6, rel=1e-4)
    assert found["accuracy_drop"][0] == pytest.approx(0.0, abs=0.01)


def test_more_mantissa_bits_come_nearer_to_the_float_network() -> None:
    model = ApproximateMultiplier()
    found = model.evaluate(designs_of(model, np.array([[m, 4, m, 4, m, 4] for m in (1, 4, 8)])))
    assert abs(found["nll"][0] - FLOAT_NLL) > abs(found["nll"][2] - FLOAT_NLL)


def test_the_space_and_what_is_refused() -> None:
    problem = make_problem("ApproximateMultiplier-v0")
    assert problem.space.size == 110_592
    assert problem.objective.names == ("energy_ratio",)
    for options, why in (
        ({"network": "cnn"}, "network must be one of dense layers"),
        ({"split": "train"}, "split must be one of validation, test, got 'train'"),
        ({"drop": -1.0}, r"drop must be in \[0, 1\), got -1"),
    ):
        with pytest.raises(ValueError, match=why):
            make_problem("ApproximateMultiplier-v0", **options)
    with pytest.raises(ValueError, match="must be dense, got the convolution"):
        AdderLayers(zoo.network("cnn"), dataset("digits"))
