"""Design spaces of numerical solvers' schedules."""
