"""Little work runs on one thread, whatever has been imported before."""

import subprocess
import sys

PROGRAM = """
from designgym.cost_models.learned.threads import for_rows
from threadpoolctl import threadpool_info

with for_rows(100):
    import sklearn.ensemble
    print(sorted({one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"}))
"""


def test_openmp_is_held_to_one_thread_from_the_first_fit_on() -> None:
    """Its library comes with scikit-learn: one that is loaded later would keep its threads, which spin."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[1]"
