"""Sweeps to report, and what their pages hold: words and figures as the file has them, or as a browser draws them."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

from chromium import Chromium
from small_sweep import PROBLEM

START = {"tile_m": 32, "tile_n": 16, "tile_k": 64, "buffer_kb": 64, "flow": "row", "clock_hz": 800_000_000}
TWO = {"objective": {"minimize": ["latency_s", "energy_j"]}}
SMALL: dict[str, Any] = {
    "name": "small",
    "problems": [PROBLEM],
    "agents": ["random", "genetic"],
    "seeds": 2,
    "budget": 60,
}
PROBLEMS = [PROBLEM, {"id": PROBLEM, "options": TWO}]


def words(path: Path) -> str:
    """Return the text of a page as a reader sees it, without its figures and scripts."""
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.S)
    text = re.sub(r"<wbr[^>]*>|</?(?:b|strong|small|code|span)\b[^>]*>", "", text)
    text = re.sub(r"<[^>]+>", "\n", text).replace("\u00a0", " ").replace("&nbsp;", " ")
    return re.sub(r"[ \t]+", " ", text)


def figures(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="text/plain" id="figures">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found is not None
    return dict(json.loads(gzip.decompress(base64.b64decode(found[1]))))


def show(chromium: Chromium, path: Path, **window: Any) -> None:
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.show(path, **window)
    chromium.wait_for("['drawn', 'failed'].includes(document.documentElement.dataset.report)")


def drawn(chromium: Chromium, path: Path, least: int = 4, **window: Any) -> None:
    """Show a page and fail on a script error, a request to anywhere, or a figure without something to see."""
    show(chromium, path, **window)
    status = json.loads(chromium.evaluate("document.getElementById('figures-status').textContent"))
    assert chromium.errors == []
    assert status["errors"] == []
    assert [url for url in chromium.requests if url != path.resolve().as_uri() and not url.startswith("data:")] == []
    assert {figure["id"] for figure in status["figures"]} == set(figures(path))
    assert len(status["figures"]) >= least
    for figure in status["figures"]:
        assert max(figure["points"]) > 1, f"{figure['id']} has no data"
        drawn_as = ".trace path, .point path, .points path, .hm image"
        marks = f"""[...document.querySelectorAll("#{figure["id"]} :is({drawn_as})")]
            .filter((mark) => mark.matches("image") ? mark.getBBox().width > 2 : mark.getTotalLength() > 2).length"""
        assert chromium.evaluate(marks) > 0, f"{figure['id']} shows nothing"
