"""Matrices of lower rank: a table made by somebody else, what is nearest in which sense, batches against one design."""

import csv
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.factors import low_rank
from designgym.cost_models.quantization.low_rank import LowRank
from designgym.envs import make_problem

TABLE = Path(__file__).parents[2] / "reference" / "quantization" / "quant_sparsity_lowrank.csv"
NETS = {"mlp": "mlp3", "cnn": "cnn4"}


def rows_of(network: str, method: str) -> list[dict[str, str]]:
    with TABLE.open() as file:
        return [row for row in csv.DictReader(file)
                if row["net"] == NETS[network] and row["family"] == "svd" and row["method"] == method]  # fmt: skip


def at_fractions(model: LowRank, rows: list[dict[str, str]]) -> dict[str, np.ndarray]:
    fractions = [float(row["setting"].partition("=")[2]) for row in rows]
    ranks = [[max(1, round(fraction * full)) for full in model.full_ranks] for fraction in fractions]
    return model.evaluate(dict(zip(model.columns, np.array(ranks).T, strict=True)))


@pytest.mark.parametrize("network", NETS)
@pytest.mark.parametrize(("split", "short"), [("validation", "val"), ("test", "test")])
def test_cut_decompositions_are_those_of_the_table(network: str, split: str, short: str) -> None:
    rows = rows_of(network, "plain")
    found = at_fractions(LowRank(network, split=split), rows)
    assert len(rows) == 7
    for k, row in enumerate(rows):
        assert found["stored_weights"][k] == float(row["stored_weights"])
        assert found["accuracy"][k] == pytest.approx(float(row[f"{short}_acc"]), abs=0.0023)  # an image
        assert found["nll"][k] == pytest.approx(float(row[f"{short}_nll"]), abs=5e-4)


@pytest.mark.parametrize("network", NETS)
def test_activation_aware_ones_are_near_those_of_the_table(network: str) -> None:
    """Which examples its inputs came from, the table does not say; ours are all training ones."""
    rows = [row for row in rows_of(network, "activation_aware") if float(row["setting"].partition("=")[2]) > 0.3]
    aware, plain = (at_fractions(LowRank(network, method), rows) for method in ("activation_aware", "plain"))
    for k, row in enumerate(rows):
        assert aware["accuracy"][k] == pytest.approx(float(row["val_acc"]), abs=0.05)
        assert aware["nll"][k] <= plain["nll"][k]


def test_each_method_is_nearest_in_its_own_sense() -> None:
    rng = np.random.default_rng(0)
    weight, inputs = rng.normal(size=(20, 12)), rng.normal(size=(300, 20)) * np.exp(rng.normal(size=20))
    for rank in (1, 4, 9):
        (plain,), (aware,) = low_rank(weight, range(rank, rank + 1)), low_rank(weight, range(rank, rank + 1), inputs)
        assert np.linalg.matrix_rank(plain) == np.linalg.matrix_rank(aware) == rank
        assert np.linalg.norm(plain - weight) < np.linalg.norm(aware - weight)
        assert np.linalg.norm(inputs @ (aware - weight)) < np.linalg.norm(inputs @ (plain - weight))
        other = aware + 1e-3 * np.outer(rng.normal(size=20), rng.normal(size=12)) @ np.linalg.pinv(aware) @ aware
        assert np.linalg.norm(inputs @ (aware - weight)) < np.linalg.norm(inputs @ (other - weight))
    assert low_rank(weight, range(12, 13), inputs)[0] == pytest.approx(weight)


@pytest.mark.parametrize("network", ["mlp", "cnn", "wine"])
def test_a_row_does_not_depend_on_the_others(network: str) -> None:
    model, rng = LowRank(network), np.random.default_rng(0)
    ranks = np.stack([rng.integers(1, full + 1, 30) for full in model.full_ranks], axis=1)
    ranks[10:20, 0] = ranks[0, 0]
    together = model.evaluate(dict(zip(model.columns, ranks.T, strict=True)))
    for row in (0, 13, 29):
        alone = model.evaluate(dict(zip(model.columns, ranks[row : row + 1].T, strict=True)))
        assert all(column[0] == together[metric][row] for metric, column in alone.items())


def test_the_space_and_what_is_refused() -> None:
    assert make_problem("LowRank-v0").space.size == 10_240
    assert make_problem("LowRank-v0", network="cnn").space.size == 20_480
    full = dict(zip(LowRank().columns, LowRank().full_ranks, strict=True))
    whole = make_problem("LowRank-v0").evaluate({name: np.array([rank]) for name, rank in full.items()})
    assert whole.metrics["stored_ratio"][0] == 1.0
    assert whole.metrics["accuracy"][0] == pytest.approx(zoo.record("mlp")["validation"]["accuracy"])
    for options, why in (
        ({"network": "diabetes"}, "unknown network 'diabetes'"),
        ({"method": "aware"}, "unknown method 'aware'"),
        ({"split": "train"}, "split must be one of validation, test"),
        ({"drop": 1.0}, r"drop must be in \[0, 1\), got 1"),
    ):
        with pytest.raises(ValueError, match=why):
            make_problem("LowRank-v0", **options)
