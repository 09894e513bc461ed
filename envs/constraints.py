"""Constraints as short texts over columns: "tile_m * tile_n <= 4096", "dataflow != 'os'".

A text is parsed into a whitelisted expression tree, never handed to Python's own eval as it stands.
"""

import ast
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "min": np.minimum, "max": np.maximum, "log2": np.log2, "sqrt": np.sqrt,
    "ceil": np.ceil, "floor": np.floor,
}  # fmt: skip
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide, ast.Mod: np.mod, ast.Pow: np.power,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Array]] = {
    ast.LtE: np.less_equal, ast.GtE: np.greater_equal, ast.Lt: np.less, ast.Gt: np.greater,
    ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip
SMALLEST_EXCESS = 1e-12  # a broken strict inequality whose sides are equal is still a violation


def nearest(name: str, known: Sequence[str]) -> str:
    """Return "Did you mean 'x'?" for the known name closest to this one, else the names there are."""
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


@dataclass(frozen=True)
class Constraint:
    """One comparison between two expressions of numbers and column names.

    categories: for each categorical column its names, so that a text may say dataflow == 'ws'.
    """

    text: str
    names: tuple[str, ...]
    categories: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        self._tree  # noqa: B018  (a bad text fails here, where it is written)

    @cached_property
    def _tree(self) -> ast.Compare:
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"constraint {self.text!r} is not an expression: {error.msg}.") from None
        if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in COMPARISONS:
            raise ValueError(f"constraint {self.text!r} must be one comparison, such as 'area_mm2 <= 10'.")
        if isinstance(tree.ops[0], ast.Eq | ast.NotEq):
            tree = self._with_category_indices(tree)
        self._check(tree.left)
        self._check(tree.comparators[0])
        return tree

    def _with_category_indices(self, tree: ast.Compare) -> ast.Compare:
        sides = [tree.left, tree.comparators[0]]
        for name, text in (sides, sides[::-1]):
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant) and isinstance(text.value, str):
                choices = dict(self.categories).get(name.id, ())
                if text.value not in choices:
                    raise ValueError(
                        f"constraint {self.text!r}: {name.id} has no value {text.value!r}. "
                        + nearest(text.value, choices)
                    )
                return ast.Compare(name, tree.ops, [ast.Constant(choices.index(text.value))])
        return tree

    def _check(self, node: ast.AST) -> None:
        match node:
            case ast.Constant(value=int() | float()):
                return
            case ast.Name(id=name):
                if name not in self.names:
                    raise ValueError(f"constraint {self.text!r}: unknown name {name!r}. {nearest(name, self.names)}")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                self._check(left)
                self._check(right)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                self._check(operand)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                for arg in args:
                    self._check(arg)
            case _:
                raise ValueError(
                    f"constraint {self.text!r}: {ast.unparse(node)!r} is not allowed. Use numbers, names, "
                    f"+ - * / // % ** and {', '.join(FUNCTIONS)}."
                )

    @property
    def used(self) -> frozenset[str]:
        """Names of the columns that it reads."""
        return frozenset(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)) - FUNCTIONS.keys()

    def violation(self, columns: Mapping[str, Array]) -> Array:
        """Return max(0, excess) / max(|right side|, 1e-12), float64 (n,); 0 where it holds, or where a side is NaN."""
        op = type(self._tree.ops[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.asarray(_value(self._tree.left, columns), np.float64)
            right = np.asarray(_value(self._tree.comparators[0], columns), np.float64)
            broken = ~COMPARISONS[op](left, right) & ~np.isnan(left) & ~np.isnan(right)
            excess = np.abs(left - right) / np.maximum(np.abs(right), 1e-12)
        if op is ast.NotEq:
            excess = np.ones_like(excess)
        return np.where(broken, np.maximum(excess, SMALLEST_EXCESS), 0.0)


def _value(node: ast.AST, columns: Mapping[str, Array]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return columns[name]
        case ast.BinOp(left=left, op=op, right=right):
            return BINARY[type(op)](_value(left, columns), _value(right, columns))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, columns)
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(_value(arg, columns) for arg in args))
    raise AssertionError(f"unchecked node {ast.dump(node)}")
