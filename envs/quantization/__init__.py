"""Design spaces of quantised and compressed networks."""
