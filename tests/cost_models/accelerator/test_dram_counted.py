"""The counted DRAM rule against the plainest replay there is: sets of words, one at a time, every pass of them."""

import random
import time
from collections.abc import Iterator

import numpy as np
import pytest

from designgym.cost_models.accelerator.dram_counted import counted_words
from designgym.cost_models.accelerator.layers import GEOMETRY, Layer
from designgym.cost_models.accelerator.systolic_kernel import DATAFLOWS

OS, WS, IS = range(3)


def counted(layer: Layer, dataflow: int, rows: int, cols: int, kb: tuple[int, int, int]) -> list[int]:
    sizes = [getattr(layer, name) for name in GEOMETRY]
    return [int(words[0]) for words in counted_words(*(np.array([v]) for v in (dataflow, rows, cols, *kb, *sizes)))]


def misses(stream: Iterator[object], kb: int) -> int:
    """A buffer that forgets everything once it holds half of kb kB, in hundredths of the whole."""
    capacity, held, fetched = 50 * (1024 * kb // 100), set(), 0
    for word in stream:
        if word in held:
            continue
        fetched += 1
        held.add(word)
        if len(held) == capacity:
            held = set()
    return fetched


def ifmap_word(layer: Layer, pixel: int, tap: int) -> tuple[int, int, int] | None:
    row = pixel // layer.out_w * layer.stride_h + tap // (layer.filter_w * layer.channels)
    column = pixel % layer.out_w * layer.stride_w + tap // layer.channels % layer.filter_w
    return (row, column, tap % layer.channels) if row < layer.ifmap_h and column < layer.ifmap_w else None


def chunks(length: int, width: int) -> list[range]:
    return [range(start, min(start + width, length)) for start in range(0, length, width)]


def skewed(ports: range, steps: int) -> Iterator[tuple[int, int]]:
    """Yield (port, step) in the order in which a skewed stream enters: by cycle, then by port."""
    for cycle in range(steps + len(ports)):
        for offset, port in enumerate(ports):
            if 0 <= cycle - offset < steps:
                yield port, cycle - offset


def ifmap_stream(layer: Layer, dataflow: int, rows: int, cols: int) -> Iterator[object]:
    for fold in chunks(layer.m if dataflow == IS else layer.n, cols):
        for ports in chunks(layer.m if dataflow == OS else layer.k, rows):
            if dataflow == OS:
                pairs = list(skewed(ports, layer.k))
            elif dataflow == WS:
                pairs = [(pixel, tap) for tap, pixel in skewed(ports, layer.m)]
            else:
                pairs = [(pixel, tap) for tap in reversed(ports) for pixel in fold]
            yield from filter(None, (ifmap_word(layer, pixel, tap) for pixel, tap in pairs))


def filter_stream(layer: Layer, dataflow: int, rows: int, cols: int) -> Iterator[object]:
    for fold in chunks(layer.m if dataflow == IS else layer.n, cols):
        for ports in chunks(layer.m if dataflow == OS else layer.k, rows):
            if dataflow == OS:
                yield from skewed(fold, layer.k)
            elif dataflow == WS:
                yield from ((n, k) for k in reversed(ports) for n in fold)
            else:
                yield from ((n, k) for k, n in skewed(ports, layer.n))


def random_layer(rng: random.Random) -> Layer:
    filter_h, filter_w = rng.randint(1, 5), rng.randint(1, 5)
    ifmap = filter_h + rng.randint(0, 18), filter_w + rng.randint(0, 18)
    channels, filters = rng.choice([1, 3, 8, 24]), rng.choice([1, 5, 16, 40])
    return Layer("random", *ifmap, filter_h, filter_w, channels, filters, rng.randint(1, 4), rng.randint(1, 4))


@pytest.mark.parametrize("seed", range(60))
def test_reads_equal_a_plain_replay(seed: int) -> None:
    rng = random.Random(seed)
    layer, dataflow = random_layer(rng), rng.randrange(3)
    rows, cols = rng.choice([1, 2, 7, 16, 64]), rng.choice([1, 2, 7, 16, 64])
    kb = rng.choice([1, 2, 4]), rng.choice([1, 2, 4]), 8
    ifmap, filters, _ = counted(layer, dataflow, rows, cols, kb)
    assert ifmap == misses(ifmap_stream(layer, dataflow, rows, cols), kb[0])
    assert filters == misses(filter_stream(layer, dataflow, rows, cols), kb[1])


@pytest.mark.parametrize("dataflow", range(3))
def test_what_fits_is_fetched_once(dataflow: int) -> None:
    layer = Layer("fits", 34, 34, 3, 3, 16, 16)
    ifmap, filters, ofmap = counted(layer, dataflow, 16, 8, (2048, 2048, 2048))
    assert (ifmap, filters) == (layer.ifmap_words, layer.k * layer.n)
    assert ofmap >= layer.m * layer.n


def test_thousands_of_passes_cost_no_more_than_a_few() -> None:
    """On one column every filter is a pass of its own, and the buffer's behaviour soon repeats."""

    def ifmap_reads(filters: int) -> int:
        return counted(Layer("many filters", 10, 10, 3, 3, 8, filters), OS, 8, 1, (1, 1, 1))[0]

    few = [ifmap_reads(filters) for filters in (200, 300, 500)]
    assert few == [misses(ifmap_stream(Layer("few", 10, 10, 3, 3, 8, n), OS, 8, 1), 1) for n in (200, 300, 500)]
    started = time.thread_time()
    many = ifmap_reads(20_000)
    assert time.thread_time() - started < 5.0
    assert many / 20_000 == pytest.approx((few[2] - few[0]) / 300, rel=0.01)


def test_a_real_layer_takes_seconds() -> None:
    """VGG-16's conv4_1 on 8 x 8: 116 million ifmap accesses, as many partial sums."""
    layer = Layer("vgg16.conv4_1", 30, 30, 3, 3, 256, 512)
    counted(Layer("small", 5, 5, 3, 3, 1, 1), WS, 8, 8, (8, 8, 8))
    started = time.thread_time()
    ifmap, filters, ofmap = counted(layer, WS, 8, 8, (64, 64, 64))
    assert time.thread_time() - started < 20.0
    assert (ifmap, filters) == (layer.m * layer.k * 64, layer.k * layer.n)
    assert 0 <= ofmap - layer.m * layer.n * layer.k // 8 < 8


def test_rows_are_counted_side_by_side() -> None:
    rng = random.Random(5)
    layers = [random_layer(rng) for _ in range(40)]
    columns = [np.array([getattr(layer, name) for layer in layers]) for name in GEOMETRY]
    dataflows = np.arange(40) % len(DATAFLOWS)
    design = [np.full(40, value) for value in (8, 16, 1, 2, 1)]
    together = counted_words.parallel(dataflows, *design, *columns)
    for i, layer in enumerate(layers):
        assert [int(words[i]) for words in together] == counted(layer, int(dataflows[i]), 8, 16, (1, 2, 1))
