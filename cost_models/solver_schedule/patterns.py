"""Patterns of solvers over a fixed number of evaluations: which solver may stand where, one spelling each.

An evaluation has a slot. Heun's step takes two of them, "heun" and "heun_end". Any step may follow any (USF, Liu et
al., ICLR 2024, arXiv:2312.07243), but for orders that the evaluations so far do not allow, correctors without an
evaluation after them, and steps that are another's by another name.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from designgym.cost_models.base import Columns
from designgym.cost_models.solver_schedule.solvers import NODES, PREDICTORS, SOLVERS

END = "heun_end"
NAMES = (*SOLVERS, END)
# What takes noise or data for a polynomial in log-SNR through several nodes, or steps to a time where it is infinite.
IN_LOG_SNR = frozenset(name for name in SOLVERS if NODES[name] > 1 and not name.startswith("deis")) | {
    "deis_log1", "deis_log2", "deis_log3",
}  # fmt: skip
OF_DATA = ("unipc1", "unipc2", "unipc3")  # correctors of data
MOST_NODES = max(NODES.values()) + 1


@dataclass(frozen=True)
class Patterns:
    """Patterns of so many evaluations on a path, by its name. allowed: the solvers to choose from."""

    path: str
    evaluations: int
    allowed: tuple[str, ...] = SOLVERS

    def __post_init__(self) -> None:
        unknown = [name for name in self.allowed if name not in SOLVERS]
        if unknown or not self.choices(1):
            raise ValueError(
                f"solvers must be some of {', '.join(SOLVERS)}, one of them of first order (off the path vp euler is "
                f"ddim), got {', '.join(self.allowed) or 'none'}. Correct them."
            )
        if not all(self.choices(slot) for slot in range(1, self.evaluations + 1)) or not self.count():
            raise ValueError(
                f"solvers must allow {self.evaluations} evaluations on the path {self.path}, got "
                f"{', '.join(self.allowed)}: the last step takes no corrector and no half of heun. Add ddim, say."
            )

    def columns(self) -> tuple[str, ...]:
        """Return the names of the slots' columns."""
        return tuple(f"solver_{slot}" for slot in range(1, self.evaluations + 1))

    def choices(self, slot: int) -> tuple[str, ...]:
        """Return the solvers that may stand at a slot, counted from 1, after some pattern or other."""
        last, flow = slot == self.evaluations, self.path == "flow"
        # The flow's first evaluation has no log-SNR, nor has its end.
        nodes = [name for name in self.allowed if NODES[name] <= slot - (flow and name in IN_LOG_SNR)]
        fit = [name for name in nodes if not (last and (name in PREDICTORS or name == "heun"))]
        fit = [name for name in fit if not (last and flow and name in IN_LOG_SNR)]
        if flow and slot == self.evaluations - 1:
            fit = [name for name in fit if name != "heun"]  # it would evaluate at the end, where there is no noise
        if flow and slot == 1:
            fit = [name for name in fit if name != "unipc1_noise"]  # there it is unipc1
        if self.path != "vp":
            fit = [name for name in fit if name != "euler"]  # there it is DDIM
        second = slot > 1 and "heun" in self.allowed and not (flow and last)
        return (*fit, END) if second else tuple(fit)

    @cached_property
    def _numbers(self) -> tuple[NDArray[np.int64], ...]:
        """For each slot the place in NAMES of each choice."""
        slots = range(1, self.evaluations + 1)
        return tuple(np.array([NAMES.index(name) for name in self.choices(slot)]) for slot in slots)

    def numbers(self, designs: Columns) -> NDArray[np.int64]:
        """Return the place in NAMES of each design's solver at each slot, (n, evaluations)."""
        columns = zip(self.columns(), self._numbers, strict=True)
        return np.stack([own[np.asarray(designs[name]).astype(np.int64)] for name, own in columns], axis=1)

    def __call__(self, designs: Columns) -> NDArray[np.bool_]:
        """Where a design is a pattern, (n,): the constraint of a design space."""
        return self.faults(self.numbers(designs)) == 0

    def faults(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the slots whose solver can not stand there, (n,). numbers: (n, evaluations)."""
        n = len(numbers)
        faults, nodes, open_ = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, bool)
        before = np.full(n, -1)  # the step before, not the slot
        for slot, number in enumerate(numbers.T, 1):
            second = number == NAMES.index(END)
            faults += second != open_
            nodes += ~open_
            faults += ~second & (_NODES[number] > nodes - (self.path == "flow") * _BY_LOG_SNR[number])
            if "dpmpp2m" in self.allowed:
                faults += (number == _DPM2M) & (before == _DDIM)  # it is dpmpp2m
            if slot == self.evaluations and self.path == "flow":
                # DDIM to where there is no noise forgets x, and with it the correction.
                faults += (number == _DDIM) & np.isin(before, _OF_DATA)
            before = np.where(second, _HEUN, number)
            open_ = (number == _HEUN) & ~open_
        return faults + open_

    def reason(self, design: Columns) -> str:
        """Say what is wrong with a batch of one that is no pattern; "" where it is one."""
        nodes, before, said = 0, "", []
        for slot, number in enumerate(self.numbers(design)[0], 1):
            name = NAMES[number]
            if (before == "heun") != (name == END):
                said.append(
                    f"solver_{slot}: heun and {END} must follow one another, got {name} after {before or 'none'}"
                )
            elif not self._follows(name, nodes, before, slot):
                needs = f"goes back on {NODES[name]} evaluations at times of their own, of {nodes + 1}"
                why = needs if NODES[name] > nodes + 1 - (self.path == "flow") else "is another solver's step here"
                said.append(f"solver_{slot}: {name} {why}")
            nodes, before = nodes + (name != END), name
        return "; ".join(said)

    def solvers(self, numbers: NDArray[np.int64]) -> tuple[str, ...]:
        """Return the solver of each step of one pattern, (evaluations,)."""
        return tuple(NAMES[number] for number in numbers if NAMES[number] != END)

    def count(self) -> int:
        """Return how many patterns there are, exactly: by what can follow, not by listing them."""
        states: dict[tuple[int, str], int] = {(0, ""): 1}  # nodes, and the name before as far as it matters
        for slot in range(1, self.evaluations + 1):
            after: dict[tuple[int, str], int] = {}
            for (nodes, before), ways in states.items():
                for name in self.choices(slot):
                    if self._follows(name, nodes, before, slot):
                        state = min(nodes + (name != END), MOST_NODES), name if name in _MATTERING else ""
                        after[state] = after.get(state, 0) + ways
            states = after
        return sum(ways for (_, before), ways in states.items() if before != "heun")

    def _follows(self, name: str, nodes: int, before: str, slot: int) -> bool:
        if (before == "heun") != (name == END):
            return False
        if name == END:
            return True
        if NODES[name] > nodes + 1 - (self.path == "flow" and name in IN_LOG_SNR):
            return False
        forgets = self.path == "flow" and slot == self.evaluations and name == "ddim" and before in OF_DATA
        return not forgets and not (name == "dpm2m" and before == "ddim" and "dpmpp2m" in self.allowed)


_NODES = np.array([*(NODES[name] for name in SOLVERS), 0])
_BY_LOG_SNR = np.array([*(name in IN_LOG_SNR for name in SOLVERS), False])
_OF_DATA = [SOLVERS.index(name) for name in OF_DATA]
_MATTERING = frozenset({"heun", "ddim", *OF_DATA})
_DDIM, _DPM2M, _HEUN = (SOLVERS.index(name) for name in ("ddim", "dpm2m", "heun"))


def lengths(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many steps each pattern makes, (n,). numbers: (n, evaluations)."""
    return (numbers != NAMES.index(END)).sum(axis=1)
