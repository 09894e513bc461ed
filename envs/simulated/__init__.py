"""Design spaces whose cost model is somebody's program, described in a YAML file."""
