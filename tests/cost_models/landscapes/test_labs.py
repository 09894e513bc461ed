"""Low-autocorrelation binary sequences: energies by hand, and the published optima."""

import csv
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.landscapes.labs import LABS, labs_energy
from designgym.envs import make_problem
from designgym.envs.optimum import known_optimum

TABLE = Path(__file__).parents[2] / "reference" / "landscapes" / "labs.csv"
PUBLISHED = {int(row["length"]): int(row["energy"]) for row in csv.DictReader(TABLE.open())}


@pytest.mark.parametrize("length", [2, 3, 20, 47, 62])
def test_energy_is_the_sum_of_squared_autocorrelations(length: int) -> None:
    bits = np.random.default_rng(length).integers(2, size=(200, length))
    signs = 1 - 2 * bits
    energy = [sum(int(row[k:] @ row[: length - k]) ** 2 for k in range(1, length)) for row in signs]
    got = LABS(length).evaluate({f"s{i}": bits[:, i] for i in range(length)})
    assert got["energy"].tolist() == energy
    assert got["merit_factor"] == pytest.approx(length**2 / (2 * np.array(energy)))


@pytest.mark.parametrize("length", range(3, 22))
def test_the_best_of_all_sequences_is_the_published_one(length: int) -> None:
    energy, _ = labs_energy(np.arange(2 ** (length - 1)), length)  # the sign of a whole sequence changes nothing
    assert energy.min() == PUBLISHED[length]


def test_the_stored_optimum_is_the_published_one() -> None:
    optimum = known_optimum("LABS-v0", {}, make_problem("LABS-v0"))
    assert optimum is not None
    assert optimum.loss == PUBLISHED[20]


def test_a_barker_sequence_of_13_has_the_largest_merit_factor_known() -> None:
    barker = [0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0]
    got = LABS(13).evaluate({f"s{i}": np.array([bit]) for i, bit in enumerate(barker)})
    assert got["energy"].tolist() == [6]
    assert got["merit_factor"][0] == pytest.approx(14.083, abs=5e-4)


@pytest.mark.parametrize("length", [1, 63, 2.5])
def test_a_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"length must be a whole number in \[2, 62\]"):
        LABS(length)
