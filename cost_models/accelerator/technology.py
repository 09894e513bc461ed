"""What words, multiplications and square millimetres cost in one chip technology.

Numbers and their sources stand in data/*.json: `horowitz45`, absolute energies at 45 nm (Horowitz, ISSCC 2014,
doi:10.1109/ISSCC.2014.6757323), and `eyeriss65`, relative ones at 65 nm (Chen, Emer and Sze, ISCA 2016,
doi:10.1109/ISCA.2016.40).
"""

import difflib
import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import pairwise
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_KB = 4096  # beyond it, SRAM energies go on in a straight line
WORD_BITS = 8

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Technology:
    """Costs of a systolic array of 8-bit words.

    mac_j: one multiply-accumulate in its processing element; sram_word_j: (kB, J) of one word's access, read or write,
    in between by power laws, beyond the ends by the nearest one; dram_word_j: one word to or from DRAM. An access is
    wider than a word (64 bit in `horowitz45`) and costs its words equal shares: words come in order, so none is wasted.
    mac_mm2, sram_mm2_per_kb; phy_mm2_per_word_per_s: the DRAM interface, which grows with the rate it must carry.
    idle_j_per_mm2: spent per cycle by array and SRAMs, whatever they do: the clock tree and what it drives.
    phy_w_per_word_per_s: the same of the DRAM interface, whose clock is its own.
    supply_v: (Hz, V), rising, the least voltage at a clock; all energies of array and SRAMs are at nominal_v and go
    with its square. node_nm: feature size, by which areas of circuits from elsewhere are brought here.

    Error: the sources' own; idle power 1.4 times the clock network of Eyeriss (a third of 278 mW on 12.25 mm2, 65 nm).
    Left out: leakage, which is small in the low-power processes that run at such clocks.
    """

    name: str
    mac_j: float
    sram_word_j: Points
    dram_word_j: float
    mac_mm2: float
    sram_mm2_per_kb: float
    phy_mm2_per_word_per_s: float
    idle_j_per_mm2: float
    phy_w_per_word_per_s: float
    supply_v: Points
    nominal_v: float
    node_nm: float = field(default=45.0, repr=False)

    def tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return `costs`, `sram_j_per_kb` and `voltage_curve`, which take milliseconds to make."""
        return self.costs(), self.sram_j_per_kb(), self.voltage_curve()

    def clock_reason(self, clock_hz: float) -> str:
        """Return why nothing can be clocked so fast, "" where the highest supply allows it."""
        last_hz, volts = self.supply_v[-1]
        if clock_hz <= last_hz:
            return ""
        return f"clock_hz is {clock_hz:g}, above {last_hz:g}, the fastest that {volts:g} V, the highest supply, allows"

    def costs(self) -> NDArray[np.float64]:
        """Return what `systolic_kernel` reads by name, (1, 7)."""
        return np.array(
            [[self.mac_j, self.dram_word_j, self.mac_mm2, self.sram_mm2_per_kb, self.phy_mm2_per_word_per_s,
              self.idle_j_per_mm2, self.phy_w_per_word_per_s]]
        )  # fmt: skip

    def sram_j_per_kb(self) -> NDArray[np.float64]:
        """Return J per word at 0, 1, 2 ... LARGEST_KB kB, (1, LARGEST_KB + 1); at 0 as at 1."""
        sizes = range(1, LARGEST_KB + 1)
        energies = [_power_law(self.sram_word_j, float(kb)) for kb in sizes]
        return np.array([[energies[0], *energies]])

    def voltage_curve(self) -> NDArray[np.float64]:
        """Return rows of Hz, voltage over the nominal one, and by how much the slope grows there, (points, 3).

        The slope is 0 before the first point, and goes on after the last.
        """
        curve = np.zeros((len(self.supply_v), 3))
        curve[:, :2] = self.supply_v
        curve[:, 1] /= self.nominal_v
        curve[:-1, 2] = np.diff(np.diff(curve[:, 1]) / np.diff(curve[:, 0]), prepend=0.0)
        return curve


@cache
def technology(name: str) -> Technology:
    """Return a technology by its name, or from a file of the same form whose path ends in .json."""
    if name.endswith(".json"):
        try:
            return _read(Path(name).stem, Path(name).read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"technology {name} must be a readable JSON file: {error}.") from None
    files = {Path(file.name).stem: file for file in resources.files(__package__).joinpath("data").iterdir()}
    known = sorted(stem for stem, file in files.items() if file.name.endswith(".json"))
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.0)[0]
        raise ValueError(f"technology must be one of {', '.join(known)} or a path to a .json file, got {name!r}. "
                         f"Did you mean {near!r}?")  # fmt: skip
    return _read(name, files[name].read_text())


def _read(name: str, text: str) -> Technology:
    given: dict[str, Any] = json.loads(text)
    try:
        energy, area, idle = given["energy"], given["area"], given["idle"]
        # Lengths go with the feature size: areas with its square, capacitances with itself (Dennard et al., JSSC 1974,
        # doi:10.1109/JSSC.1974.1050511), voltages no longer. Pads and analogue circuits of an interface do not shrink.
        shrink = (given["node_nm"] / area["node_nm"]) ** 2
        phy_mm2 = area["dram_mm2_per_gbyte_per_s"] * 1e-9 * WORD_BITS / 8
        sram_words, dram_words = energy["sram_access_bits"] / WORD_BITS, energy["dram_access_bits"] / WORD_BITS
        tech = Technology(
            name,
            mac_j=energy["mac_pj"] * 1e-12,
            sram_word_j=tuple((kb, pj * 1e-12 / sram_words) for kb, pj in energy["sram_pj_per_access"]),
            dram_word_j=energy["dram_pj_per_access"] * 1e-12 / dram_words,
            mac_mm2=area["mac_mm2"] * shrink,
            sram_mm2_per_kb=area["sram_mm2_per_kb"] * shrink,
            phy_mm2_per_word_per_s=phy_mm2,
            idle_j_per_mm2=idle["w_per_mm2"] / idle["at_hz"] * idle["node_nm"] / given["node_nm"],
            phy_w_per_word_per_s=idle["w_per_mm2"] * phy_mm2,
            supply_v=tuple((hz, v) for hz, v in given["supply"]["v_at_hz"]),
            nominal_v=given["supply"]["nominal_v"],
            node_nm=float(given["node_nm"]),
        )
    except KeyError as missing:
        raise ValueError(f"technology {name}: {missing} must be given. See horowitz45.json for the form.") from None
    for what, points in (("sram_pj_per_access", tech.sram_word_j), ("v_at_hz", tech.supply_v)):
        if len(points) < 2 or any(a[0] >= b[0] or a[1] > b[1] for a, b in pairwise(points)):
            raise ValueError(f"technology {name}: {what} must be two or more rising points, got {list(points)}.")
    return tech


def _power_law(points: Points, x: float) -> float:
    """Return y at x on straight lines between the points' logarithms, the outermost lines continued."""
    lines = list(pairwise(points))
    (x0, y0), (x1, y1) = next((line for line in lines if x <= line[1][0]), lines[-1])
    if x in (x0, x1):
        return y0 if x == x0 else y1
    return exp(log(y0) + log(x / x0) * log(y1 / y0) / log(x1 / x0))
