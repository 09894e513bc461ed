"""The layers that an accelerator computes: convolutions and matrix multiplies, as (m, k, n).

Output size and distinct addresses follow SCALE-Sim 3.0.0 (Samajdar et al., ISPASS 2020,
doi:10.1109/ISPASS48437.2020.00016).
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace

SIZES = ("ifmap_h", "ifmap_w", "filter_h", "filter_w", "channels", "filters", "stride_h", "stride_w", "count")
GEOMETRY = SIZES[:-1]  # what two equal layers share: every size but the count
MAX_MACS = 2**53  # so that sums over a network stay exact in int64, and in float64


@dataclass(frozen=True)
class Layer:
    """One convolution or GEMM, batch 1, dense, on already padded inputs.

    ifmap_h, ifmap_w, channels [word]: the input with its padding; filter_h, filter_w, filters: the weights, each filter
    as deep as the input; stride_h, stride_w [word]; all integers >= 1, the filter no larger than the input.
    count: how many equal layers this one stands for (heads, groups, channels of a depthwise layer, repeats). Every
    property below is of one copy.
    At most 2**53 multiply-accumulates in all copies together. ValueError in one line when a size breaks a rule.
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
        if self.macs * self.count > MAX_MACS:
            raise ValueError(
                f"layer {self.name!r}: multiply-accumulates (m * k * n * count) must be at most 2**53, "
                f"got about 2**{(self.macs * self.count).bit_length()}. Make the layer smaller."
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


def conv_layer(
    name: str,
    out: tuple[int, int],
    kernel: tuple[int, int],
    channels: int,
    filters: int,
    stride: tuple[int, int] = (1, 1),
    groups: int = 1,
    count: int = 1,
) -> Layer:
    """Return the convolution that makes out[0] x out[1] pixels of `filters` channels from `channels` channels.

    Its ifmap is what the windows reach, (out - 1) * stride + kernel per axis, padding included: rows and columns that
    padding or an odd size leaves beyond the last window are cut off, so out is met exactly.
    groups > 1: `groups` copies, each of channels / groups channels and filters / groups filters; a depthwise layer
    (groups = channels) is so many layers of one channel. ValueError where the groups do not divide both.
    """
    for size, value in (("out_h", out[0]), ("out_w", out[1]), ("groups", groups), ("count", count)):
        _positive(name, size, value)
    for size, value in (("channels", channels), ("filters", filters)):
        if value % groups:
            raise ValueError(
                f"layer {name!r}: {size} must be a multiple of groups = {groups}, got {value}. Change either."
            )
    ifmap_h, ifmap_w = ((o - 1) * s + k for o, s, k in zip(out, stride, kernel, strict=True))
    depth, width, copies = channels // groups, filters // groups, groups * count
    return Layer(name, ifmap_h, ifmap_w, *kernel, depth, width, *stride, count=copies)


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
