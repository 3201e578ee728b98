"""What holds for every suite."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Timings are no test's business: a slow machine must not fail an example.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")
