"""Compressed transformers: parameters and operations counted by hand, a real network's, and the published optima."""

import time

import numpy as np
import pytest

from designgym.cost_models import make_cost_model
from designgym.cost_models.base import Columns
from designgym.cost_models.picture_checks import check_pictures
from designgym.cost_models.pictures import Series
from designgym.cost_models.quantization.compressed_transformer import LEVELS, CompressedTransformer
from designgym.cost_models.quantization.compressed_transformer_pictures import front

CODEBERT = (50_265, 12, 768, 3072, 12)  # the network that is compressed; outside the space
PUBLISHED = (1000, 8, 96, 64, 12)  # the source's own network of 3 MB, as the commands of its package have it
S = 514


def columns(*designs: tuple[int, int, int, int, int]) -> Columns:
    return dict(zip(LEVELS, np.array(designs, np.int64).T, strict=True))


def priced(*designs: tuple[int, int, int, int, int], target_mb: float = 3.0) -> Columns:
    return CompressedTransformer(target_mb).evaluate(columns(*designs))


def some(n: int) -> Columns:
    rng = np.random.default_rng(0)
    return {name: rng.choice(list(values), n).astype(np.int64) for name, values in LEVELS.items()}


def shapes(v: int, d: int, f: int, layers: int) -> list[tuple[int, ...]]:
    """Return the shape of every tensor of RoBERTa's encoder with its pooler, and of the classifier of two classes."""
    linear = lambda rows, cols: [(rows, cols), (rows,)]  # noqa: E731
    norm = [(d,), (d,)]
    layer = 4 * linear(d, d) + norm + linear(f, d) + linear(d, f) + norm
    embeddings = [(v, d), (S, d), (1, d), *norm]
    return embeddings + layers * layer + linear(d, d) + linear(d, d) + linear(2, d)


@pytest.mark.parametrize("design", [PUBLISHED, CODEBERT, (50_000, 4, 768, 3040, 12), (1000, 1, 16, 32, 1)])
def test_parameters_are_those_of_all_tensors(design: tuple[int, int, int, int, int]) -> None:
    v, _, d, f, layers = design
    count = sum(int(np.prod(shape)) for shape in shapes(v, d, f, layers))
    got = priced(design)
    assert got["parameters"].tolist() == [count]
    assert got["size_mb"].tolist() == [4 * count / 1e6]


def test_roberta_base_has_the_parameters_it_is_known_for() -> None:
    # 124,645,632 with its pooler, as the model is distributed; then the source's dense layer and two logits.
    assert priced(CODEBERT)["parameters"].tolist() == [124_645_632 + 768 * 768 + 768 + 2 * 768 + 2]


def test_parameters_are_those_of_torchs_encoder() -> None:
    torch = pytest.importorskip("torch")
    d, h, f, layers = 96, 8, 64, 3
    encoder = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(d, h, f, batch_first=True), layers)
    count = sum(parameter.numel() for parameter in encoder.parameters())
    shallow, deep = priced((1000, h, d, f, 1), (1000, h, d, f, 1 + layers))["parameters"]
    assert deep - shallow == count


def operations(v: int, h: int, d: int, f: int, layers: int) -> int:
    """Count an input's operations product by product, as ELECTRA's rules have it: 2 for a multiply and an add."""
    multiply = lambda rows, inner, cols: 2 * rows * inner * cols  # noqa: E731
    dropout, norm = 4 * S * d, 5 * S * d
    embedded = multiply(S, v, d) + multiply(S, S + 2, d) + 2 * S * d + norm + dropout  # one-hot rows by tables; sums
    projected = 3 * (multiply(S, d, d) + S * d)
    scores = multiply(S, d, S) + h * S * S * (1 + 5 + 4)  # scaled, softmax, dropout
    mixed = multiply(S, S, d) + multiply(S, d, d) + S * d + dropout + S * d + 5 * S  # its norm as if d were 1
    fed = multiply(S, d, f) + 9 * S * f + multiply(S, f, d) + S * d + dropout + S * d + norm
    classified = multiply(S, d, d) + S * d + (4 + 8) * S * d + multiply(S, d, 1)
    return embedded + layers * (projected + scores + mixed + fed) + classified


def test_operations_are_those_counted_product_by_product() -> None:
    designs = some(200)
    counts = [operations(*row) / 1e9 for row in np.stack(list(designs.values()), axis=1).tolist()]
    assert CompressedTransformer().evaluate(designs)["gflops"].tolist() == counts


def test_both_counts_are_the_published_polynomials_everywhere() -> None:
    designs = some(50_000)
    v, h, d, f, n = designs.values()
    parameters = v * d + 517 * d + n * (4 * d**2 + 9 * d + 2 * d * f + f) + 2 * d**2 + 4 * d + 2
    layer = 8 * d**2 + 4 * d * S + 10 * S * h + 4 * d * f + 9 * f + 20 * d + 5
    flop = S * (n * layer + 2 * d * v + 2 * d * (S + 2) + 11 * d + 2 * d**2 + 15 * d)
    got = CompressedTransformer(25.0).evaluate(designs)
    assert np.array_equal(got["parameters"], parameters)
    assert np.array_equal(got["size_mb"], 4 * parameters / 1e6)
    assert np.array_equal(got["gflops"], flop / 1e9)
    assert np.array_equal(got["score"], flop / 1e9 - abs(4 * parameters / 1e6 - 25.0))
    assert not got["violation"].any()


def test_codebert_has_the_published_gflops() -> None:
    # 138.4 in the source's terms: Shi et al., arXiv:2309.04076, whose network of .8 GFLOPs is 173 times smaller.
    assert priced(CODEBERT)["gflops"][0] / 0.8 == pytest.approx(173, abs=0.5)


def test_the_figures_of_the_two_optima() -> None:
    got = priced(PUBLISHED, (1000, 8, 96, 32, 12))
    assert got["gflops"] == pytest.approx([2.2532, 2.1756], abs=5e-5)
    assert got["size_mb"] == pytest.approx([3.06164, 2.765192], abs=1e-9)
    assert got["score"][0] == pytest.approx(2.1915, abs=5e-5)


def test_a_batch_is_its_designs_one_by_one() -> None:
    designs = some(300)
    whole = CompressedTransformer().evaluate(designs)
    for row in range(300):
        one = CompressedTransformer().evaluate({name: column[[row]] for name, column in designs.items()})
        assert {name: column[row] for name, column in whole.items()} == {name: one[name][0] for name in one}


def test_heads_divide_hidden_throughout_the_space() -> None:
    assert all(hidden % heads == 0 for hidden in LEVELS["hidden"] for heads in LEVELS["heads"])


def test_ten_million_designs_take_less_than_a_second() -> None:
    designs = some(1_000_000)
    CompressedTransformer().evaluate(designs)
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        CompressedTransformer().evaluate(designs)
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.1


@pytest.mark.parametrize("target", [0, -3.0, float("nan"), float("inf"), "3", None, True])
def test_a_wrong_target_is_refused_in_a_line(target: object) -> None:
    with pytest.raises(ValueError, match=r"^target_mb must be a number above 0, got .*\. Choose 3, 25 or 50, say\.$"):
        CompressedTransformer(target)  # type: ignore[arg-type]


def test_the_registered_model_takes_the_target() -> None:
    assert make_cost_model("CompressedTransformer", target_mb=25) == CompressedTransformer(25)


def test_the_front_is_beaten_by_no_design_and_made_of_designs() -> None:
    model = CompressedTransformer()
    size, gflops = front(model, LEVELS)
    assert 100 < len(size) <= 301
    assert (np.diff(size) > 0).all()
    assert (np.diff(gflops) > 0).all()
    got = model.evaluate(some(200_000))
    for least, most in zip(size, gflops, strict=True):
        assert got["gflops"][got["size_mb"] <= least].max(initial=0.0) <= most
    assert gflops[size <= 3.0][-1] <= 2.1756078


def test_it_draws_designs_beside_the_front() -> None:
    designs = columns(PUBLISHED, (9000, 8, 48, 160, 12))
    check_pictures("CompressedTransformer", CompressedTransformer(), designs)
    (picture,) = CompressedTransformer().pictures(designs, ("best", "other"))
    best = next(mark for mark in picture.marks if mark.name == "best")
    assert isinstance(best, Series)
    assert (best.x.tolist(), best.y.tolist()) == ([3.06164], [2.253176568])
