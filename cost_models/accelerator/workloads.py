"""Finds a workload by its name: a published network, one matrix multiply or convolution, or a file of layers.

Sources of the networks are cited in `networks_cnn` and `networks_transformer`, of the file formats in `topology` and
`onnx_import`.
"""

import difflib
import inspect
import re
from collections.abc import Callable, Iterable

from designgym.cost_models.accelerator.layers import Layer, conv_layer, gemm_layer, merge_equal
from designgym.cost_models.accelerator.networks_cnn import alexnet, mobilenetv2, resnet18, resnet50, vgg16
from designgym.cost_models.accelerator.networks_transformer import bert_base, gpt2_decode, gpt2_prefill
from designgym.cost_models.accelerator.topology import read_topology

__all__ = ["merge_equal", "workload", "workload_names"]

NETWORKS: dict[str, Callable[..., tuple[Layer, ...]]] = {
    "alexnet": alexnet,
    "vgg16": vgg16,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "mobilenetv2": mobilenetv2,
    "bert-base": bert_base,
    "gpt2-prefill": gpt2_prefill,
    "gpt2-decode": gpt2_decode,
}
OTHER_FORMS = (
    "gemm:m=...,k=...,n=..., conv:out=...,kernel=...,channels=...,filters=..., or a path that ends in .csv or .onnx"
)


def workload(name: str) -> tuple[Layer, ...]:
    """Return the layers of a workload, batch 1, in the network's order; equal ones are not merged (see `merge_equal`).

    name is one of
    - a network of `workload_names()`, some with a length: `bert-base:sequence=384`, `gpt2-prefill:sequence=512`,
      `gpt2-decode:context=256`;
    - `gemm:m=...,k=...,n=...`, one multiply C[m, n] = A[m, k] @ B[k, n];
    - `conv:out=...,kernel=...,channels=...,filters=...`, one convolution that makes out x out pixels, `stride=1` at a
      time, of an input that is padded already;
    - a path ending in `.csv`: a SCALE-Sim topology file (`read_topology`);
    - a path ending in `.onnx`: a model (`read_onnx`, needs the extra `onnx`), whose named dynamic sizes can be given:
      `model.onnx:batch=1,sequence=128`.
    ValueError in one line for a name, an option or a file that is wrong; an unknown name comes with the nearest one.
    """
    file = re.fullmatch(r"(.*\.(?:csv|onnx))(?::(.*))?", name, flags=re.IGNORECASE | re.DOTALL)
    if file:
        return _from_file(file[1], _options(name, file[2] or ""))
    base, _, text = name.partition(":")
    builders: dict[str, Callable[..., tuple[Layer, ...]]] = {**NETWORKS, "gemm": _gemm, "conv": _conv}
    if base not in builders:
        raise ValueError(
            f"workload must be one of {', '.join(NETWORKS)}, {OTHER_FORMS}; got {name!r}.{_nearest(base, builders)}"
        )
    options = _options(name, text)
    _check_options(base, options, inspect.signature(builders[base]))
    return builders[base](**options)


def workload_names() -> tuple[str, ...]:
    """Return the networks that `workload` knows by name, each usable as it is."""
    return tuple(NETWORKS)


def _gemm(m: int, k: int, n: int) -> tuple[Layer, ...]:
    return (gemm_layer("gemm", m, k, n),)


def _conv(out: int, kernel: int, channels: int, filters: int, stride: int = 1) -> tuple[Layer, ...]:
    return (conv_layer("conv", (out, out), (kernel, kernel), channels, filters, (stride, stride)),)


def _from_file(path: str, options: dict[str, int]) -> tuple[Layer, ...]:
    if path.lower().endswith(".onnx"):
        from designgym.cost_models.accelerator.onnx_import import read_onnx  # onnx is an extra, and slow to import

        return read_onnx(path, options)
    if options:
        raise ValueError(f"workload {path} takes no options, got {', '.join(options)}. Remove them after the colon.")
    return read_topology(path)


def _options(name: str, text: str) -> dict[str, int]:
    """Return "a=1,b=2" as a dict of positive integers."""
    options: dict[str, int] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not (key and equals and re.fullmatch(r"[0-9]+", value) and int(value) > 0):
            raise ValueError(
                f"workload {name!r}: options must read name=integer, the integer >= 1, got {item!r}. Correct it."
            )
        if key in options:
            raise ValueError(f"workload {name!r}: option {key!r} must be given once, got it twice. Remove one.")
        options[key] = int(value)
    return options


def _check_options(base: str, options: dict[str, int], signature: inspect.Signature) -> None:
    known = signature.parameters
    for key in options:
        if key not in known:
            allowed = f"one of {', '.join(known)}" if known else "left out, it has none"
            raise ValueError(f"workload {base!r}: an option must be {allowed}; got {key!r}.{_nearest(key, known)}")
    missing = [
        key for key, known_option in known.items() if known_option.default is known_option.empty and key not in options
    ]
    if missing:
        example = ",".join(f"{key}=..." for key in known)
        raise ValueError(f"workload {base!r}: {', '.join(missing)} must be given. Write {base}:{example}.")


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word.lower(), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
