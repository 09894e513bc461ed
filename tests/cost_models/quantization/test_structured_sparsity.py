"""Patterns of zeros: a table made by somebody else, the surgeon against algebra, M-FAC against the dense inverse."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.quantization.pruning import best_of_groups, hessian, inverse_product, pruned, surgery
from designgym.cost_models.quantization.structured_sparsity import PATTERNS, SALIENCIES, StructuredSparsity, kept_of
from designgym.envs import make_problem

TABLE = Path(__file__).parents[2] / "reference" / "quantization" / "quant_sparsity_lowrank.csv"
NETS = {"mlp": "mlp3", "cnn": "cnn4"}


def told(network: str, saliency: str) -> dict[str, dict[str, str]]:
    with TABLE.open() as file:
        rows = [row for row in csv.DictReader(file) if row["net"] == NETS[network] and row["family"] == "nm"]
    return {row["setting"]: row for row in rows if row["method"] == saliency and row["setting"] in PATTERNS}


def uniform(model: StructuredSparsity, pattern: str, saliency: str) -> dict[str, float]:
    places = PATTERNS.index(pattern), SALIENCIES.index(saliency)
    design = {name: np.array([place]) for pair in model.columns for name, place in zip(pair, places, strict=True)}
    return {name: float(column[0]) for name, column in model.evaluate(design).items()}


@pytest.mark.parametrize("network", NETS)
@pytest.mark.parametrize(("split", "short"), [("validation", "val"), ("test", "test")])
def test_magnitudes_are_those_of_the_table(network: str, split: str, short: str) -> None:
    rows = told(network, "magnitude")
    assert set(rows) == set(PATTERNS[1:])
    for pattern, row in rows.items():
        found = uniform(StructuredSparsity(network, split), pattern, "magnitude")
        assert found["nonzeros"] == float(row["stored_weights"])
        assert found["accuracy"] == pytest.approx(float(row[f"{short}_acc"]), abs=0.0023)
        assert found["nll"] == pytest.approx(float(row[f"{short}_nll"]), abs=5e-4)


@pytest.mark.parametrize("network", NETS)
@pytest.mark.parametrize("saliency", ["wanda", "obs"])
def test_the_others_are_near_those_of_the_table(network: str, saliency: str) -> None:
    """Which examples norms and Hessians came from, the table does not say; ours are all training ones."""
    for pattern in ("3:4", "2:4"):
        found = uniform(StructuredSparsity(network), pattern, saliency)
        assert found["accuracy"] == pytest.approx(float(told(network, saliency)[pattern]["val_acc"]), abs=0.02)


def test_the_surgeon_beats_magnitude_by_far() -> None:
    model = StructuredSparsity()
    assert uniform(model, "2:4", "obs")["accuracy"] >= uniform(model, "2:4", "magnitude")["accuracy"] + 0.08


def test_the_surgeon_takes_out_what_costs_least_and_moves_the_rest_best() -> None:
    """One weight out of four: its place and the others' values against least squares over every place."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 8)) @ rng.normal(size=(8, 8))
    column, own = rng.normal(size=8), hessian(inputs)
    found = surgery(column, np.linalg.inv(own), 3, 4)
    assert [int((found[first : first + 4] != 0).sum()) for first in (0, 4)] == [3, 3]
    losses = {}
    for out in itertools.product(range(4), range(4, 8)):
        kept = [place for place in range(8) if place not in out]
        moved = np.zeros(8)
        moved[kept] = column[kept] + np.linalg.solve(
            own[np.ix_(kept, kept)], own[np.ix_(kept, list(out))] @ column[list(out)]
        )
        losses[out] = float((moved - column) @ own @ (moved - column))
        if all(found[place] == 0 for place in out):
            assert found == pytest.approx(moved)
    chosen = tuple(np.flatnonzero(found == 0).tolist())
    assert losses[chosen] <= sorted(losses.values())[2], "one after the other, it is among the best of sixteen"


def test_patterns_keep_the_largest_of_each_group() -> None:
    scores = np.array([[3.0], [1.0], [2.0], [4.0], [5.0], [5.0]])
    assert best_of_groups(scores, 2, 4)[:, 0].tolist() == [True, False, False, True, True, True]
    assert best_of_groups(scores, 1, 4)[:, 0].tolist() == [False, False, False, True, True, False]
    assert [kept_of(pattern, 9) for pattern in ("dense", "2:4", "1:4", "4:8", "1:8")] == [9, 5, 3, 5, 2]
    rng = np.random.default_rng(0)
    weight, inputs = rng.normal(size=(9, 5)), rng.normal(size=(50, 9))
    for saliency in SALIENCIES:
        found = pruned(weight, 2, 4, saliency, inputs)  # type: ignore[arg-type]
        assert (found != 0).sum(axis=0).tolist() == [5] * 5
    with pytest.raises(ValueError, match="kept must be 1 to 4 of 4, got 0"):
        pruned(weight, 0, 4, "obs", inputs)


@pytest.mark.parametrize("damping", [1e-3, 0.1, 10.0])
def test_the_matrix_free_inverse_is_the_dense_one(damping: float) -> None:
    rng = np.random.default_rng(0)
    vectors, x = rng.normal(size=(40, 15)), rng.normal(size=(15, 4))
    fisher = damping * np.eye(15) + vectors.T @ vectors / 40
    assert inverse_product(vectors, damping, x) == pytest.approx(np.linalg.solve(fisher, x), rel=1e-9, abs=1e-9)
    assert inverse_product(vectors, damping, x[:, 0]) == pytest.approx(
        np.linalg.solve(fisher, x[:, 0]), rel=1e-9, abs=1e-9
    )
    with pytest.raises(ValueError, match="damping must be above 0, got 0"):
        inverse_product(vectors, 0.0, x)


@pytest.mark.parametrize("network", ["mlp", "cnn", "wine"])
def test_a_row_does_not_depend_on_the_others(network: str) -> None:
    problem = make_problem("StructuredSparsity-v0", network=network)
    designs = problem.space.sample(30, np.random.default_rng(0))
    together = problem.cost_model.evaluate(designs)
    for row in (0, 13, 29):
        alone = problem.cost_model.evaluate({name: column[row : row + 1] for name, column in designs.items()})
        assert all(column[0] == together[metric][row] for metric, column in alone.items())


def test_the_space_and_what_is_refused() -> None:
    assert make_problem("StructuredSparsity-v0").space.size == 19**3
    assert make_problem("StructuredSparsity-v0", network="cnn").space.size == 19**4
    whole = uniform(StructuredSparsity(), "dense", "obs")
    assert (whole["nonzero_ratio"], whole["accuracy_drop"]) == (1.0, 0.0)
    for options, why in (
        ({"network": "transformer"}, "unknown network 'transformer'"),
        ({"split": "train"}, "split must be one of validation, test"),
        ({"drop": 1.0}, r"drop must be in \[0, 1\), got 1"),
    ):
        with pytest.raises(ValueError, match=why):
            make_problem("StructuredSparsity-v0", **options)
