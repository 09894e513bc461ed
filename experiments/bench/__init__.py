"""What `designgym bench` measures, a module a study; ratios are between figures of one run."""
