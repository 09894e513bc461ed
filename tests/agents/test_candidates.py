"""Candidates near a few designs: what they change, where they come from, and that none breaks a constraint."""

import numpy as np
import pytest

from designgym.agents import _pool_kernel as pools
from designgym.agents.archive import Archive
from designgym.agents.candidates import Candidates, Pool, some
from designgym.agents.places import Places
from designgym.agents.testing import CONDITIONAL, CONTINUOUS, FLAT
from designgym.envs import DesignSpace, Integer

RNG = np.random.default_rng(0)
CONSTRAINED = DesignSpace(Integer("rows", 1, 40), Integer("columns", 1, 40), constraints=["rows * columns <= 100"])
SHARES = {"elite": 0.5, "crossed": 0.0, "further": 0.0, "reach": 0.5}


def setting(space: DesignSpace, count: int, **shares: float) -> tuple[Candidates, Archive, Places]:
    """Candidates in a space, and an archive with some designs of it."""
    places = Places(space)
    archive = Archive(space, places)
    designs = space.sample(count, RNG)
    archive.add(archive.own(designs), places.of(designs), np.zeros(count))
    return Candidates(space, places, archive, RNG, **SHARES | shares), archive, places


@pytest.mark.parametrize("space", [FLAT, CONDITIONAL, CONTINUOUS, CONSTRAINED])
@pytest.mark.parametrize("count", [1, 5])
def test_candidates_are_legal_and_lie_where_they_say(space: DesignSpace, count: int) -> None:
    candidates, archive, places = setting(space, count, crossed=0.3, further=0.4)
    starts = archive.take(np.arange(count))
    found, where, start = candidates.near(starts, 400)
    columns = archive.columns(found)
    assert space.contains(columns).all()
    assert places.of(columns) == pytest.approx(where, abs=1e-12)
    assert 100 < len(where) <= 400
    assert set(start.tolist()) == set(range(count))


def test_of_an_illegal_design_legal_candidates_are_made() -> None:
    candidates, archive, _ = setting(CONDITIONAL, 5)
    starts = {name: column.copy() for name, column in archive.take(np.arange(5)).items()}
    starts["method"][:], starts["effort"][:] = 1, -3
    found, *_ = candidates.near(starts, 400)
    assert CONDITIONAL.contains(found).all()


@pytest.mark.parametrize("space", [FLAT, CONTINUOUS, CONSTRAINED])
def test_a_candidate_differs_from_its_start_in_one_place(space: DesignSpace) -> None:
    candidates, archive, _ = setting(space, 5)
    _, where, start = candidates.near(archive.take(np.arange(5)), 400)
    assert ((where != archive.places[start]).sum(axis=1) <= 1).all()
    if not space.constraints:
        assert (start == 4).mean() == pytest.approx(0.5, abs=0.1), "half of them begin at the last"


@pytest.mark.parametrize("space", [FLAT, CONDITIONAL])
def test_pools_are_joined_row_by_row(space: DesignSpace) -> None:
    candidates, archive, places = setting(space, 5)
    halves = []
    for _ in range(2):
        designs, where, _ = candidates.near(archive.take(np.arange(5)), 30)
        mean = where[:, 0].astype(np.float32)
        halves.append(Pool(designs, where, (mean, -mean)))
    both = halves[0].join(halves[1])
    assert (both.places == np.concatenate([half.places for half in halves])).all()
    assert (places.of(archive.columns(both.designs)) == both.places).all()
    mean, nearest = both.guesses
    assert (mean == both.places[:, 0].astype(np.float32)).all()
    assert (nearest == -mean).all()
    assert (places.of(archive.columns(some(both.designs, slice(3, 5)))) == both.places[3:5]).all()


def test_moves_stay_inside_and_change_what_they_should() -> None:
    cardinalities, ordered = np.array([5, 1, 3, 0]), np.array([True, True, False, True])
    starts = np.array([[0, 0, 1, 0.5], [4, 0, 2, 0.999]])
    out, start = pools.candidates(np.array([7], np.uint64), starts, 1000, cardinalities, ordered, 0.5, 0.0, 0.0, 0.5)
    centres = starts[start]
    assert 150 < (start == 0).sum() < 600, "half of them begin at one of the others, of which there is one"
    differs = out != centres
    assert set(differs.sum(axis=1).tolist()) <= {0, 1}
    assert (out >= 0).all()
    assert (out < [5, 1, 3, 1]).all()
    assert differs.any(axis=0).tolist() == [True, False, True, True]
    assert {0.0, 1.0, 2.0, 3.0} < set(out[start == 1, 0].tolist()) | {4.0}


def test_the_pools_generator_is_uniform_and_that_of_the_paper() -> None:
    state = np.array([1234567], np.uint64)
    first = [int(pools.uniform(state) * 2**53) for _ in range(3)]
    assert first == [word >> 11 for word in (6457827717110365317, 3203168211198807973, 9817491932198370423)]
    draws = np.array([pools.uniform(state) for _ in range(20_000)])
    assert np.histogram(draws, 10, (0, 1))[0] == pytest.approx(2000, abs=200)


def test_crossed_candidates_are_of_both_parents() -> None:
    starts = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    out, start = pools.candidates(
        np.array([7], np.uint64), starts, 1000, np.full(3, 3), np.zeros(3, bool), 0.0, 1.0, 0.5, 0.5
    )
    assert set(start.tolist()) == {2}
    assert ((out == 2).sum() / out.size) == pytest.approx(0.5, abs=0.05)
    assert not ((out == 0).any(axis=1) & (out == 1).any(axis=1)).any(), "one mate each"
    assert (out == 0).any(), "any of the others"
    assert (out == 1).any()


def test_a_candidate_goes_on_changing_with_the_chance_given() -> None:
    starts = np.zeros((2, 30))
    out, _ = pools.candidates(
        np.array([7], np.uint64), starts, 4000, np.full(30, 9), np.zeros(30, bool), 0.5, 0.0, 0.4, 0.5
    )
    assert (out != 0).sum(axis=1).mean() == pytest.approx(1 / (1 - 0.4), rel=0.05)
