"""Cost models of deep-learning accelerators."""
