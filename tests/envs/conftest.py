"""Hypothesis as these tests want it: kernels compile inside an example, so no deadline holds."""

from hypothesis import HealthCheck, settings

settings.register_profile("designgym", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("designgym")
