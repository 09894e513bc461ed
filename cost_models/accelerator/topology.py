"""Reads SCALE-Sim topology files: one layer a row, as a convolution or as a matrix multiply.

Source: the README and topology files of SCALE-Sim 3.0.0 (https://github.com/scalesim-project/SCALE-Sim).
"""

import csv
import itertools
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from designgym.cost_models.accelerator.layers import Layer, gemm_layer

CONV_SIZES = {
    "ifmap_h": "IFMAP Height",
    "ifmap_w": "IFMAP Width",
    "filter_h": "Filter Height",
    "filter_w": "Filter Width",
    "channels": "Channels",
    "filters": "Num Filter",
}
FORMS = f"'Layer name, {', '.join(CONV_SIZES.values())}, Strides,' or 'Layer, M, N, K,'"
DEPTHWISE = "DP"  # the tool's mark in a layer's name: one layer of one channel per channel


def read_topology(path: str | Path) -> tuple[Layer, ...]:
    """Return the layers of a SCALE-Sim topology CSV, in its order.

    The first row is a header and says which form the file has:
    - `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,` with padding
      already in the ifmap, or with `Stride height, Stride width,` in place of `Strides`;
    - `Layer, M, N, K,` in the order that the header gives.
    A column `Sparsity` must say dense (`1:1`); a column `Batch Size` multiplies the count. Trailing commas, blank rows,
    comments after `#` and notes after an empty cell are skipped. A layer with "DP" in its name is depthwise: it stands
    for one layer per channel.

    ValueError in one line names the file, the row (the header is row 1) and what is wrong. A layer whose windows do not
    end with its ifmap is warned about: its output has the tool's size, ceil((H - FH + s) / s), a partial row included.
    """
    rows = _rows(Path(path))
    number, header = next(rows, (1, []))
    header = list(itertools.takewhile(bool, header))
    keys = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in header]
    is_gemm = sorted(keys[1:4]) == ["k", "m", "n"]
    if not is_gemm and (len(keys) < 8 or any(key.isdigit() for key in keys)):
        raise ValueError(
            f"{path} row {number}: the header must be {FORMS}, got {', '.join(header)[:100] or 'an empty file'!r}."
        )
    layers = []
    for number, cells in rows:
        try:
            layers.append(_gemm_row(keys, cells) if is_gemm else _conv_row(keys, cells))
        except ValueError as error:
            raise ValueError(f"{path} row {number}: {error}") from None
        _warn_partial(f"{path} row {number}", layers[-1])
    if not layers:
        raise ValueError(
            f"{path} row {number + 1}: a topology must have at least one layer, got none. Add one below the header."
        )
    return tuple(layers)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield row number and cells, without comments, blank rows and the empty cells that a trailing comma leaves."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                comment = next((i for i, cell in enumerate(cells) if cell.startswith("#")), len(cells))
                cells = cells[:comment]
                while cells and not cells[-1]:
                    cells.pop()
                if cells:
                    yield reader.line_num, cells
    except FileNotFoundError:
        raise ValueError(f"workload file {path} must exist, found none. Check the path.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"workload file {path} must be a readable CSV text, got: {error}. Check the file.") from None


def _gemm_row(keys: list[str], cells: list[str]) -> Layer:
    _check_length(cells, 4, "Layer, M, N, K")
    sizes = {key: _size(key.upper(), cell) for key, cell in zip(keys[1:4], cells[1:4], strict=True)}
    count = _extras(keys[4:], cells[4:])
    return gemm_layer(cells[0], sizes["m"], sizes["k"], sizes["n"], count=count)


def _conv_row(keys: list[str], cells: list[str]) -> Layer:
    _check_length(cells, 8, f"Layer name, {', '.join(CONV_SIZES.values())}, Strides")
    sizes = {size: _size(column, cell) for (size, column), cell in zip(CONV_SIZES.items(), cells[1:7], strict=True)}
    # One stride for both axes, or a second one in the next cell: version 2 of the tool takes both under either header.
    named = sum(key.startswith("stride") for key in keys[7:9])
    beside = cells[8] if len(cells) > 8 else ""
    two = bool(beside) and (named == 2 or (len(keys) == 8 and ":" not in beside))
    stride_h = _size("Stride height", cells[7])
    stride_w = _size("Stride width", cells[8]) if two else stride_h
    count = _extras(keys[7 + named :], cells[9 if two else 8 :])
    layer = Layer(cells[0], **sizes, stride_h=stride_h, stride_w=stride_w, count=count)
    if DEPTHWISE in layer.name:
        return replace(layer, channels=1, count=count * layer.channels)
    return layer


def _check_length(cells: list[str], least: int, columns: str) -> None:
    if len(cells) < least:
        raise ValueError(f"a row must have at least {least} cells ({columns}), got {len(cells)}. Add what is missing.")


def _extras(keys: list[str], cells: list[str]) -> int:
    """Return how many copies the columns after the sizes ask for; refuse those that mean something else."""
    count = 1
    for i, cell in enumerate(cells):
        key = keys[i] if i < len(keys) else "sparsity" if ":" in cell else ""
        if key.startswith("batch"):
            count = _size("Batch Size", cell)
        elif key.startswith("sparsity"):
            kept, _, of = cell.partition(":")
            if kept.strip() != of.strip():
                raise ValueError(
                    f"Sparsity must be 1:1, for only dense layers are priced, got {cell!r}. Set it to 1:1."
                )
        elif not cell:
            break  # notes to the reader may follow an empty cell
        else:
            raise ValueError(
                f"cell {cell!r} must stand under a known column (Strides, Batch Size, Sparsity). Remove it."
            )
    return count


def _size(column: str, cell: str) -> int:
    try:
        size = int(cell)
    except ValueError:
        size = 0
    if size < 1:
        raise ValueError(f"{column} must be an integer >= 1, got {cell!r}. Correct the cell.")
    return size


def _warn_partial(where: str, layer: Layer) -> None:
    if layer.divides:
        return
    kept_h = layer.ifmap_h - (layer.ifmap_h - layer.filter_h) % layer.stride_h
    kept_w = layer.ifmap_w - (layer.ifmap_w - layer.filter_w) % layer.stride_w
    warnings.warn(
        f"{where}: layer {layer.name!r}: ifmap - filter is no multiple of the stride, so its output of "
        f"{layer.out_h} x {layer.out_w} counts a partial window, as SCALE-Sim does. "
        f"Use an ifmap of {kept_h} x {kept_w} to leave it out.",
        stacklevel=5,
    )
