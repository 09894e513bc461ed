"""The memory's table of keys against a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import designs_of, rows, spaces

from designgym.envs import DesignSpace
from designgym.envs.memory import Memory, keys_of


@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2))), max_size=6), st.integers(0, 30))
def test_the_table_is_a_dictionary(asked: list[list[tuple[int, int]]], budget: int) -> None:
    memory, known = Memory(2), dict[tuple[int, int], int]()
    for batch in asked:
        room = max(0, budget - memory.count)
        before = len(known)
        expected = []
        for key in batch:
            if key not in known and len(known) < before + room:
                known[key] = len(known)
            expected.append(known.get(key, -1))
        keys = np.array(batch, np.uint64).reshape(-1, 2) << np.uint64(57)  # differ in their highest bits only
        places, new = memory.insert(keys, room)
        assert places.tolist() == expected
        assert (memory.count, new) == (len(known), len(known) - before)


def test_a_hundred_thousand_keys_and_forgetting() -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**63, (100_000, 1)).astype(np.uint64)
    memory = Memory(1)
    places, new = memory.insert(keys, len(keys))
    assert new == len(keys)
    assert (places == np.arange(len(keys))).all()
    memory.forget(40_000)
    places, new = memory.insert(keys, 0)
    assert new == 0
    assert (places == np.where(np.arange(len(keys)) < 60_000, np.arange(len(keys)), -1)).all()


@given(spaces(large_too=True), st.data())
def test_keys_of_legal_designs_differ_where_the_designs_do(space: DesignSpace, data: st.DataObject) -> None:
    designs = data.draw(designs_of(space, 30))
    keys = keys_of(space, designs, space.violation(designs))
    assert len({tuple(key) for key in keys.tolist()}) == len(set(rows(designs)))
