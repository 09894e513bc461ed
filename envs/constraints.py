"""Constraints as short texts over columns: "tile_m * tile_n <= 4096", "dataflow != 'os'".

A text is parsed into a whitelisted expression tree, never handed to Python's own eval as it stands.
"""

import ast
import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.registry import nearest

Array = NDArray[Any]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "min": np.minimum, "max": np.maximum, "log2": np.log2, "sqrt": np.sqrt,
    "ceil": np.ceil, "floor": np.floor,
}  # fmt: skip
OF_SEVERAL = ("min", "max")
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.true_divide,
    ast.FloorDiv: np.floor_divide, ast.Mod: np.mod, ast.Pow: np.power,
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.LtE: operator.le, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.Gt: operator.gt,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq,
}  # fmt: skip
SMALLEST_EXCESS = 1e-12  # a broken strict inequality whose sides are equal is still a violation
LARGEST_EXCESS = 1e300  # an infinite violation would say that the evaluation failed
DEEPEST = 100  # nesting of an expression; one deeper is no constraint but an attack on Python's stack


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
        except (RecursionError, MemoryError):
            raise ValueError(f"constraint {self.text[:40]!r}... is nested too deeply. Split it.") from None
        if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or type(tree.ops[0]) not in COMPARISONS:
            raise ValueError(f"constraint {self.text!r} must be one comparison, such as 'area_mm2 <= 10'.")
        if isinstance(tree.ops[0], ast.Eq | ast.NotEq):
            tree = self._with_category_indices(tree)
        self._check(tree.left, DEEPEST)
        self._check(tree.comparators[0], DEEPEST)
        left, right = tree.left, tree.comparators[0]
        if _names_of(right) and not _names_of(left):
            # The bound stands on the right, for the excess is a share of it.
            return ast.Compare(right, [MIRRORED[type(tree.ops[0])]()], [left])
        return tree

    def _with_category_indices(self, tree: ast.Compare) -> ast.Compare:
        sides = [tree.left, tree.comparators[0]]
        for name, text in (sides, sides[::-1]):
            if isinstance(name, ast.Name) and isinstance(text, ast.Constant) and isinstance(text.value, str):
                choices = dict(self.categories).get(name.id, ())
                if text.value not in choices:
                    hint = nearest(text.value, choices) if choices else "It is no categorical parameter."
                    raise ValueError(f"constraint {self.text!r}: {name.id} has no value {text.value!r}. {hint}")
                return ast.Compare(name, tree.ops, [ast.Constant(choices.index(text.value))])
        return tree

    def _check(self, node: ast.AST, depth: int) -> None:
        if not depth:
            raise ValueError(f"constraint {self.text[:40]!r}... is nested too deeply. Split it.")
        match node:
            case ast.Constant(value=int() | float() as value) if abs(value) <= LARGEST_EXCESS:
                return
            case ast.Name(id=name):
                if name not in self.names:
                    raise ValueError(f"constraint {self.text!r}: unknown name {name!r}. {nearest(name, self.names)}")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                self._check(left, depth - 1)
                self._check(right, depth - 1)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                self._check(operand, depth - 1)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                if (len(args) < 2) if name in OF_SEVERAL else (len(args) != 1):
                    wanted = "two or more arguments" if name in OF_SEVERAL else "one argument"
                    raise ValueError(f"constraint {self.text!r}: {name} takes {wanted}, got {len(args)}.")
                for arg in args:
                    self._check(arg, depth - 1)
            case _:
                part = ast.get_source_segment(self.text.strip(), node) or type(node).__name__
                raise ValueError(
                    f"constraint {self.text!r}: {part!r} is not allowed. Use numbers, names, "
                    f"+ - * / // % ** and {', '.join(FUNCTIONS)}."
                )

    @cached_property
    def used(self) -> frozenset[str]:
        """Names of the columns that it reads."""
        return _names_of(self._tree)

    @property
    def limit(self) -> tuple[str, float, float] | None:
        """Name, number, and 1 for an upper limit or -1 for a lower one, as of "area_mm2 <= 10"; None of other forms."""
        left, right, op = self._tree.left, self._tree.comparators[0], self._tree.ops[0]
        if not isinstance(left, ast.Name) or _names_of(right) or isinstance(op, ast.Eq | ast.NotEq):
            return None
        return left.id, float(_value(right, {})), 1.0 if isinstance(op, ast.LtE | ast.Lt) else -1.0

    @cached_property
    def _bound(self) -> tuple[str, float] | None:
        """Name and number of the commonest form, "area_mm2 <= 10", which takes one design a microsecond; else None."""
        match self._tree:
            case ast.Compare(left=ast.Name(id=name), comparators=[ast.Constant(value=int() | float() as value)]):
                return name, float(value)
        return None

    def violation(self, columns: Mapping[str, Array]) -> Array:
        """Return max(0, excess) / max(|bound|, 1e-12), float64 (n,), in float64 throughout; 0 where it holds.

        0 also where a column that it reads is NaN; 1 where its own arithmetic has no value (0 / 0).
        """
        op = type(self._tree.ops[0])
        if self._bound is not None and len(columns[self._bound[0]]) == 1:
            value = float(columns[self._bound[0]].item())
            return np.array([0.0 if value != value else _excess(op, value, self._bound[1])])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            left = np.asarray(_value(self._tree.left, columns))
            right = np.asarray(_value(self._tree.comparators[0], columns))
            if left.size == right.size == 1:
                one = _excess(op, left.item(), right.item())
                return np.array([float(not self._missing(columns).all()) if one is None else one])
            holds = COMPARISONS[op](left, right)
            if holds.all():
                return np.zeros(holds.shape)
            excess = np.abs(left - right) / np.maximum(np.abs(right), 1e-12)
        if op is ast.NotEq:
            excess = np.ones_like(excess)
        excess = np.where(holds, 0.0, np.clip(excess, SMALLEST_EXCESS, LARGEST_EXCESS))
        return np.where(np.isnan(excess), ~self._missing(columns), excess) if np.isnan(excess).any() else excess

    def holds(self, columns: Mapping[str, Array]) -> Array:
        """Where it holds, bool (n,): `violation(columns) == 0`, but for a missing metric, in a third of the time."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            left, right = _value(self._tree.left, columns), _value(self._tree.comparators[0], columns)
            return np.asarray(COMPARISONS[type(self._tree.ops[0])](left, right))

    def _missing(self, columns: Mapping[str, Array]) -> Array:
        """Where a column that it reads is NaN."""
        return np.any([np.isnan(columns[name]) for name in self.used], axis=0)


def _excess(op: type[ast.cmpop], left: float, right: float) -> float | None:
    """Return the violation of one design, None where it is NaN; arrays of one element take four times as long."""
    if COMPARISONS[op](left, right):
        return 0.0
    if op is ast.NotEq:
        return 1.0
    excess = abs(left - right) / max(abs(right), 1e-12)
    return min(max(excess, SMALLEST_EXCESS), LARGEST_EXCESS) if excess == excess else None


def _names_of(tree: ast.AST) -> frozenset[str]:
    """Names of columns in an expression; those of functions are none."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called)


def _value(node: ast.AST, columns: Mapping[str, Array]) -> Any:
    """Evaluate in float64: int64 would wrap around, and refuses negative powers."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return np.float64(value)
        case ast.Name(id=name):
            return np.asarray(columns[name], np.float64)
        case ast.BinOp(left=left, op=op, right=right):
            return BINARY[type(op)](_value(left, columns), _value(right, columns))
        case ast.UnaryOp(operand=operand):
            return -_value(operand, columns)
        case ast.Call(func=ast.Name(id=name), args=args):
            values = [_value(arg, columns) for arg in args]
            return functools.reduce(FUNCTIONS[name], values) if name in OF_SEVERAL else FUNCTIONS[name](*values)
    raise AssertionError(f"unchecked node {ast.dump(node)}")
