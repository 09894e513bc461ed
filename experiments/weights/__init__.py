"""Training of the networks whose weights are shipped: `python -m designgym.experiments.weights.NAME --out FILE`."""
