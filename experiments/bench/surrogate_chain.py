"""SystolicArray-v0's latency and energy learned from its parameters alone, by way of what they are made of.

A chain (Spyromitros-Xioufis et al., Machine Learning 104, 2016, doi:10.1007/s10994-016-5546-z): cycles and the words
that each operand moves are learned first, then latency and the energy of computing, from true counts and predicted from
predicted ones. Energy is added up from its parts: what DRAM words cost, and idle power times latency. A learned model
of energy itself climbs in steps what is a product of smooth columns. Counts and parts of the energy are told by the
cost model of the designs learned from, besides its metrics; that energy is their sum, and that words take so many
cycles of the DRAM's interface, is known and not learned. Of a design that is predicted the parameters alone are seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from designgym.cost_models.accelerator.systolic_array import SystolicArray
from designgym.cost_models.accelerator.systolic_layers import energy_by_part, words_by_operand
from designgym.cost_models.base import Columns, ColumnSpec
from designgym.cost_models.learned.regression import FittedMetrics, fit_metrics

DRAM_WORDS = ("dram_ifmap_words", "dram_filter_words", "dram_ofmap_words")
COUNTS = ("cycles", "sram_words", *DRAM_WORDS)  # one operand's words depend on few parameters, their sum on all
MODEL = "linear_boosting+additive"
SMOOTH = f"{MODEL}+mlp"  # for what has no steps


@dataclass(frozen=True)
class Chain:
    """Fitted models: of COUNTS and of idle_w from the parameters, of latency_s and onchip_j from counts besides.

    dram_word_j: energy of a word to or from DRAM.
    """

    counts: FittedMetrics
    idle: FittedMetrics
    rest: FittedMetrics
    dram_word_j: float

    def predict(self, designs: Columns) -> Columns:
        """Return COUNTS, idle_w, onchip_j, latency_s and energy_j, each float64 (n,)."""
        counts = self.counts.predict(designs)
        found = counts | self.idle.predict(designs) | self.rest.predict(designs, _seen(designs, counts))
        dram_j = self.dram_word_j * sum(counts[name] for name in DRAM_WORDS)
        return found | {"energy_j": found["onchip_j"] + dram_j + found["idle_w"] * found["latency_s"]}


def told(model: SystolicArray, designs: Columns, metrics: Columns) -> Columns:
    """Return what a chain is learned from: the metrics, words by operand, idle power (W), energy in the array (J).

    All but the metrics comes from inside the cost model.
    """
    parts = energy_by_part(model, designs)
    of_parts = {"idle_w": parts["idle_j"] / metrics["latency_s"], "onchip_j": parts["mac_j"] + parts["sram_j"]}
    return metrics | words_by_operand(model, designs) | of_parts | {"dram_j": parts["dram_j"]}


def fit_chain(specs: Sequence[ColumnSpec], designs: Columns, known: Columns, say: Callable[[str], None]) -> Chain:
    """Learn from designs of which all in `known` is known, see `told`."""

    def learn(names: Sequence[str], model: str, features: Columns | None = None) -> FittedMetrics:
        values = {name: known[name] for name in names}
        return fit_metrics(specs, designs, values, features=features, model=model, progress=say)

    counts = learn(COUNTS, MODEL)
    rest = learn(("latency_s", "onchip_j"), MODEL, _seen(designs, known))
    word_j = float(np.mean(known["dram_j"]) / np.mean(sum(known[name] for name in DRAM_WORDS)))
    return Chain(counts, learn(("idle_w",), SMOOTH), rest, word_j)


def _seen(designs: Columns, known: Columns) -> Columns:
    """Return counts as columns, with the cycles that DRAM takes and ratios of any two: trees see one at a time."""
    counts = {name: np.asarray(known[name], np.float64) for name in COUNTS}
    counts["memory_cycles"] = sum(counts[name] for name in DRAM_WORDS) / designs["dram_words_per_cycle"]
    names = list(counts)
    return counts | {f"{a} / {b}": counts[a] / counts[b] for i, a in enumerate(names) for b in names[:i]}
