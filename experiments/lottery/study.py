"""From what runs of a lottery came to, to its results: spread over settings, best-of-k curves, agents compared."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from designgym.experiments import statistics as stats
from designgym.experiments.lottery.best_of import Floats
from designgym.experiments.lottery.crossfit import Draws, Tried, cross_fitted, draws, halves, resampled
from designgym.experiments.lottery.intervals import Bounds, best_and_ties, mean_of, verdict, wilson
from designgym.experiments.lottery.outcomes import Arena, Outcomes
from designgym.experiments.lottery.results import (
    OVERALL,
    TOLERANCES,
    Answer,
    Curve,
    Pair,
    Picked,
    Policy,
    Result,
    Share,
    Spread,
    Study,
)
from designgym.experiments.lottery.settings import Entrant
from designgym.experiments.lottery.spec import Lottery


def study(lottery: Lottery, arenas: list[Arena]) -> Study:
    """Study a lottery. The same log gives the same figures: resamples are drawn from the lottery's own seed."""
    most = lottery.spec.settings
    top = max(1, most // 2)
    ks = tuple(sorted({1, top, most} | {2**i for i in range(20) if 2**i <= top}))
    picks = halves(len(lottery.spec.seeds), rng=np.random.default_rng(lottery.spec.seed))
    results = []
    for e, entrant in enumerate(lottery.entrants):
        rng = np.random.default_rng([lottery.spec.seed, zlib.crc32(entrant.label.encode())])
        drawn = draws(len(entrant.drawn), len(lottery.spec.seeds), len(picks), rng, entrant.all_there_are)
        results.append([_result(entrant, e, p, arenas, most, top, picks, drawn) for p in range(len(arenas))])
    by_problem = tuple(tuple(column) for column in zip(*results, strict=True))
    made = Study(lottery, tuple(arenas), by_problem, ks, top, (), ())
    policies: tuple[Policy, ...] = ("drawn", "default")
    answers = tuple(_answer(made, s, policy, k) for s in made.scopes for policy in policies for k in ks)
    return Study(lottery, tuple(arenas), by_problem, ks, top, answers, tuple(_pairs(made)))


# -- one entrant on one problem ---------------------------------------------------------------------------------------


def _result(
    entrant: Entrant, e: int, p: int, arenas: list[Arena], most: int, top: int, picks: NDArray[np.bool_], drawn: Draws
) -> Result:
    mine, rows = arenas[p].outcomes[e], entrant.drawn
    others = [arena.outcomes[e] for i, arena in enumerate(arenas) if i != p]
    elsewhere = np.mean([one.high[:, :, -1] for one in others], axis=0) if others and entrant.tunable else None
    half, one = float(picks[0].sum()), float(mine.designs[rows].mean())
    dear = sum(float(other.designs[rows].mean()) for other in others)
    curves: dict[tuple[Policy, Picked], Curve] = {}
    for policy in ("drawn", "default"):
        curves[policy, "here"] = _curve(entrant, mine, mine.high[:, :, -1], policy, most, picks, drawn, half * one, one)
        if elsewhere is not None:
            curves[policy, "elsewhere"] = _curve(entrant, mine, elsewhere, policy, most, picks, drawn, half * dear, one)
    trend = tuple(
        _bounds(entrant, mine, mine.high[:, :, b], "drawn", most, picks, drawn, b).at(top - 1)
        for b in range(len(arenas[p].budgets))
    )
    shares = {t: _share(arenas[p], mine, rows, t) for t in TOLERANCES}
    return Result(entrant, mine, _spread(mine, rows), shares, curves, trend)


def _curve(
    entrant: Entrant, mine: Outcomes, picked_by: Floats, policy: Policy, most: int, picks: NDArray[np.bool_],
    drawn: Draws, price: float, one: float,
) -> Curve:  # fmt: skip
    """Return a curve. price: designs that trying one setting costs; one: designs of a run."""
    value = _bounds(entrant, mine, picked_by, policy, most, picks, drawn, -1)
    k = np.minimum(np.arange(1, most + 1), len(entrant.settings) if policy == "default" else len(entrant.drawn))
    tuning = np.where(k > 1, k * price, 0.0)
    dependable = (np.arange(1, most + 1) <= max(1, most // 2)) | entrant.all_there_are
    return Curve(value, tuning, tuning + one, dependable)


def _bounds(
    entrant: Entrant, mine: Outcomes, picked_by: Floats, policy: Policy, most: int, picks: NDArray[np.bool_],
    drawn: Draws, budget: int,
) -> Bounds:  # fmt: skip
    """Return best-of-k for k = 1 ... most. An unfinished run picks by what was seen of it."""
    parts: list[tuple[Floats, Floats]] = []
    for scores in (mine.low[:, :, budget], mine.high[:, :, budget]):
        if parts and np.array_equal(scores, mine.low[:, :, budget]):
            parts *= 2
            break
        tried, mended = _tried(entrant, picked_by, scores, policy, drawn)
        parts.append((_fill(cross_fitted(tried, picks), most), _fill(resampled(tried, picks, mended), most)))
    (low, resampled_low), (high, resampled_high) = parts
    return Bounds(low, high, resampled_low, resampled_high)


def _tried(entrant: Entrant, picked_by: Floats, scores: Floats, policy: Policy, drawn: Draws) -> tuple[Tried, Draws]:
    rows = entrant.drawn
    if policy == "drawn" or not entrant.tunable:
        return Tried(picked_by[rows], scores[rows]), drawn
    kept = [i for i in rows if not entrant.settings[i].default]
    mended = Draws(drawn.settings[:, : len(kept)] % len(kept), drawn.seeds, drawn.splits)
    return Tried(picked_by[kept], scores[kept], (picked_by[0], scores[0])), mended


def _fill(curve: Floats, most: int) -> Floats:
    """Cut a curve at k = most; where there are no more settings, its last value goes on."""
    curve = curve[..., :most]
    missing = most - curve.shape[-1]
    return np.concatenate([curve, np.repeat(curve[..., -1:], missing, axis=-1)], axis=-1) if missing else curve


def _spread(mine: Outcomes, rows: list[int]) -> Spread:
    middle = (mine.low[:, :, -1] + mine.high[:, :, -1]) / 2.0
    means = middle.mean(axis=1)
    low, mid, high = np.quantile(means[rows], [0.25, 0.5, 0.75])
    better = int((means[rows] < means[0]).sum())
    return Spread(
        means, (float(low), float(mid), float(high)), float(means[rows].min()), float(means[rows].max()),
        float(means[0]), better, variance_between(middle[rows]),
    )  # fmt: skip


def variance_between(values: Floats) -> float:
    """Return the share of the variance of single runs that settings make, (settings, seeds); the rest is luck.

    The intraclass correlation of a one-way layout, by mean squares (Shrout and Fleiss, Psychological Bulletin 86(2),
    1979, doi:10.1037/0033-2909.86.2.420, ICC(1,1)), 0 where it comes out negative; NaN without any variance.
    """
    settings, seeds = values.shape
    if settings < 2:
        return float("nan")
    between = seeds * float(values.mean(axis=1).var(ddof=1))
    within = float(values.var(axis=1, ddof=1).mean())
    total = between + (seeds - 1) * within
    return max(0.0, (between - within) / total) if total > 0 else float("nan")


def _share(arena: Arena, mine: Outcomes, rows: list[int], tolerance: float) -> Share:
    target = stats.target_loss(arena.yardstick.loss, tolerance)
    reached = mine.best[rows, :, -1] <= target
    maybe = reached | ~mine.complete[rows]
    least = int((reached.mean(axis=1) >= 0.5).sum())
    most = int((maybe.mean(axis=1) >= 0.5).sum())
    ends = wilson(least, len(rows))[0], wilson(most, len(rows))[1]
    return Share(least, most, len(rows), ends, float(reached.mean()))


# -- the entrants compared --------------------------------------------------------------------------------------------


def _on(made: Study, scope: str, values: list[list[Bounds]]) -> list[Bounds]:
    """Return each entrant's value on a problem, or its mean over all. values: by problem and entrant."""
    if scope == OVERALL and len(made.arenas) > 1:
        return [mean_of(list(column)) for column in zip(*values, strict=True)]
    return values[[arena.label for arena in made.arenas].index(scope)]


def _answer(made: Study, scope: str, policy: Policy, k: int) -> Answer:
    curves = [[result.curves[policy, "here"] for result in row] for row in made.results]
    values = _on(made, scope, [[curve.value.at(k - 1) for curve in row] for row in curves])
    shown = curves if scope == OVERALL else [curves[[arena.label for arena in made.arenas].index(scope)]]
    tuning = [float(np.mean([row[e].tuning[k - 1] for row in shown])) for e in range(len(values))]
    dependable = all(bool(curve.dependable[k - 1]) for row in shown for curve in row)
    best, ties = best_and_ties(values)
    return Answer(scope, policy, k, tuple(values), tuple(tuning), best, tuple(ties), dependable)


def _pairs(made: Study) -> list[Pair]:
    found = []
    for scope in made.scopes:
        for b, budget in enumerate(made.arenas[0].budgets):
            values = _on(made, scope, [[result.trend[b] for result in row] for row in made.results])
            ends = [one.interval() for one in values]
            for i in range(len(values)):
                for j in range(i + 1, len(values)):
                    difference = values[i].minus(values[j])
                    overlap = bool(ends[i][0] <= ends[j][1] and ends[j][0] <= ends[i][1])
                    judged = verdict(difference, made.margin(scope))
                    found.append(Pair(scope, budget, i, j, difference, overlap, judged))
    return found
