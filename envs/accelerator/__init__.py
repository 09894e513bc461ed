"""Design spaces of deep-learning accelerators."""
