"""Design spaces, objectives, problems and their Gymnasium faces."""
