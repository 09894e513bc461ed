"""Size and operations of a small transformer that classifies code: RoBERTa's architecture at a few megabytes.

Source: Shi, Yang, Xu, Kang and Lo, "Compressing Pre-trained Models of Code into 3 MB", ASE 2022,
doi:10.1145/3551349.3556964, arXiv:2208.07120, with the counts of their package, github.com/soarsmu/Compressor; those of
operations go back to Clark, Luong, Le and Manning, "ELECTRA", ICLR 2020, arXiv:2003.10555.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from designgym.cost_models.base import Columns, Metric
from designgym.cost_models.kernels import over_designs
from designgym.cost_models.pictures import Picture
from designgym.cost_models.quantization.compressed_transformer_pictures import pictures_of

SEQUENCE = 514  # positions of CodeBERT and GraphCodeBERT, the networks that are compressed
BYTE_PER_PARAMETER = 4  # float32

# FLOPs of one element, as the source counts them: a random number, comparison and two products; mean, variance and
# two of the affine map; the tanh form of GELU; shift, exp, sum and quotient.
DROPOUT, LAYER_NORM, GELU, SOFTMAX = 4, 5, 8, 5

# The space that the source searches.
VOCABULARY = range(1000, 50_001, 1000)
HEADS = (1, 2, 4, 8)
HIDDEN = range(16, 769, 16)
FEED_FORWARD = range(32, 3041, 32)
LAYERS = range(1, 13)
LEVELS = {"vocabulary": VOCABULARY, "heads": HEADS, "hidden": HIDDEN, "feed_forward": FEED_FORWARD, "layers": LAYERS}


def parameters_of(v: int, d: int, f: int, layers: int) -> int:
    """Return the parameters of a network of vocabulary v, width d, feed-forward width f."""
    embeddings = (
        v * d + SEQUENCE * d + 3 * d
    )  # tokens, positions; the one token type, and a layer norm's scale and bias
    attention = 4 * (d * d + d)  # queries, keys, values, output
    feed_forward = 2 * d * f + f + d
    head = 2 * (d * d + d) + 2 * d + 2  # pooler, dense, and the logits of two classes
    return embeddings + layers * (attention + feed_forward + 4 * d) + head


def flop_of(v: int, h: int, d: int, f: int, layers: int) -> int:
    """Return the operations of one forward pass over SEQUENCE tokens."""
    s = SEQUENCE
    embeddings = 2 * d * v + 2 * d * (s + 2) + 2 * d + (LAYER_NORM + DROPOUT) * d
    projections = 8 * d * d + 4 * d
    attention = 4 * d * s + (SOFTMAX + DROPOUT + 1) * s * h  # of one token to all others, in h heads
    feed_forward = 4 * d * f + (GELU + 1) * f + d
    # Two dropouts and two sums with what went around; the source counts one layer norm of d elements, and one of 1.
    around = 2 * (DROPOUT + 1) * d + LAYER_NORM * (d + 1)
    head = 2 * d * d + d + (DROPOUT + GELU) * d + 2 * d
    return s * (layers * (projections + attention + feed_forward + around) + embeddings + head)


@over_designs
def compressed_transformer(
    v: int, h: int, d: int, f: int, layers: int, target_mb: float
) -> tuple[float, float, float, float]:
    """Return size in MB, GFLOPs, parameters, and the published score of one network."""
    parameters = parameters_of(v, d, f, layers)
    size_mb = BYTE_PER_PARAMETER * parameters / 1e6
    gflops = flop_of(v, h, d, f, layers) / 1e9
    return size_mb, gflops, parameters, gflops - abs(size_mb - target_mb)


@dataclass(frozen=True)
class CompressedTransformer:
    """Encoders of `layers` layers for 514 tokens, with a classifier of two classes, in float32.

    target_mb: the size that the published score aims at, above 0; nothing else depends on it.
    No design is impossible: heads divide hidden wherever both are of the published space.
    Error: size_mb and parameters are exact, for the encoder with pooler that CodeBERT is and the source's classifier.
    gflops equals the source's count, which is a convention: a token is looked up by a product with the whole table of
    the vocabulary (2 v d), the classifier is counted at every token, dropout as in training, and one of a layer's two
    norms as if d were 1. The source maximises it as a stand-in for what a network can learn: no accuracy is priced.
    """

    target_mb: float = 3.0

    version = "1"

    def __post_init__(self) -> None:
        given = self.target_mb
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
            raise ValueError(f"target_mb must be a number above 0, got {given!r}. Choose 3, 25 or 50, say.")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What `evaluate` returns, besides "violation"."""
        return (
            Metric("size_mb", "MB", "lower", "size of the parameters in float32, 10^6 bytes"),
            Metric("gflops", "GFLOPs", "higher", "operations of one input, 10^9: the published stand-in for capacity"),
            Metric("parameters", "1", "lower", "parameters, embeddings and classifier included"),
            Metric("score", "1", "higher", f"the published score: gflops - |size_mb - {self.target_mb:g}|"),
        )

    def evaluate(self, designs: Columns) -> Columns:
        """designs: vocabulary, heads, hidden, feed_forward, layers, each int (n,). "violation" is always 0."""
        size_mb, gflops, parameters, score = compressed_transformer(
            designs["vocabulary"], designs["heads"], designs["hidden"], designs["feed_forward"], designs["layers"],
            float(self.target_mb),
        )  # fmt: skip
        violation = np.zeros(len(size_mb))
        return {
            "size_mb": size_mb, "gflops": gflops, "parameters": parameters, "score": score, "violation": violation
        }  # fmt: skip

    def pictures(self, designs: Columns, names: Sequence[str]) -> tuple[Picture, ...]:
        """Show operations against size, beside the most that any design of a size has."""
        return pictures_of(self, designs, names, LEVELS)
