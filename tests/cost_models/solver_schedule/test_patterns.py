"""Patterns of solvers: counted as listed, one spelling each, and no more than the evaluations allow."""

import itertools

import numpy as np
import pytest

from designgym.cost_models.solver_schedule.paths import PATHS
from designgym.cost_models.solver_schedule.patterns import NAMES, Patterns
from designgym.cost_models.solver_schedule.sampler import Schedule, matrices
from designgym.cost_models.solver_schedule.solvers import SOLVERS, evaluations_of

RNG = np.random.default_rng(0)


def listed(patterns: Patterns) -> dict[str, np.ndarray]:
    """Every choice at every slot, patterns or not."""
    choices = [range(len(patterns.choices(slot))) for slot in range(1, patterns.evaluations + 1)]
    return dict(zip(patterns.columns(), np.array(list(itertools.product(*choices))).T, strict=True))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("evaluations", [1, 2, 3])
def test_the_count_is_what_a_list_holds_and_no_two_are_one_update(path: str, evaluations: int) -> None:
    patterns = Patterns(path, evaluations)
    designs = listed(patterns)
    valid = patterns(designs)
    assert valid.sum() == patterns.count()
    made = PATHS[path]
    low, high = made.log_snr([made.first, made.last])
    times = made.times(np.linspace(low, high, evaluations + 1) + 0.1 * RNG.random(evaluations + 1))
    times[0], times[-1] = made.begin, made.end
    rows = set()
    for numbers in patterns.numbers(designs)[valid]:
        solvers = patterns.solvers(numbers)
        assert evaluations_of(solvers) == evaluations
        # A Heun step takes two slots: with its end as its own time, it differs from all others.
        kept = [i for i, number in enumerate([*numbers, 0]) if i == 0 or NAMES[[*numbers, 0][i - 1]] != "heun"]
        matrix = matrices(made, [Schedule(times[kept], solvers)])[0][0]
        assert np.isfinite(matrix).all(), solvers
        rows.add(tuple(np.round(matrix[np.tril_indices(evaluations + 1)], 9).tolist()))
    assert len(rows) == patterns.count()


def test_counts_of_more_evaluations_are_exact_and_grow_as_the_choices_do() -> None:
    counts = [Patterns("vp", evaluations).count() for evaluations in range(3, 21)]
    assert counts[:4] == [435, 8721, 165865, 3151447]
    assert all(18 < after / before < 21 for before, after in itertools.pairwise(counts))
    assert Patterns("vp", 6, ("ddim", "dpmpp2m")).count() == 2**5
    assert Patterns("vp", 4, ("ddim", "heun")).count() == 5, "tilings of four by ones and twos"


def test_a_pattern_that_is_none_is_told_from_one() -> None:
    patterns = Patterns("vp", 4)

    def faults(*names: str) -> int:
        return int(patterns.faults(np.array([[NAMES.index(name) for name in names]]))[0])

    assert faults("heun", "heun_end", "deis1", "deis2") == 0
    assert faults("ddim", "dpmpp2m", "deis2", "deis3") == 0
    assert faults("heun", "heun_end", "deis2", "deis2") == 1, "after one step there are two times alone"
    assert faults("ddim", "heun", "ddim", "ddim") == 1
    assert faults("heun_end", "ddim", "ddim", "ddim") == 1
    assert faults("ddim", "dpm2m", "ddim", "ddim") == 1, "after DDIM it is dpmpp2m"
    assert faults("ddim", "dpmpp2m", "dpm2m", "ddim") == 0


def test_what_is_no_pattern_says_why() -> None:
    patterns = Patterns("vp", 3, ("ddim", "heun", "deis1", "dpm2m", "dpmpp2m"))

    def said(*names: str) -> str:
        places = [patterns.choices(slot).index(name) for slot, name in enumerate(names, 1)]
        return patterns.reason(dict(zip(patterns.columns(), np.array(places)[:, None], strict=True)))

    assert said("ddim", "deis1", "ddim") == ""
    assert said("ddim", "heun", "ddim") == "solver_3: heun and heun_end must follow one another, got ddim after heun"
    assert said("heun", "heun_end", "heun_end").startswith("solver_3: heun and heun_end must follow one another")
    assert said("ddim", "dpm2m", "ddim") == "solver_2: dpm2m is another solver's step here"
    designs = listed(Patterns("flow", 4))
    flow = Patterns("flow", 4)
    for row, fits in enumerate(flow(designs).tolist()):
        assert (flow.reason({name: column[row : row + 1] for name, column in designs.items()}) == "") == fits


def test_solvers_to_choose_from_are_known_and_one_may_come_first() -> None:
    for allowed in ((), ("deis1",), ("ddim", "rk45")):
        with pytest.raises(ValueError, match=r"solvers must be some of euler, .* Correct them."):
            Patterns("vp", 4, allowed)
    assert len(SOLVERS) == 20


def test_on_equal_steps_as_many_patterns_coincide_as_is_said() -> None:
    patterns, path = Patterns("vp", 3), PATHS["vp"]
    designs = listed(patterns)
    rows = patterns.numbers(designs)[patterns(designs)]
    schedules = [Schedule(path.grid("logsnr", len(s)), s) for s in map(patterns.solvers, rows) if len(s) == 3]
    made = matrices(path, schedules)[0].reshape(len(schedules), -1)
    scale = np.abs(made).max(axis=0)
    away = np.abs(made[:, None] - made[None]) / np.where(scale > 0, scale, 1.0)
    alike = (away.max(axis=2) < 1e-12).sum() - len(made)
    assert alike == 2 * 14


def test_a_step_keeps_its_name_where_its_other_name_is_not_allowed() -> None:
    patterns = Patterns("vp", 3, ("ddim", "dpm2m"))
    assert patterns.count() == patterns(listed(patterns)).sum() == 4


@pytest.mark.parametrize(
    ("path", "evaluations", "solvers"),
    [("vp", 3, ("unipc1",)), ("flow", 4, ("heun",)), ("vp", 3, ("heun",))],
)
def test_solvers_that_allow_no_pattern_are_refused(path: str, evaluations: int, solvers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f"solvers must allow {evaluations} evaluations on the path {path}"):
        Patterns(path, evaluations, solvers)
