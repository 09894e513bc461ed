"""Search by a surrogate that is fitted while it searches, for cost models that take seconds and more a design.

Source: Jones, Schonlau and Welch, 1998, doi:10.1023/A:1008306431147 (a process is fitted, and expected improvement
maximised); Gardner et al., ICML 2014, "Bayesian optimization with inequality constraints" (times the chance that every
bound is kept, each learnt by a process of its own); Emmerich et al., 2016, doi:10.1007/978-3-319-29975-4_7 (expected
hypervolume improvement with several objectives); Ginsbourger, Le Riche and Carraro, 2010,
doi:10.1007/978-3-642-10701-6_6 (a batch: each as if those before it had come to what is expected of them). How it
leaves a local optimum: `surrogate_niches` and `surrogate_turns`. How far it believes its models: `surrogate_promises`.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.archive import Archive
from designgym.agents.base import Agent
from designgym.agents.candidates import Candidates, merged, some
from designgym.agents.differences import Differences
from designgym.agents.places import Places, PlaceSet
from designgym.agents.quasi_random import QuasiRandom
from designgym.agents.surrogate_choice import Aim, Choice, Foretold
from designgym.agents.surrogate_models import SurrogateModels
from designgym.agents.surrogate_niches import Niches
from designgym.agents.surrogate_pool import Made, SurrogatePool
from designgym.agents.surrogate_promises import Promises
from designgym.agents.surrogate_targets import Targets
from designgym.agents.surrogate_turns import LABELS, ORDERED, Turns
from designgym.cost_models.base import Columns, batch_length
from designgym.envs import Categorical, DesignSpace, Evaluations, Float, Integer, Ordinal, Problem
from designgym.envs.pareto import nondominated

INCUMBENTS = 16  # best designs that half of the candidates are moves of; with several objectives twice as many
STUCK = 2  # times its patience without improvement, after which it goes elsewhere
BOLD = (2.0, 4.0, 1.0)  # what deviations are multiplied by in turn, where nothing improves any more
MOVES = {"elite": 0.7, "crossed": 0.2, "further": 0.75, "reach": 0.5}  # see `Candidates`


class SurrogateSearch(Agent):
    """Looks at 100,000 candidates and more a choice; several are chosen at a time as trials become many.

    The first choice after a fit is made among all of them, and of the others every other among moves of incumbents
    alone. What candidates promise is weighed by how much of such promises was kept, with one objective: see `Promises`.
    Where nothing improves, choices are bolder in turn, and after STUCK times the patience all are made elsewhere, by
    turns with `local_search`, with one objective: see `Niches` and `Turns`. While nothing feasible is known, the design
    likeliest to keep all bounds is asked.

    Developed on SystolicArray-v0 (AlexNet and GPT-2 decode for latency, MobileNetV2 for energy, BERT for EDP) and
    MixedPrecision-v0 (mlp, cnn), on recodings of theirs and on designs that come near a target, seeds from 1,000 on;
    what made `Turns` worth a trial there, and its share where all parameters are labels, was seen on SolverPattern-v0,
    and cells lost in scores of earlier versions led to more problems of that kind to develop on. What each part is
    worth there is said where it is: `surrogate_process`, `surrogate_niches`, `surrogate_turns`, `surrogate_promises`,
    `surrogate_targets`.

    Fits saved, SystolicArray-v0 and MixedPrecision-v0, 150 designs, ten runs each: 19.3 and 15.8 fits where errors
    drift, 170 and 161 where always; regret .0004 against .0019 and 0 against .0005, equal within chance. An earlier
    version fitted 12 times at a certainty of .99 and came to .0049 and .0005, 23 times at .9 to .0028 and .0010, and to
    .0009 and 0 at .95.

    models: what it has fitted (`models.fits`) and how often it learnt more without a fit (`models.updates`).
    looked_at: candidates looked at for the last choice.
    """

    summary = "model-based search for slow cost models: fits as it goes, expected (hypervolume) improvement, bounds"
    hyperparameters = DesignSpace(
        Ordinal("first", (4, 8, 16, 32, 64), default=16, meaning="Sobol' designs to begin with"),
        Ordinal(
            "candidates",
            (1024, 4096, 16384, 65536, 112000, 250000),
            default=112000,
            meaning="candidates looked at for each choice",
        ),
        Integer("pace", 8, 1024, log=True, default=64, meaning="trials after which one more is chosen at a time"),
        Integer("most", 1, 32, default=8, meaning="designs chosen at a time at most"),
        Integer(
            "patience",
            4,
            4096,
            log=True,
            default=24,
            meaning="trials without improvement before it is bolder; after twice as many it also searches elsewhere",
        ),
        Ordinal("trials", (128, 256, 512, 1024, 2048), default=1024, meaning="trials that a model holds"),
        Categorical("refit", ("drift", "always"), meaning="fit a model when its errors drift, or at every choice"),
        Float("certainty", 0.9, 1.0, default=0.95, meaning="of an error's law, before it counts as drift"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: Any) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self._places = Places(self.space)
        self._archive = Archive(self.space, self._places)
        self._seen = PlaceSet()
        self._several = len(problem.objective.names) > 1
        always = self.settings["refit"] == "always"
        ordered = np.array([not isinstance(p, Categorical) for p in self.space.parameters])[self._places.group]
        self._targets = Targets(problem.objective, zoom=not ordered.any())
        settings = self.settings["certainty"], always, int(self.settings["trials"])
        self.models = SurrogateModels(self._places, ordered, self._targets, *settings)
        candidates = Candidates(self.space, self._places, self._archive, rng, **MOVES)
        size = int(self.settings["candidates"])
        self._pool = SurrogatePool(self.space, self._places, self._archive, candidates, self._seen, size)
        self._choice = Choice(self._pool, self.models, self._places)
        differences = Differences(self.space, self._places)
        self._niches = Niches(differences, int(self.settings["patience"]))
        self._promises = Promises(differences)
        self._turns = Turns(problem, rng, int(self.settings["most"]), ORDERED if ordered.any() else LABELS)
        self._first = QuasiRandom(problem, rng)
        self._losses = np.empty((0, len(problem.objective.names)))
        self._feasible = np.empty(0, bool)
        self._idle = self._choices = 0  # trials since the last improvement, and choices made
        self._fitted = False  # whether a model was fitted for the next choice
        self._queue: Made = self._archive.take(np.arange(0)), self._archive.places
        self._foretold: dict[bytes, Foretold] = {}  # of designs chosen and not told yet, by their places
        self._pending: dict[bytes, NDArray[np.float64]] = {}
        self.batch = int(self.settings["first"])

    @property
    def looked_at(self) -> int:
        """Candidates looked at for the last choice; where it was made among moves of incumbents, the other half too."""
        return self._choice.looked_at

    def ask(self, n: int) -> Columns:
        parts: list[Made] = []
        while n > 0:
            if not len(self._queue[1]):
                self._queue = self._next(n)
                if not len(self._queue[1]):
                    break
            parts.append((some(self._queue[0], slice(n)), self._queue[1][:n]))
            self._queue = some(self._queue[0], slice(n, None)), self._queue[1][n:]
            for place in parts[-1][1]:
                self._pending[place.tobytes()] = place
            n -= len(parts[-1][1])
        if not parts:
            return self._archive.columns(self._archive.take(np.arange(0)))
        return self._archive.columns(merged([designs for designs, _ in parts]))

    def _next(self, n: int) -> Made:
        """Return designs to ask next, marked as seen; none where nothing is left."""
        made = self._unmodelled() if self._stuck else None
        if made is None and self._archive.count >= min(4, self.settings["first"]):
            made = self._chosen()
        if made is None:
            own = self._archive.own(self._first.ask(n))
            made = own, self._told(own)
            rows = self._seen.new(made[1])
            made = (some(made[0], rows), made[1][rows]) if len(rows) else made
        self._seen.add(made[1])
        return made

    def _unmodelled(self) -> Made | None:
        """Return a design that no model chose; None where it is not its turn."""
        design = self._turns.take(self._places.of, self._seen.new)
        if design is None:
            return None
        own = self._archive.own(design)
        return own, self._told(own)

    def _chosen(self) -> Made | None:
        """Choose by the models; None where they know nothing to choose by."""
        fits = self.models.fits
        self.models.learn(self._archive.places, self._archive.ranked())
        self._fitted = self.models.fits > fits
        if not self.models.learnt:
            return None
        pending = np.array(list(self._pending.values())).reshape(-1, self._archive.places.shape[1])
        aim = self._aim()
        designs, where, foretold = self._choice.choose(aim, pending, self._at_once)
        if not len(where) and aim.within is not None:  # nothing is left elsewhere
            self._niches.clear()
            self._idle = int(self.settings["patience"])
            aim = self._usual
            designs, where, foretold = self._choice.choose(aim, pending, self._at_once)
        self._choices += 1
        if self._stuck:
            self._turns.owe(len(where))
        where = self._told(designs)
        if aim.weights is not None:
            self._promise(aim, where, foretold)
        for place, one in zip(where, foretold, strict=True):
            self._foretold[place.tobytes()] = one
        return designs, where

    def _promise(self, aim: Aim, where: NDArray[np.float64], foretold: list[Foretold]) -> None:
        """Remember with what chance each design at these places was to be as good as the last incumbent that counts."""
        bar = float(np.sort(aim.losses[:, 0])[:INCUMBENTS][-1])
        chances = [self.models.chance(one, bar) for one in foretold]
        self._promises.make(where, self._where(aim.starts), chances, bar)

    def _aim(self) -> Aim:
        """Return what to improve on next: the best of all, or of what is elsewhere, where the search is stuck."""
        if not (self._stuck and self._feasible.any()):
            return self._usual
        archive = self._archive
        rows = self._niches.elsewhere(archive.places, archive.rewards, archive.ranked())
        if rows is None:
            self._idle = int(self.settings["patience"])
            return self._usual
        best, feasible = rows[:INCUMBENTS][::-1].copy(), rows[self._feasible[rows]]
        return self._aimed(best, self._losses[feasible], 1.0, self._niches.outside)

    @property
    def _stuck(self) -> bool:
        """Whether there is one objective, and nothing improved for long."""
        return not self._several and self._idle >= STUCK * int(self.settings["patience"])

    @property
    def _usual(self) -> Aim:
        """What to improve on as long as the search is not stuck: the best of all."""
        return self._aimed(self._incumbents(), self._losses[self._feasible], self._boldness)

    def _aimed(self, best: NDArray[np.int64], losses: NDArray[np.float64], boldness: float, within: Any = None) -> Aim:
        """Return the aim to improve on losses, (n, k), from these rows; with one objective promises are weighed."""
        starts, weights = self._archive.take(best), None
        if not self._several and len(losses):
            weights = partial(self._promises.weights, incumbents=self._where(starts))
        local = self._choices % 2 == 1 and not self._fitted
        return Aim(starts, losses, boldness, local, within, weights)

    def _told(self, designs: Any) -> NDArray[np.float64]:
        """Return the places that designs in the archive's form will have when they are told, to the last bit."""
        return self._places.of(self._archive.columns(designs))

    def _where(self, designs: Any) -> NDArray[np.float64]:
        """Return the places of designs in the archive's form."""
        return self._places.of_digits(designs) if self._places.flat else self._places.of(designs)

    def _incumbents(self) -> NDArray[np.int64]:
        """Return the rows of the best designs, the best last; with several objectives those that none dominates."""
        rows = np.flatnonzero(self._feasible)
        if self._several and len(rows):
            front = rows[nondominated(self._losses[rows])]
            return self.rng.permutation(front)[: 2 * INCUMBENTS]
        return self._archive.best(INCUMBENTS)[::-1].copy()

    @property
    def _boldness(self) -> float:
        """What deviations are multiplied by: in turn more than the models say, where what they say leads nowhere."""
        if self._idle < self.settings["patience"]:
            return 1.0
        return BOLD[self._choices % len(BOLD)]

    @property
    def _at_once(self) -> int:
        """How many designs to choose at a time: few early, when each changes the models most."""
        return int(min(1 + self._archive.count // self.settings["pace"], self.settings["most"]))

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        n = batch_length(designs)
        if not n:
            return
        where = self._places.of(designs)
        self._seen.add(where)
        self._archive.add(self._archive.own(designs), where, evaluations.reward)
        self._niches.add(where, evaluations.reward)
        if not self._several:
            self._turns.tell(where, designs, evaluations)
        self._targets.add(evaluations)
        self._losses = np.concatenate([self._losses, evaluations.losses])
        self._feasible = np.append(self._feasible, evaluations.feasible)
        self._note_improvements(evaluations)
        for row, place in enumerate(where):
            key = place.tobytes()
            self._pending.pop(key, None)
            self._promises.hear(place, float(evaluations.losses[row, 0]), bool(evaluations.feasible[row]))
            foretold = self._foretold.pop(key, None)
            if foretold is not None:
                self.models.hear(foretold, self._targets.row(row - n))
        waiting = self._seen_in_queue(where)
        self._queue = some(self._queue[0], waiting), self._queue[1][waiting]
        self.batch = len(self._queue[1]) or self._at_once

    def _note_improvements(self, evaluations: Evaluations) -> None:
        """Count trials since the last that improved: the best one's reward, or a front."""
        n = len(evaluations)
        if self._several:
            rows = np.flatnonzero(self._feasible)
            front = rows[nondominated(self._losses[rows])] if len(rows) else rows
            better = front[front >= len(self._feasible) - n]
        else:
            rewards = self._archive.rewards
            before = np.maximum.accumulate(np.append(-np.inf, rewards[:-1]))
            better = np.flatnonzero((rewards > before)[-n:]) + len(rewards) - n
        self._idle = len(self._feasible) - 1 - int(better[-1]) if len(better) else self._idle + n

    def _seen_in_queue(self, told: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the rows of the queue that were not told."""
        keys = {place.tobytes() for place in told}
        return np.array([row for row, place in enumerate(self._queue[1]) if place.tobytes() not in keys], np.int64)
