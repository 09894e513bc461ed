"""Models learned from trials: they know of a design space what its column specs say, and nothing else."""
