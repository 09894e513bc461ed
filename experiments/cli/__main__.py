"""`python -m designgym.experiments.cli`: the command where no script of that name is installed, as in a Ray job."""

from designgym.experiments.cli import main

main()
