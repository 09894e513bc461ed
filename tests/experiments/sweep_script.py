"""Run a sweep file as the command line does: `python sweep_script.py FILE OUT [ADDRESS]`. With the tests' problems."""

import sys

import fault_problems
import played_problems
import tiny_problems

from designgym.experiments.driver import sweep
from designgym.experiments.spec import load_spec

if __name__ == "__main__":
    tiny_problems.register()
    fault_problems.register()
    played_problems.register()
    address = sys.argv[3] if len(sys.argv) > 3 else None
    try:
        outcome = sweep(load_spec(sys.argv[1]), sys.argv[2], address=address, workers=None if address else 2)
    except ValueError as error:
        print(f"designgym: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(130 if outcome.interrupted else 1 if outcome.failed else 0)
