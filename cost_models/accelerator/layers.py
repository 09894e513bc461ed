"""The layers that an accelerator computes: convolutions and matrix multiplies, as (m, k, n).

Output size and distinct addresses follow SCALE-Sim 3.0.0 (Samajdar et al., ISPASS 2020,
doi:10.1109/ISPASS48437.2020.00016).
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace

SIZES = ("ifmap_h", "ifmap_w", "filter_h", "filter_w", "channels", "filters", "stride_h", "stride_w", "count")
GEOMETRY = SIZES[:-1]  # what two equal layers share: every size but the count


@dataclass(frozen=True)
class Layer:
    """One convolution or GEMM, batch 1, dense, on already padded inputs.

    ifmap_h, ifmap_w, channels [word]: the input with its padding; filter_h, filter_w, filters: the weights, each filter
    as deep as the input; stride_h, stride_w [word]; all integers >= 1, the filter no larger than the input.
    count: how many equal layers this one stands for (heads, groups, channels of a depthwise layer, repeats). Every
    property below is of one copy.
    Dilation has no field: a dilated filter touches what a larger one does, see `onnx_import`.
    ValueError in one line when a size breaks a rule.
    """

    name: str
    ifmap_h: int
    ifmap_w: int
    filter_h: int
    filter_w: int
    channels: int
    filters: int
    stride_h: int = 1
    stride_w: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        for field in SIZES:
            object.__setattr__(self, field, _positive(self.name, field, getattr(self, field)))
        for axis in "hw":
            ifmap, filter_ = getattr(self, f"ifmap_{axis}"), getattr(self, f"filter_{axis}")
            if filter_ > ifmap:
                raise ValueError(
                    f"layer {self.name!r}: filter_{axis} must be in [1, {ifmap}] (ifmap_{axis}, padded), "
                    f"got {filter_}. Lower filter_{axis} or raise ifmap_{axis}."
                )

    @property
    def out_h(self) -> int:
        """Rows of the output, as SCALE-Sim counts them: one too many where (ifmap_h - filter_h) % stride_h is not 0."""
        return _windows(self.ifmap_h, self.filter_h, self.stride_h)

    @property
    def out_w(self) -> int:
        """Columns of the output, as SCALE-Sim counts them: see `out_h`."""
        return _windows(self.ifmap_w, self.filter_w, self.stride_w)

    @property
    def m(self) -> int:
        """Output pixels: rows of the equal matrix multiply C[m, n] = A[m, k] @ B[k, n]."""
        return self.out_h * self.out_w

    @property
    def k(self) -> int:
        """Length of one reduction."""
        return self.filter_h * self.filter_w * self.channels

    @property
    def n(self) -> int:
        """Filters: columns of the equal matrix multiply."""
        return self.filters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one copy; the layer costs `count` times as many."""
        return self.m * self.k * self.n

    @property
    def ifmap_words(self) -> int:
        """Distinct ifmap words that the windows of one copy touch: all of them where the stride is below the filter."""
        rows = _touched(self.ifmap_h, self.filter_h, self.stride_h)
        return rows * _touched(self.ifmap_w, self.filter_w, self.stride_w) * self.channels

    @property
    def divides(self) -> bool:
        """Whether the last window ends inside the ifmap on both axes; if not, m counts a partial row or column."""
        return (self.ifmap_h - self.filter_h) % self.stride_h == 0 and (
            self.ifmap_w - self.filter_w
        ) % self.stride_w == 0


def gemm_layer(name: str, m: int, k: int, n: int, count: int = 1) -> Layer:
    """Return C[m, n] = A[m, k] @ B[k, n] as a layer: an m x 1 ifmap of k channels under n filters of 1 x 1."""
    for size, value in (("m", m), ("k", k), ("n", n)):
        _positive(name, size, value)
    return Layer(name, m, 1, 1, 1, k, n, count=count)


def merge_equal(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Return the layers with those of one geometry joined: counts added, in order of first occurrence.

    A joined layer keeps the first one's name and says how many more it holds: "layer1.0.conv1 +3". Every sum over
    layers weighted by count is unchanged, so a model prices fewer rows for the same network.
    """
    groups: dict[tuple[int, ...], list[Layer]] = {}
    for layer in layers:
        groups.setdefault(tuple(getattr(layer, field) for field in GEOMETRY), []).append(layer)
    return tuple(_join(group) for group in groups.values())


def _join(group: list[Layer]) -> Layer:
    first = group[0]
    if len(group) == 1:
        return first
    return replace(first, name=f"{first.name} +{len(group) - 1}", count=sum(layer.count for layer in group))


def _positive(layer: str, field: str, value: object) -> int:
    """Return value as a Python int (NumPy's are welcome, True is not); ValueError names the layer and the field."""
    try:
        size = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        size = 0
    if size < 1 or isinstance(value, bool):
        raise ValueError(
            f"layer {layer!r}: {field} must be an integer >= 1, got {value!r}. Give it a whole positive size."
        )
    return size


def _windows(ifmap: int, filter_: int, stride: int) -> int:
    """Windows along one axis: ceil((ifmap - filter + stride) / stride)."""
    return -(-(ifmap - filter_ + stride) // stride)


def _touched(ifmap: int, filter_: int, stride: int) -> int:
    """Distinct words along one axis under any window; a last window that hangs over the end has no words there."""
    last_start = (_windows(ifmap, filter_, stride) - 1) * stride
    if stride < filter_:
        return min(last_start + filter_, ifmap)
    return last_start // stride * filter_ + min(filter_, max(ifmap - last_start, 0))
