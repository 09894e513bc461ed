"""Bayesian optimisation with a Gaussian process, over mixed, conditional and constrained spaces.

Source: Wan et al., "Think Global and Act Local", ICML 2021 (arXiv:2102.07188): a process whose kernel falls with the
distance of designs is fitted, and expected improvement (Jones, Schonlau and Welch, 1998,
doi:10.1023/A:1008306431147) is maximised over moves of an incumbent, and then over moves of those that promise most. A
search that is stuck starts elsewhere. The process holds about a thousand trials, those near the incumbent once there
are more. Improvement is worked out with the variance that the nearest trial alone leaves, so that no candidate costs a
solve, and several candidates are taken at a time, each as if those before it had come to what is expected of them
(Ginsbourger, Le Riche and Carraro, 2010, "Kriging is well-suited to parallelize optimization",
doi:10.1007/978-3-642-10701-6_6).
With several objectives each pool of candidates is ranked by other weights (Knowles, ParEGO, 2006, see `scalarising`).
With one objective under constraints on metrics, as soon as some trials keep them and some do not, one process learns
the loss of all trials and another one how far each is from keeping them: the loss goes on beyond a bound, where the
reward falls off a cliff. Improvement then counts as much as the bound is likely to be kept (Gardner et al., ICML 2014,
"Bayesian optimization with inequality constraints").
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.archive import Archive
from designgym.agents.base import Agent
from designgym.agents.candidates import Candidates, merged, some
from designgym.agents.gaussian_process import RankProcess, normal_scores
from designgym.agents.picking import Picker
from designgym.agents.places import Places, PlaceSet
from designgym.agents.scalarising import draw_weights
from designgym.cost_models.base import Columns
from designgym.envs import DesignSpace, Evaluations, Float, Integer, Ordinal, Problem

ELITES = 16  # best trials: they are always in the fit, and a pool's first half and restarts begin at them
FITTED = 96  # trials that rates are fitted to: half of them the best ones
KEPT_SHARE = 0.67  # of the trials that the process can hold, those it begins anew with when it is full
REDRAWS = 20  # random designs drawn in the hope of a new one
# Candidates taken from one pool: few early in a run, when every trial changes the model, one more after so many trials.
LEAST_AT_ONCE, MOST_AT_ONCE, TRIALS_PER_CANDIDATE = 6, 20, 25
Proposals = tuple[Any, NDArray[np.float64]]  # designs in the archive's form, and their places, (n, width)
GROWTH = 1.5  # the rates are fitted anew when there are so many times as many trials; of late, when it begins anew


class Bayesian(Agent):
    """Ranks moves of its incumbent by expected improvement. Compares by reward: infeasible ones by their violation.

    Defaults were chosen on NK landscapes of 2, 3, 4 and 6 letters (n = 18, 12, 9, 7; k = 5, 2, 4, 3; instances from
    100 on), LABS of lengths 16, 17, 19 and 22, and SystolicGemms-v0's space with ResNet-18, MobileNetV2 and AlexNet in
    place of its multiplies, for EDP, energy, and latency under a bound on area; seeds from 1,000 on. Regret at 1,000
    designs there, NK by 320 runs or more, LABS by 60 or more (in brackets the standard error): a process that holds
    all trials NK .054, one of 512 .063 (.004); one of the 512 best .053 where all came to .045, one that learns of late
    from good and surprising trials alone .051 where all came to .046 (each difference .002). With half of the
    candidates near the other half's best .046 (.002), LABS .039 (.004), without .054, .046 (.003). A share of restarts
    at random designs of .1 / .4 / .7 / 1 NK .053 / .047 / .045 / .045 (.002), LABS .043 / .045 / .040 / .053 (.005).
    At most 10, 12 and 16 candidates from a pool are alike (NK .046, .047, .046), and so are 20 (by 1,600 pairs of runs
    .0004 worse than 16, standard error .0010), not 24 (.0024 worse, .0011); fewer early on, 4 + n / 50 in place of
    6 + n / 25, take a fifth more time, for regret 2 % lower at 50 and 4 % at 200 designs.
    Under a bound, regret at 300 designs with loss and violation learnt apart, by the reward alone in brackets, seeds
    from 1,000 on: MixedPrecision-v0's mlp .000 (.059), cnn .035 (.143), ten runs each; by eight each, loss is lower on
    ApproximateMultiplier-v0, CompressedTransformer-v0 and SystolicGemms-v0, and equal on two small spaces.
    """

    summary = "Bayesian optimisation: a Gaussian process ranks moves of an incumbent; one or several objectives"
    hyperparameters = DesignSpace(
        Ordinal("first", (2, 4, 8, 16, 32, 64), default=8, meaning="random designs to begin with"),
        Ordinal(
            "trials",
            (64, 96, 128, 192, 256, 384, 512, 768, 1024),
            default=1024,
            meaning="trials that the process holds",
        ),
        Ordinal(
            "pool",
            (8, 16, 32, 64, 128, 256),
            default=32,
            meaning="candidates ranked for each asked, half near the best of the other half",
        ),
        Integer("patience", 4, 4096, log=True, default=24, meaning="proposals without improvement before a restart"),
        Float("anew", 0.0, 1.0, default=0.7, meaning="share of restarts that begin at a random design"),
        Float(
            "further", 0.0, 0.9, default=0.4, meaning="chance that a candidate changes one more parameter, and so on"
        ),
        Float("reach", 0.0, 1.0, default=0.5, meaning="share of an ordered parameter's moves that go anywhere"),
        Float(
            "elite",
            0.0,
            1.0,
            default=0.5,
            meaning="share of candidates that begin at another than the best of their starts",
        ),
        Float("crossed", 0.0, 1.0, default=0.2, meaning="share of candidates that cross two of their starts"),
        Float("noise", 1e-4, 1.0, log=True, default=0.03, meaning="variance of what the process does not explain"),
        Float("rate", 0.1, 20.0, log=True, default=2.0, meaning="first guess of how fast the process forgets, in all"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._places = Places(self.space)
        self._process = self._made_process()
        self._several = len(problem.objective.names)
        bounded = self._several == 1 and bool(problem.objective.subject_to)
        self._archive = Archive(self.space, self._places, self._several, bounded)
        self._bounds = self._made_process() if bounded else None
        self._apart = False  # whether loss and violation are learnt apart
        self._upto = 0  # rows of the archive that the process was told of
        self._held: NDArray[np.int64] | None = None  # rows of the archive that the process holds; None: begin anew
        self._seen = PlaceSet()
        self._queue: Proposals = self._archive.take(np.arange(0)), self._archive.places
        self._begun = False
        self._next_fit = 3
        self._centre: Any = None  # the incumbent's row in the archive
        self._centre_reward = -np.inf
        self._idle = 0
        self._asked: tuple[Columns, Any, NDArray[np.float64]] | None = None  # the latest, also as they are queued
        shares = {name: self.settings[name] for name in ("elite", "crossed", "further", "reach")}
        self._candidates = Candidates(self.space, self._places, self._archive, rng, **shares)
        size = int(self.settings["pool"])
        self._picker = Picker(self._candidates, self._archive, self._process, self._seen, size, self._bounds)

    def _made_process(self) -> RankProcess:
        settings = self.settings["rate"], self.settings["noise"], int(self.settings["trials"])
        return RankProcess(self._places.group, *settings)

    def ask(self, n: int) -> Columns:
        parts = []
        while n > 0:
            if not len(self._queue[1]):
                self._queue = self._proposals()
            designs, places = self._queue
            parts.append((some(designs, slice(n)), places[:n]))
            self._queue = some(designs, slice(n, None)), places[n:]
            self._seen.add(places[:n])
            n -= len(places[:n])
        own, places = merged([own for own, _ in parts]), np.concatenate([places for _, places in parts])
        columns = self._archive.columns(own)
        self._asked = columns, own, places
        return columns

    def _next_batch(self) -> int:
        """All that is queued is asked at once, for nothing that is told changes it; so is what will be queued next."""
        if len(self._queue[1]):
            return len(self._queue[1])
        return self._most if self._begun and self._archive.count >= 2 and not self._stuck else 1

    @property
    def _stuck(self) -> bool:
        """Whether to start elsewhere."""
        return bool(self._idle >= self.settings["patience"] and self._several == 1)

    def _proposals(self) -> Proposals:
        """Return what to ask next, at least one design."""
        if not self._begun:
            self._begun = True
            first = self.space.sample(int(self.settings["first"]), self.rng)
            places = self._places.of(first)
            rows = self._seen.new(places)[::-1]
            return some(self._archive.own(first), rows), places[rows]
        if self._archive.count < 2:
            return self._random()
        if self._stuck:
            self._idle = 0
            if self.rng.random() < self.settings["anew"]:
                self._centre_reward = -np.inf  # what comes next is the incumbent, whatever it comes to
                return self._random()
            self._centre = self._archive.best(ELITES)[self.rng.integers(0, min(ELITES, self._archive.count))]
            self._centre_reward = self._archive.rewards[self._centre]
        picked = self._picked()
        if not len(picked[1]):  # every candidate was asked before
            self._idle = int(self.settings["patience"])
            return self._random()
        return picked

    def _random(self) -> Proposals:
        for _ in range(REDRAWS):
            own, places = self._candidates.anywhere()
            if len(self._seen.new(places)):
                break
        return own, places

    def _picked(self) -> Proposals:
        """Return the candidates of highest expected improvement that were not asked before, the best first."""
        archive = self._archive
        if self._several > 1:
            archive.reweigh(draw_weights(self._several, self.rng))
            self._centre = int(np.argmax(archive.rewards))
        elites = archive.best(ELITES)
        self._set_apart()
        if archive.total >= self._next_fit and (self._full or 2 * archive.total <= self.settings["trials"]):
            self._fit()
        target, bound = self._hold(elites)
        return self._picker.pick(np.append(elites, self._centre), target, self._most, bound)

    def _set_apart(self) -> None:
        """Learn loss and violation apart once there are designs of both kinds."""
        if self._bounds is not None and not self._apart:
            kept = self._archive.violations == 0
            self._apart = bool(kept.any() and not kept.all())
            if self._apart:
                self._held = None

    @property
    def _learnt(self) -> list[tuple[RankProcess, NDArray[np.float64]]]:
        """The processes in use, and the values of the archive's rows, (count,), whose ranks each of them learns."""
        if not self._apart or self._bounds is None:
            return [(self._process, self._archive.rewards)]
        return [(self._process, -self._archive.losses), (self._bounds, -self._archive.violations)]

    @property
    def _most(self) -> int:
        """How many candidates to take from one pool."""
        return min(LEAST_AT_ONCE + self._archive.total // TRIALS_PER_CANDIDATE, MOST_AT_ONCE)

    def _fit(self) -> None:
        """Fit the rates to the best trials and to as many others."""
        archive = self._archive
        rows = np.arange(archive.count)
        if archive.count > FITTED:
            best = archive.best(FITTED // 2)
            others = self.rng.permutation(np.setdiff1d(rows, best))[: FITTED - len(best)]
            rows = np.concatenate([best, others])
        places = np.ascontiguousarray(archive.places[rows].T)
        for process, values in self._learnt:
            process.fit(places, normal_scores(values[rows]))
        self._next_fit = int(GROWTH * archive.total) + 3
        self._held = None

    @property
    def _full(self) -> bool:
        """Whether the process can not hold what was told since, and must begin anew in any case."""
        held = 0 if self._held is None else len(self._held)
        return bool(self._archive.count - self._upto + held > self.settings["trials"])

    def _hold(self, elites: NDArray[np.int64]) -> tuple[float, float | None]:
        """Let the processes hold all trials, or as many as they can.

        Return the highest score of those, of those that keep the constraints, and where loss and violation are learnt
        apart, the score of the violation above which constraints are kept.
        """
        archive, before = self._archive, self._upto
        anew = self._held is None or self._full
        if anew:
            rows = self._rows_to_hold(elites, int(self.settings["trials"]))
        else:
            rows = np.concatenate([self._held, np.arange(before, archive.count)])
        known = archive.ranked() if len(rows) == archive.count and not self._apart else None
        learnt = [(process, normal_scores(values[rows], known)) for process, values in self._learnt]
        for process, scores in learnt:
            if anew:
                process.hold(archive.places[rows], scores)
            else:
                process.add(archive.places[before:], scores)
        self._held, self._upto = rows, archive.count
        scores = learnt[0][1]
        if not self._apart:
            return float(scores.max()), None
        kept, margins = archive.violations[rows] == 0, learnt[1][1]
        return float(scores[kept].max()), float(margins[kept].max() + margins[~kept].max(initial=-np.inf)) / 2.0

    def _rows_to_hold(self, elites: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """All rows of the archive; of too many, those nearest to the incumbent, and the elites."""
        archive = self._archive
        if archive.count <= most:
            return np.arange(archive.count)
        near = self._process.nearest(archive.places, archive.places[self._centre], int(KEPT_SHARE * most) - ELITES)
        return np.union1d(near, elites)

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        archive = self._archive
        if self._asked is not None and designs is self._asked[0]:
            _, own, places = self._asked
        else:
            own, places = archive.own(designs), self._places.of(designs)
            self._seen.add(places)
            rows = self._seen.new(self._queue[1])
            self._queue = some(self._queue[0], rows), self._queue[1][rows]
        losses, violations = None, None
        if self._several > 1:
            losses = np.where(evaluations.feasible[:, None], evaluations.losses, np.nan)
        elif self._bounds is not None:
            losses, violations = evaluations.losses, evaluations.violation
        first = archive.add(own, places, evaluations.reward, losses, violations)
        for row, reward in enumerate(evaluations.reward.tolist(), first):
            self._idle += 1
            if reward >= self._centre_reward or self._centre is None:
                if reward > self._centre_reward:
                    self._idle = 0
                self._centre, self._centre_reward = row, reward
        before = archive.count
        self._centre = archive.compact(self._centre)
        if archive.count < before:
            self._held = None
        self.batch = self._next_batch()
