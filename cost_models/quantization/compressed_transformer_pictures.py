"""What compressed transformers look like: operations against size, beside the most that any network of a size has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.pictures import Axis, Picture, Series

if TYPE_CHECKING:
    from designgym.cost_models.quantization.compressed_transformer import CompressedTransformer

DRAWN = 300  # corners of the front at most: one of each of so many equal ratios of size


def pictures_of(
    model: CompressedTransformer, designs: Columns, names: Sequence[str], levels: Mapping[str, Sequence[int]]
) -> tuple[Picture, ...]:
    """Return one picture. levels: the values of each column, among which the front is looked for."""
    size, gflops = front(model, levels)
    target = np.full(2, float(model.target_mb))
    priced = model.evaluate(designs)
    marks = [
        Series("most GFLOPs of this size or less", size, gflops, "steps", quiet=True),
        Series(f"{model.target_mb:g} MB", target, np.array([gflops.min(), gflops.max()]), "lines", quiet=True),
    ]
    for row, name in enumerate(names):
        marks.append(Series(name, priced["size_mb"][[row]], priced["gflops"][[row]]))
    meaning = (
        "A point is a network. Faint, behind: the most operations that any network of the published space has at this "
        f"size or less, and the size aimed at. The published score trades {model.target_mb:g} MB for GFLOPs one by one."
    )
    x, y = Axis("size (MB)", log=True), Axis("GFLOPs", log=True)
    return (Picture("Operations and size", meaning, tuple(marks), x, y),)


def front(
    model: CompressedTransformer, levels: Mapping[str, Sequence[int]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sizes and GFLOPs of networks that no smaller one has as many GFLOPs as, increasing, each (corners,)."""
    # Heads add operations and no parameters: the front has as many of them as there may be.
    most = {name: [max(values)] if name == "heads" else list(values) for name, values in levels.items()}
    grid = np.meshgrid(*most.values(), indexing="ij")
    priced = model.evaluate({name: column.ravel() for name, column in zip(most, grid, strict=True)})
    order = np.argsort(priced["size_mb"], kind="stable")
    size, gflops = priced["size_mb"][order], priced["gflops"][order]
    best = np.maximum.accumulate(gflops)
    corners = np.flatnonzero(np.diff(best, prepend=0.0) > 0)
    size, gflops = size[corners], gflops[corners]
    ratio = np.log(size / size[0])
    # The last of each bin is the best of it; equal sizes stand in one bin.
    bins = np.floor(DRAWN * ratio / ratio[-1])
    last = np.flatnonzero(np.diff(bins, append=np.inf) > 0)
    return size[last], gflops[last]
