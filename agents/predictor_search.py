"""Evolution led by a predictor that is learned anew as evaluations arrive (S3, multi-stage predictor-based search).

Source: Liu et al., "A Unified Sampling Framework for Solver Searching of Diffusion Probabilistic Models", ICLR 2024,
arXiv:2312.07243: parents from the best 15, crossover .3, each kind of decision mutated with probability .3, and
children that the predictor ranks before any is priced. There the predictor is a recurrent network that has seen
thousands of schedules; here it is a forest on the ranks of the run's own trials, which learns from the first dozens.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from designgym.agents.base import Agent
from designgym.agents.fresh import drawn_new
from designgym.agents.genetic import selection_order
from designgym.agents.moves import cross, joined, mutate, rows_of
from designgym.agents.seen import Seen
from designgym.cost_models.base import Columns, batch_length
from designgym.cost_models.learned.forest import RankForest
from designgym.envs import (
    Categorical,
    DesignSpace,
    Evaluations,
    Float,
    Integer,
    Ordinal,
    Permutation,
    Problem,
    Subset,
)

LEARNED = 1024  # trials that the predictor learns from: half of them the best ones, half the latest


class PredictorSearch(Agent):
    """Rounds of: learn, breed for some generations by what is predicted, ask the best predicted of all children.

    Several objectives are ranked by constraint domination, front and crowding as in NSGA-II.

    What the paper leaves open was chosen on DiffusionSampling-v0 with ring2d on the flow (noise 3) and gmm8d on the
    VE path (noise 4), 7 evaluations and 128 points, seeds from 1,000 on, by the RMS after 400 designs (geometric mean
    of 4 runs): 8 priced at a time .050 and .032, 16 .109 and .060; a rate of .1 and a tenth at random .051 and .065.
    """

    summary = "evolution led by a predictor that learns from the run's own trials (S3); one or several objectives"
    hyperparameters = DesignSpace(
        Integer("first", 4, 1024, log=True, default=32, meaning="random designs to begin with"),
        Ordinal("batch", (1, 2, 4, 8, 16, 32, 64), default=8, meaning="children priced before it learns anew"),
        Integer("parents", 2, 256, log=True, default=15, meaning="best designs that breed"),
        Integer("children", 16, 4096, log=True, default=128, meaning="children of a generation"),
        Integer("generations", 1, 32, default=3, meaning="generations bred by what is predicted between pricings"),
        Float("crossover", 0.0, 1.0, default=0.3, meaning="share of children that have two parents"),
        Float("mutation", 0.0, 1.0, default=0.3, meaning="chance of each kind of parameter to mutate"),
        Float("rate", 0.0, 1.0, default=0.3, meaning="chance of each further parameter of a kind to mutate"),
        Float("reach", 0.0, 1.0, default=0.25, meaning="share of an ordered parameter's mutations that go anywhere"),
        Float("random", 0.0, 1.0, default=0.0, meaning="share of what is asked that is drawn at random"),
        Ordinal("trees", (16, 32, 64, 128, 256), default=32, meaning="trees of the predictor"),
    )

    def __init__(self, problem: Problem, rng: np.random.Generator, **hyperparameters: float) -> None:
        super().__init__(problem, rng, **hyperparameters)
        self.batch = int(self.settings["batch"])
        self._seen = Seen(self.space)
        self._designs: Columns = {}
        self._evaluations: Evaluations | None = None
        self._forest = RankForest(self.space.specs(), int(self.settings["trees"]))
        kinds = [_kind(parameter) for parameter in self.space.parameters]
        self._kinds = [np.flatnonzero([kind == other for other in kinds]) for kind in dict.fromkeys(kinds)]

    @property
    def population(self) -> int:
        return max(self.batch, int(self.settings["first"]))

    def ask(self, n: int) -> Columns:
        if self._evaluations is None or len(self._evaluations) < max(2, self.settings["first"]):
            return self._random(n)
        wild = int(self.rng.binomial(n, self.settings["random"]))
        best = self._best_predicted(n - wild) if n > wild else None
        if best is None:
            return self._random(n)
        self._seen.add(best)
        return joined(best, self._random(wild)) if wild else best

    def _random(self, n: int) -> Columns:
        designs, new = drawn_new(self.space, self._seen, n, lambda rows: self.space.sample(len(rows), self.rng))
        # A repeat is asked only where nothing new was drawn: a space without anything new ends as repeats.
        designs = rows_of(designs, new) if new.any() else designs
        self._seen.add(designs)
        return designs

    def _best_predicted(self, n: int) -> Columns | None:
        """Breed by what is predicted; return the best predicted of all new children, at most n, or None."""
        assert self._evaluations is not None
        order = selection_order(self._evaluations)
        self._learn(order)
        parents = rows_of(self._designs, order[: int(self.settings["parents"])])
        predicted = self._forest.predict(parents)
        pool: tuple[Columns, NDArray[np.float64]] | None = None
        for _ in range(int(self.settings["generations"])):
            children = self._children(parents)
            if children is None:
                break
            scores = self._forest.predict(children)
            pool = (children, scores) if pool is None else _best(self.space, pool, (children, scores), None)
            parents, predicted = _best(
                self.space, (parents, predicted), (children, scores), int(self.settings["parents"])
            )
        if pool is None:
            return None
        return rows_of(pool[0], np.argsort(pool[1], kind="stable")[:n])

    def _learn(self, order: NDArray[np.int64]) -> None:
        """Let the predictor learn the places of trials. order: theirs, the best first."""
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        rows = np.arange(len(order))
        if len(rows) > LEARNED:
            rows = np.union1d(order[: LEARNED // 2], rows[-LEARNED // 2 :])
        self._forest.fit(rows_of(self._designs, rows), places[rows], int(self.rng.integers(2**32)))

    def _children(self, parents: Columns) -> Columns | None:
        """Return new valid children of these parents, or None."""
        count = batch_length(parents)

        def draw(rows: NDArray[np.int64]) -> Columns:
            mothers, fathers = self.rng.integers(0, count, (2, len(rows)))
            fathers = np.where(self.rng.random(len(rows)) < self.settings["crossover"], fathers, mothers)
            children = cross(self.space, rows_of(parents, mothers), rows_of(parents, fathers), self.rng)
            return mutate(self.space, children, self._mask(mothers == fathers), self.settings["reach"], self.rng)

        designs, new = drawn_new(self.space, self._seen, int(self.settings["children"]), draw)
        return rows_of(designs, new) if new.any() else None

    def _mask(self, alone: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which parameters mutate, bool (n, parameters). alone: where it must be at least one, (n,)."""
        n = len(alone)
        mask = np.zeros((n, len(self.space.parameters)), bool)
        for members in self._kinds:
            own = self.rng.random((n, len(members))) < self.settings["rate"]
            own[np.arange(n), self.rng.integers(0, len(members), n)] = True
            mask[:, members] = own & (self.rng.random(n) < self.settings["mutation"])[:, None]
        still = np.flatnonzero(alone & ~mask.any(axis=1))
        mask[still, self.rng.integers(0, mask.shape[1], len(still))] = True
        return mask

    def tell(self, designs: Columns, evaluations: Evaluations) -> None:
        self._seen.add(designs)
        if self._evaluations is not None:
            designs = joined(self._designs, designs)
            evaluations = Evaluations.concatenate([self._evaluations, evaluations])
        self._designs, self._evaluations = dict(designs), evaluations


def _kind(parameter: Any) -> str:
    """What sort of decision a parameter is: those of one kind mutate together."""
    for kind, classes in {"name": Categorical, "real": Float, "order": Permutation, "subset": Subset}.items():
        if isinstance(parameter, classes):
            return kind
    return "number"


def _best(
    space: DesignSpace,
    one: tuple[Columns, NDArray[np.float64]],
    other: tuple[Columns, NDArray[np.float64]],
    count: int | None,
) -> tuple[Columns, NDArray[np.float64]]:
    """Return the best predicted designs of two batches, each once, at most `count` of them."""
    designs, scores = joined(one[0], other[0]), np.concatenate([one[1], other[1]])
    first = Seen(space).add(designs)
    rows = np.flatnonzero(first)
    rows = rows[np.argsort(scores[rows], kind="stable")[:count]]
    return rows_of(designs, rows), scores[rows]
