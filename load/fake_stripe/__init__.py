"""A Stripe of ours for tests and trials: the few calls that billing makes, and events signed by Stripe's own library."""

from __future__ import annotations

from load.fake_stripe.stripe import FakeStripe

__all__ = ["FakeStripe"]
