"""Read what a simulator printed under a time limit and a memory limit, whatever it printed and whatever is sought.

A regular expression can run for ever, and holds the interpreter's lock while it does; a few MB of brackets fill
gigabytes. So reading has a process of its own; only short JSON and CSV, whose parsers take time in proportion, are read
here. The process costs about 30 ms on an idle core, two and a half starts of a bare Python.
"""

import marshal
import os
import subprocess
import sys
from typing import Any

from designgym.cost_models.simulators.reading import answer

FEW_BYTE = 1 << 16  # JSON and CSV up to which are read at once: milliseconds, and less than 10 MB of memory
START_S = 20.0  # beyond the time limit, in which a Python on a busy machine must have started
_READ = "import sys; sys.path.append(sys.argv[1]); import reading; reading.main()"


def read_all(jobs: list[dict[str, Any]], texts: dict[str, bytes], seconds: float) -> list[float | bool | str]:
    """Return for each job the number found, whether a pattern was found, or in a text why neither is known.

    jobs: each with `source`, a key of texts, and one of `regex` and `which`; `json`; `csv`, `row` and `delimiter`;
    `pattern`. Where seconds or the memory do not suffice, none is known.
    """
    used = {job["source"] for job in jobs}
    quick = all("regex" not in job and "pattern" not in job for job in jobs)
    if quick and sum(len(texts[name]) for name in used) <= FEW_BYTE:
        return [answer(job, texts) for job in jobs]
    data = marshal.dumps((jobs, {name: texts[name] for name in used}, seconds))
    command = [sys.executable, "-I", "-S", "-c", _READ, os.path.dirname(os.path.abspath(__file__))]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=seconds + START_S)
    except subprocess.TimeoutExpired:
        return [_out_of_time(seconds)] * len(jobs)
    if done.returncode < 0:  # SIGALRM or SIGXCPU, or whatever else has killed it
        return [_out_of_time(seconds)] * len(jobs)
    if done.returncode:
        return [f"its output could not be read: {done.stderr.decode('utf-8', 'replace').strip()[-200:]}"] * len(jobs)
    found: list[float | bool | str] = marshal.loads(done.stdout)
    return found


def _out_of_time(seconds: float) -> str:
    return f"its output could not be read within {seconds:g} s; simplify the pattern, or raise parse_seconds"
