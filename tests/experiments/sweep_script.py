"""Run a sweep file as the command line does, with the tiny problems known: `python sweep_script.py FILE OUT`."""

import sys

import tiny_problems

from designgym.experiments.driver import sweep
from designgym.experiments.spec import load_spec

if __name__ == "__main__":
    tiny_problems.register()
    try:
        outcome = sweep(load_spec(sys.argv[1]), sys.argv[2], workers=2)
    except ValueError as error:
        print(f"designgym: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(130 if outcome.interrupted else 1 if outcome.failed else 0)
