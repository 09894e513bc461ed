"""The layers of published transformers, batch 1: every matrix multiply, attention's counted per head.

Each function cites the paper its shapes come from. Softmax, normalisation, activations, additions, biases and the
look-up of embeddings do no matrix arithmetic and are left out. In attention, a head's keys (then its values) stand
where a layer's weights do. Any length is priced, also one beyond what the network was trained for (512, 1,024).
"""

from designgym.cost_models.accelerator.layers import Layer, gemm_layer

BLOCKS = 12  # of both networks, as are the next four
HEADS = 12
WIDTH = 768
HEAD_WIDTH = WIDTH // HEADS
HIDDEN_WIDTH = 4 * WIDTH
GPT2_VOCABULARY = 50257


def bert_base(sequence: int = 128) -> tuple[Layer, ...]:
    """BERT-base on `sequence` tokens: 11.2 G multiply-accumulates at 128; the pooler is counted, task heads are not.

    Source: Devlin, Chang, Lee and Toutanova, NAACL 2019, arXiv:1810.04805, section 3: 12 blocks, width 768, 12 heads,
    hidden width 3,072. Queries, keys and values are three multiplies, as in its published code.
    """
    return (
        gemm_layer("attention.query_key_value", sequence, WIDTH, WIDTH, count=3 * BLOCKS),
        *_attention(sequence, sequence),
        gemm_layer("attention.output", sequence, WIDTH, WIDTH, count=BLOCKS),
        gemm_layer("intermediate", sequence, WIDTH, HIDDEN_WIDTH, count=BLOCKS),
        gemm_layer("output", sequence, HIDDEN_WIDTH, WIDTH, count=BLOCKS),
        gemm_layer("pooler", 1, WIDTH, WIDTH),
    )


def gpt2_prefill(sequence: int = 1024) -> tuple[Layer, ...]:
    """GPT-2 small reading a prompt of `sequence` tokens: 106.3 G multiply-accumulates at 1,024.

    Source: Radford et al., "Language models are unsupervised multitask learners", 2019, Table 2: 12 blocks, width 768,
    and the published code: queries, keys and values are one multiply.
    The language-model head is counted once, for the last token, which is all that generation needs (0.04 G; for every
    token it would be 39.5 G). The causal mask saves nothing: a dense array computes all of QK^T.
    """
    return _gpt2(queries=sequence, keys=sequence)


def gpt2_decode(context: int = 1024) -> tuple[Layer, ...]:
    """GPT-2 small making one token that attends to `context` tokens, itself included: 142.4 M multiplies at 1,024.

    Source: as `gpt2_prefill`. Earlier keys and values come from the cache, so every multiply has one row. The
    language-model head is counted.
    """
    return _gpt2(queries=1, keys=context)


def _gpt2(queries: int, keys: int) -> tuple[Layer, ...]:
    return (
        gemm_layer("attn.c_attn", queries, WIDTH, 3 * WIDTH, count=BLOCKS),
        *_attention(queries, keys),
        gemm_layer("attn.c_proj", queries, WIDTH, WIDTH, count=BLOCKS),
        gemm_layer("mlp.c_fc", queries, WIDTH, HIDDEN_WIDTH, count=BLOCKS),
        gemm_layer("mlp.c_proj", queries, HIDDEN_WIDTH, WIDTH, count=BLOCKS),
        gemm_layer("lm_head", 1, WIDTH, GPT2_VOCABULARY),
    )


def _attention(queries: int, keys: int) -> tuple[Layer, Layer]:
    """Return the two multiplies of one head, Q K^T and A V, for every head of every block."""
    return (
        gemm_layer("attention.qk", queries, HEAD_WIDTH, keys, count=BLOCKS * HEADS),
        gemm_layer("attention.av", queries, keys, HEAD_WIDTH, count=BLOCKS * HEADS),
    )
