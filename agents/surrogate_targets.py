"""What a surrogate of a problem learns: its losses, and how far each bound is passed, each on a scale it is even on.

A bound such as "area_mm2 <= 10" is learnt from its metric on both sides of it. Where only a violation is told, of the
cost model's own or of another form of constraint, designs that have none count as one unit within.

How bad a bad loss is says little of the best. Losses cut at 2 spans above the median in place of 4, the best of four
values tried: figures at 100 and 300 designs of `surrogate_promises`, without promises, 4,096 candidates, eight runs
each, are .145 and .058 in place of .155 and .068, less by .010 with 95 % intervals from -.025 to .002 and -.024 to
.001.

Of labels alone, losses are looked at closely near the best: the map is a logarithm on both sides of it (bilog: Eriksson
and Poloczek, AISTATS 2021, arXiv:2002.08526, there about a bound). Twenty problems of four or five categories of 5 to
21 labels, designs of SystolicArray (AlexNet, BERT, MobileNetV2, GPT-2 decode) or cnn, how far three metrics of theirs
are from what some design comes to, 16,384 candidates, six runs each, mean regret at 50, 100, 150, 200 and 300 designs:
.112, .060, .042, .034 and .023; without, and with the priors of ordered parameters, .135, .084, .053, .039 and .024
(differences [-.040, -.006], [-.040, -.008], [-.021, -.001], [-.014, .002] and [-.006, .005]); with the priors of labels
but no zoom .121, .070, .049, .033 and .022; `local_search` .113, .067, .049, .038 and .027. A zoom of 1 is no better
than none (.126, .074 and .048), and one that ends where improvement does no better than one that stays (.025 at 300).
Of ordered parameters it is worse: the mlp's bits, eight runs, .021 in place of .010 at 200 designs ([.005, .018]).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.envs import Evaluations, Objective
from designgym.envs.constraints import Constraint

Floats = NDArray[np.float64]
FAR = 2.0  # losses farther than this above the median, in spans from the best to it, are all the same
LOWEST = -1e150  # stands for a loss of -inf; its square is a number
ZOOM = 0.1  # of the span from the best to the median: so near to the best losses are told apart as widely as others
ROUNDING = 1e-9  # of a violation: what taking the excess over bounds away may leave behind
CLOSE = 0.25  # share of the designs nearest to a bound that sets the scale around it


@dataclass(frozen=True)
class Warp:
    """A monotone map to numbers of about unit spread. form: "log", "minus log", "plain", "bound" or "one-sided".

    centre, span: what is subtracted and divided by at last. cap: the largest number that is told from others before.
    about: what is looked at closely, if anything is: a number of that form, and how far from it numbers are alike.
    """

    form: str
    centre: float = 0.0
    span: float = 1.0
    cap: float = np.inf
    close: float = 1.0
    about: tuple[float, float] | None = None

    def suits(self, values: Floats) -> bool:
        """Whether all values, (n,), can be mapped; NaN can not be and does not count."""
        if self.form == "log":
            return not (values <= 0).any()
        return not (values >= 0).any() if self.form == "minus log" else True

    def __call__(self, values: Floats) -> Floats:
        """Map values, (n,)."""
        return (np.minimum(self.spread(values), self.cap) - self.centre) / self.span

    def spread(self, values: Floats) -> Floats:
        """Map values, (n,), but for cap, centre and span."""
        known = _straight(self.form, values, self.close)
        if self.about is None:
            return known
        away = (known - self.about[0]) / self.about[1]
        zoomed: Floats = np.copysign(np.log1p(np.abs(away)), away)
        return zoomed


def _straight(form: str, values: Floats, close: float) -> Floats:
    """Return values before they are capped, centred and scaled."""
    if form == "log":
        return np.log(values)
    if form == "minus log":
        return -np.log(-values)
    if form == "bound":
        return np.arcsinh(values / close)
    if form == "one-sided":
        return np.where(values > 0, 1.0 + np.log1p(values / close), -1.0)
    return values


def warp_of_loss(values: Floats, about: float | None = None) -> Warp:
    """Return a map for losses, (n,) and none of them NaN: logarithms where all have one sign.

    about: a loss near which others are looked at closely, if any.
    """
    form = "log" if (values > 0).all() else "minus log" if (values < 0).all() else "plain"
    warp = Warp(form)
    known = warp.spread(values)
    known, values = known[np.isfinite(known)], values[np.isfinite(known)]
    if not len(known):
        return Warp(form, cap=0.0)
    if about is not None:
        centre = float(warp.spread(np.array([about]))[0])
        warp = Warp(form, about=(centre, ZOOM * max(float(np.median(np.abs(known - centre))), _least(centre))))
        known = warp.spread(values)
    low, middle = float(known.min()), float(np.median(known))
    cap = middle + FAR * max(middle - low, _least(middle))
    capped = np.minimum(known, cap)
    return replace(warp, centre=float(capped.mean()), span=max(float(capped.std()), 1e-9), cap=cap)


def _least(number: float) -> float:
    """Return a span that is still one beside a number."""
    return 1e-9 * max(abs(number), 1.0)


def warp_of_bound(values: Floats, one_sided: bool) -> Warp:
    """Return a map for how far a bound is passed, (n,) and none of them NaN; 0 stays 0."""
    sizes = np.abs(values[np.isfinite(values)])
    sizes = np.sort(sizes[sizes > 0])
    close = float(np.median(sizes)) if one_sided and len(sizes) else 1.0
    if not one_sided and len(sizes):
        close = float(np.median(sizes[: max(1, int(np.ceil(CLOSE * len(sizes))))]))
    form = "one-sided" if one_sided else "bound"
    known = _straight(form, values, close)
    cap = float(np.max(known[np.isfinite(known)], initial=0.0)) + 1.0
    span = max(float(np.sqrt(np.mean(np.minimum(known, cap) ** 2))), 1e-9)
    return Warp(form, 0.0, span, cap, close)


class Targets:
    """Raw numbers of trials, one column a target: losses first, then bounds, the cost model's own violation last.

    zoom: whether one loss alone is looked at closely near the best feasible one.
    """

    def __init__(self, objective: Objective, zoom: bool = False) -> None:
        self._objective, self._zoom = objective, zoom and len(objective.names) == 1
        self.losses = len(objective.names)
        self._bounds: list[tuple[Constraint, tuple[str, float, float] | None]] | None = None
        self._rows = np.empty((0, 0))
        self._positive: list[bool] = []

    def add(self, evaluations: Evaluations) -> None:
        """Add trials."""
        if self._bounds is None:
            names = tuple(evaluations.metrics)
            parsed = [Constraint(text, names) for text in self._objective.subject_to]
            self._bounds = [(one, one.limit) for one in parsed]
        columns = [np.where(np.isneginf(loss), LOWEST, loss) for loss in evaluations.losses.T]
        columns += [_passed(one, limit, evaluations.metrics) for one, limit in self._bounds]
        columns.append(_own(evaluations, [one for one, _ in self._bounds]))
        rows = np.stack(columns, axis=1)
        self._rows = np.concatenate([self._rows, rows]) if len(self._rows) else rows

    @property
    def learnt(self) -> list[int]:
        """Columns that tell something: all losses, and the bounds that some design passes."""
        bounds = range(self.losses, self._rows.shape[1])
        return [*range(self.losses), *(j for j in bounds if (self._rows[:, j] > 0).any())]

    def known(self, target: int) -> tuple[NDArray[np.int64], Floats]:
        """Return the rows where a target has a value, and those values."""
        rows = np.flatnonzero(~np.isnan(self._rows[:, target]))
        return rows, self._rows[rows, target]

    def row(self, row: int) -> Floats:
        """Return the values of one trial, by target, NaN where there is none."""
        values: Floats = self._rows[row]
        return values

    def _best(self) -> float | None:
        """Return the least loss, the first target's, that keeps all bounds; None where none does."""
        kept = ~(self._rows[:, self.losses :] > 0).any(axis=1) & np.isfinite(self._rows[:, 0])
        return float(self._rows[kept, 0].min()) if kept.any() else None

    def warp(self, target: int) -> Warp:
        """Return a map for a target, by what is known of it."""
        _, values = self.known(target)
        if target < self.losses:
            return warp_of_loss(values, self._best() if self._zoom else None)
        bounds = self._bounds or []
        number = target - self.losses
        return warp_of_bound(values, number == len(bounds) or bounds[number][1] is None)


def _own(evaluations: Evaluations, bounds: list[Constraint]) -> Floats:
    """Return the cost model's own violation, (n,): what is left of all without the excess over bounds."""
    whole = evaluations.violation
    excess = sum((one.violation(evaluations.metrics) for one in bounds), np.zeros(len(whole)))
    with np.errstate(invalid="ignore"):
        own = whole - excess
    return np.where(np.isinf(whole), np.inf, np.where(own > ROUNDING * whole, own, 0.0))


def _passed(constraint: Constraint, limit: tuple[str, float, float] | None, metrics: Columns) -> Any:
    """Return by how much a bound is passed, (n,): below 0 within, where it is a limit of one metric; else never."""
    if limit is None:
        return np.asarray(constraint.violation(metrics), np.float64)
    name, number, sign = limit
    with np.errstate(invalid="ignore"):
        away = sign * (np.asarray(metrics[name], np.float64) - number) / max(abs(number), 1e-12)
    # A strict bound is passed where it is met.
    return np.where((away == 0) & ~constraint.holds(metrics), 1e-12, away)
