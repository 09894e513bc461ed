"""Agents compared over many problems and seeds, as reviewers ask for it; every figure with its source at its function.

Scores are losses such as regret, lower is better. A table of scores is float64 (runs, problems): runs of one agent on
the same problems, the runs of a column exchangeable. The tests of ranks are scipy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
RESAMPLES = 2000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate with its percentile-bootstrap interval."""

    middle: float
    low: float
    high: float


def pooled_iqm(scores: Floats) -> Floats:
    """Return the mean of the middle half of all scores of all problems together; scores: (..., runs, problems).

    A quarter, rounded down, is cut from each end. Source: Agarwal et al., NeurIPS 2021, arXiv:2108.13264.
    """
    pooled = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = pooled.shape[-1] // 4
    return np.asarray(pooled[..., cut : pooled.shape[-1] - cut].mean(axis=-1))


def pooled_mean(scores: Floats) -> Floats:
    """Return the mean of all scores; scores: (..., runs, problems)."""
    return np.asarray(scores.mean(axis=(-2, -1)))


def stratified_interval(
    statistic: Statistic, scores: Floats, resamples: int = RESAMPLES, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """Return a statistic of a table of scores with its stratified bootstrap interval.

    Runs are drawn with replacement within each problem, so that the problems stay who they are: the interval tells
    what other seeds would have given. statistic: (..., runs, problems) to (...).
    Source: Agarwal et al., NeurIPS 2021, arXiv:2108.13264, section 4.
    """
    scores = _table(scores)
    drawn = _resampled(scores, resamples, np.random.default_rng(seed))
    return _interval(float(statistic(scores)), statistic(drawn), confidence)


def stratified_iqm(
    scores: Floats, resamples: int = RESAMPLES, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """Return the interquartile mean over runs and problems with its stratified bootstrap interval.

    scores: (runs, problems), or (runs,) of one problem.
    """
    return stratified_interval(pooled_iqm, scores, resamples, confidence, seed)


def probability_of_improvement(
    ours: Floats, theirs: Floats, resamples: int = RESAMPLES, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """Return how likely a run of ours scores lower than a run of theirs on the same problem, ties counting half.

    Averaged over problems. ours, theirs: (runs, problems), or (runs,); the numbers of runs may differ.
    Source: Agarwal et al., NeurIPS 2021, arXiv:2108.13264, equation 2: the Mann-Whitney U over the number of pairs.
    """

    def chance(a: Floats, b: Floats) -> Floats:
        pairs = a[..., :, None, :], b[..., None, :, :]
        return np.asarray(((pairs[0] < pairs[1]) + 0.5 * (pairs[0] == pairs[1])).mean(axis=(-3, -2, -1)))

    return _of_two(chance, ours, theirs, resamples, confidence, seed)


def ratio_of_means(
    ours: Floats, theirs: Floats, resamples: int = RESAMPLES, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """Return our mean score over theirs, both drawn anew within each problem; inf where theirs is 0."""

    def ratio(a: Floats, b: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.nan_to_num(pooled_mean(a) / pooled_mean(b), nan=1.0, posinf=np.inf))

    return _of_two(ratio, ours, theirs, resamples, confidence, seed)


def difference_of_means(
    ours: Floats, theirs: Floats, resamples: int = RESAMPLES, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """Return our mean score less theirs, both drawn anew within each problem; the numbers of runs may differ."""

    def difference(a: Floats, b: Floats) -> Floats:
        return np.asarray(pooled_mean(a) - pooled_mean(b))

    return _of_two(difference, ours, theirs, resamples, confidence, seed)


def _of_two(
    statistic: Callable[[Floats, Floats], Floats],
    ours: Floats,
    theirs: Floats,
    resamples: int,
    confidence: float,
    seed: int,
) -> Interval:
    """The two tables are drawn independently; resamples a hundred at a time, for pairs take room."""
    ours, theirs = _table(ours), _table(theirs)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"both must have the same problems, got {ours.shape[1]} and {theirs.shape[1]}.")
    rng = np.random.default_rng(seed)
    parts = []
    for begin in range(0, resamples, 100):
        n = min(100, resamples - begin)
        parts.append(statistic(_resampled(ours, n, rng), _resampled(theirs, n, rng)))
    return _interval(float(statistic(ours, theirs)), np.concatenate(parts), confidence)


def _table(scores: Floats) -> Floats:
    table = np.asarray(scores, np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or not table.size:
        raise ValueError(f"scores must be a table of runs by problems, got shape {np.shape(scores)}.")
    return table


def _resampled(table: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Return (resamples, runs, problems), each column drawn from its own."""
    rows = rng.integers(len(table), size=(resamples, *table.shape))
    return table[rows, np.arange(table.shape[1])]


def _interval(middle: float, drawn: Floats, confidence: float) -> Interval:
    tail = (1.0 - confidence) / 2.0
    # Draws themselves, not points between them, which would be NaN beside an inf.
    low = float(np.quantile(drawn, tail, method="lower"))
    return Interval(middle, low, float(np.quantile(drawn, 1.0 - tail, method="higher")))


# -- targets ----------------------------------------------------------------------------------------------------------


def expected_running_time(reached: Floats, spent: Floats) -> float:
    """Return what reaching a target costs with restarts: all that was spent over the number of runs that reached it.

    reached: when each run did, inf where it never did; spent: what each run that did not had spent by its end.
    inf where none did. Source: Hansen et al., arXiv:1605.03560, section 2.3 (COCO).
    """
    reached, spent = np.asarray(reached, np.float64), np.asarray(spent, np.float64)
    good = np.isfinite(reached)
    return float(np.where(good, reached, spent).sum() / good.sum()) if good.any() else np.inf


def targets_reached(reached: Floats, grid: Floats) -> Floats:
    """Return the share of runs and targets reached within each cost of a grid, (len(grid),): COCO's ECDF.

    reached: of any shape, inf for never. Runs are not restarted: the curve ends at the share that a budget reaches.
    Source: Hansen et al., arXiv:1605.03560, section 3.
    """
    return np.searchsorted(np.sort(np.ravel(reached)), grid, side="right") / np.size(reached)


def performance_ratios(costs: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return each agent's cost on each instance over the least of any agent's, inf where it never got there.

    costs: (instances,) per agent, above 0, inf for never. Source: Dolan and Moré, Math. Programming 91, 2002,
    doi:10.1007/s101070100263.
    """
    table = np.array(list(costs.values()), np.float64)
    least = table.min(axis=0)
    ratios = np.full(table.shape, np.inf)
    np.divide(table, least, out=ratios, where=np.isfinite(table))
    return dict(zip(costs, ratios, strict=True))


def performance_profile(ratios: Floats, grid: Floats) -> Floats:
    """Return the share of instances on which an agent is within each factor of the best: `performance_ratios`."""
    return targets_reached(ratios, grid)


def profile_score(ratios: Floats, most: float = 4.0) -> float:
    """Return the area under the performance profile from factor 1 to `most`, over its width, exactly.

    Source: Dahl et al., arXiv:2306.07179, equation 2 (AlgoPerf, whose `most` is 4).
    """
    return float(np.clip((most - ratios) / (most - 1.0), 0.0, None).mean())


# -- ranks ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ranking:
    """Agents by their average rank over problems, the best first.

    friedman_p: how likely ranks this uneven are among equal agents. critical_difference: of average ranks (Nemenyi),
    at level alpha. groups: largest sets of agents within it. holm_p: of each pair, Wilcoxon signed ranks, by Holm.
    """

    ranks: dict[str, float]
    problems: int
    chi_square: float
    friedman_p: float
    critical_difference: float
    alpha: float
    groups: tuple[tuple[str, ...], ...]
    holm_p: dict[tuple[str, str], float]


def ranking(scores: Mapping[str, Floats], alpha: float = 0.05) -> Ranking:
    """Rank agents on each problem and compare their average ranks. scores: (problems,) per agent.

    Needs three agents and two problems at least: ValueError. The problems are taken as independent.
    Source: Demšar, JMLR 7, 2006; Friedman, Wilcoxon and the studentised range from scipy.stats.
    """
    from scipy import stats

    names, table = list(scores), np.array(list(scores.values()), np.float64).T
    if len(names) < 3 or len(table) < 2:
        raise ValueError(f"ranks need 3 agents and 2 problems, got {len(names)} and {len(table)}. Add some.")
    k, n = len(names), len(table)
    average = stats.rankdata(table, axis=1).mean(axis=0)
    chi_square, friedman_p = stats.friedmanchisquare(*table.T)
    # The form of Demšar, equation without ties, would differ where problems tie; scipy corrects for ties.
    q = stats.studentized_range.ppf(1.0 - alpha, k, 1e6) / np.sqrt(2.0)
    difference = float(q * np.sqrt(k * (k + 1) / (6.0 * n)))
    order = np.argsort(average, kind="stable")
    ranks = {names[i]: float(average[i]) for i in order}
    return Ranking(
        ranks, n, float(chi_square), float(friedman_p), difference, alpha, _groups(ranks, difference),
        _holm({(a, b): _wilcoxon(scores[a], scores[b]) for i, a in enumerate(ranks) for b in list(ranks)[i + 1 :]}),
    )  # fmt: skip


def _groups(ranks: Mapping[str, float], difference: float) -> tuple[tuple[str, ...], ...]:
    """Return the largest runs of agents, in the order of their ranks, that span no more than the difference."""
    names, values = list(ranks), np.array(list(ranks.values()))
    ends = np.searchsorted(values, values + difference + 1e-12, side="right")
    spans = [(i, int(end)) for i, end in enumerate(ends) if end - i > 1]
    return tuple(tuple(names[i:end]) for j, (i, end) in enumerate(spans) if not j or end > spans[j - 1][1])


def _wilcoxon(ours: Floats, theirs: Floats) -> float:
    from scipy import stats

    if np.array_equal(ours, theirs):
        return 1.0
    return float(stats.wilcoxon(ours, theirs, zero_method="pratt").pvalue)


def _holm(p_values: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Adjust for many tests. Source: Holm, Scandinavian J. Statistics 6(2), 1979."""
    ordered, worst = sorted(p_values, key=lambda pair: p_values[pair]), 0.0
    adjusted = {}
    for i, pair in enumerate(ordered):
        worst = max(worst, min(1.0, p_values[pair] * (len(ordered) - i)))
        adjusted[pair] = worst
    return adjusted
