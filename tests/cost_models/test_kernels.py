"""over_designs: the same numbers as the scalar kernel, whatever the batch, the threads and the cache."""

import json
import os
import pickle
import subprocess
import sys
import time
from math import exp
from pathlib import Path

import numpy as np
import pytest

from designgym.cost_models.kernels import over_designs

BYTE_PER_ELEMENT = 2  # bfloat16
WEIGHTS = np.array([1.0, 0.5, 0.25])


@over_designs
def tiled_gemm(tile_m, tile_n, tile_k, m, n, k, buffer_byte, peak_flop_per_s, peak_byte_per_s):
    """Price one design: latency_s, and by what fraction its tiles overflow the buffer."""
    used = BYTE_PER_ELEMENT * (tile_m * tile_k + tile_k * tile_n + tile_m * tile_n)
    traffic = BYTE_PER_ELEMENT * (m * k * (n / tile_n) + k * n * (m / tile_m) + m * n)
    latency_s = max(2 * m * n * k / peak_flop_per_s, traffic / peak_byte_per_s)
    return latency_s, max(0.0, used / buffer_byte - 1.0)


def smooth(x: float) -> float:
    return exp(-x) ** 0.3


@over_designs
def over_layers(x, scale, layers):
    """A loop over a table, a helper in plain Python, an array read from the module, integers out."""
    total = 0.0
    for i in range(layers.shape[0]):
        total += layers[i, 0] / (x + layers[i, 1]) * WEIGHTS[i % 3]
    return total, smooth(x) * scale, int(x) // 2


GEMM_REST = (4096, 4096, 4096, 2**18, 9.9e14, 3.35e12)


def test_kernel_prices_a_batch_as_it_prices_one_design():
    tiles = 2 ** np.arange(4, 12)
    latency_s, overflow = tiled_gemm(tiles, tiles, tiles, *GEMM_REST)
    one_by_one = [tiled_gemm.function(int(t), int(t), int(t), *GEMM_REST) for t in tiles]
    assert latency_s.dtype == overflow.dtype == np.float64
    assert list(zip(latency_s, overflow, strict=True)) == one_by_one
    named = tiled_gemm(
        tile_m=tiles, tile_n=tiles, tile_k=tiles, m=4096, n=4096, k=4096, buffer_byte=2**18,
        peak_flop_per_s=9.9e14, peak_byte_per_s=3.35e12,
    )  # fmt: skip
    np.testing.assert_array_equal(named[0], latency_s)


def test_serial_and_threaded_runs_give_equal_bits_and_rows_do_not_know_their_place():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 50.0, 20_011)
    layers = rng.uniform(1.0, 9.0, (5, 2))
    serial, threaded, automatic = (f(x, 1.7, layers) for f in (over_layers.serial, over_layers.parallel, over_layers))
    for a, b, c in zip(serial, threaded, automatic, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()
    order = rng.permutation(len(x))[:1001]
    for whole, part in zip(serial, over_layers(x[order], 1.7, layers), strict=True):
        assert whole[order].tobytes() == part.tobytes()
    assert [v[0] for v in over_layers(x[:1], 1.7, layers)] == [v[0] for v in serial]


@pytest.mark.parametrize(
    "column",
    [
        [1, 2, 3],
        np.array([1, 2, 3], np.uint8),
        np.array([1, 2, 3], np.float32),
        np.array([1, 0, 2, 0, 3, 0])[::2],
        np.frombuffer(np.array([1.0, 2.0, 3.0]).tobytes()),
        np.array([1.0, 2.0, 3.0], ">f8"),
    ],
    ids=["list", "uint8", "float32", "strided", "read-only", "big-endian"],
)
def test_any_sort_of_column_will_do(column):
    layers = np.ones((4, 2))
    expected = over_layers(np.array([1.0, 2.0, 3.0]), 2.0, layers)
    for _ in range(2):  # the second call takes the short way
        for got, want in zip(over_layers(column, 2.0, layers), expected, strict=True):
            np.testing.assert_array_equal(got, want)
        over_layers(np.array([1.0]), 2.0, layers)


def test_no_design_is_a_batch_too():
    assert [v.shape for v in over_layers(np.empty(0), 1.0, np.ones((1, 2)))] == [(0,)] * 3


def test_a_float_given_for_a_former_integer_is_not_rounded():
    tiles = np.array([32])
    tiled_gemm(tiles, tiles, tiles, *GEMM_REST)
    finer = tiled_gemm(tiles, tiles, tiles, 4096.5, *GEMM_REST[1:])[0]
    assert finer[0] == tiled_gemm.function(32, 32, 32, 4096.5, *GEMM_REST[1:])[0]


def test_division_by_zero_is_inf_as_in_numpy():
    assert tiled_gemm(np.array([0.0]), np.array([8.0]), np.array([8.0]), *GEMM_REST)[0][0] == np.inf


def test_columns_of_two_lengths_are_named():
    three, four = np.ones(3), np.ones(4)
    tiled_gemm(three, three, three, *GEMM_REST)
    with pytest.raises(ValueError, match="columns must have one length, got tile_m 3, tile_n 4, tile_k 3"):
        tiled_gemm(three, four, three, *GEMM_REST)
    with pytest.raises(ValueError, match="got no column"):
        tiled_gemm(1, 1, 1, *GEMM_REST)


def test_what_is_no_number_is_refused_by_name():
    with pytest.raises(TypeError, match="tile_n must be a number, a column or a 2-D table of numbers, got str"):
        tiled_gemm(np.ones(1), "wide", 1, *GEMM_REST)
    with pytest.raises(TypeError, match="missing a required argument: 'peak_byte_per_s'"):
        tiled_gemm(np.ones(1), 1, 1, *GEMM_REST[:-1])


def test_a_kernel_that_cannot_be_compiled_says_why():
    settings = {"a": 1}
    single = over_designs(lambda x: x)
    with pytest.raises(TypeError, match=r"must return a tuple of numbers, got float64. For a single one write"):
        single(np.ones(1))
    with pytest.raises(TypeError, match="reads settings, a dict: a kernel may read numbers"):
        over_designs(lambda x: (x * settings["a"],))(np.ones(1))


def test_a_kernel_pickles_and_stands_for_itself():
    assert pickle.loads(pickle.dumps(tiled_gemm)) is tiled_gemm
    assert tiled_gemm.__name__ == "tiled_gemm"
    assert tiled_gemm.__doc__.startswith("Price one design")


def test_closures_with_different_constants_do_not_share_code():
    def scaled(factor):
        return over_designs(lambda x: (x * factor,))

    assert [scaled(f)(np.array([3.0]))[0][0] for f in (2.0, 5.0)] == [6.0, 15.0]


def test_one_design_costs_microseconds():
    args = (np.array([32]), np.array([32]), np.array([32]), *GEMM_REST)
    tiled_gemm(*args)
    best = min(_seconds(lambda: tiled_gemm(*args), 500) for _ in range(20))
    assert best < 50e-6  # 3 us on an idle core of 2.4 GHz


def _seconds(call, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


PRICES = "PRICE = {price}\n\n\ndef cost(x):\n    return PRICE * x + shift()\n\n\ndef shift():\n    return {shift}\n"
MODEL = """
from designgym.cost_models.kernels import over_designs
from prices import cost

FACTOR = {factor}

@over_designs
def total(x, table):
    return FACTOR * cost(x), x + table[0, 0]
"""
RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import model
assert "numba" not in sys.modules, "importing a kernel must not import Numba"
import numpy as np
import numba.core.event as event
with event.install_recorder("numba:run_pass") as passes:
    got = model.total(np.array([2.0]), np.ones((1, 1)))
print(json.dumps([got[0][0], got[1][0], len(passes.buffer)]))
"""


@pytest.fixture
def price(tmp_path):
    """Return a function that writes the two modules and prices x = 2 in a process of its own."""

    def run(factor=1.0, price=3.0, shift=0.5, cache=tmp_path / "cache", wait=True):
        for name, text in (("prices", PRICES.format(price=price, shift=shift)), ("model", MODEL.format(factor=factor))):
            (tmp_path / f"{name}.py").write_text(text)
            os.utime(tmp_path / f"{name}.py", (1e9, 1e9))  # as an edit within the resolution of a file's time
        env = {**os.environ, "DESIGNGYM_CACHE_DIR": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", RUN, str(tmp_path)]
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        return _result(process) if wait else process

    return run


def _result(process):
    out, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def test_an_edited_constant_changes_the_result_and_a_second_process_compiles_nothing(price):
    first, second = price(), price()
    assert first[:2] == second[:2] == [6.5, 3.0]
    assert first[2] > 0
    assert second[2] == 0
    assert price(factor=2.0)[0] == 13.0
    assert price(price=4.0)[0] == 8.5
    assert price(shift=1.5)[0] == 7.5
    assert price()[0::2] == [6.5, 0]


def test_the_cache_serves_a_module_under_another_name(price, tmp_path):
    assert price()[2] > 0
    for name in ("model", "prices"):
        (tmp_path / f"{name}.py").unlink()
    renamed = RUN.replace("import model", "import other as model")
    (tmp_path / "other.py").write_text(MODEL.format(factor=1.0).replace("prices", "costs"))
    (tmp_path / "costs.py").write_text(PRICES.format(price=3.0, shift=0.5))
    env = {**os.environ, "DESIGNGYM_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.Popen([sys.executable, "-c", renamed, str(tmp_path)], env=env, stdout=subprocess.PIPE)
    assert _result(process) == [6.5, 3.0, 0]


def test_processes_that_start_at_once_agree(price):
    racing = [price(wait=False) for _ in range(3)]
    assert [_result(process)[0] for process in racing] == [6.5] * 3
    assert price()[2] == 0


def test_an_unusable_cache_directory_is_passed_over(price, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert price(cache=tmp_path / "file" / "below")[0] == 6.5
    if sys.platform == "linux":
        assert list(Path(tmp_path / "home" / "designgym" / "kernels").glob("total_*.py"))
