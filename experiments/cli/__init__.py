"""The command line: `designgym COMMAND`. Heavy libraries are imported by the commands that need them."""

from designgym.experiments.cli.app import main

__all__ = ["main"]
