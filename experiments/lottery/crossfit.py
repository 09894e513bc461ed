"""Best-of-k where no setting is scored on a seed that it was picked on, with resamples over settings and seeds.

Cross-fitting: every split of the seeds picks on one half and scores on the other; the estimate is the mean over splits.
Resamples: settings are drawn anew with replacement and seeds get random weights, both at once (the pigeonhole bootstrap
with product weights, Owen and Eckles, Annals of Applied Statistics 6(3), 2012, doi:10.1214/12-AOAS547). The weights
leave every seed in its half, so that a resample never scores on what it picked on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.experiments.lottery.best_of import Floats, scores_in_order, weight_table

LEAST_SEEDS = 4  # two to pick on, two to score on
MOST_SPLITS = 252  # all halves of ten seeds
SPLITS_A_RESAMPLE = 20
RESAMPLES = 1000
MOST_FLOATS = 4_000_000  # in one array of resamples


@dataclass(frozen=True)
class Tried:
    """What settings came to, by setting and seed: lower is better. picked_by, scores: (N, seeds).

    default: the same two of the default setting, each (seeds,), where it is one of the k: it is left only for a setting
    that did better on the seeds that pick. None: the k are drawn at random.
    """

    picked_by: Floats
    scores: Floats
    default: tuple[Floats, Floats] | None = None


def halves(seeds: int, most: int = MOST_SPLITS, rng: np.random.Generator | None = None) -> NDArray[np.bool_]:
    """Return the splits of the seeds, bool (splits, seeds): True where a seed picks, False where it scores.

    The half that picks has seeds // 2 of them. All splits if there are at most `most`, else that many different ones
    drawn at random. ValueError for fewer than four seeds.
    """
    if seeds < LEAST_SEEDS:
        raise ValueError(f"cross-fitting needs at least {LEAST_SEEDS} seeds, got {seeds}. Add seeds.")
    half = seeds // 2
    if comb(seeds, half) <= most:
        chosen = list(combinations(range(seeds), half))
    else:
        rng = np.random.default_rng(0) if rng is None else rng
        found: dict[tuple[int, ...], None] = {}
        while len(found) < most:
            found.setdefault(tuple(sorted(rng.choice(seeds, half, replace=False).tolist())))
        chosen = list(found)
    picks = np.zeros((len(chosen), seeds), bool)
    picks[np.arange(len(chosen))[:, None], np.array(chosen)] = True
    return picks


def cross_fitted(tried: Tried, picks: NDArray[np.bool_]) -> Floats:
    """Return the expected score of the best of k = 1 ... N settings, (N,); with a default, of k = 1 ... N + 1."""
    return _curve(tried, _normalised(picks), _normalised(~picks), None).mean(axis=0)


@dataclass(frozen=True)
class Draws:
    """The resamples of one agent, the same for all its problems and budgets, so that sums over these are resampled.

    settings: indices, (resamples, N). seeds: weights, (resamples, seeds). splits: indices of splits, (resamples, L).
    """

    settings: NDArray[np.int64]
    seeds: Floats
    splits: NDArray[np.int64]


def draws(
    settings: int, seeds: int, splits: int, rng: np.random.Generator, fixed: bool = False, resamples: int = RESAMPLES
) -> Draws:
    """Draw the resamples of an agent. fixed: its settings are all that there are: its seeds alone are resampled."""
    chosen = rng.integers(settings, size=(resamples, settings))
    return Draws(
        np.tile(np.arange(settings), (resamples, 1)) if fixed else chosen,
        rng.standard_exponential((resamples, seeds)),
        rng.permuted(np.tile(np.arange(splits), (resamples, 1)), axis=1)[:, :SPLITS_A_RESAMPLE],
    )


def resampled(tried: Tried, picks: NDArray[np.bool_], drawn: Draws) -> Floats:
    """Return `cross_fitted` of every resample, (resamples, N or N + 1)."""
    chunk = max(1, MOST_FLOATS // (drawn.splits.shape[1] * max(tried.scores.shape)))
    found = []
    for start in range(0, len(drawn.seeds), chunk):
        rows = slice(start, start + chunk)
        mask, weight = picks[drawn.splits[rows]], drawn.seeds[rows, None, :]
        chosen = drawn.settings[rows, None, :]
        found.append(_curve(tried, _normalised(mask * weight), _normalised(~mask * weight), chosen).mean(axis=1))
    return np.concatenate(found)


def resampled_means(scores: Floats, drawn: Draws) -> Floats:
    """Return a setting's mean over seeds for every resample, (resamples,). scores: (seeds,)."""
    return np.asarray(_normalised(drawn.seeds) @ scores)


def _curve(tried: Tried, pick: Floats, score: Floats, chosen: NDArray[np.int64] | None) -> Floats:
    """Return best-of-k of each split, (..., k). pick, score: weights of the seeds, (..., seeds)."""
    by, of = pick @ tried.picked_by.T, score @ tried.scores.T
    if chosen is not None:
        by, of = np.take_along_axis(by, chosen, -1), np.take_along_axis(of, chosen, -1)
    weights = weight_table(by.shape[-1])
    if tried.default is None:
        return np.asarray(scores_in_order(by, of) @ weights.T)
    first_by, first_of = (pick @ tried.default[0])[..., None], (score @ tried.default[1])[..., None]
    kept = np.where(by < first_by, of, first_of)
    return np.concatenate([first_of, scores_in_order(by, kept) @ weights.T], axis=-1)


def _normalised(weights: NDArray[Any]) -> Floats:
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float64)
