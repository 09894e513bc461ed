"""What surrogate_search believes: its process, its targets, when it is fitted anew, and what it holds to be a gain."""

import numpy as np
import pytest

from designgym.agents import _surrogate_kernel as kernel
from designgym.agents._gain_kernel import worths
from designgym.agents.drift import Drift
from designgym.agents.gain import boxes, reference_of
from designgym.agents.places import Places
from designgym.agents.surrogate_process import Assumed, SurrogateProcess
from designgym.agents.surrogate_targets import Targets, warp_of_bound, warp_of_loss
from designgym.envs import Categorical, DesignSpace, Evaluations, Objective
from designgym.envs.pareto import hypervolume

GROUP, ORDERED = np.array([0, 1, 2, 2]), np.array([True, True, False, False])


def process(kind: int = kernel.SMOOTH, noise: float = 1e-3) -> SurrogateProcess:
    made = SurrogateProcess(GROUP, ORDERED, labels=4)
    made.assumed = Assumed(kind, np.array([2.0, 0.7, 1.2]), 0.4, noise, 1.7, 0.3, 0.25)
    return made


def trials(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    places = np.random.default_rng(seed).random((n, 4))
    places[:, ~ORDERED] = np.floor(4 * places[:, ~ORDERED])  # categories
    return places, np.sin(4 * places[:, 0]) + places[:, 1] * np.sqrt(places[:, 2])


def covariance(one: np.ndarray, other: np.ndarray, assumed: Assumed) -> np.ndarray:
    """The same as the kernel says in words, by NumPy alone; without scale and noise."""
    rates = assumed.rates[GROUP] * np.array([1.0, 1.0, 0.5, 0.5])
    steps = rates * np.minimum(np.abs(one[:, None] - other[None]), 1.0)
    factor = np.prod(1 + steps + steps**2 / 3, axis=2) if assumed.kind == kernel.SMOOTH else 1.0
    centred = (one - 0.5) * ORDERED, (other - 0.5) * ORDERED
    equal = ((one[:, None] == other[None]) & ~ORDERED).sum(axis=2)
    pairs = (one[:, None, ~ORDERED, None] == other[None, :, None, ~ORDERED]).sum(axis=(2, 3))
    trend = assumed.plane * (1 + centred[0] @ centred[1].T) + assumed.effect * equal + assumed.shared * pairs
    return factor * np.exp(-steps.sum(axis=2)) + trend


@pytest.mark.parametrize("kind", [kernel.ROUGH, kernel.SMOOTH])
def test_what_is_expected_is_what_the_textbook_says(kind: int) -> None:
    one = process(kind)
    places, values = trials(60)
    asked = trials(20, 1)[0]
    one.learn(places, values)
    found = one.predict(asked)
    whole = covariance(places, places, one.assumed) + one.assumed.noise * np.eye(60)
    across = covariance(asked, places, one.assumed)
    assert found.mean == pytest.approx(across @ np.linalg.solve(whole, values), abs=1e-6)
    own = np.diag(covariance(asked, asked, one.assumed))
    left = own - np.einsum("ij,ji->i", across, np.linalg.solve(whole, across.T))
    assert found.variance == pytest.approx(1.7 * left, rel=1e-4, abs=1e-6)


def test_a_process_told_more_knows_what_one_told_all_at_once_does() -> None:
    (places, values), asked = trials(150), trials(9, 1)[0]
    whole, grown = process(), process()
    whole.learn(places, values)
    for n in (5, 6, 40, 150):
        grown.learn(places[:n], values[:n])
    assert grown.predict(asked).mean == pytest.approx(whole.predict(asked).mean, abs=1e-8)
    assert grown.predict(asked).variance == pytest.approx(whole.predict(asked).variance, rel=1e-6)


def test_a_glance_is_nearly_the_mean_and_never_too_sure() -> None:
    one = process()
    places, values = trials(70)
    one.learn(places, values)
    asked = np.round(trials(400, 2)[0] * 20) / 20
    mean, variance = one.glance(asked, kernel.levels_of(asked, np.array([1.0, 1.0, 3.0, 3.0])))
    exact = one.predict(asked)
    assert mean == pytest.approx(exact.mean, abs=2e-3)
    assert (variance[:, None] > 0).all()
    without_plane = one.assumed.scale * (1 - covariance(asked, places, _bare(one.assumed)).max(axis=1) ** 2 / 1.001)
    assert variance == pytest.approx(without_plane, abs=1e-3)


def _bare(assumed: Assumed) -> Assumed:
    return Assumed(assumed.kind, assumed.rates, 0.0, assumed.noise, assumed.scale, 0.0)


@pytest.mark.parametrize("kind", [kernel.ROUGH, kernel.SMOOTH])
def test_slopes_are_those_of_the_likelihood(kind: int) -> None:
    places, values = trials(40)
    common = process()._common(places, places)

    def likely(logs: np.ndarray) -> tuple:
        rates = np.exp(logs[:3])[GROUP]
        return kernel.likelihood(kind, rates, *np.exp(logs[3:]), GROUP, 3, ORDERED, places, common, values)

    at, step = np.log([1.0, 2.0, 0.5, 0.3, 0.01, 0.2, 0.4]), 1e-5
    worked_out = [(likely(at + step * e)[0] - likely(at - step * e)[0]) / (2 * step) for e in np.eye(7)]
    assert likely(at)[1] == pytest.approx(worked_out, abs=1e-4)


def test_what_is_left_out_is_predicted_by_the_others() -> None:
    places, values = trials(30)
    one = process()
    rates = one.assumed.rates[GROUP] * np.array([1.0, 1.0, 0.5, 0.5])
    rest = GROUP, 3, ORDERED, places, one._common(places, places), values
    _, _, left, scale = kernel.likelihood(kernel.SMOOTH, rates, 0.4, 1e-3, 0.3, 0.25, *rest)
    one.learn(np.delete(places, 7, axis=0), np.delete(values, 7))
    found = one.predict(places[7:8])
    variance = found.variance[0] / one.assumed.scale * scale + 1e-3 * scale
    assert left[7, 1] == pytest.approx(variance, rel=1e-4)
    assert left[7, 0] == pytest.approx((values[7] - found.mean[0]) ** 2 / variance, rel=1e-3)


def test_a_fit_finds_what_matters_and_keeps_the_better_kernel() -> None:
    places = np.random.default_rng(3).random((80, 4))
    one = process()
    one.fit(places, np.sin(9 * places[:, 0]))
    assert one.assumed.kind == kernel.SMOOTH
    assert one.assumed.rates[0] > 5 * one.assumed.rates[1:].max()
    steps = np.floor(places[:, 0] * 12) * 7 % 5
    one.fit(places, (steps - steps.mean()) / steps.std())
    assert one.assumed.kind == kernel.ROUGH


def test_of_labels_alone_one_kernel_is_fitted_and_less_is_believed() -> None:
    """Two labels are as far apart as any others, so that both kernels say the same."""
    labels = np.random.default_rng(0).integers(0, 6, (80, 4)).astype(float)
    values = np.sin(labels[:, 0]) + 0.1 * np.cos(labels[:, 1])
    ordered, alone = (SurrogateProcess(np.arange(4), lines, 0) for lines in (np.ones(4, bool), np.zeros(4, bool)))
    assert alone.assumed.noise > ordered.assumed.noise
    assert (alone.assumed.rates < ordered.assumed.rates).all()
    ordered.fit(labels / 5, values)
    assert ordered.assumed.kind == kernel.SMOOTH
    alone.fit(labels, values)
    assert alone.assumed.kind == kernel.ROUGH


@pytest.mark.parametrize("seed", range(3))
def test_a_label_is_worth_as_much_in_a_parameter_where_it_was_never_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    worth = rng.normal(size=8)
    tried = (rng.integers(0, 4, (60, 4)) + 2 * np.arange(4)) % 8  # half of the labels, others in each parameter
    values = worth[tried].sum(axis=1)
    asked = rng.integers(0, 8, (200, 4))
    errors = {}
    for labels in (8, 0):
        one = SurrogateProcess(np.arange(4), np.zeros(4, bool), labels)
        one.fit(tried.astype(float), values)
        one.learn(tried.astype(float), values)
        assert (one.assumed.shared > 0) == (labels > 0)
        errors[labels] = np.abs(one.predict(asked.astype(float)).mean - worth[asked].sum(axis=1)).mean()
    assert errors[8] < 0.5 * errors[0]


def test_a_label_has_one_number_in_all_parameters() -> None:
    def categories(*labels: str) -> Places:
        return Places(DesignSpace(*(Categorical(f"p{i}", tuple(text)) for i, text in enumerate(labels))))

    assert categories("abc", "xbay").labels == 5
    assert categories("abc", "xyz").labels == 0
    places = categories("abc", "xbay").of({"p0": np.array([0, 1, 2]), "p1": np.array([2, 1, 0])})
    assert places.tolist() == [[0.0, 0.0], [1.0, 1.0], [2.0, 3.0]]


def test_taking_a_place_is_as_if_it_had_been_tried() -> None:
    (places, values), asked = trials(40), trials(12, 1)[0]
    one, told = process(), process()
    one.learn(places, values)
    before = one.predict(asked)
    mean = before.mean.copy()
    for row in (3, 8):
        before.take(row)
    told.learn(np.concatenate([places, asked[[3, 8]]]), np.concatenate([values, mean[[3, 8]]]))
    after = told.predict(asked)
    assert before.variance == pytest.approx(after.variance, rel=1e-3, abs=1e-6)
    assert after.mean == pytest.approx(mean, abs=1e-6), "what comes as expected changes no expectation"


# -- gains ------------------------------------------------------------------------------------------------------------


def test_with_one_objective_the_gain_is_expected_improvement() -> None:
    lower, upper = boxes(np.empty((0, 1)), np.array([0.3]))
    drawn = np.random.default_rng(0).normal(0.5, 0.4, 400_000)
    found = np.exp(worths(lower, upper, np.array([[0.5]]), np.array([[0.4]]), np.empty((0, 1)), np.empty((0, 1))))
    assert found[0] == pytest.approx(np.maximum(0.3 - drawn, 0).mean(), rel=0.01)


@pytest.mark.parametrize("objectives", [2, 3])
def test_with_several_it_is_expected_hypervolume_improvement(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    front, reference = rng.random((7, objectives)), np.full(objectives, 1.1)
    mean, deviation = rng.random(objectives) * 0.6, np.full(objectives, 0.2)
    lower, upper = boxes(front, reference)
    none = np.empty((0, 1))
    found = np.exp(worths(lower, upper, mean[:, None], deviation[:, None], none, none))[0]
    before = hypervolume(front, reference)
    drawn = rng.normal(mean, deviation, (4000, objectives))
    gains = [hypervolume(np.vstack([front, one]), reference) - before for one in drawn]
    assert found == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / 4000**0.5)


def test_a_bound_counts_as_much_as_it_is_likely_to_be_kept() -> None:
    lower, upper = boxes(np.empty((0, 1)), np.array([0.0]))
    means, deviations = np.zeros((1, 3)), np.ones((1, 3))
    margins, spreads = np.array([[0.0, -50.0, 60.0]]), np.ones((1, 3))
    found = worths(lower, upper, means, deviations, margins, spreads)
    assert found[0] == pytest.approx(found[1] + np.log(0.5))
    assert -1900 < found[2] < found[1] - 1700, "the least likely ones are still told apart"
    only = worths(np.empty((0, 1)), np.empty((0, 1)), means, deviations, margins, spreads)
    assert only == pytest.approx(found - found[1], abs=1e-9), "while nothing is feasible only bounds count"


def test_gains_are_measured_from_beyond_the_front() -> None:
    losses = np.array([[0.0, 1.0], [1.0, 0.0], [3.0, 3.0], [4.0, 4.0]])
    assert reference_of(losses) == pytest.approx([2.0, 2.0])
    assert reference_of(losses[:2]) == pytest.approx([1.1, 1.1])


# -- drift ------------------------------------------------------------------------------------------------------------


def drifted(errors: np.ndarray, expected: float = 1.0) -> int | None:
    """After how many errors, of unit variance foretold, a drift is found."""
    drift = Drift(0.99)
    drift.fitted(expected)
    for n, error in enumerate(errors, 1):
        drift.add(float(error), 1.0)
        if drift.found:
            return n
    return None


def test_errors_as_expected_are_no_drift_and_others_are() -> None:
    rng = np.random.default_rng(0)
    calm = [drifted(rng.normal(size=24)) for _ in range(200)]
    assert np.mean([n is not None for n in calm]) < 0.2
    assert all(drifted(3.5 * rng.normal(size=24)) is not None for _ in range(50))
    assert all(drifted(0.2 * rng.normal(size=24)) == 12 for _ in range(50)), "a model too unsure is fitted anew too"
    small = [drifted(0.2 * rng.normal(size=24), expected=0.04) for _ in range(200)]
    assert np.mean([n is not None for n in small]) < 0.2, "as small as those that the fit left out"
    assert drifted(np.array([40.0, 0.0, 0.0])) is not None
    assert drifted(np.array([40.0, 0.5])) is None, "two errors tell nothing"


# -- targets ----------------------------------------------------------------------------------------------------------


def evaluations(objective: Objective, **metrics: list[float]) -> Evaluations:
    return objective({name: np.array(column, float) for name, column in metrics.items()})


def test_a_bound_is_learnt_on_both_of_its_sides() -> None:
    objective = Objective(("latency_s",), subject_to=("area_mm2 <= 10", "10 * area_mm2 <= energy_j"))
    targets = Targets(objective)
    targets.add(
        evaluations(objective, latency_s=[1, 2, 3], area_mm2=[5, 10, 20], energy_j=[100, 100, 100], violation=[0, 0, 0])
    )
    assert targets.known(1)[1].tolist() == [-0.5, 0.0, 1.0]
    assert targets.known(2)[1].tolist() == [0.0, 0.0, 1.0], "of another form only the excess is told"
    assert targets.learnt == [0, 1, 2], "no design has a violation of the cost model's own"
    warp = targets.warp(1)
    assert warp(np.array([0.0])) == 0
    assert (np.diff(warp(np.array([-0.9, -0.1, 0.1, 5.0]))) > 0).all()
    assert (targets.warp(2)(np.array([0.0, 1.0])) < [0, np.inf]).all()


def test_failed_designs_have_no_loss_and_are_the_farthest_from_feasible() -> None:
    objective = Objective(("latency_s",), subject_to=("area_mm2 <= 10",))
    targets = Targets(objective)
    nan = float("nan")
    targets.add(evaluations(objective, latency_s=[1, nan, nan], area_mm2=[5, 8, nan], violation=[0, 0.5, float("inf")]))
    assert targets.known(0)[0].tolist() == [0]
    assert targets.learnt == [0, 2]
    own = targets.warp(2)(targets.known(2)[1])
    assert own[0] < 0 < own[1] < own[2] < np.inf


def test_losses_of_one_sign_are_learnt_by_their_logarithms() -> None:
    for losses, form in (
        ([1.0, 10.0, 100.0], "log"),
        ([-1.0, -10.0, -100.0], "minus log"),
        ([-1.0, 1.0, 2.0], "plain"),
    ):
        warp = warp_of_loss(np.array(losses))
        assert warp.form == form
        found = warp(np.sort(losses))
        assert (np.diff(found) > 0).all()
        assert found.mean() == pytest.approx(0, abs=1e-9)
    assert not warp_of_loss(np.array([1.0, 2.0])).suits(np.array([0.0]))
    far = warp_of_loss(np.array([1.0, 2.0, 3.0, 4.0, np.inf]))
    assert np.isfinite(far(np.array([np.inf]))).all()


def test_losses_are_the_same_from_two_spans_above_the_median_on() -> None:
    # Logarithms 0 to 7 and 100: the median is 4, as far above the best.
    warp = warp_of_loss(np.exp([*range(8), 100.0]))
    below, at, above = warp(np.exp([11.0, 12.0, 100.0]))
    assert below < at
    assert at == pytest.approx(above)


def test_what_is_looked_at_closely_is_told_apart_more_widely_than_what_is_far_from_it() -> None:
    losses = np.exp(np.arange(1.0, 6.0))
    plain, close = warp_of_loss(losses), warp_of_loss(losses, about=float(losses[0]))
    at = np.exp([0.5, 1.0, 1.1, 1.2, 3.0, 3.1])  # the first is better than all that is known
    before, now = np.diff(plain(at)), np.diff(close(at))
    assert (now > 0).all()
    assert now[1] / now[4] > 5 * before[1] / before[4]
    assert now[1] == pytest.approx(close(at[1:2]) - close(np.exp([0.9])), rel=1e-9)  # alike on both sides


def test_the_zoom_is_about_the_best_that_keeps_all_bounds() -> None:
    objective = Objective(("latency_s",), subject_to=("area_mm2 <= 10",), reward="weighted")
    told = evaluations(objective, latency_s=[1, 2, 4, 8, 16], area_mm2=[20, 20, 9, 9, 9], violation=[0] * 5)
    targets = Targets(objective, zoom=True)
    targets.add(told)
    warp = targets.warp(0)
    steps = np.diff(warp(np.array([1.0, 1.1, 3.8, 4.18, 10.0, 11.0])))  # of one tenth each, every second
    assert steps[2] > 3 * max(steps[0], steps[4])
    plain = Targets(objective)
    plain.add(told)
    assert plain.warp(0).about is None


def test_with_several_objectives_or_none_that_is_feasible_nothing_is_looked_at_closely() -> None:
    several = Objective(("latency_s", "area_mm2"), reward="weighted")
    targets = Targets(several, zoom=True)
    targets.add(evaluations(several, latency_s=[1, 2, 4], area_mm2=[3, 2, 1], violation=[0] * 3))
    assert targets.warp(0).about is None
    bounded = Objective(("latency_s",), subject_to=("area_mm2 <= 10",), reward="weighted")
    targets = Targets(bounded, zoom=True)
    targets.add(evaluations(bounded, latency_s=[1, 2, 4], area_mm2=[30, 20, 11], violation=[0] * 3))
    assert targets.warp(0).about is None


def test_a_loss_of_minus_infinity_leaves_the_others_on_a_scale() -> None:
    objective = Objective(("loss",), reward="weighted")
    targets = Targets(objective)
    targets.add(evaluations(objective, loss=[-np.inf, -2.0, 1.0, 3.0, 5.0], violation=[0] * 5))
    _, values = targets.known(0)
    mapped = targets.warp(0)(values)
    assert np.isfinite(mapped).all()
    assert mapped[0] == mapped.min()


def test_numbers_near_a_bound_are_told_apart_as_well_as_those_far_from_it() -> None:
    warp = warp_of_bound(np.array([-0.02, -0.01, 0.01, 0.02, 50.0, 60.0, 70.0, 80.0]), one_sided=False)
    near, far = np.diff(warp(np.array([-0.01, 0.01])))[0], np.diff(warp(np.array([50.0, 80.0])))[0]
    assert near > far
