"""What a design space promises, checked on any space: every value is reached, every encoding comes back."""

from itertools import islice
from typing import Any

import numpy as np

from designgym.cost_models.base import Columns, batch_length
from designgym.cost_models.testing import pickled_copy, require
from designgym.envs.parameters import Array, Float, Parameter
from designgym.envs.space import DesignSpace

MOST_VALUES = 100_000  # of one parameter that are all tried; of more, as many at random
MOST_DESIGNS = 100_000  # of a space that is enumerated whole
FLOAT_ERROR = 1e-12  # of its range, or of its value if log
OVERRIDE = "Mend what overrides it in a subclass of DesignSpace or of a parameter."


def check_space(space: DesignSpace, designs: int = 300, seed: int = 0) -> None:
    """Check a space on all values of each parameter and on this many designs drawn from it."""
    rng = np.random.default_rng(seed)
    for parameter in space.parameters:
        check_parameter(space, parameter, rng)
    drawn = draw(space, designs, rng)
    _check_drawn(space, drawn, designs, seed)
    _check_unit_cube(space, drawn, rng)
    _check_names(space, drawn)
    _check_gymnasium(space, rng)
    _check_optuna(space, drawn)
    if not space.has_floats:
        _check_ranks(space, drawn, rng)
        _check_enumeration(space)
        _check_neighbours(space, drawn)
    require(
        pickled_copy("a space", space) == space, f"a space must come back from pickle, but the copy differs. {OVERRIDE}"
    )


def draw(space: DesignSpace, n: int, rng: np.random.Generator) -> Columns:
    """Draw designs; AssertionError where the constraints leave none to be found."""
    try:
        return space.sample(n, rng)
    except RuntimeError as error:
        raise AssertionError(f"a space must have designs that keep its constraints, but sample {error}") from error


def check_parameter(space: DesignSpace, parameter: Parameter, rng: np.random.Generator) -> None:
    """Check that decode reaches every value of a parameter, each from equally many places."""
    base = _awake(space, parameter)
    column = [p.name for p in space.parameters].index(parameter.name)
    first = sum(len(p.cardinalities) for p in space.parameters[:column])
    if isinstance(parameter, Float):
        _check_float(space, parameter, base, first)
        return
    count = int(parameter.count)
    numbers = np.arange(count) if count <= MOST_VALUES else rng.integers(0, min(count, 2**63 - 1), MOST_VALUES)
    values = parameter.unrank(numbers)
    different = len(np.unique(np.stack(values), axis=1).T)
    require(
        different == len(np.unique(numbers)),
        f"{parameter.name} must have {len(np.unique(numbers))} different values, got {different}: unrank repeats some. "
        f"{OVERRIDE}",
    )
    designs = {name: np.repeat(values_, len(numbers)) for name, values_ in base.items()}
    designs = space.canonical(designs | dict(zip(parameter.columns, values, strict=True)))
    decoded = space.decode(space.encode(designs))
    for name, wanted in zip(parameter.columns, values, strict=True):
        missed = np.flatnonzero(decoded[name] != wanted)
        require(
            not len(missed), f"decode must reach every value of {name}, got none of {wanted[missed[:1]]}. {OVERRIDE}"
        )
    if len(parameter.cardinalities) == 1 and count <= MOST_VALUES // 4:
        unit = np.repeat(space.encode(base), 4 * count, axis=0)
        unit[:, first] = (np.arange(4 * count) + 0.5) / (4 * count)
        _, times = np.unique(space.decode(unit)[parameter.name], return_counts=True)
        require(
            (times == 4).all(),
            f"decode must be uniform in the index of {parameter.name}, got {times} of 4 each. {OVERRIDE}",
        )


def _check_float(space: DesignSpace, parameter: Float, base: Columns, first: int) -> None:
    unit = np.repeat(space.encode(base), 1001, axis=0)
    unit[:, first] = np.append(np.arange(1000) / 1000, np.nextafter(1.0, 0.0))
    got = space.decode(unit)[parameter.name]
    ends = np.abs(got[[0, -1]] - [parameter.low, parameter.high]) / (abs(parameter.high) + abs(parameter.low))
    require(
        (np.diff(got) >= 0).all() and ends.max() <= FLOAT_ERROR,
        f"decode must run through the range of {parameter.name}, [{parameter.low}, {parameter.high}], "
        f"got {got[0]} to {got[-1]}. {OVERRIDE}",
    )


def _awake(space: DesignSpace, parameter: Parameter) -> Columns:
    """Return a design, a batch of one, in which the parameter matters."""
    wanted: Columns = {}
    child = parameter
    while child.when is not None:
        parent = space[child.when[0]]
        wanted[parent.name] = parent.unrank(np.array([min(space._wakes[child.name])]))[0]
        child = parent
    defaults = {
        name: np.array([value], space.dtypes[name])
        for p in space.parameters
        for name, value in zip(p.columns, p.default_columns, strict=True)
    }
    return space.canonical(defaults | wanted)


def _check_drawn(space: DesignSpace, drawn: Columns, n: int, seed: int) -> None:
    require(
        tuple(drawn) == space.columns and batch_length(drawn) == n,
        f"sample({n}) must return {n} rows of {space.columns}, got {batch_length(drawn)} of {tuple(drawn)}. {OVERRIDE}",
    )
    dtypes = {name: column.dtype for name, column in drawn.items()}
    require(dtypes == space.dtypes, f"sample must return the dtypes {space.dtypes}, got {dtypes}. {OVERRIDE}")
    inside = space.contains(drawn)
    require(
        inside.all(),
        lambda: (
            f"sample must return designs of the space, got {_row(space, drawn, ~inside)}. Draw again where "
            "contains() is False."
        ),
    )
    first, second = (space.sample(50, np.random.default_rng(seed)) for _ in range(2))
    require(
        all(np.array_equal(first[name], second[name]) for name in space.columns),
        "sample must draw the same designs from the same generator, but it did not. Use rng alone.",
    )
    for spec in space.specs():
        column = drawn[spec.name]
        require(
            spec.low <= column.min() and column.max() <= spec.high,
            f"{spec.name}: its ColumnSpec says [{spec.low}, {spec.high}], got {column.min()} to {column.max()}. "
            f"{OVERRIDE}",
        )
    require(
        tuple(spec.name for spec in space.specs()) == space.columns,
        f"specs must be one for each of the columns {space.columns}, got {[spec.name for spec in space.specs()]}. "
        f"{OVERRIDE}",
    )


def _check_unit_cube(space: DesignSpace, drawn: Columns, rng: np.random.Generator) -> None:
    unit = space.encode(drawn)
    require(
        unit.shape == (batch_length(drawn), len(space.cardinalities)) and ((unit >= 0) & (unit < 1)).all(),
        f"encode must return float64 (n, {len(space.cardinalities)}) in [0, 1), got {unit.shape}, "
        f"{unit.min(initial=0)} to {unit.max(initial=0)}. {OVERRIDE}",
    )
    _check_columns(space, drawn, space.decode(unit), "decode(encode(x)) must be x")
    anywhere = space.decode(rng.random((len(unit), unit.shape[1])))
    canonical = space.canonical(anywhere)
    require(
        not space.illegal(anywhere).any() and all(np.array_equal(anywhere[k], canonical[k]) for k in anywhere),
        "decode must return canonical designs of legal values from any place of the unit cube, but it did not. "
        f"{OVERRIDE}",
    )


def _check_columns(space: DesignSpace, wanted: Columns, got: Columns, rule: str) -> None:
    for parameter in space.parameters:
        for name in parameter.columns:
            error = np.abs(wanted[name] - got[name])
            if isinstance(parameter, Float):
                error = error / (np.abs(wanted[name]) if parameter.log else parameter.high - parameter.low)
            bad = error > (FLOAT_ERROR if isinstance(parameter, Float) else 0)
            require(
                not bad.any(),
                lambda: f"{rule}, got {name} = {got[name][bad][:1]} for {_row(space, wanted, bad)}. {OVERRIDE}",  # noqa: B023
            )


def _check_names(space: DesignSpace, drawn: Columns) -> None:
    names = space.describe(drawn)
    require(
        tuple(names) == space.columns, f"describe must name the columns {space.columns}, got {tuple(names)}. {OVERRIDE}"
    )
    _check_columns(space, drawn, space.parse(names), "parse(describe(x)) must be x")
    texts = {name: [None if value is None else str(value) for value in values] for name, values in names.items()}
    _check_columns(space, drawn, space.parse(texts), "parse must read what describe writes, as text,")


def _check_gymnasium(space: DesignSpace, rng: np.random.Generator) -> None:
    import gymnasium

    actions = space.to_gymnasium()
    if isinstance(actions, gymnasium.spaces.Box):
        require(
            space.has_floats and actions.shape == (len(space.cardinalities),) and (actions.high == 1).all(),
            f"to_gymnasium of a space with a Float must be Box(0, 1, ({len(space.cardinalities)},)), got {actions}. "
            f"{OVERRIDE}",
        )
        return
    require(
        tuple(actions.nvec.tolist()) == space.cardinalities,
        f"to_gymnasium must be MultiDiscrete({list(space.cardinalities)}), got {actions}. {OVERRIDE}",
    )
    digits = [rng.integers(0, cardinality, 100) for cardinality in space.cardinalities]
    unit = (np.stack(digits, axis=1) + 0.5) / np.array(space.cardinalities)
    _check_columns(space, space.from_digits(digits), space.decode(unit), "an action's indices must decode alike")


def _check_optuna(space: DesignSpace, drawn: Columns) -> None:
    import optuna

    bridge = space.to_optuna()
    some = {name: column[:50] for name, column in drawn.items()}
    params = bridge.params(some)
    suggested = [bridge.suggest(optuna.trial.FixedTrial(one)) for one in params]
    joined = {name: np.concatenate([design[name] for design in suggested]) for name in space.columns}
    _check_columns(space, some, joined, "suggest must read what params writes")
    for one in params:
        for name, value in one.items():
            distribution = bridge.distributions[name]
            require(
                distribution._contains(distribution.to_internal_repr(value)),
                f"params must lie in Optuna's distributions, got {name} = {value!r} for {distribution}. {OVERRIDE}",
            )


def _check_ranks(space: DesignSpace, drawn: Columns, rng: np.random.Generator) -> None:
    ranks = space.rank(drawn)
    require(
        min(ranks) >= 0 and max(ranks) < space.size,
        f"ranks must be in [0, {space.size}), got {min(ranks)} to {max(ranks)}. {OVERRIDE}",
    )
    _check_columns(space, drawn, space.unrank(ranks), "unrank(rank(x)) must be x")
    numbers: Array = np.array([int(space.size) * int(u) >> 62 for u in rng.integers(0, 2**62, 100)], ranks.dtype)
    require(
        (space.rank(space.unrank(numbers)) == numbers).all(), f"rank(unrank(r)) must be r, but it is not. {OVERRIDE}"
    )


def _check_enumeration(space: DesignSpace) -> None:
    """Valid designs in the order of their ranks, each once; of a large space the first ones, if constraints let any."""
    if space.size > MOST_DESIGNS and space.constraints:
        return
    whole = space.size <= MOST_DESIGNS
    chunks = list(space.enumerate(997)) if whole else list(islice(space.enumerate(997), 3))
    ranks = np.concatenate([space.rank(chunk) for chunk in chunks]) if chunks else np.zeros(0, np.int64)
    require(
        all(ranks[:-1] < ranks[1:]) and all(space.contains(chunk).all() for chunk in chunks),
        f"enumerate must yield valid designs in the order of their ranks, each once, but it did not. {OVERRIDE}",
    )
    require(
        max(map(batch_length, chunks), default=0) <= 997,
        f"enumerate must keep to its chunk, but it did not. {OVERRIDE}",
    )
    if whole:
        valid = space.contains(space.unrank(np.arange(int(space.size))))
        require(
            np.array_equal(ranks, np.flatnonzero(valid)) and space.count_valid() == len(ranks),
            f"enumerate and count_valid must find the {valid.sum()} valid designs, got {len(ranks)} and "
            f"{space.count_valid()}. {OVERRIDE}",
        )


def _check_neighbours(space: DesignSpace, drawn: Columns) -> None:
    for i in range(min(10, batch_length(drawn))):
        design = {name: column[i : i + 1] for name, column in drawn.items()}
        near = space.neighbours(design)
        ranks, own = space.rank(near).tolist(), space.rank(design).tolist()[0]
        require(
            space.contains(near).all() and len(set(ranks)) == len(ranks) and own not in ranks,
            f"neighbours must be valid designs, each once and none the design itself, but not so for "
            f"{_row(space, design, [0])}. {OVERRIDE}",
        )
        if ranks and not space._wakes:
            back = space.neighbours({name: column[:1] for name, column in near.items()})
            require(
                own in space.rank(back).tolist(),
                f"neighbours must be symmetric, but {_row(space, design, [0])} is no neighbour of its neighbour "
                f"{_row(space, near, [0])}. Let each step be taken back by one.",
            )


def _row(space: DesignSpace, designs: Columns, rows: Any) -> str:
    """Name the first of these rows, "" where there is none."""
    first = space.describe({name: column[rows][:1] for name, column in designs.items()})
    return ", ".join(f"{name}={value}" for name, values in first.items() for value in values)
