"""What every test shares: property tests are judged by what they find, never by how long they took."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "penstock", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("penstock")
