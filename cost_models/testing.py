"""The contract of a cost model as one call: `check_cost_model(model, designs)`.

A broken rule is an AssertionError that states the rule, the value found and the remedy. Nothing here needs pytest.
"""

import pickle
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, CostModel, Draws, Explains, Metric, batch_length
from designgym.cost_models.kernels import PARALLEL_FROM

DIMENSIONLESS = ("", "1", "%")
SINGLE_ROWS = 25  # designs that are priced one by one as well


def require(condition: Any, message: str | Callable[[], str]) -> None:
    """AssertionError with the message where the condition does not hold; python -O leaves it in.

    message: a text, or what makes one, where that takes longer than the check.
    """
    if not condition:
        raise AssertionError(message if isinstance(message, str) else message())


def pickled_copy(what: str, value: Any) -> Any:
    """Return a copy through pickle; AssertionError where that fails."""
    try:
        return pickle.loads(pickle.dumps(value))
    except Exception as error:
        raise AssertionError(
            f"{what} must pickle, got {type(error).__name__}: {error}. Write its functions at module level, and keep "
            "open files out of it."
        ) from error


def check_cost_model(model: CostModel, designs: Columns, large_batch: bool = True) -> None:
    """Check everything that others rely on. designs: a few hundred or more that the model should price, each (n,).

    large_batch: price them also over and over in one batch, so large that kernels run on all threads.
    A model with `slow = True` is not asked for more than these rows, and for them four times.
    """
    n = batch_length(designs)
    require(n >= 2, f"check_cost_model needs at least 2 designs, got {n}. Draw some with space.sample(300, rng).")
    name = type(model).__name__
    check_metrics(model)
    slow = bool(getattr(model, "slow", False))
    priced = _priced_without_side_effects(name, model, designs)
    check_priced(name, model, designs, priced)
    _check_equal(
        name, "deterministic", priced, _evaluate(name, model, designs), "Draw nothing at random and keep no state."
    )
    _check_row_independence(name, model, designs, priced, slow, large_batch)
    _check_pickles(name, model, designs, priced)
    if not slow:
        empty = {key: column[:0] for key, column in designs.items()}
        check_priced(name, model, empty, _evaluate(name, model, empty))
    if isinstance(model, Explains):
        _check_reasons(name, model, designs, priced)
    if isinstance(model, Draws):
        from designgym.cost_models.picture_checks import check_pictures

        check_pictures(name, model, _rows(designs, np.flatnonzero(priced["violation"] == 0)[:2]))


def check_metrics(model: CostModel) -> None:
    """Check what a model says of itself: its version, and its metrics with their units."""
    name = type(model).__name__
    version = getattr(model, "version", None)
    require(
        isinstance(version, str) and version and version == model.version,
        f"{name}.version must be one text that is not empty, got {version!r}. It keys stored results: write version = "
        "'1', and change it whenever a number changes.",
    )
    metrics = getattr(model, "metrics", None)
    require(
        isinstance(metrics, tuple) and metrics and all(isinstance(m, Metric) for m in metrics),
        f"{name}.metrics must be a tuple of Metric that is not empty, got {metrics!r}. Write metrics = (Metric(...),).",
    )
    assert metrics is not None
    names = [metric.name for metric in metrics]
    require(
        len({*names, "violation"}) == len(names) + 1,
        f"{name}.metrics must have different names, none of them 'violation', got {names}. Rename or drop one.",
    )
    for metric in metrics:
        require(
            metric.better in ("lower", "higher"),
            f"{name}.{metric.name}: better must be 'lower' or 'higher', got {metric.better!r}. Give one of the two.",
        )
        require(metric.meaning, f"{name}.{metric.name} must say what it means, got ''. Give Metric(meaning=...).")
        check_suffix(name, metric)


def check_suffix(model: str, metric: Metric) -> None:
    """Check that a metric's name ends in its unit: latency_s, edp_js, sram_words; one without unit needs no ending.

    After the unit there may be which end of an interval it is: latency_s_lo90, latency_s_hi90.
    """
    stem = re.sub(r"_(lo|hi)\d+$", "", metric.name)
    suffix = re.sub(r"\W+", "", metric.unit.replace("/", "_per_")).lower()
    if metric.unit not in DIMENSIONLESS:
        fits = any(f"_{stem}".endswith(f"_{ending}") for ending in (suffix, f"{suffix}s"))
        require(
            fits,
            f"{model}: the name of a metric in {metric.unit} must end in its unit, got {metric.name!r}. "
            f"Call it {metric.name}_{suffix}.",
        )


def _evaluate(name: str, model: CostModel, designs: Columns) -> Columns:
    """Price; AssertionError where the model raises, with what it raised as the cause."""
    try:
        return model.evaluate(designs)
    except Exception as error:
        raise AssertionError(
            f"{name}.evaluate must price any batch, got {type(error).__name__}: {error} for {batch_length(designs)} "
            "designs. Report what cannot be built as a violation, and let it work for one design and for none."
        ) from error


def check_priced(name: str, model: CostModel, designs: Columns, priced: Columns) -> None:
    """Check one answer of a model: its columns, shapes and dtypes, violations, and NaN only where it may be."""
    n = batch_length(designs)
    wanted = [*(metric.name for metric in model.metrics), "violation"]
    got = ", ".join(map(str, priced)) if isinstance(priced, dict) else type(priced).__name__
    require(
        isinstance(priced, dict) and sorted(priced) == sorted(wanted),
        f"{name}.evaluate must return the columns {', '.join(wanted)}, got {got}. Return each metric of .metrics and "
        "violation, and nothing else.",
    )
    for key, column in priced.items():
        require(
            isinstance(column, np.ndarray) and column.dtype in (np.float64, np.int64),
            f"{name}: {key} must be an array of float64 or int64, got {_kind(column)}. Convert it with "
            "np.asarray(..., np.float64).",
        )
        require(
            column.shape == (n,),
            f"{name}: {key} of {n} designs must have shape ({n},), got {column.shape}. Return one number a design; "
            "np.full(n, x) where all are alike.",
        )
    violation = priced["violation"]
    bad = ~(violation >= 0)
    require(
        not bad.any(),
        lambda: (
            f"{name}: violation must be >= 0, got {violation[bad][:1]} for {_row(designs, bad)}. Clip it: "
            "np.maximum(0.0, excess)."
        ),
    )
    failed = np.isinf(violation)
    for key in wanted[:-1]:
        nan = np.isnan(priced[key])
        bad = nan & (violation == 0)
        require(
            not bad.any(),
            f"{name}: {key} may be NaN only where violation > 0, got NaN for {_row(designs, bad)}. "
            "Report a violation there, or mend the formula.",
        )
        bad = failed & ~nan
        require(
            not bad.any(),
            f"{name}: where violation is inf, the evaluation failed and {key} must be NaN, got {priced[key][bad][:1]} "
            f"for {_row(designs, bad)}. Set it to NaN there, or report how far the design is from buildable.",
        )


def _priced_without_side_effects(name: str, model: CostModel, designs: Columns) -> Columns:
    """Price, and check that neither the designs nor the global random states have changed."""
    given = {key: column.copy() for key, column in designs.items()}
    numpy_state, python_state = pickle.dumps(np.random.get_state()), random.getstate()  # noqa: NPY002
    priced = _evaluate(name, model, designs)
    require(
        pickle.dumps(np.random.get_state()) == numpy_state and random.getstate() == python_state,  # noqa: NPY002
        f"{name}.evaluate must not touch the global random state, but it did. Take no random numbers there.",
    )
    require(
        designs.keys() == given.keys() and all(np.array_equal(designs[key], given[key]) for key in given),
        f"{name}.evaluate must leave the designs as they are, but it changed them. Work on copies.",
    )
    return priced


def _check_row_independence(
    name: str, model: CostModel, designs: Columns, priced: Columns, slow: bool, large_batch: bool
) -> None:
    n = batch_length(designs)
    remedy = "Row i must depend on design i alone: reduce nothing over the batch, and use no BLAS in sums over rows."
    order = np.random.default_rng(0).permutation(n)
    _check_equal(
        name, "the same in another order", _rows(priced, order), _evaluate(name, model, _rows(designs, order)), remedy
    )
    if slow:
        return
    for i in np.unique(np.linspace(0, n - 1, SINGLE_ROWS).astype(int)):
        one = slice(i, i + 1)
        _check_equal(name, "the same alone", _rows(priced, one), _evaluate(name, model, _rows(designs, one)), remedy)
    if not large_batch:
        return
    # More designs than the size from which kernels run on all threads, and not a multiple of anything.
    many = np.arange(2 * PARALLEL_FROM + 3) % n
    _check_equal(
        name, "the same in a large batch", _rows(priced, many), _evaluate(name, model, _rows(designs, many)), remedy
    )


def _check_pickles(name: str, model: CostModel, designs: Columns, priced: Columns) -> None:
    copy = pickled_copy(name, model)
    require(
        copy.version == model.version,
        f"{name}: a pickled copy must have the same version, got {copy.version!r} instead of {model.version!r}. Pickle "
        "all that counts.",
    )
    _check_equal(
        name, "the same from a pickled copy", priced, _evaluate(name, copy, designs), "Pickle all that counts."
    )


def _check_reasons(name: str, model: Explains, designs: Columns, priced: Columns) -> None:
    violation = priced["violation"]
    for wanted, rows in ((False, np.flatnonzero(violation == 0)), (True, np.flatnonzero(violation > 0))):
        for i in rows[:SINGLE_ROWS]:
            reason = model.reason(_rows(designs, slice(i, i + 1)))
            rule = "say why a design with a violation cannot be built" if wanted else "be '' for one that can be built"
            require(
                isinstance(reason, str) and bool(reason) == wanted and "\n" not in reason,
                f"{name}.reason must {rule}, in one line, got {reason!r} for {_row(designs, [i])}. Decide by the same "
                "rule as the violation.",
            )


def _check_equal(name: str, what: str, first: Columns, second: Columns, remedy: str) -> None:
    """Check that two answers are the same bits."""
    for key in first:
        a, b = first[key], second[key]
        same = (a == b) | ((a != a) & (b != b)) if a.shape == b.shape else np.zeros(1, bool)
        if not same.all():
            row = int(np.argmin(same))
            raise AssertionError(f"{name}: {key} must be {what}, got {a[row]!r} and {b[row]!r} in row {row}. {remedy}")


def _kind(column: Any) -> str:
    return str(column.dtype) if isinstance(column, np.ndarray) else type(column).__name__


def _rows(columns: Columns, rows: Any) -> Columns:
    return {key: column[rows] for key, column in columns.items()}


def _row(designs: Columns, rows: Any) -> str:
    """Name the first of these rows, "" where there is none."""
    first = {key: column[rows][:1].tolist() for key, column in designs.items()}
    return ", ".join(f"{key}={value}" for key, values in first.items() for value in values)
