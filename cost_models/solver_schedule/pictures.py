"""What samplers of few evaluations look like: their times and solvers, their samples, their error for their work.

Beside the designs stand stock samplers, as their authors or common software run them: DDIM in uniform time (Song et
al., arXiv:2010.02502); Heun on Karras's grid, with its last step of first order (arXiv:2206.00364); DPM-Solver++ 2M on
the grids linear in log-SNR (arXiv:2211.01095) and of Karras, and UniPC 3 in log-SNR (arXiv:2302.04867), both with a
last step of first order, `diffusers`' default below 15 steps; tAB-DEIS 3 in quadratic time (arXiv:2204.13902).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.pictures import Axis, Image, Picture, Series
from designgym.cost_models.solver_schedule.mixtures import Mixture, mixture
from designgym.cost_models.solver_schedule.paths import Path
from designgym.cost_models.solver_schedule.sampler import Schedule, errors, noises, sampled, summary
from designgym.cost_models.solver_schedule.solvers import pattern
from designgym.cost_models.solver_schedule.stock import spelled, stock_solvers

Floats = NDArray[np.float64]

STOCK = (
    ("ddim", "uniform_t"), ("heun", "karras7"), ("dpmpp2m_lof", "logsnr"), ("dpmpp2m_lof", "karras7"),
    ("unipc3_lof", "logsnr"), ("deis3", "quadratic_t"),
)  # fmt: skip
STOCK_OF_FLOW = (
    ("ddim", "uniform_t"), ("heun", "uniform_t"), ("deis1", "uniform_t"), ("deis2", "uniform_t"), ("ddim", "logsnr"),
)  # fmt: skip
MOST_DRAWN = 400  # points of a panel
WORK = 4e9  # components x coordinates x points x evaluations of the curves of error: seconds, not minutes
FEWEST = 32
SHOWN = (4, 4)  # images of a panel, down and across
EDGE = 8  # pixels of an image of the digits


@dataclass(frozen=True)
class Samplers:
    """Designs and stock samplers in one setting. names, schedules: of the designs, all with `evaluations`.

    stock: the stock samplers of a number of evaluations, by name. truth: where the first so many points should end,
    (d, count); true_end: what that is, in words. points: how many there are, of noise drawn with `seed`. counts: the
    numbers of evaluations of the curves of error. in_time: whether times alone are designed, all steps being Euler's.
    """

    model: str
    path: Path
    names: tuple[str, ...]
    schedules: tuple[Schedule, ...]
    evaluations: int
    counts: tuple[int, ...]
    in_time: bool
    stock: Callable[[int], dict[str, Schedule]]
    truth: Callable[[int], Floats]
    true_end: str
    points: int
    seed: int

    @cached_property
    def mixed(self) -> Mixture:
        """The data."""
        return mixture(self.model)

    @cached_property
    def few(self) -> int:
        """How many points curves of error take."""
        size = self.mixed.means.size * sum(self.counts) * len(STOCK)
        return min(self.points, max(FEWEST, int(WORK / size)))

    def samples(self, schedules: Sequence[Schedule], count: int) -> Floats:
        """Return where schedules of one number of evaluations carry the first points, (schedules, d, count)."""
        return sampled(self.path, self.mixed, list(schedules), noises(self.mixed.dimensions, count, self.seed))

    def rms(self, schedules: Sequence[Schedule]) -> Floats:
        """Return their errors over the points that curves take, (schedules,)."""
        found: Floats = summary(errors(self.samples(schedules, self.few), self.truth(self.few)))["rms"]
        return found

    @cached_property
    def best_stock(self) -> tuple[str, Schedule]:
        """The stock sampler with the least error at the designs' number of evaluations."""
        stock = self.stock(self.evaluations)
        best = int(np.argmin(self.rms(list(stock.values()))))
        return list(stock.items())[best]


def stock_samplers(path: Path, grid: str, evaluations: int) -> dict[str, Schedule]:
    """Return the stock samplers that a path allows with so many evaluations. grid: theirs, their own for ""."""
    allowed, found = set(stock_solvers(path, evaluations).values()), dict[str, Schedule]()
    for solver, own in STOCK_OF_FLOW if path.name == "flow" else STOCK:
        steps = spelled(pattern(solver, evaluations))
        # Nobody ends with Heun's method, whose last evaluation has no noise, or next to none.
        if steps in allowed and steps[-1] != "heun":
            found.setdefault(f"{solver} on {grid or own}", Schedule(path.grid(grid or own, len(steps)), steps))
    return found


def pictures_of(samplers: Samplers) -> tuple[Picture, ...]:
    """Return the three pictures."""
    return times_picture(samplers), samples_picture(samplers), error_picture(samplers)


# -- times and solvers ------------------------------------------------------------------------------------------------


def times_picture(samplers: Samplers) -> Picture:
    """Return when each sampler evaluates, on the axis of log-SNR, and by which solver it then steps."""
    stock, schedule = samplers.best_stock
    rows = [(stock, schedule), *zip(samplers.names, samplers.schedules, strict=True)]
    marks, schedules = [], [own for _, own in rows]
    places = [np.array(own.times) for own in schedules] if samplers.in_time else _log_snrs(samplers.path, schedules)
    for row, ((name, own), x) in enumerate(zip(rows, places, strict=True)):
        labels = tuple(f"{t:.3g}" for t in own.times) if samplers.in_time else (*own.solvers, "")
        marks.append(Series(name, x, np.full(len(x), float(row)), "lines", labels=labels))
    meaning = "Each row is a sampler, from noise on the left to data on the right. "
    if samplers.in_time:
        meaning += "A mark is a time at which a step begins or the last one ends."
    else:
        meaning += (
            "A mark is a time on the axis of log-SNR, log(α / σ), and above it stands the solver of the step that "
            "begins there."
        )
        if samplers.path.name == "flow":
            meaning += " The path's ends, where it is infinite, are drawn at the margins."
    if len(samplers.stock(samplers.evaluations)) > 1:
        best = f"the stock sampler with the least error at {samplers.evaluations} evaluations"
    else:
        best = f"the stock sampler of {samplers.evaluations} evaluations"
    names = tuple(name for name, _ in rows)
    x_axis = Axis("t" if samplers.in_time else "log-SNR")
    title = "Times of the steps" if samplers.in_time else "Times and solvers"
    return Picture(title, f"{meaning} The first row is {best}.", tuple(marks), x_axis, Axis(names=names), written=True)


def _log_snrs(path: Path, rows: Sequence[Schedule]) -> list[Floats]:
    """Return the log-SNRs of each sampler's times; infinite ends lie where the path's grids begin and end, or beyond

    where some sampler's inner times do.
    """
    found = [path.log_snr(own.times) for own in rows]
    finite = np.concatenate([path.log_snr([path.first, path.last]), *(own[np.isfinite(own)] for own in found)])
    return [np.clip(own, finite.min(), finite.max()) for own in found]


# -- samples ----------------------------------------------------------------------------------------------------------


def samples_picture(samplers: Samplers) -> Picture:
    """Return where the same noise goes: along the true path, by the best stock sampler, by each design."""
    stock, schedule = samplers.best_stock
    names = (stock, *samplers.names)
    images = samplers.model.startswith("digits")
    count = min(samplers.points, int(np.prod(SHOWN)) if images else MOST_DRAWN)
    found = samplers.samples([schedule, *samplers.schedules], count)
    truth = samplers.truth(count)
    panels = (samplers.true_end, *names)
    begin = f"The same {count} points of noise in every panel, taken by {samplers.evaluations} evaluations: "
    if images:
        marks: tuple[Series | Image, ...] = tuple(
            Image(name, _tiled(own), i) for i, (name, own) in enumerate(zip(panels, (truth, *found), strict=True))
        )
        return Picture(
            "Samples", f"{begin}images of the digits, pixels from -1 to 1.", marks, panels=panels, equal=True
        )
    project, said = _projection(samplers.mixed)
    marks = (_dots(panels[0], project(truth), 0),)
    for i, (name, own) in enumerate(zip(names, found, strict=True), 1):
        marks += (_dots(panels[0], project(truth), i, quiet=True), _dots(name, project(own), i))
    meaning = f"{begin}{said}. Grey: where {samplers.true_end} takes them."
    return Picture("Samples", meaning, marks, Axis(), Axis(), panels, equal=True)


def _dots(name: str, plane: Floats, panel: int, quiet: bool = False) -> Series:
    return Series(name, plane[0].copy(), plane[1].copy(), panel=panel, quiet=quiet)


def _projection(mixed: Mixture) -> tuple[Callable[[Floats], Floats], str]:
    """Return what shows points, (d, n), in a plane, (2, n), and what that plane is, in words."""
    if mixed.dimensions == 1:
        return lambda points: np.stack([points[0], np.zeros_like(points[0])]), "their one coordinate"
    if mixed.dimensions == 2:
        return lambda points: points, "both coordinates"
    values, vectors = np.linalg.eigh(mixed.covariance())
    # Each axis points where its largest entry is positive: an eigenvector has no sign of its own.
    axes = vectors[:, [-1, -2]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    share = values[-2:].sum() / values.sum()
    centre = mixed.mean()[:, None]
    said = (
        f"their {mixed.dimensions} coordinates on the two leading axes of the mixture's covariance, {share:.0%} of it"
    )
    return lambda points: np.asarray(axes.T @ (points - centre)), said


def _tiled(points: Floats) -> Floats:
    """Return images, (64, n), side by side, with a line of the lowest value between them."""
    down, across = SHOWN
    tiles = np.full((down * (EDGE + 1) - 1, across * (EDGE + 1) - 1), -1.0)
    for i, image in enumerate(points.T):
        top, left = i // across * (EDGE + 1), i % across * (EDGE + 1)
        tiles[top : top + EDGE, left : left + EDGE] = np.clip(image.reshape(EDGE, EDGE), -1.0, 1.0)
    return tiles


# -- error for work ---------------------------------------------------------------------------------------------------


def error_picture(samplers: Samplers) -> Picture:
    """Return the error of stock samplers at each number of evaluations, and of the designs at theirs."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for count in samplers.counts:
        stock = samplers.stock(count)
        for name, rms in zip(stock, samplers.rms(list(stock.values())), strict=True):
            curves.setdefault(name, []).append((count, float(rms)))
    marks = [_curve(name, points, "lines") for name, points in curves.items()]
    own = samplers.rms(samplers.schedules)
    marks += [
        _curve(name, [(samplers.evaluations, float(rms))], "points")
        for name, rms in zip(samplers.names, own, strict=True)
    ]
    of = f"the first {samplers.few} of {samplers.points} points" if samplers.few < samplers.points else "all points"
    return Picture(
        "Error for work",
        "Lines are stock samplers at each number of evaluations, points the designs. The error is the root mean "
        f"square over {of} and over coordinates, on noise of seed {samplers.seed}, against {samplers.true_end}.",
        tuple(mark for mark in marks if len(mark.x)),
        Axis("evaluations"),
        Axis("rms", log=True),
    )


def _curve(name: str, points: list[tuple[int, float]], kind: str) -> Series:
    """Return a series of what has a place on a logarithmic axis."""
    there = np.array([point for point in points if point[1] > 0.0 and np.isfinite(point[1])], np.float64).reshape(-1, 2)
    return Series(name, there[:, 0].copy(), there[:, 1].copy(), "lines" if kind == "lines" else "points")
